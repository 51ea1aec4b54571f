"""The life of a use, by properties: whatever callers, crashes and outcomes come, in any order."""

import importlib.util
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).with_name("gate_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
if "gate_world" not in sys.modules:
    sys.modules["gate_world"] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules["gate_world"])
world_of: Any = sys.modules["gate_world"]

from entrepot.contracts import EndReason, end_contract  # noqa: E402 (after the world is loaded)
from entrepot.use import Admitted, Outcome  # noqa: E402 (after the world is loaded)

STORY = re.compile(r"opened( interrupted| resumed)*( closed)?")
KNOCKS = st.tuples(st.sampled_from(["delivery", "other", "query"]))
OUTCOMES = st.sampled_from(list(Outcome))
ENDINGS = st.tuples(st.just("settle"), st.integers(0, 5), OUTCOMES, st.sampled_from([0, 3]))
STEPS = st.lists(KNOCKS | ENDINGS | st.tuples(st.sampled_from(["reboot", "end"])), max_size=14)


@dataclass
class Known:
    """What a plain list of uses would know of one."""

    door: str
    sent: int = 0
    broke_off: bool = False
    of_a_dead_boot: bool = False
    closed: bool = False
    taken_back: bool = False


def is_over(known: Known, outcome: Outcome) -> bool:
    """Whether this outcome ends it, in the words of `Outcome`."""
    if outcome is Outcome.SENT:
        return False
    return known.door == "query" or outcome is not Outcome.INTERRUPTED


def settle(known: Known, outcome: Outcome, sent: int) -> None:
    if outcome is Outcome.REFUSED and (known.broke_off or known.sent + sent > 0):
        outcome = Outcome.INTERRUPTED  # a use that touched data, or may have, is not taken back
    known.sent += sent
    known.broke_off, known.of_a_dead_boot = outcome is Outcome.INTERRUPTED, False
    known.closed = is_over(known, outcome)
    known.taken_back = outcome is Outcome.REFUSED


def knock(world: Any, door: str) -> Any:
    if door == "query":
        return world.ask()
    return world.knock(world_of.PROCESS if door == "delivery" else world_of.OTHER)


def may_begin(uses: dict[str, Known], door: str) -> bool:
    """A delivery goes on with the one use of its process; everything else needs one that is left."""
    if door != "query" and any(u.door == door and not u.closed for u in uses.values()):
        return True
    return sum(not u.taken_back for u in uses.values()) < world_of.LIMIT


@given(STEPS)
@settings(max_examples=15)
def test_whatever_happens_uses_are_counted_once_and_told_in_order(steps: list[tuple[Any, ...]]) -> None:
    """N uses are N uses; each is told from its opening to at most one closing, and metered once.

    Nothing begins or goes on after the contract was ended or ordered to stop.
    """
    with tempfile.TemporaryDirectory() as folder:
        world = world_of.World(Path(folder))
        uses: dict[str, Known] = {}
        is_over_now = False
        for step in steps:
            if step[0] == "reboot":
                world.reboot()
                for known in uses.values():
                    known.of_a_dead_boot = True
            elif step[0] == "end":
                is_over_now = True
                world.journal.write_now(lambda tx: end_contract(tx, world_of.AGREEMENT, EndReason.ORDER))
            elif step[0] == "settle":
                if step[1] < len(uses):
                    use_id, known = list(uses.items())[step[1]]
                    answered = world.settle(use_id, step[2], step[3])
                    assert (answered is None) == known.closed
                    if not known.closed:
                        settle(known, step[2], step[3])
            else:
                allowed = may_begin(uses, step[0]) and not is_over_now
                found = knock(world, step[0])
                assert isinstance(found, Admitted) == allowed, found
                if isinstance(found, Admitted):
                    known = uses.setdefault(found.use.id, Known(step[0]))
                    known.broke_off |= known.of_a_dead_boot
                    known.of_a_dead_boot = False
        metered = world.journal.read_now(lambda c: c.execute(text("SELECT use_id, uses FROM meter")).all())
        for use_id, known in uses.items():
            kinds = " ".join(world.kinds(use_id))
            assert STORY.fullmatch(kinds), kinds
            assert kinds.endswith("closed") == known.closed
            assert sum(record.units.uses for record in world.records(use_id)) == (not known.taken_back)
        assert sorted(tuple(row) for row in metered) == sorted(
            (use_id, int(not known.taken_back)) for use_id, known in uses.items() if known.closed
        )
        world.close()
