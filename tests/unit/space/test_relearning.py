"""A platform restored from a backup: what its register takes up from the ledger, and what it cannot."""

import shutil
from pathlib import Path

from entrepot_space_world import ALICE, BOB, EVE, OPERATOR, World, both_sign

from entrepot import space
from entrepot.ledger import register_on_ledger
from entrepot.space import FilingState, MemberState


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

    assert (found.filed, found.revoked, found.unknown) == ((later,), (EVE.did,), ())
    assert members.member(EVE).state is MemberState.REVOKED
    assert members.contract(before).receipt
    known = members.contract(later)
    assert (known.state, known.parties, known.receipt) == (FilingState.FILED, (ALICE.did, BOB.did), b"")
    again = relearn(members)
    assert (again.filed, again.revoked, again.ended) == ((), (), ())

    members.file(envelope)
    members.settle()
    assert members.contract(later).receipt
    assert members.contract(later).envelope == envelope


def test_a_member_that_the_register_has_forgotten_is_named(world: World, tmp_path: Path) -> None:
    """The operator would believe its list of members to be whole."""
    world.join(ALICE)
    backed_up(world, tmp_path / "backup")
    world.join(BOB)

    restored(world, tmp_path / "backup")

    assert relearn(world).unknown == (BOB.did,)
