"""A contract with a service party: it is asked, a person of its decides, and nothing is filed without it."""

from datetime import timedelta

import pytest
from entrepot_space_world import ALICE, BOB, CAROL, EVE, OPERATOR, REGULATOR, Party
from entrepot_tds_net import Net

from entrepot import contracts, space
from entrepot.contracts import SIGNED_AS, ServiceContract, ServiceState, Signatory, State, Status
from entrepot.identity import to_base64url
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.protocols import tds
from entrepot.space import FilingState
from entrepot.values import ConflictError, canonical, render_time

ALGORITHM = f"tide@1.2#sha256:{'5' * 64}"


def terms(*parties: Party) -> Policy:
    """Whoever uses it does so under a contract that these have signed."""
    named = tuple(Atom(OPERANDS["serviceParty"], Operator.HAS_PART, str(p.did)) for p in parties)
    brought = Atom(OPERANDS["serviceAlgorithm"], Operator.HAS_PART, ALGORITHM)
    return Policy(permissions=(Rule("use", (*named, brought)),))


def request_at(net: Net, party: Party = CAROL) -> ServiceContract:
    (found,) = net.node(party).journal.read_now(contracts.service_contracts)
    return found


def asked(net: Net, *parties: Party) -> ServiceContract:
    """A contract as far as its service party's queue."""
    net.ask(net.world.product(policy=terms(*(parties or (CAROL,)))))
    net.run(rounds=12)
    found = request_at(net)
    assert found.state is ServiceState.WAITING
    return found


def sign(net: Net, party: Party = CAROL) -> ServiceContract:
    """That party's person says yes."""
    found = request_at(net, party)
    signature = party.sign(found.payload, Signatory.SERVICE_PARTY)
    return net.node(party).journal.write_now(lambda tx: contracts.sign_request(tx, found.id, signature))


def refuse(net: Net, why: str) -> ServiceContract:
    found = request_at(net)
    return net.node(CAROL).journal.write_now(lambda tx: contracts.refuse_request(tx, found.id, why))


def whole(net: Net) -> None:
    """All three, and the platform, have one contract with every signature."""
    net.run()
    provider, consumer, served = net.node(ALICE).contract(), net.node(BOB).contract(), request_at(net)
    filed = net.world.contract(provider.contract_id)
    assert provider.status is consumer.status is served.status is Status.PERFORMING
    assert provider.envelope == consumer.envelope == served.envelope == filed.envelope
    assert provider.receipt == consumer.receipt == served.receipt == filed.receipt
    roles = [s.role for s in contracts.open_envelope(filed.envelope).signatures]
    assert roles == ["01", "02", "03"]
    assert not filed.one_sided
    assert space.signatories_of(filed) == (ALICE.did, BOB.did, CAROL.did)
    assert provider.service_parties == consumer.service_parties == (CAROL.did,)


def test_a_contract_waits_for_its_service_party_and_is_filed_with_its_signature(net: Net) -> None:
    """An algorithm's author would be bound by what it never signed."""
    asked(net)
    net.run()
    assert net.node(ALICE).state() is State.VERIFIED
    assert net.world.journal.read_now(space.contracts)[0].state is FilingState.GIVEN

    sign(net)

    whole(net)


def test_what_the_policy_names_is_a_signatory_of_the_payload(net: Net) -> None:
    """Who has to sign would stand in no signed text."""
    payload = canonical.decode(asked(net).payload)

    assert payload["signatoryEntities"] == [
        {"signatoryEntityId": ALICE.did, "signatorytype": "01"},
        {"signatoryEntityId": BOB.did, "signatorytype": "02"},
        {"signatoryEntityId": CAROL.did, "signatorytype": "03"},
    ]


@pytest.mark.parametrize("fault", ["lost", "unanswered", "twice"])
@pytest.mark.parametrize("name", ["serviceSignatureRequest", "serviceContractFiled"])
def test_it_is_signed_over_a_bad_network(net: Net, name: str, fault: str) -> None:
    """A message that is lost, repeated or unanswered would leave the three apart."""
    left = 3

    def breaks(_method: str, url: str) -> str | None:
        nonlocal left
        if not url.endswith(f"/{name}") or left == 0:
            return None
        left -= 1
        return fault

    net.broken.append(breaks)
    asked(net)
    sign(net)

    whole(net)


@pytest.mark.parametrize("party", [ALICE, BOB, CAROL, OPERATOR])
def test_it_is_signed_whoever_is_killed_again_and_again(net: Net, party: Party) -> None:
    """A node that was killed would forget a signature, or ask for another."""
    net.ask(net.world.product(policy=terms(CAROL)))
    for number in range(20):
        net.run(rounds=1)
        if party is OPERATOR:
            net.kill_platform()
        else:
            net.node(party).kill()
        if number > 8 and request_at(net).state is ServiceState.WAITING:
            sign(net)

    whole(net)


def test_a_refusal_ends_the_negotiation_with_its_reason(net: Net) -> None:
    """The parties would wait for a signature that never comes, or not know why there is no contract."""
    asked(net)
    refuse(net, "not for this purpose")
    net.run()

    for party in (ALICE, BOB):
        assert net.node(party).state() is State.TERMINATED
        assert "not for this purpose" in net.node(party).negotiation().problem
        assert net.node(party).journal.read_now(contracts.contracts_held) == []
    assert request_at(net).state is ServiceState.REFUSED
    assert net.world.journal.read_now(space.contracts)[0].state is FilingState.ENDED


def test_a_service_party_that_does_not_answer_in_time_ends_it_and_signs_no_more(net: Net) -> None:
    """A late yes would be a signature under what is no contract."""
    asked(net)
    net.world.later(days=2)
    net.run()

    assert net.node(ALICE).state() is net.node(BOB).state() is State.TERMINATED
    assert "in time" in net.node(ALICE).negotiation().problem
    assert request_at(net).state is ServiceState.WITHDRAWN
    with pytest.raises(ConflictError):
        sign(net)


@pytest.mark.parametrize("answered", [True, False])
def test_a_negotiation_that_is_ended_meanwhile_is_withdrawn(
    net: Net,
    answered: bool,  # noqa: FBT001 (a table of cases)
) -> None:
    """A person would go on being asked about, or believe in, a contract that cannot be."""
    asked(net)
    if answered:
        sign(net)
    node, pid = net.node(BOB), net.node(BOB).negotiation().exchange.id
    no = contracts.Next(contracts.Move.TERMINATE, contracts.Reason("changed"))
    node.journal.write_now(lambda tx: contracts.move(tx, node.desk, pid, no))
    net.run()

    assert net.node(ALICE).state() is State.TERMINATED
    assert request_at(net).state is ServiceState.WITHDRAWN
    assert net.node(ALICE).journal.read_now(contracts.contracts_held) == []


@pytest.mark.parametrize("named", [EVE, ALICE, BOB])
def test_only_a_service_party_of_the_space_is_named(net: Net, named: Party) -> None:
    """A member that was admitted for something else, or a party itself, would stand as service party."""
    net.ask(net.world.product(policy=terms(named)))
    net.run(rounds=60)

    assert net.node(ALICE).state() is State.TERMINATED
    assert "no service party of this space" in net.node(ALICE).negotiation().problem


def test_nothing_is_filed_without_the_signature_of_each_that_is_named(net: Net) -> None:
    """The platform would put on the ledger what a signatory knows nothing of."""
    found = asked(net)
    both = [ALICE.sign(found.payload, Signatory.PROVIDER), BOB.sign(found.payload, Signatory.CONSUMER)]
    by_eve = contracts.Signature.of(
        CAROL.evidence.key_id, Signatory.SERVICE_PARTY, EVE.evidence.sign(SIGNED_AS + found.payload)
    )

    def status(*more: contracts.Signature) -> tuple[int, bytes]:
        envelope = to_base64url(contracts.seal_envelope(found.payload, [*both, *more]))
        body = {"contractExpansionItem": {"version": "1"}, "envelope": envelope}
        reply = net.post(ALICE, OPERATOR, "platform/contractRegistrate", canonical.encode(body))
        return reply.status, reply.body

    assert status()[0] == 403
    assert b"has not signed" in status()[1]
    assert status(by_eve)[0] == 401
    assert status(EVE.sign(found.payload, Signatory.SERVICE_PARTY))[0] == 401
    assert status(CAROL.sign(found.payload, Signatory.SERVICE_PARTY))[0] == 202


def test_a_request_comes_from_its_provider_with_the_signatures_of_both(net: Net) -> None:
    """Somebody could fill a queue in another's name, or be given a signature under what no party signed."""
    found = asked(net)
    envelope = contracts.open_envelope(found.envelope)
    carol = net.node(CAROL)

    def status(caller: Party | None, raw: bytes, until: timedelta = timedelta(hours=1)) -> int:
        body = {"envelope": to_base64url(raw), "until": render_time(net.now + until)}
        return net.post(caller, CAROL, "serviceSignatureRequest", canonical.encode(body)).status

    assert status(ALICE, found.envelope) == 202
    assert status(EVE, found.envelope) == 404
    assert status(BOB, found.envelope) == 404
    assert status(None, found.envelope) == 401

    product = net.world.product(policy=terms(CAROL))
    other = net.world.payload(found.contract_id, product, policy=terms(CAROL))
    alice, bob = ALICE.sign(other, Signatory.PROVIDER), BOB.sign(other, Signatory.CONSUMER)
    assert other != found.payload
    assert status(ALICE, contracts.seal_envelope(other, [alice])) == 401
    assert status(ALICE, contracts.seal_envelope(other, [alice, envelope.signatures[1]])) == 401
    assert status(ALICE, contracts.seal_envelope(other, [alice, bob]), timedelta(0)) == 400
    assert len(carol.journal.read_now(contracts.service_contracts)) == 1
    without = net.world.payload(found.contract_id, product)
    alice, bob = ALICE.sign(without, Signatory.PROVIDER), BOB.sign(without, Signatory.CONSUMER)
    assert status(ALICE, contracts.seal_envelope(without, [alice, bob])) == 404


def ended(net: Net) -> list[Status]:
    net.run()
    held = [net.node(p).contract().status for p in (ALICE, BOB)]
    return [*held, request_at(net).status]


def test_a_stop_order_reaches_the_service_party_too(net: Net) -> None:
    """An algorithm's author would go on with what a supervisor has stopped."""
    asked(net)
    sign(net)
    whole(net)
    contract_id = net.node(ALICE).contract().contract_id
    order = tds.sign_stop(contract_id, "complaint", net.now, "o1", REGULATOR.evidence)
    net.post(REGULATOR, OPERATOR, "platform/abnormalTermination", order)

    assert ended(net) == [Status.ENDED] * 3
    told = net.world.journal.read_now(lambda c: space.acknowledgements(c, REGULATOR.did, "o1"))
    assert {t.party for t in told if t.acknowledged_at} == {ALICE.did, BOB.did, CAROL.did}


@pytest.mark.parametrize("by", [ALICE, BOB, CAROL])
@pytest.mark.parametrize("reaches", [True, False])
def test_an_end_by_any_signatory_reaches_every_other(
    net: Net,
    by: Party,
    reaches: bool,  # noqa: FBT001 (a table of cases)
) -> None:
    """A contract would be over for some of its signatories only."""
    asked(net)
    sign(net)
    whole(net)
    contract_id = net.node(ALICE).contract().contract_id
    others = [p.did for p in (ALICE, BOB, CAROL) if p is not by]
    node, notice = (
        net.node(by),
        tds.sign_end(contract_id, space.PartyReason.BREACH, net.now, "e", by.evidence),
    )

    def end(tx: object) -> None:
        if by is CAROL:
            contracts.end_service(tx, contract_id, contracts.EndReason.BREACH)
        else:
            contracts.end_contract(tx, contract_id, contracts.EndReason.BREACH)
        told = others if reaches else []
        tds.tell_end(tx, notice, contract_id, told, OPERATOR.did, tx.now + timedelta(hours=1))

    node.journal.write_now(end)

    assert ended(net) == [Status.ENDED] * 3


def test_an_end_that_comes_before_the_filing_is_not_lost(net: Net) -> None:
    """A contract that is over would begin for the service party when it hears of its filing."""
    net.broken.append(lambda _m, url: "lost" if url.endswith("/serviceContractFiled") else None)
    asked(net)
    sign(net)
    net.run()
    assert request_at(net).state is ServiceState.SIGNED
    contract_id = net.node(ALICE).contract().contract_id
    notice = tds.sign_end(contract_id, space.PartyReason.AGREEMENT, net.now, "e", BOB.evidence)
    assert net.post(BOB, CAROL, "contractTerminate", notice).status == 200
    assert net.post(BOB, CAROL, "contractTerminate", notice).status == 200
    net.broken.clear()
    net.world.later(minutes=2)
    net.run()

    assert request_at(net).state is ServiceState.ENDED
    assert request_at(net).receipt
    assert net.post(EVE, CAROL, "contractTerminate", notice).status == 404


def test_a_filed_contract_is_taken_by_whoever_signed_it_only_whole(net: Net) -> None:
    """A service party would believe a filing that never was."""
    net.broken.append(lambda _m, url: "lost" if url.endswith("/serviceContractFiled") else None)
    asked(net)
    sign(net)
    net.run()
    (filed,) = net.world.journal.read_now(space.contracts)
    given = contracts.open_envelope(filed.envelope)

    def status(caller: Party, envelope: bytes = filed.envelope, receipt: bytes = filed.receipt) -> int:
        body = {"envelope": to_base64url(envelope), "receipt": to_base64url(receipt)}
        return net.post(caller, CAROL, "serviceContractFiled", canonical.encode(body)).status

    assert status(BOB) == 404
    assert status(ALICE, contracts.seal_envelope(given.raw_payload, given.signatures[1:])) == 401
    assert status(ALICE, receipt=b"{}") == 400
    assert request_at(net).state is ServiceState.SIGNED
    assert [status(ALICE), status(ALICE)] == [200, 200]
    assert request_at(net).state is ServiceState.FILED
