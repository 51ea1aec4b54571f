"""Suspended and resumed by either side's owner: the door shut at once, a new token after, the reason told."""

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from doors import Doors

from space import Acquiring, Running, Space, made_bytes, settled, wait_for


def processes(node: Running, product: str) -> list[dict[str, Any]]:
    return [p for p in node.ask("GET", "/owner/processes")["processes"] if p["product"] == product]


def say(node: Running, process: str, word: str, reason: str = "") -> dict[str, Any]:
    body = {"reason": reason} if reason else None
    said: dict[str, Any] = node.ask("POST", f"/owner/processes/{quote(process, safe='')}/{word}", body)
    return said


def both_at(space: Space, product: str, state: str) -> list[dict[str, Any]]:
    """The one process over a product as provider and consumer see it, once it is there on both sides."""

    def found() -> list[dict[str, Any]]:
        rows = processes(space.provider, product) + processes(space.consumer, product)
        return rows if [(p["state"], p["pending"]) for p in rows] == [(state, None)] * 2 else []

    return wait_for(f"{state} on both sides", found)


def knock(space: Space, doors: Doors, process: str, epoch: int, below: str = "") -> int:
    """Ask at a door with the token of one of its starts."""
    connection = http.client.HTTPConnection(space.provider.public, timeout=30)
    try:
        headers = {"authorization": doors.token(process, epoch)}
        connection.request("GET", f"/door/{process}{below}", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def held_in_mid_stream(space: Space, product: str) -> Iterator[Acquiring]:
    """A delivery whose consumer is held still while bytes of it are on their way."""
    acquiring = space.begin(product)
    part = acquiring.target.with_name(acquiring.target.name + ".part")
    wait_for("the first bytes", lambda: part.exists() and part.stat().st_size, pause=0.001)
    os.kill(space.consumer.pid, signal.SIGSTOP)
    try:
        yield acquiring
    finally:
        os.kill(space.consumer.pid, signal.SIGCONT)


def test_a_suspended_delivery_is_cut_and_goes_on_after(space: Space, doors: Doors) -> None:
    """The provider suspends in mid-stream; the consumer waits, resumes, and gets the rest as one use."""
    content = made_bytes(96 << 20, 12)
    product = space.offer(content, uses=5)

    with held_in_mid_stream(space, product) as acquiring:
        (theirs,) = processes(space.provider, product)
        said = say(space.provider, theirs["id"], "suspend", "moving house")
        assert (said["state"], said["pending"]) == ("STARTED", "suspend")
        cut = "SELECT id FROM use WHERE process_id = ? AND state = 'interrupted'"
        wait_for("the cut", lambda: space.provider.rows(cut, theirs["id"]))
        assert knock(space, doors, theirs["id"], epoch=1) == 404

    _, ours = both_at(space, product, "SUSPENDED")
    assert ours["problem"] == "suspended, moving house"

    def waits() -> bool:
        rows = space.consumer.ask("GET", "/owner/acquisitions")
        mine = next(a for a in rows if a["path"] == str(acquiring.target))
        return bool(mine["waitingFor"] == "the process to be resumed")

    wait_for("the consumer's waiting", waits)
    say(space.consumer, ours["id"], "resume")
    ended = acquiring.received()

    assert knock(space, doors, theirs["id"], epoch=1) == 404
    assert [p["problem"] for p in processes(space.consumer, product)] == [""]
    settled(space, ended.agreement, content, [acquiring])


def test_a_consumer_suspends_and_the_provider_resumes(space: Space, doors: Doors) -> None:
    """Both owners have the same words; each start brings a token of its own."""
    table = space.root / "suspended.csv"
    table.write_text("a,b\n1,2\n")
    product = space.offer_table(table, uses=50)
    body = {"product": product, "target": str(space.root / "items.json"), "format": "EntrepotApi-PULL"}
    space.consumer.ask("POST", "/owner/uses", body | {"below": "items?limit=1"})
    space.at(body["target"]).received()
    theirs, ours = both_at(space, product, "STARTED")

    def call(epoch: int) -> int:
        return knock(space, doors, theirs["id"], epoch, "/items?limit=1")

    assert call(1) == 200
    say(space.consumer, ours["id"], "suspend", "no budget this week")
    theirs, _ = both_at(space, product, "SUSPENDED")
    assert theirs["problem"] == "suspended, no budget this week"
    assert call(1) == 404

    say(space.provider, theirs["id"], "resume")
    both_at(space, product, "STARTED")
    assert (call(1), call(2)) == (404, 200)

    say(space.provider, theirs["id"], "terminate", "enough")
    _, ours = both_at(space, product, "TERMINATED")
    assert ours["problem"] == "terminated, enough"
    assert call(2) == 404
