"""Many negotiations at once with a real EDC, and what became of every one of them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from edc import Edc
from harness import Origin, peer

from space import Space, wait_for

CONTENT = b"what many ask for"
PATIENCE = 900.0
AT_ONCE = 16
"""Calls to a management API at a time."""
OVER = {"FINALIZED", "TERMINATED"}


@pytest.fixture
def crowd(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--crowd", 40))


@pytest.mark.timeout(1_200)
def test_none_of_many_that_an_edc_begins_at_once_is_lost(town: Space, edc: Edc, crowd: int) -> None:
    """A negotiation that is lost under load is a contract that one side believes it has."""
    us, before = peer(town.provider), dict(town.provider.rows(_STATES, edc.id))
    product = town.offer(CONTENT, uses=10)
    offer = edc.offer_of(us, product)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = list(pool.map(lambda _: edc.negotiate(us, offer), range(crowd)))

    def ended() -> Counter[str] | None:
        found = town.provider.rows(_STATES, edc.id)
        states = Counter(state for pid, state in found if pid not in before)
        return states if sum(states.values()) == crowd and set(states) <= OVER else None

    ours = wait_for("our side of every negotiation", ended, PATIENCE, pause=1.0)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        theirs = Counter(pool.map(lambda key: _theirs(edc, key), begun))

    print(f"\nEDC asks, we provide: {crowd} negotiations; ours {dict(ours)}, theirs {dict(theirs)}")
    assert ours == {"FINALIZED": crowd}
    assert theirs == {"FINALIZED": crowd}
    filed = town.provider.rows("SELECT count(*) FROM contract WHERE counterparty = ?", edc.id)
    assert filed[0][0] >= crowd


@pytest.mark.timeout(1_200)
def test_none_of_many_that_we_begin_at_once_with_an_edc_is_lost_by_us(
    town: Space, edc: Edc, origin: Origin, crowd: int, tmp_path: Path
) -> None:
    """An EDC loses some of its own under load; whatever it does, both sides must end in the same state."""
    origin.content["/crowd"] = CONTENT
    assets = [f"crowd-{number}" for number in range(crowd)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda asset: edc.publish(asset, f"{origin.url}/crowd"), assets))
        bodies = [{"product": a, "provider": edc.id, "target": str(tmp_path / a)} for a in assets]
        list(pool.map(lambda body: town.consumer.ask("POST", "/owner/uses", body), bodies))

    def negotiated() -> dict[str, str] | None:
        found = dict(town.consumer.rows(_NEGOTIATED, "crowd-%"))
        return found if len(found) == crowd and set(found.values()) <= OVER else None

    there = wait_for("every negotiation", negotiated, PATIENCE, pause=1.0)
    ours = Counter(there.values())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        theirs = Counter(pool.map(lambda key: _theirs(edc, key), there))

    print(f"\nWe ask, an EDC provides: {crowd} negotiations; ours {dict(ours)}, theirs {dict(theirs)}")
    assert ours == theirs
    assert ours["FINALIZED"] == crowd - theirs["TERMINATED"]

    def over() -> list[tuple[str, str]] | None:
        rows = town.consumer.rows(_TRANSFERRED, "crowd-%")
        return rows if {state for state, _ in rows} <= {"received", "failed"} else None

    ended = wait_for("the end of every acquisition", over, PATIENCE, pause=1.0)
    received = sum(state == "received" for state, _ in ended)
    lost = [key for state, key in ended if state == "failed" and key is not None]
    print(f"then {received} received; {len(lost)} transfers were ended by the EDC")
    assert received == ours["FINALIZED"] - len(lost)
    assert {edc.transfer_process(key)["state"] for key in lost} <= {"TERMINATED", "DEPROVISIONED"}


def _theirs(edc: Edc, key: str) -> str:
    """The state in the EDC, once it is a last one."""

    def over() -> str | None:
        state = str(edc.negotiation(key)["state"])
        return state if state in OVER else None

    return wait_for(f"their side of {key}", over, PATIENCE, pause=0.5)


_STATES = "SELECT id, state FROM negotiation WHERE counterparty = ? AND party = 'provider'"
_NEGOTIATED = (
    "SELECT n.peer_pid, n.state FROM negotiation n JOIN acquisition a ON a.negotiation_id = n.id"
    " WHERE a.product_id LIKE ?"
)
_TRANSFERRED = (
    "SELECT a.state, t.peer_pid FROM acquisition a LEFT JOIN transfer_process t ON t.id = a.process_id"
    " WHERE a.product_id LIKE ?"
)
