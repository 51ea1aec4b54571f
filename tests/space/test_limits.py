"""A limit of uses is a limit, however many come at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from doors import Doors

from space import Space, at_rest, made_bytes, settled, wait_for

CALLERS = 64
LIMIT = 20


def test_exactly_as_many_uses_succeed_as_were_promised(space: Space) -> None:
    """64 at once against a limit of 20: what the consumer received is exactly 20 files, and no byte more."""
    content = made_bytes(40_000, seed=1)
    product = space.offer(content, uses=LIMIT)
    first = space.begin(product)
    agreement = first.received().agreement

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = list(pool.map(lambda _: space.begin(product, agreement), range(CALLERS)))
    outcomes = {caller: caller.ended(patience=240) for caller in callers}

    problems = [o.problem for o in outcomes.values() if o.state == "failed"]
    assert [p for p in problems if "count" not in p and "last use" not in p] == []
    assert Counter(o.state for o in outcomes.values()) == {
        "received": LIMIT - 1,
        "failed": CALLERS - LIMIT + 1,
    }
    refused = [caller for caller, outcome in outcomes.items() if outcome.state == "failed"]
    assert not any(c.target.exists() or c.target.with_name(c.target.name + ".part").exists() for c in refused)
    settled(space, agreement, content, [first, *(c for c in callers if c not in refused)])


def test_all_calls_at_one_door_are_one_use(space: Space, doors: Doors) -> None:
    """64 calls with one token at once: each gets all bytes, and they count as one use."""
    content = made_bytes(40_000, seed=3)
    product = space.offer(content, uses=2)
    first = space.begin(product)
    agreement = first.received().agreement
    with doors.alone_at(product, agreement) as door, ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda _: door.call(), range(CALLERS)))

    assert Counter(a.status for a in answers) == {200: CALLERS}
    assert {a.body for a in answers} == {content}
    assert len({a.headers["entrepot-use"] for a in answers}) == 1
    wait_for("rest", lambda: at_rest(space))
    settled(space, agreement, content, [first, door.acquiring])
