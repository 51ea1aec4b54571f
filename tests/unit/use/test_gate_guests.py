"""The gate and guests: who is no member uses data on a trusted issuer's word, as long as it holds."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("guest_world", Path(__file__).with_name("guest_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
guest_world = sys.modules.setdefault("guest_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(guest_world)

from entrepot.identity import MEMBERSHIP, Welcome, issue_membership, remember_membership  # noqa: E402
from entrepot.ledger import RecordKind  # noqa: E402 (after the world is loaded)
from entrepot.policy import parse_policy  # noqa: E402
from entrepot.use import Admitted, Denied, Outcome  # noqa: E402
from entrepot.values import Grade  # noqa: E402

World, HOUR, SIGNER = guest_world.World, guest_world.HOUR, guest_world.SIGNER
admitted = guest_world.gate_world.admitted
CONSUMER, PLATFORM = guest_world.gate_world.CONSUMER, guest_world.gate_world.PLATFORM
REGIONAL = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [{"leftOperand": "odrl:spatial", "operator": "isPartOf", "rightOperand": "31"}],
            }
        ]
    }
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def reasons(found: Admitted | Denied) -> str:
    return "; ".join(guest_world.gate_world.denied(found).reasons)


def test_a_guest_uses_data_and_leaves_the_records_that_everybody_leaves(world: World) -> None:
    """Its use is opened, settled and recorded under its name, with the age of what is known of it."""
    world.now += timedelta(seconds=5)

    use = admitted(world.knock()).use
    world.settle(use.id, Outcome.SENT, use.size)
    world.settle(use.id, Outcome.ENDED)

    assert world.kinds(use.id) == [RecordKind.OPENED, RecordKind.CLOSED]
    assert {(r.consumer, r.status_age) for r in world.records(use.id)} == {(CONSUMER, 5)}
    assert isinstance(world.ask(), Admitted)


@pytest.mark.parametrize(
    ("says", "changed"),
    [
        ("not trusted here", lambda _: Welcome()),
        ("not trusted here", lambda w: replace(w, issuers=frozenset({PLATFORM}))),
        ("has to show more", lambda w: replace(w, scopes=(MEMBERSHIP, MEMBERSHIP.replace("M", "P", 1)))),
    ],
    ids=["no guests", "another issuer", "another scope"],
)
def test_a_door_that_stands_open_does_not_outlive_the_welcome(
    world: World, says: str, changed: Callable[[Welcome], Welcome]
) -> None:
    """The owner takes an issuer out of its settings: who came on its word uses nothing from then on."""
    admitted(world.knock())
    world.house = replace(world.house, welcome=changed(world.house.welcome))

    assert says in reasons(world.knock())


def test_a_guest_that_was_revoked_uses_nothing_more(world: World) -> None:
    """Between the start of its transfer and a use: the token is the same, the word behind it is not."""
    admitted(world.knock())

    world.revoke()

    assert "it was revoked" in reasons(world.knock())
    assert "it was revoked" in reasons(world.ask())
    world.vouch(3 * HOUR)  # another credential
    assert isinstance(world.knock(), Admitted)


def test_a_guest_whose_credential_has_run_out_uses_nothing_more(world: World) -> None:
    """Validity is judged at every use, not only when the door was opened."""
    world.now += timedelta(minutes=119)
    assert isinstance(world.ask(), Admitted)

    world.now += timedelta(minutes=2)

    assert "not in force" in reasons(world.ask())


def test_the_grace_of_a_guest_is_that_of_a_member(tmp_path: Path) -> None:
    """Its issuer is away: uses go on for the grace of the grade, and each record says how old the news is."""
    world = World(tmp_path, grade=Grade.L2)
    world.vouch(100 * HOUR)
    world.now += 23 * HOUR
    assert world.records(admitted(world.knock()).use.id)[0].status_age == 23 * 3600

    world.now += 2 * HOUR

    assert "what is known of the guest is" in reasons(world.knock())
    world.close()


def test_what_another_space_calls_a_guest_is_no_fact_of_ours(tmp_path: Path) -> None:
    """Its region and roles were given by others: terms that ask for them are not satisfied."""
    world = World(tmp_path, REGIONAL)

    assert "spatial" in reasons(world.knock()) or "region" in reasons(world.knock())
    world.close()


def test_a_member_that_was_shut_out_is_no_guest(world: World) -> None:
    """A revocation once known never expires, whoever else vouches."""
    raw = issue_membership(SIGNER, world.membership)
    world.journal.write_now(lambda tx: remember_membership(tx, raw, world.membership))
    world.now += timedelta(seconds=10)
    world.learn_status(revoked=True)

    assert "the member was revoked" in reasons(world.knock())
