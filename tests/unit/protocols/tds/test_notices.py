"""Ends, stop orders and receipts on their way from one member to another."""

import asyncio
from datetime import timedelta

import pytest
from entrepot_space_world import ALICE, BOB, EVE, OPERATOR, REGULATOR, Party
from entrepot_tds_net import Net
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from entrepot import space
from entrepot.contracts import EndReason, Status
from entrepot.journal import claim
from entrepot.ledger import Receipt, sign_receipt
from entrepot.protocols import Proof, dsp, tds
from entrepot.space import EndNotice, FilingState, Notice, PartyReason
from entrepot.values import ContractId, ProtocolError, render_time


def stop(net: Net, contract_id: ContractId, by: Party = REGULATOR, of: str = "o1") -> bytes:
    return tds.sign_stop(contract_id, "risk to the public", net.now, of, by.evidence)


def end(net: Net, contract_id: ContractId, by: Party = BOB, of: str = "e1") -> bytes:
    return tds.sign_end(contract_id, PartyReason.AGREEMENT, net.now, of, by.evidence)


def statuses(net: Net) -> tuple[Status, Status]:
    return net.node(ALICE).contract().status, net.node(BOB).contract().status


def test_a_stop_order_reaches_everybody_and_is_acknowledged(net: Net) -> None:
    """A supervisor's order would stop nothing, or nobody could prove who knew of it."""
    contract_id = net.contract()
    node = net.node(REGULATOR)
    deadline = net.now + timedelta(hours=1)

    node.journal.write_now(
        lambda tx: tds.tell_stop(tx, stop(net, contract_id), contract_id, OPERATOR.did, deadline)
    )
    net.run()

    assert statuses(net) == (Status.ENDED, Status.ENDED)
    assert net.node(ALICE).contract().end_reason is EndReason.ORDER
    assert net.node(ALICE).ended == net.node(BOB).ended == [net.node(BOB).contract().agreement.id]
    assert net.world.contract(contract_id).state is FilingState.ENDED
    told = net.world.journal.read_now(lambda c: space.acknowledgements(c, REGULATOR.did, "o1"))
    assert [d.acknowledged_at is not None for d in told] == [True, True]


def test_a_stop_order_waits_for_a_party_that_is_out_of_reach(net: Net) -> None:
    """A party could escape a stop by being away for a while."""
    contract_id = net.contract()
    away = True
    net.broken.append(lambda _m, url: "lost" if away and "bob.example/tds" in url else None)
    assert net.post(REGULATOR, OPERATOR, "platform/abnormalTermination", stop(net, contract_id)).status == 200
    net.run(rounds=20)
    told = net.world.journal.read_now(lambda c: space.acknowledgements(c, REGULATOR.did, "o1"))
    assert {d.party: d.acknowledged_at is None for d in told} == {ALICE.did: False, BOB.did: True}

    away = False
    net.run(rounds=80)

    assert statuses(net) == (Status.ENDED, Status.ENDED)
    told = net.world.journal.read_now(lambda c: space.acknowledgements(c, REGULATOR.did, "o1"))
    assert None not in {d.acknowledged_at for d in told}


def test_a_stop_order_outlasts_the_way_of_the_contract_itself(net: Net) -> None:
    """A contract that comes after its stop would be in performance for ever."""
    away = True
    net.broken.append(lambda _m, url: "lost" if away and url.endswith("/contractFiled") else None)
    net.ask(net.world.product())
    net.run(rounds=12)
    (filed,) = net.world.journal.read_now(space.contracts)
    order = stop(net, filed.contract_id)
    assert net.post(REGULATOR, OPERATOR, "platform/abnormalTermination", order).status == 200
    net.run(rounds=80)

    away = False
    net.run(rounds=400)

    assert statuses(net) == (Status.ENDED, Status.ENDED)
    assert net.world.contract(filed.contract_id).state is FilingState.ENDED


def test_the_platform_passes_a_stop_order_on_after_a_kill(net: Net) -> None:
    """An order that was recorded would be forgotten on the way."""
    contract_id = net.contract()
    net.post(REGULATOR, OPERATOR, "platform/abnormalTermination", stop(net, contract_id))

    net.kill_platform()
    net.run()

    assert statuses(net) == (Status.ENDED, Status.ENDED)


@pytest.mark.parametrize("by", [ALICE, EVE, OPERATOR])
def test_nobody_but_a_supervisor_stops_anything(net: Net, by: Party) -> None:
    """A rival, a party or the operator itself could order what only a supervisor may."""
    contract_id = net.contract()
    order = stop(net, contract_id, by)

    assert net.post(by, OPERATOR, "platform/abnormalTermination", order).status in {403, 404}
    for victim in (ALICE, BOB):
        assert net.post(by, victim, "abnormalTermination", order).status in {401, 403, 404}
    net.run()

    assert statuses(net) == (Status.PERFORMING, Status.PERFORMING)


def test_an_order_counts_by_its_signature_and_not_by_who_brings_it(net: Net) -> None:
    """A stop would not get through when the platform is out of reach, or a forged one would."""
    contract_id = net.contract()
    order = stop(net, contract_id)
    changed = stop(net, contract_id, EVE).replace(EVE.did.encode(), REGULATOR.did.encode())

    assert net.post(None, BOB, "abnormalTermination", changed).status == 401
    assert net.post(None, BOB, "abnormalTermination", stop(net, ContractId("1" * 47))).status == 404
    assert [net.post(None, BOB, "abnormalTermination", order).status for _ in range(2)] == [200, 200]
    assert net.node(BOB).contract().status is Status.ENDED


def test_a_supervisor_that_was_revoked_stops_nothing(net: Net) -> None:
    """A key that was taken away would still command."""
    contract_id = net.contract()
    net.world.journal.write_now(lambda tx: space.suspend(tx, REGULATOR.did, ""))

    assert net.post(None, BOB, "abnormalTermination", stop(net, contract_id)).status == 403
    assert net.node(BOB).contract().status is Status.PERFORMING


def test_a_party_ends_its_contract_and_everybody_knows(net: Net) -> None:
    """A contract would be over for one side only."""
    contract_id = net.contract()
    node, notice = net.node(BOB), end(net, contract_id)
    deadline = net.now + timedelta(hours=1)

    node.journal.write_now(
        lambda tx: tds.tell_end(tx, notice, contract_id, [ALICE.did], OPERATOR.did, deadline)
    )
    net.run()

    assert net.node(ALICE).contract().end_reason is EndReason.AGREEMENT
    assert net.node(ALICE).ended
    assert net.world.contract(contract_id).state is FilingState.ENDED
    kept = net.world.journal.read_now(lambda c: space.statements_on(c, contract_id))
    assert kept == [(space.END_NOTICE, BOB.did, notice)]


def test_the_platform_brings_an_end_where_the_parties_cannot_reach_each_other(net: Net) -> None:
    """A provider could go on under a contract that its consumer has ended."""
    contract_id = net.contract()
    net.post(BOB, OPERATOR, "platform/contractTerminate", end(net, contract_id))

    net.run()

    assert net.node(ALICE).contract().status is Status.ENDED


def test_an_end_comes_from_the_counterparty_only(net: Net) -> None:
    """Somebody could end what others have promised each other."""
    contract_id = net.contract()

    def status(caller: Party | None, notice: bytes, to: Party = ALICE) -> int:
        return net.post(caller, to, "contractTerminate", notice).status

    assert status(EVE, end(net, contract_id, EVE)) == 404
    assert status(EVE, end(net, contract_id, BOB)) == 404
    assert status(BOB, end(net, contract_id, EVE)) == 404
    assert status(OPERATOR, end(net, contract_id, OPERATOR)) == 404
    assert status(None, end(net, contract_id, BOB)) == 401
    assert status(BOB, end(net, contract_id, ALICE)) == 404
    assert status(BOB, end(net, ContractId("1" * 47))) == 404
    other_key = end(net, contract_id, Party("bob", epoch=2))
    assert status(BOB, other_key) == 401
    order = space.sign_statement(
        space.STOP_ORDER,
        EndNotice(at=render_time(net.now), contract=contract_id, id="x", reason=PartyReason.BREACH),
        BOB.evidence,
    )
    assert status(BOB, order) == 401
    assert statuses(net) == (Status.PERFORMING, Status.PERFORMING)
    assert [status(BOB, end(net, contract_id)) for _ in range(2)] == [200, 200]
    assert net.node(ALICE).contract().status is Status.ENDED


def test_a_receipt_reaches_its_provider_as_it_was_signed(net: Net) -> None:
    """A provider could not prove what its consumer got."""
    contract_id = net.contract()
    raw = sign_receipt(
        Receipt(
            artefact="sha256:" + "0" * 64,
            at=render_time(net.now),
            bytes=3,
            consumer=BOB.did,
            contract=contract_id,
            key=BOB.evidence.key_id,
            use="urn:uuid:use",
        ),
        BOB.evidence,
    )
    net.node(BOB).tell(ALICE, Notice.RECEIPT, raw)

    net.run()

    assert net.node(ALICE).receipts == [(BOB.did, raw)]
    assert net.post(BOB, ALICE, "fulfillmentProof", raw[:-80]).status == 400


def test_a_notice_that_is_refused_is_given_up_and_written_down(net: Net) -> None:
    """A notice that nobody takes would be sent for ever, or vanish without a trace."""
    contract_id = net.contract()
    net.node(EVE).tell(ALICE, Notice.RECEIPT, b"no receipt")

    net.run(rounds=80)

    rows = net.node(EVE).journal.read_now(
        lambda c: c.execute(text("SELECT body FROM audit_event WHERE name = 'tds:notice:refuse'")).all()
    )
    assert len(rows) == 1
    assert b"fulfillmentProof" in rows[0].body
    assert net.node(ALICE).contract().contract_id == contract_id


def test_a_notice_past_its_deadline_is_given_up(net: Net) -> None:
    """An outbox would fill with what nobody can be told."""
    net.broken.append(lambda _m, _url: "lost")
    node = net.node(EVE)
    node.tell(ALICE, Notice.CONTRACT_END, end(net, ContractId("1" * 47), EVE))
    net.run(rounds=3)
    net.world.later(days=2)
    (message,) = node.journal.write_now(lambda tx: claim(tx, "test", (space.TDS,), 0))

    meaning = asyncio.run(tds.Notices(node.journal, node.client).send(message, net.now))

    assert meaning is dsp.Meaning.REFUSED


def test_an_address_that_is_none_is_refused() -> None:
    """A notice would go to whoever stands first in a broken row."""
    for wrong in ("", "party", "party did:web:a.example", "nobody did:web:a.example contractTerminate"):
        with pytest.raises(ProtocolError):
            space.addressed(wrong)


NAMES = (
    "contractSignature",
    "contractFiled",
    "contractTerminate",
    "abnormalTermination",
    "fulfillmentProof",
    "platform/contractCreate",
    "platform/contractRegistrate",
    "platform/contractTerminate",
    "platform/abnormalTermination",
    "platform/productRegister",
    "platform/membershipApplication",
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(NAMES),
    body=st.one_of(
        st.binary(max_size=100),
        st.sampled_from(
            [b"", b"{}", b"[]", b"null", b"[" * 5000, b'{"a":' * 5000, b'{"payload":"","keyid":"","sig":""}']
        ),
    ),
)
def test_whatever_is_sent_to_an_endpoint_is_refused_and_no_fault(net: Net, name: str, body: bytes) -> None:
    """A stranger's bytes would become a fault of the node."""
    to = OPERATOR if name.startswith("platform/") else ALICE

    assert 400 <= net.post(BOB, to, name, body).status < 500


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_message_with_a_changed_byte_ends_nothing(net: Net, data: st.DataObject) -> None:
    """What was signed could be changed on its way."""
    contract_id = ContractId("1" * 47)
    raw = bytearray(data.draw(st.sampled_from([end(net, contract_id), stop(net, contract_id)])))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    name = data.draw(st.sampled_from(["contractTerminate", "abnormalTermination"]))

    assert 400 <= net.post(BOB, ALICE, name, bytes(raw)).status < 500


def test_every_route_of_a_party_says_which_proof_it_asks_for(net: Net) -> None:
    """A route would be open that nobody has thought of."""
    node = net.node(ALICE)
    services = tds.PartyServices(
        node.journal,
        node.desk,
        OPERATOR.did,
        net.document,
        node.client.member_card,
        lambda _tx, _did, _signed: None,
        node.ended.append,
        lambda: net.now,
    )
    proofs = {r.path: r.proof for r in tds.party_routes(services)}

    assert proofs.pop("/tds/abnormalTermination") is Proof.LOG_SIGNATURE
    assert set(proofs.values()) == {Proof.MEMBERSHIP}
    for path in proofs:
        assert net.post(None, ALICE, path.removeprefix("/tds/"), b"{}").status == 401
