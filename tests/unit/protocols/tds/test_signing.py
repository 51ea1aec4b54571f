"""A contract from the request to its performance, by two members and a platform, whatever breaks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from entrepot_space_world import ALICE, BOB, EVE, OPERATOR, Party
from entrepot_tds_net import Net
from sqlalchemy import text

from entrepot import contracts, space
from entrepot.contracts import SIGNED_AS, Move, Next, Reason, Signatory, Signature, State, Status
from entrepot.contracts import Party as Side
from entrepot.identity import to_base64url
from entrepot.protocols import tds
from entrepot.space import FilingState
from entrepot.values import ContractId, Grade, canonical

Fault = Callable[[str, str], str | None]


def whole(net: Net) -> None:
    """What must hold once a contract is in performance, whatever happened before."""
    provider, consumer = net.node(ALICE).contract(), net.node(BOB).contract()
    filed = net.world.contract(provider.contract_id)
    assert provider.status is consumer.status is Status.PERFORMING
    assert provider.envelope == consumer.envelope == filed.envelope
    assert provider.receipt == consumer.receipt == filed.receipt
    assert filed.state is FilingState.FILED
    assert not provider.one_sided
    assert len(net.world.journal.read_now(space.contracts)) == 1


def test_two_members_make_a_contract(net: Net) -> None:
    """The main street would end at its first crossing."""
    net.contract()

    whole(net)


def test_the_consumer_signs_before_it_verifies_and_the_receipt_comes_before_the_end(net: Net) -> None:
    """A provider would count on a signature, or a consumer on a filing, that never comes."""
    net.contract()

    told = [url.rpartition("/")[2] for _, url, status in net.calls if 200 <= status < 300]
    wanted = ["contractCreate", "agreement", "contractSignature", "verification", "contractFiled", "events"]
    assert [t for t in told if t in wanted] == wanted


@pytest.mark.parametrize("fault", ["lost", "unanswered", "twice"])
@pytest.mark.parametrize(
    "name", ["contractCreate", "contractSignature", "contractRegistrate", "contractFiled"]
)
def test_a_contract_is_made_over_a_bad_network(net: Net, name: str, fault: str) -> None:
    """A message that is lost, repeated or unanswered would leave the parties apart."""
    left = 3

    def breaks(_method: str, url: str) -> str | None:
        nonlocal left
        if not url.endswith(f"/{name}") or left == 0:
            return None
        left -= 1
        return fault

    # A repeat of a filing is answered by what the ledger has done meanwhile, so it is never sent in pairs.
    if (name, fault) == ("contractRegistrate", "twice"):
        left = 1
    net.broken.append(breaks)
    net.contract()

    whole(net)


@pytest.mark.parametrize("party", [ALICE, BOB, OPERATOR])
def test_a_contract_is_made_whoever_is_killed_again_and_again(net: Net, party: Party) -> None:
    """A node that was killed would forget a contract by half."""
    net.ask(net.world.product())
    for _ in range(14):
        net.run(rounds=1)
        if party is OPERATOR:
            net.kill_platform()
        else:
            net.node(party).kill()
    net.run()

    whole(net)


def test_a_party_that_was_killed_before_it_wrote_down_the_answer_asks_again(net: Net) -> None:
    """An answer that was heard and not written down would be lost for ever."""
    net.ask(net.world.product())
    seen: set[str] = set()

    def breaks(_method: str, url: str) -> str | None:
        name = url.rpartition("/")[2]
        if f"{tds.PATH}/" in url and name not in seen:
            seen.add(name)
            return "unanswered"
        return None

    net.broken.append(breaks)
    net.run()

    assert seen >= {"contractCreate", "contractSignature", "contractRegistrate", "contractFiled"}
    whole(net)


def test_a_consumer_that_does_not_sign_gets_no_contract(net: Net) -> None:
    """A provider would file alone what its counterparty could have signed."""
    net.broken.append(lambda _m, url: "lost" if url.endswith("/contractSignature") else None)
    net.ask(net.world.product())
    net.run(rounds=8)

    node = net.node(BOB)
    negotiation = node.negotiation()
    node.journal.write_now(
        lambda tx: contracts.handed_over(
            tx, node.desk, negotiation.exchange.id, contracts.payload_of(negotiation), b""
        )
    )
    net.run(rounds=60)

    assert net.node(ALICE).state() is State.TERMINATED
    assert "had not signed" in _problems(net, ALICE)


def test_a_negotiation_that_ends_after_its_filing_ends_the_contract_for_everybody(net: Net) -> None:
    """The platform and the other party would go on with a contract that one party holds for ended."""
    net.broken.append(lambda _m, url: "lost" if "/negotiations/" in url and url.endswith("/events") else None)
    net.ask(net.world.product())
    net.run(rounds=12)
    provider, consumer = net.node(ALICE), net.node(BOB)
    contract = provider.contract()
    no = Next(Move.TERMINATE, Reason("changed", ("we have changed our mind",)))
    consumer.journal.write_now(
        lambda tx: contracts.move(tx, consumer.desk, consumer.negotiation().exchange.id, no)
    )
    net.run(rounds=12)
    assert provider.contract().status is Status.ENDED

    net.run()

    assert provider.journal.read_now(contracts.ends_untold) == []
    assert consumer.contract().status is Status.ENDED
    over(net, contract.contract_id)


def over(net: Net, contract_id: ContractId) -> None:
    """What must hold once a negotiation was given up, whatever the platform had done by then."""
    assert net.node(ALICE).state() is net.node(BOB).state() is State.TERMINATED
    held = [c for n in (ALICE, BOB) for c in net.node(n).journal.read_now(contracts.contracts_held)]
    assert {c.status for c in held} <= {Status.ENDED}
    assert net.world.contract(contract_id).state is FilingState.ENDED
    on_ledger = net.world.head.state.get(f"contracts/{contract_id}")
    assert on_ledger is None or canonical.decode(on_ledger)["ended"] is not None


def _problems(net: Net, party: Party) -> str:
    rows = net.node(party).journal.read_now(
        lambda c: c.execute(text("SELECT body FROM audit_event WHERE name = 'tds:signing:fail'")).all()
    )
    return b" ".join(r.body for r in rows).decode()


def test_a_filing_that_is_refused_ends_the_negotiation_with_its_reason(net: Net) -> None:
    """Both parties would wait for a contract that can never be."""
    product = net.world.product()
    net.ask(replace(product, version=2))
    net.run(rounds=80)

    assert net.node(ALICE).state() is net.node(BOB).state() is State.TERMINATED
    assert "not registered" in _problems(net, ALICE)
    assert net.node(BOB).journal.read_now(contracts.contracts_held) == []


@pytest.mark.parametrize(("grade", "allowed"), [(Grade.L2, True), (Grade.L3, False)])
def test_a_counterparty_without_these_messages_is_served_as_far_as_the_space_allows(
    net: Net,
    grade: Grade,
    allowed: bool,  # noqa: FBT001 (a table of cases)
) -> None:
    """A connector that speaks only the Dataspace Protocol would be shut out, or let in too far."""
    net.world.one_sided_up_to = Grade.L2
    net.kill_platform()
    bob = net.node(BOB)
    bob.speaks, bob.respond = False, _verifies_at_once
    bob.kill()
    net.ask(net.world.product(grade=grade))
    net.run(rounds=80)

    if not allowed:
        assert net.node(ALICE).state() is State.TERMINATED
        assert "one-sided" in _problems(net, ALICE)
        return
    contract = net.node(ALICE).contract()
    assert contract.one_sided
    assert contract.status is Status.PERFORMING
    assert net.world.contract(contract.contract_id).one_sided


def _verifies_at_once(negotiation: contracts.Negotiation, now: object) -> object:
    """Another product's connector: it knows nothing of signatures."""
    if negotiation.exchange.state is State.AGREED:
        return contracts.Next(contracts.Move.VERIFY)
    return contracts.respond(negotiation, now)


def test_a_consumer_signs_alone_where_its_provider_cannot(net: Net) -> None:
    """A consumer could prove nothing of what a provider without these messages has promised it."""
    net.world.one_sided_up_to = Grade.L2
    net.kill_platform()
    alice = net.node(ALICE)
    alice.speaks, alice.respond = False, _agrees_at_once
    alice.kill()
    net.ask(net.world.product())
    net.run(rounds=80)

    contract = net.node(BOB).contract()
    filed = net.world.contract(contract.contract_id)
    assert contract.one_sided
    assert contract.agreement.id != contract.contract_id
    assert filed.envelope == contract.envelope
    assert filed.holder == BOB.did


def _agrees_at_once(negotiation: contracts.Negotiation, now: object) -> object:
    """Another product's connector as provider: agreement ids of its own, no contract, no filing."""
    if negotiation.exchange.party is Side.PROVIDER:
        if negotiation.exchange.state is State.VERIFIED:
            return contracts.Next(contracts.Move.FINALIZE)
        named = replace(negotiation.signing, contract_id=ContractId("urn:uuid:theirs"))
        return contracts.respond(replace(negotiation, signing=named), now)
    return contracts.respond(negotiation, now)


def agreed(net: Net) -> tuple[str, bytes]:
    """A negotiation that waits for the consumer's signature: its provider's id, and what is to be signed."""
    net.broken.append(lambda _m, url: "lost" if url.endswith("/contractSignature") else None)
    net.ask(net.world.product())
    net.run(rounds=8)
    found = net.node(ALICE).negotiation()
    return found.exchange.id, contracts.payload_of(found)


def signature(party: Party, payload: bytes, negotiation: str, what: bytes = SIGNED_AS) -> bytes:
    body = {
        "keyid": party.evidence.key_id,
        "negotiationId": negotiation,
        "sig": to_base64url(party.evidence.sign(what + payload)),
    }
    return canonical.encode(body)


def test_a_signature_is_taken_from_the_right_party_only(net: Net) -> None:
    """Somebody else could sign in the consumer's place, or break its negotiation."""
    negotiation, payload = agreed(net)

    def status(caller: Party | None, body: bytes) -> int:
        return net.post(caller, ALICE, "contractSignature", body).status

    assert status(EVE, signature(EVE, payload, negotiation)) == 404
    assert status(EVE, signature(BOB, payload, negotiation)) == 404
    assert status(None, signature(BOB, payload, negotiation)) == 401
    assert status(BOB, signature(EVE, payload, negotiation)) == 401
    assert status(BOB, signature(ALICE, payload, negotiation)) == 401
    assert status(BOB, signature(BOB, payload + b" ", negotiation)) == 401
    assert status(BOB, signature(BOB, payload, negotiation, b"entrepot/receipt/v1\n")) == 401
    assert status(BOB, signature(BOB, payload, "urn:uuid:unknown")) == 404
    assert status(BOB, signature(BOB, payload, net.node(BOB).negotiation().exchange.id)) == 404
    assert not net.node(ALICE).negotiation().signing.envelope

    assert status(BOB, signature(BOB, payload, negotiation)) == 200
    assert status(BOB, signature(BOB, payload, negotiation)) == 200
    other = replace(BOB, epoch=2)
    assert status(BOB, signature(other, payload, negotiation)) == 409


def test_a_filed_contract_is_taken_only_with_every_signature_and_the_receipt(net: Net) -> None:
    """A consumer would believe a filing that never was, or terms that it did not sign."""
    net.broken.append(lambda _m, url: "lost" if url.endswith("/contractFiled") else None)
    net.ask(net.world.product())
    net.run(rounds=12)
    (filed,) = net.world.journal.read_now(space.contracts)
    assert filed.receipt
    consumer = net.node(BOB).negotiation().exchange.id
    payload = contracts.open_envelope(filed.envelope).raw_payload
    ours = BOB.sign(payload, Signatory.CONSUMER)

    def status(
        caller: Party, envelope: bytes = filed.envelope, receipt: bytes = filed.receipt, of: str = consumer
    ) -> int:
        body = {"envelope": to_base64url(envelope), "negotiationId": of, "receipt": to_base64url(receipt)}
        return net.post(caller, BOB, "contractFiled", canonical.encode(body)).status

    forged = space.sign_statement(
        "filing-receipt",
        space.read_statement(filed.receipt, space.FilingReceipt).content,
        ALICE.evidence,
    )
    by_eve = Signature.of(ALICE.evidence.key_id, Signatory.PROVIDER, EVE.evidence.sign(SIGNED_AS + payload))
    other = contracts.contract_payload(
        replace(contracts.read_payload(payload).agreement, target="urn:product:other"),
        filed.contract_id,
        contracts.read_payload(payload).product_digest,
    )
    mixed = [ALICE.sign(other, Signatory.PROVIDER), ours]
    assert status(ALICE, contracts.seal_envelope(other, mixed)) == 401
    assert status(EVE) == 404
    assert status(ALICE, of=net.node(ALICE).negotiation().exchange.id) == 404
    assert status(ALICE, contracts.seal_envelope(payload, [ours])) == 401
    assert status(ALICE, contracts.seal_envelope(payload, [ALICE.sign(payload, Signatory.PROVIDER)])) == 401
    assert status(ALICE, contracts.seal_envelope(payload, [by_eve, ours])) == 401
    assert status(ALICE, receipt=forged) == 401
    assert status(ALICE, receipt=b"{}") == 400
    assert not net.node(BOB).negotiation().signing.receipt

    assert status(ALICE) == 200
    assert status(ALICE) == 200
    assert status(ALICE, contracts.seal_envelope(other, mixed)) == 409
    assert net.node(BOB).negotiation().signing.receipt == filed.receipt


def test_nothing_is_filed_for_a_consumer_that_has_not_signed(net: Net) -> None:
    """A consumer would hold a contract with a signature that it never gave."""
    agreed(net)
    body = {"envelope": "", "negotiationId": net.node(BOB).negotiation().exchange.id, "receipt": ""}

    reply = net.post(ALICE, BOB, "contractFiled", canonical.encode(body))

    assert (reply.status, b"not signed here yet" in reply.body) == (404, True)


def test_a_platform_that_never_files_ends_the_negotiation_in_time(net: Net) -> None:
    """Two parties would wait for ever for a platform whose ledger stands still."""
    net.ask(net.world.product())
    net.world.ledger_orders = lambda: 0
    net.run(rounds=20)
    (filed,) = net.world.journal.read_now(space.contracts)
    assert filed.state is FilingState.FILING

    net.world.later(days=2)
    net.run(rounds=20)

    assert net.node(ALICE).state() is net.node(BOB).state() is State.TERMINATED
    assert "in time" in _problems(net, ALICE)


def test_a_receipt_of_another_contract_files_nothing(net: Net) -> None:
    """A platform's receipt could be used twice."""
    net.contract()
    first = net.world.contract(net.node(ALICE).contract().contract_id)
    envelope = contracts.seal_envelope(
        contracts.open_envelope(first.envelope).raw_payload,
        [ALICE.sign(b"", Signatory.PROVIDER), BOB.sign(b"", Signatory.CONSUMER)],
    )
    key = OPERATOR.evidence

    with pytest.raises(Exception, match="another envelope"):
        space.verify_receipt(first.receipt, OPERATOR.did, key.key_id, key.public, envelope)
