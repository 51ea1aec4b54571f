"""What a platform's tables promise, on whichever database they stand."""

import importlib.util
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from entrepot import space
from entrepot.ledger import RevocationReason
from entrepot.space import FilingState, InvitationError, MemberRole, MemberState
from entrepot.values import ConflictError, TransitionError

_NAME = "entrepot_space_world"


def _world_module() -> Any:
    """The small world of the unit tests of space; test folders are no packages."""
    if _NAME not in sys.modules:
        path = Path(__file__).parents[1] / "unit" / "space" / "world.py"
        spec = importlib.util.spec_from_file_location(_NAME, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = module
        spec.loader.exec_module(module)
    return sys.modules[_NAME]


people = _world_module()


class SpaceContract:
    """What every platform's database promises. Subclasses provide `world`."""

    def test_the_way_from_invitation_to_the_end_of_a_contract(self, world: Any) -> None:
        """A platform would work on one database only."""
        for party in (people.ALICE, people.BOB):
            assert world.join(party).in_force
        contract_id, envelope = world.filed()
        assert world.contract(contract_id).envelope == envelope
        assert world.contract(contract_id).receipt

        world.journal.write_now(lambda tx: space.revoke(tx, people.BOB.did, RevocationReason.BREACH))
        world.settle()

        assert world.member(people.BOB).state is MemberState.REVOKED
        assert world.journal.read_now(space.contracts)[0].state is FilingState.FILED

    def test_an_invitation_is_used_by_one_of_many_at_once(self, world: Any) -> None:
        """Two applicants at the same moment would both get in with one code."""
        code = world.invite(MemberRole.CONSUMER)
        parties = [people.Party(f"applicant{i}") for i in range(6)]

        def apply(party: Any) -> bool:
            try:
                world.apply(party, party.application(code, (MemberRole.CONSUMER,)))
            except InvitationError:
                return False
            return True

        assert at_once(apply, parties).count(True) == 1
        assert len(world.journal.read_now(space.members)) == 1

    def test_a_negotiation_gets_one_contract_id_from_many_requests_at_once(self, world: Any) -> None:
        """A request that was repeated while it ran would leave two ids."""
        world.join(people.ALICE)

        ids = at_once(lambda _: world.contract_id("n1"), range(6))

        assert len(set(ids)) == 1

    def test_members_admitted_at_once_have_places_of_their_own(self, world: Any) -> None:
        """Two members would share a bit, and be revoked together."""
        parties = [people.Party(f"member{i}") for i in range(5)]
        for party in parties:
            world.apply(party, party.application(world.invite()))
            world.journal.write_now(lambda tx, p=party: space.admit(tx, p.did))
        world.clerk_works()
        names = world.signed_transactions()

        at_once(lambda n: world.journal.write_now(lambda tx: space.ledger_committed(tx, n)), names)

        assert sorted(world.member(p).status_index for p in parties) == list(range(5))

    def test_an_envelope_is_filed_once_by_many_at_once(self, world: Any) -> None:
        """The ledger would be asked twice for one contract."""
        for party in (people.ALICE, people.BOB):
            world.join(party)
        envelope = people.both_sign(world.payload(world.contract_id(), world.product()))

        at_once(lambda _: world.file(envelope), range(4))
        world.clerk_works()

        assert len(world.signed_transactions()) == 1

    def test_the_second_decision_over_the_same_member_is_told(self, world: Any) -> None:
        """Two operators at the same moment would both believe that they decided."""
        world.apply(people.ALICE, people.ALICE.application(world.invite()))

        def decide(admit: bool) -> str:  # noqa: FBT001 (mapped over)
            try:
                if admit:
                    world.journal.write_now(lambda tx: space.admit(tx, people.ALICE.did))
                else:
                    world.journal.write_now(lambda tx: space.decline(tx, people.ALICE.did, "no"))
            except (ConflictError, TransitionError) as error:
                return type(error).__name__
            return "done"

        assert at_once(decide, [True, False, True, False]).count("done") == 1


def at_once(act: Any, over: Any) -> list[Any]:
    """Do something for each, all at the same time; faults that are not foreseen come through."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(act, over))


class TestSqliteSpace(SpaceContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[Any]:
        made = people.World(tmp_path)
        yield made
        made.close()


class TestPostgresSpace(SpaceContract):
    @pytest.fixture
    def world(self, tmp_path: Path, postgresql_url: str) -> Iterator[Any]:
        made = people.World(tmp_path, url=postgresql_url)
        yield made
        made.close()
