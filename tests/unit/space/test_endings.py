"""How contracts end: a party's notice, expiry, and a supervisor's stop order."""

from datetime import timedelta

import msgspec
import pytest
from entrepot_space_world import ALICE, BOB, EVE, REGULATOR, START, Party, World, both_sign
from hypothesis import given
from hypothesis import strategies as st

from entrepot import space
from entrepot.journal import OutboxMessage, claim, settle
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.space import (
    TDS,
    EndNotice,
    FilingConflictError,
    FilingState,
    Notice,
    PartyReason,
    Statement,
    StopOrder,
)
from entrepot.values import (
    ContractId,
    EntrepotError,
    NotFoundError,
    RefusedError,
    TrustError,
    canonical,
    render_time,
)

AT = render_time(START)


def notice(
    contract_id: ContractId, party: Party = BOB, reason: PartyReason = PartyReason.AGREEMENT, of: str = "e1"
) -> Statement[EndNotice]:
    content = EndNotice(at=AT, contract=contract_id, id=of, reason=reason)
    return space.read_statement(space.sign_statement(space.END_NOTICE, content, party.evidence), EndNotice)


def order(
    contract_id: ContractId, by: Party = REGULATOR, reason: str = "risk", of: str = "o1"
) -> Statement[StopOrder]:
    content = StopOrder(at=AT, contract=contract_id, id=of, reason=reason)
    return space.read_statement(space.sign_statement(space.STOP_ORDER, content, by.evidence), StopOrder)


def end(world: World, statement: Statement[EndNotice], sender: Party) -> None:
    space.verify_end_notice(statement, world.member(sender))
    world.journal.write_now(lambda tx: space.end_contract(tx, world.rules, statement, sender.did))


def stop(world: World, statement: Statement[StopOrder], sender: Party = REGULATOR) -> None:
    space.verify_stop_order(statement, world.member(sender))
    world.journal.write_now(lambda tx: space.order_stop(tx, world.rules, statement, sender.did))


def told(world: World) -> list[OutboxMessage]:
    return world.journal.write_now(lambda tx: claim(tx, "test", (TDS,), 0))


def on_ledger(world: World, contract_id: ContractId) -> dict[str, object]:
    raw = world.head.state.get(f"contracts/{contract_id}")
    return msgspec.json.decode(raw)


@pytest.mark.parametrize("party", [ALICE, BOB])
def test_a_party_ends_its_contract(members: World, party: Party) -> None:
    """A contract could not be ended, or only by one side."""
    contract_id, _ = members.filed()

    end(members, notice(contract_id, party, PartyReason.BREACH), party)
    members.settle()

    assert members.contract(contract_id).state is FilingState.ENDED
    assert on_ledger(members, contract_id)["ended"] == "breach"


def test_the_other_party_is_told_in_the_words_that_were_signed(members: World) -> None:
    """A counterparty that was out of reach would go on using what has ended."""
    contract_id, _ = members.filed()
    statement = notice(contract_id)

    end(members, statement, BOB)

    (message,) = told(members)
    assert space.addressed(message.address) == (ALICE.did, Notice.CONTRACT_END, False)
    assert message.body == statement.raw


def test_a_repeated_notice_ends_nothing_twice(members: World) -> None:
    """A repeat would ask the ledger for another end."""
    contract_id, _ = members.filed()
    end(members, notice(contract_id), BOB)
    members.settle()
    before = members.head.height

    end(members, notice(contract_id), BOB)
    end(members, notice(contract_id, of="e2"), BOB)
    members.settle()

    assert members.head.height == before
    with pytest.raises(FilingConflictError):
        end(members, notice(contract_id, reason=PartyReason.BREACH), BOB)


def test_nobody_else_ends_a_contract(members: World) -> None:
    """A stranger could end what others have promised each other."""
    contract_id, _ = members.filed()

    with pytest.raises(NotFoundError):
        end(members, notice(contract_id, EVE), EVE)
    with pytest.raises(TrustError):
        end(members, notice(contract_id, EVE), BOB)
    with pytest.raises(NotFoundError):
        end(members, notice(ContractId("C" * 47)), BOB)
    with pytest.raises(NotFoundError):
        members.journal.write_now(
            lambda tx: space.end_contract(tx, members.rules, notice(contract_id, EVE), BOB.did)
        )


def test_a_contract_that_is_not_filed_has_no_end(members: World) -> None:
    """An end could come before its beginning, and the beginning after it."""
    contract_id = members.contract_id()

    with pytest.raises(NotFoundError, match="not filed yet"):
        end(members, notice(contract_id), BOB)


def test_a_contract_ends_when_its_time_is_over(members: World) -> None:
    """The ledger would show a contract in force for ever."""
    ends = Atom(OPERANDS["dateTime"], Operator.LTEQ, members.now + timedelta(hours=1))
    policy = Policy(permissions=(Rule("use", (ends,)),))
    contract_id = members.contract_id()
    members.file(both_sign(members.payload(contract_id, members.product(policy=policy), policy=policy)))
    members.settle()
    members.later(hours=1)
    members.settle()
    assert members.contract(contract_id).state is FilingState.FILED

    members.later(seconds=1)
    members.settle()

    assert members.contract(contract_id).state is FilingState.ENDED
    assert on_ledger(members, contract_id)["ended"] == "expiry"


def test_a_stop_order_ends_the_contract_and_reaches_both_parties(members: World) -> None:
    """A supervisor's order would be known to the platform alone."""
    contract_id, _ = members.filed()
    statement = order(contract_id)

    stop(members, statement)
    members.settle()

    assert on_ledger(members, contract_id)["ended"] == "order"
    messages = told(members)
    assert {space.addressed(m.address) for m in messages} == {
        (ALICE.did, Notice.STOP, False),
        (BOB.did, Notice.STOP, False),
    }
    assert {m.body for m in messages} == {statement.raw}


def test_acknowledgements_of_a_stop_order_are_kept(members: World) -> None:
    """Nobody could say which party knew of a stop, and since when."""
    contract_id, _ = members.filed()
    stop(members, order(contract_id))
    first = told(members)[0]

    members.later(seconds=3)
    done = [members.journal.write_now(lambda tx: space.acknowledged(tx, first.id)) for _ in range(2)]

    deliveries = members.journal.read_now(lambda c: space.acknowledgements(c, REGULATOR.did, "o1"))
    assert done == [True, False]
    assert [d.acknowledged_at for d in deliveries].count(None) == 1
    assert {d.acknowledged_at for d in deliveries} == {None, members.now}


def test_only_a_supervisor_in_force_orders_a_stop(members: World) -> None:
    """Any member could stop its rival's business."""
    contract_id, _ = members.filed()

    with pytest.raises(RefusedError, match="supervisor"):
        stop(members, order(contract_id, EVE), EVE)
    with pytest.raises(TrustError):
        stop(members, order(contract_id, EVE), REGULATOR)
    with pytest.raises(RefusedError, match="supervisor"):
        members.journal.write_now(
            lambda tx: space.order_stop(tx, members.rules, order(contract_id, EVE), EVE.did)
        )
    with pytest.raises(TrustError):
        members.journal.write_now(
            lambda tx: space.order_stop(tx, members.rules, order(contract_id, EVE), REGULATOR.did)
        )
    statement = order(contract_id)
    members.journal.write_now(lambda tx: space.suspend(tx, REGULATOR.did, ""))
    with pytest.raises(RefusedError, match="in force"):
        stop(members, statement)
    assert members.contract(contract_id).state is FilingState.FILED
    assert told(members) == []


def test_a_signature_of_a_notice_is_none_of_an_order(members: World) -> None:
    """What a supervisor signs for one purpose could be used for another."""
    contract_id, _ = members.filed()
    content = StopOrder(at=AT, contract=contract_id, id="o1", reason="risk")
    raw = space.sign_statement(space.END_NOTICE, content, REGULATOR.evidence)

    with pytest.raises(TrustError):
        stop(members, space.read_statement(raw, StopOrder))


def test_a_repeated_order_is_passed_on_once(members: World) -> None:
    """A supervisor whose answer was lost would flood the parties."""
    contract_id, _ = members.filed()
    for _ in range(2):
        stop(members, order(contract_id))

    assert len(told(members)) == 2
    with pytest.raises(FilingConflictError):
        stop(members, order(contract_id, reason="another"))


def test_an_order_on_a_contract_on_its_way_to_the_ledger_is_not_lost(members: World) -> None:
    """A stop would come too early to be heard."""
    contract_id = members.contract_id()
    with pytest.raises(NotFoundError):
        stop(members, order(contract_id))
    members.file(both_sign(members.payload(contract_id, members.product())))

    stop(members, order(contract_id))
    members.settle()

    assert on_ledger(members, contract_id)["ended"] == "order"
    assert members.contract(contract_id).state is FilingState.ENDED


def test_the_holder_of_an_id_closes_it_for_ever(members: World) -> None:
    """A filing that is still on its way would file what its sender has given up."""
    contract_id = members.contract_id()
    envelope = both_sign(members.payload(contract_id, members.product()))

    end(members, notice(contract_id, ALICE), ALICE)
    end(members, notice(contract_id, ALICE), ALICE)

    assert members.contract(contract_id).state is FilingState.ENDED
    with pytest.raises(RefusedError, match="ended before"):
        members.file(envelope)
    members.settle()
    assert members.head.state.get(f"contracts/{contract_id}") is None
    assert told(members) == []


@pytest.mark.parametrize("steps", range(5))
def test_an_end_counts_however_far_the_filing_is(members: World, steps: int) -> None:
    """An end that comes while the ledger is asked would be lost, and the contract stay."""
    contract_id = members.contract_id()
    members.file(both_sign(members.payload(contract_id, members.product())))
    for step in range(steps):
        (members.clerk_works, members.ledger_orders)[step % 2]()

    end(members, notice(contract_id, ALICE, PartyReason.BREACH), ALICE)
    members.settle()

    assert on_ledger(members, contract_id)["ended"] == "breach"
    assert members.contract(contract_id).state is FilingState.ENDED


def test_an_end_that_crosses_a_refusal_of_the_ledger_closes_the_id(members: World) -> None:
    """The id would be free again, and what was ended could be filed after all."""
    contract_id = members.contract_id()
    members.file(both_sign(members.payload(contract_id, members.product())))
    members.clerk_works()
    end(members, notice(contract_id, ALICE), ALICE)

    (transaction,) = members.signed_transactions()
    members.journal.write_now(lambda tx: space.ledger_refused(tx, transaction, "party-not-in-force"))

    assert members.contract(contract_id).state is FilingState.ENDED


def test_an_order_on_an_ended_contract_still_reaches_the_parties(members: World) -> None:
    """A party that never heard of the end would not hear of the stop either."""
    contract_id, _ = members.filed()
    end(members, notice(contract_id), BOB)
    members.settle()

    stop(members, order(contract_id))
    members.settle()

    assert on_ledger(members, contract_id)["ended"] == "agreement"
    recipients = [space.addressed(m.address)[:2] for m in _all_told(members)]
    assert (ALICE.did, Notice.STOP) in recipients
    assert (BOB.did, Notice.STOP) in recipients


def _all_told(world: World) -> list[OutboxMessage]:
    found: list[OutboxMessage] = []
    while batch := told(world):
        found += batch
        for message in batch:
            world.journal.write_now(lambda tx, m=message: settle(tx, m.id))
    return found


def test_everything_that_was_said_of_a_contract_is_kept_as_it_was_signed(members: World) -> None:
    """An order or a notice could not be proved later."""
    contract_id, _ = members.filed()
    said, ordered = notice(contract_id), order(contract_id)
    end(members, said, BOB)
    members.later(seconds=1)
    stop(members, ordered)

    kept = members.journal.read_now(lambda c: space.statements_on(c, contract_id))

    assert kept == [(space.END_NOTICE, BOB.did, said.raw), (space.STOP_ORDER, REGULATOR.did, ordered.raw)]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_statement_are_refused(raw: bytes) -> None:
    """A stranger's bytes would become a fault of the node."""
    with pytest.raises(EntrepotError):
        space.read_statement(raw, StopOrder)


@given(st.data())
def test_a_statement_with_a_changed_byte_is_refused(data: st.DataObject) -> None:
    """An order could be changed on its way through the platform."""
    raw = bytearray(order(ContractId("C" * 47)).raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(EntrepotError):
        verified(bytes(raw))


def verified(raw: bytes) -> StopOrder:
    key = REGULATOR.evidence
    return space.verify_statement(
        space.STOP_ORDER, space.read_statement(raw, StopOrder), key.key_id, key.public
    )


NO_ZERO = st.characters(exclude_characters="\0")  # which is refused, as no database keeps it


@given(
    reason=st.text(NO_ZERO, min_size=1, max_size=256),
    contract=st.text(NO_ZERO, min_size=1, max_size=100),
    of=st.text(NO_ZERO, min_size=1, max_size=200),
)
def test_what_is_said_is_what_is_read(reason: str, contract: str, of: str) -> None:
    """An order would mean something else at its receiver."""
    content = StopOrder(at=AT, contract=contract, id=of, reason=reason)
    try:
        raw = space.sign_statement(space.STOP_ORDER, content, REGULATOR.evidence)
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form
        return

    read = space.read_statement(raw, StopOrder)

    assert read.content == content
    assert read.payload == canonical.encode_struct(content)
