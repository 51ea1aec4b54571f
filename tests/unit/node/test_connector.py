"""What a connector refuses before anything is opened, and what it leaves for later."""

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot.identity import Standing, StandingState  # noqa: E402 (after the house is loaded)
from entrepot.node.roles.connector import Connector  # noqa: E402
from entrepot.protocols.tds import MemberCard  # noqa: E402
from entrepot.values import Did, NotFoundError, ProtocolError  # noqa: E402

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
