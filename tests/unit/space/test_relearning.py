"""A platform restored from a backup: what its register takes up from the ledger, and what it cannot."""

import shutil
from pathlib import Path

import pytest
from entrepot_space_world import ALICE, BOB, EVE, OPERATOR, World, both_sign

from entrepot import space
from entrepot.ledger import register_on_ledger
from entrepot.space import EndNotice, FilingState, MemberRole, MemberState, PartyReason
from entrepot.values import render_time


def backed_up(world: World, folder: Path) -> None:
    world.close()
    shutil.copytree(world.folder, folder)
    world.open()


def restored(world: World, folder: Path) -> None:
    """The platform's database is what it was; the ledger is what it is."""
    world.close()
    world.folder = folder
    world.open()


def relearn(world: World) -> space.Relearnt:
    register = register_on_ledger(world.entries)
    return world.journal.write_now(lambda tx: space.relearn_register(tx, register, OPERATOR.did))


def test_the_register_takes_up_what_the_ledger_has(members: World, tmp_path: Path) -> None:
    """A contract could be used that is over, or a member be trusted that was shut out."""
    before, _ = members.filed()
    backed_up(members, tmp_path / "backup")
    later = members.contract_id("urn:uuid:n2")
    product = members.product()
    envelope = both_sign(members.payload(later, product))
    members.file(envelope)
    members.settle()
    members.journal.write_now(lambda tx: space.revoke(tx, EVE.did, "breach"))
    members.settle()
    assert members.member(EVE).state is MemberState.REVOKED

    restored(members, tmp_path / "backup")
    assert members.journal.read_now(lambda c: space.contract(c, later)) is None
    found = relearn(members)

    assert (found.filed, found.revoked, found.suspended) == ([later], [EVE.did], [])
    assert members.member(EVE).state is MemberState.REVOKED
    assert members.contract(before).receipt
    known = members.contract(later)
    assert (known.state, known.parties, known.receipt) == (FilingState.FILED, (ALICE.did, BOB.did), b"")
    again = relearn(members)
    assert (again.filed, again.revoked, again.ended) == ([], [], [])

    members.file(envelope)
    members.settle()
    assert members.contract(later).receipt
    assert members.contract(later).envelope == envelope


def test_a_member_that_the_register_has_forgotten_is_rebuilt_and_stays_outside(
    world: World, tmp_path: Path
) -> None:
    """It could never come back, as the ledger has it; or it would be let in without anybody's look."""
    world.join(ALICE)
    backed_up(world, tmp_path / "backup")
    before = world.join(BOB, MemberRole.CONSUMER)
    world.filed()

    restored(world, tmp_path / "backup")
    assert relearn(world).suspended == [BOB.did]

    member = world.member(BOB)
    assert member.state is MemberState.SUSPENDED
    assert f"entrepot member resume {BOB.did}" in member.problem
    facts = ("connector_code", "subject_code", "region", "roles", "evidence_key", "evidence_key_id", "epoch")
    assert [getattr(member, f) for f in facts] == [getattr(before, f) for f in facts]
    assert world.journal.read_now(lambda c: space.keys_of(c, (BOB.did,))) == {}
    assert relearn(world).suspended == []

    world.journal.write_now(lambda tx: space.resume(tx, BOB.did))
    world.settle()
    assert world.member(BOB).in_force
    assert world.member(BOB).credential


def test_a_forgotten_member_can_be_revoked_on_the_ledger(world: World, tmp_path: Path) -> None:
    """Whoever is not wanted back would stay a member there for ever."""
    world.join(ALICE)
    backed_up(world, tmp_path / "backup")
    world.join(BOB)
    restored(world, tmp_path / "backup")
    relearn(world)

    world.journal.write_now(lambda tx: space.revoke(tx, BOB.did, "withdrawal"))
    world.settle()

    assert world.member(BOB).state is MemberState.REVOKED
    assert register_on_ledger(world.entries).members[BOB.did].ended == "withdrawal"


@pytest.mark.parametrize("steps", [0, 1])
def test_an_admission_that_was_on_its_way_is_taken_up(world: World, tmp_path: Path, steps: int) -> None:
    """Signed anew it would be refused, since the ledger has it, and the member be declined."""
    world.apply(BOB, BOB.application(world.invite()))
    if steps:
        world.journal.write_now(lambda tx: space.admit(tx, BOB.did))
    backed_up(world, tmp_path / "backup")
    if not steps:
        world.journal.write_now(lambda tx: space.admit(tx, BOB.did))
    world.settle()
    before = world.member(BOB)

    restored(world, tmp_path / "backup")
    relearn(world)
    world.settle()

    assert world.member(BOB).in_force
    assert world.member(BOB).connector_code == before.connector_code


def test_a_filing_and_a_revocation_that_were_on_their_way_are_taken_up(
    members: World, tmp_path: Path
) -> None:
    """The contract would be free to be filed again, which the ledger refuses for ever."""
    contract_id = members.contract_id()
    envelope = both_sign(members.payload(contract_id, members.product()))
    members.file(envelope)
    members.journal.write_now(lambda tx: space.revoke(tx, EVE.did, "breach"))
    backed_up(members, tmp_path / "backup")
    members.settle()

    restored(members, tmp_path / "backup")
    members.later(seconds=5)
    relearn(members)
    members.settle()

    assert members.contract(contract_id).state is FilingState.FILED
    assert members.contract(contract_id).receipt
    assert members.member(EVE).state is MemberState.REVOKED


def test_an_id_that_was_closed_after_the_restore_is_filed_and_ended(members: World, tmp_path: Path) -> None:
    """Its holder's end would be forgotten, and the ledger hold the contract for valid."""
    contract_id = members.contract_id()
    product = members.product()
    backed_up(members, tmp_path / "backup")
    members.file(both_sign(members.payload(contract_id, product)))
    members.settle()
    restored(members, tmp_path / "backup")
    content = EndNotice(
        at=render_time(members.now), contract=contract_id, id="e", reason=PartyReason.AGREEMENT
    )
    raw = space.sign_statement(space.END_NOTICE, content, ALICE.evidence)
    statement = space.read_statement(raw, EndNotice)
    members.journal.write_now(lambda tx: space.end_contract(tx, members.rules, statement, ALICE.did))

    relearn(members)
    members.settle()

    assert members.contract(contract_id).state is FilingState.ENDED
    assert register_on_ledger(members.entries).contracts[contract_id].ended == "agreement"
