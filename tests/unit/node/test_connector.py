"""What a connector refuses before anything is opened, and what it leaves for later."""

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)
_GUESTS = importlib.util.spec_from_file_location(
    "guest_world", Path(__file__).parents[1] / "use" / "guest_world.py"
)
assert _GUESTS is not None
assert _GUESTS.loader is not None
guest_world = sys.modules.setdefault("guest_world", importlib.util.module_from_spec(_GUESTS))
_GUESTS.loader.exec_module(guest_world)

from entrepot import catalogue  # noqa: E402 (after the house is loaded)
from entrepot.identity import Guest, Standing, StandingState, remember_guest  # noqa: E402
from entrepot.node.roles.connector import Connector  # noqa: E402
from entrepot.node.settings import Guests, Query  # noqa: E402
from entrepot.policy import parse_policy  # noqa: E402
from entrepot.protocols.tds import MemberCard  # noqa: E402
from entrepot.use.query import Tier, at_least  # noqa: E402
from entrepot.values import (  # noqa: E402
    Did,
    Grade,
    KindOfUse,
    NotFoundError,
    ProductId,
    ProtocolError,
    UnavailableError,
)

House = the_house.House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    asyncio.run(made.admit("provider", "consumer", "observer"))
    yield made
    made.close()


async def _nobody(did: Did) -> MemberCard:
    raise NotFoundError(f"{did} is no member")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("http://127.0.0.1:9031/dsp/2025-1", True),
        ("http://127.0.0.1:9031/elsewhere", True),
        ("http://127.0.0.1:9032/dsp/2025-1", False),
        ("https://127.0.0.1:9031/dsp/2025-1", False),
        ("http://127.0.0.1:9021/dsp/2025-1", False),
        ("http://example.com/dsp", False),
    ],
)
def test_a_callback_lies_on_an_origin_of_its_sender(house: House, address: str, *, allowed: bool) -> None:
    """A member could make us send its messages to a host of its choice."""
    connector = Connector(house.homes["provider"].node, _nobody)
    checking = connector.check_callback(address, house.homes["consumer"].did)
    if allowed:
        asyncio.run(checking)
        return
    with pytest.raises(ProtocolError, match="callbackAddress"):
        asyncio.run(checking)


def test_old_news_of_a_member_is_no_final_answer() -> None:
    """A process would be refused for ever because a status list was a second too old."""
    most = timedelta(seconds=60)

    assert Standing(StandingState.GOOD, timedelta(seconds=61)).is_stale(most)
    assert not Standing(StandingState.GOOD, most).is_stale(most)
    for state in (StandingState.REVOKED, StandingState.UNKNOWN, StandingState.OUT_OF_TIME):
        assert not Standing(state, timedelta(days=1)).is_stale(most)


def opens(connector: Connector, world: Any) -> tuple[str, ...]:
    """Why the guest's contract may not be used by a new process."""
    found: tuple[str, ...] = world.journal.write_now(
        lambda tx: connector.may_open(tx, world.contract(tx.connection), "HttpData-PULL")
    )
    return found


def test_a_guest_opens_a_process_for_as_long_as_its_issuers_word_holds(house: House, tmp_path: Path) -> None:
    """Between agreement and transfer: what its issuer says, its credential's end and our settings count.

    A new process needs fresh news, as for a member: no grace, and no final answer for want of news.
    """
    node = house.homes["provider"].node
    guests = Guests(issuers=(guest_world.CHAMBER,))
    welcoming = msgspec.structs.replace(node.settings, guests=guests)
    connector = Connector(replace(node, settings=welcoming), _nobody)
    world = guest_world.World(tmp_path)
    fresh = Guest(guest_world.gate_world.CONSUMER, (world.shown,), world.now)

    assert opens(connector, world) == ()
    assert "not trusted here" in opens(Connector(node, _nobody), world)[0]

    world.now += timedelta(seconds=61)
    with pytest.raises(UnavailableError, match="what is known of the guest is 61 s old"):
        opens(connector, world)

    world.now += 2 * guest_world.HOUR
    guest = replace(fresh, checked_at=world.now)
    world.journal.write_now(lambda tx: remember_guest(tx, guest))
    assert opens(connector, world) == ("the guest's credential is not in force now",)

    world.vouch()
    assert opens(connector, world) == ()
    world.revoke()
    assert opens(connector, world) == ("the guest is let in no longer: it was revoked",)
    world.close()


def test_a_product_is_offered_for_queries_only_where_something_keeps_them_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner who demands a sandbox must not find queries running without one."""
    node = house.homes["provider"].node
    asked = msgspec.structs.replace(node.settings, query=Query(least_tier="bwrap"))
    connector = Connector(replace(node, settings=asked), _nobody)
    described = catalogue.Description(
        "Trial",
        "A trial.",
        "research",
        Grade.L4,
        frozenset({KindOfUse.QUERY}),
        parse_policy({"permission": [{"action": "use"}]}),
    )
    monkeypatch.setenv("PATH", "")  # bubblewrap is not to be found
    try:
        with pytest.raises(UnavailableError, match="bwrap"):
            asyncio.run(connector.offer(ProductId("6TRIAL"), "trial", described))
    finally:
        connector.children.close()


def test_the_tiers_of_the_settings_are_those_of_the_sandbox() -> None:
    """A tier that no setting can name, or a name that is no tier, would be found out at a question."""
    named = get_args(get_type_hints(Query)["least_tier"])

    assert named == tuple(map(str, Tier))
    assert [at_least(Tier(name))[-1] for name in named] == [*Tier]
    assert at_least(Tier.LANDLOCK) == (Tier.BWRAP, Tier.LANDLOCK)
