"""An EDC is the provider: what either side suspends, resumes or ends, both call so, and the data comes whole.

Each transfer here stands still: the origin of what the EDC offers keeps the second half back, of a push all.
(An EDC 0.15.1 cannot suspend a push whose source is being read: `Unbalanced enter/exit`, and it ends it.)
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from edc import Edc
from harness import Hold, Origin, begun, both_at, over, process, started, their_process

from space import Running, Space, made_bytes, wait_for

pytestmark = pytest.mark.long
CONTENT = made_bytes(3 << 20, seed=21)
WAYS = pytest.mark.parametrize("way", ["HttpData-PULL", "HttpData-PUSH"])
Say = Callable[[str], object]


class Transfer:
    """One transfer of an EDC to our consumer that both sides call started, with the words of both."""

    def __init__(self, node: Running, edc: Edc, asset: str, target: Path, way: str) -> None:
        self.node, self.edc, self.target = node, edc, target
        self.acquisition = begun(node, edc, asset, target, way)["id"]
        self.here = started(node, self.acquisition)
        self.there = their_process(edc, self.here)
        self.at("STARTED")

    def at(self, state: str) -> None:
        both_at(self.node, self.here, self.edc, self.there, state)

    def we(self, word: str) -> None:
        body = None if word == "resume" else {"reason": "our reason"}
        self.node.ask("POST", f"/owner/processes/{self.here}/{word}", body)

    def they(self, word: str) -> None:
        getattr(self.edc, word)(self.there)

    def by(self, side: str) -> Say:
        return self.we if side == "we" else self.they

    def problem(self) -> str:
        return str(process(self.node, self.here)["problem"])

    def waits(self) -> None:
        """Wait until our owner is told that the acquisition waits for a resumption."""
        about = f"/owner/acquisitions/{self.acquisition}"
        wait_for("its waiting", lambda: "resumed" in (self.node.ask("GET", about)["waitingFor"] or ""))

    def over(self) -> dict[str, Any]:
        return over(self.node, self.acquisition)


@pytest.fixture
def asset(edc: Edc, origin: Origin, request: pytest.FixtureRequest) -> Iterator[str]:
    """An asset that is kept back until the test lets it go."""
    name = request.node.name.translate({ord(c): "-" for c in "[]_"})
    hold = Hold(threading.Event(), 0 if "PUSH" in name else len(CONTENT) // 2)
    origin.content[f"/{name}"], origin.held[f"/{name}"] = CONTENT, hold
    edc.publish(name, f"{origin.url}/{name}")
    yield name
    hold.until.set()


@WAYS
@pytest.mark.parametrize("resuming", ["we", "they"])
@pytest.mark.parametrize("suspending", ["we", "they"])
def test_what_was_suspended_goes_on_when_it_is_resumed(
    town: Space,
    edc: Edc,
    asset: str,
    origin: Origin,
    tmp_path: Path,
    way: str,
    suspending: str,
    resuming: str,
) -> None:
    """A pause that cannot be ended, or that ends what it paused, is a termination under another name."""
    transfer = Transfer(town.consumer, edc, asset, tmp_path / "received", way)
    if way == "HttpData-PULL":
        part = transfer.target.with_name("received.part")
        wait_for("the first bytes", lambda: part.exists() and part.stat().st_size)

    transfer.by(suspending)("suspend")
    transfer.at("SUSPENDED")
    assert transfer.problem() != ""
    if way == "HttpData-PULL":
        transfer.waits()
    assert not transfer.target.exists()
    transfer.by(resuming)("resume")
    transfer.at("STARTED")
    origin.held[f"/{asset}"].until.set()
    ended = transfer.over()

    assert (ended["state"], ended["problem"]) == ("received", "")
    assert transfer.target.read_bytes() == CONTENT
    transfer.at("COMPLETED")


@WAYS
@pytest.mark.parametrize("state", ["STARTED", "SUSPENDED"])
@pytest.mark.parametrize("ending", ["we", "they"])
def test_what_either_ends_is_ended_on_both_sides(
    town: Space, edc: Edc, asset: str, tmp_path: Path, way: str, ending: str, state: str
) -> None:
    """A transfer that one side calls over and the other open is counted by one and not by the other."""
    transfer = Transfer(town.consumer, edc, asset, tmp_path / "never", way)
    if state == "SUSPENDED":
        transfer.they("suspend")
        transfer.at("SUSPENDED")

    transfer.by(ending)("terminate")

    transfer.at("TERMINATED")
    ended = transfer.over()
    assert (ended["state"], ended["waitingFor"]) == ("failed", "")
    assert ("our reason" if ending == "we" else "no more") in ended["problem"]
    assert not transfer.target.exists()
