"""Commands that list: they go through every page, and ask for no more than they show."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

_SPEC = importlib.util.spec_from_file_location("owner_port", Path(__file__).with_name("owner_port.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
owner_port = sys.modules.setdefault("owner_port", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(owner_port)

from entrepot.cli.output import Exit  # noqa: E402 (after the port is loaded)

MANY = 2_300
USES = [
    {
        "use": f"use {n}", "openedAt": f"2026-11-{25 - n // 100:02d}T00:00:00Z", "consumer": "c",
        "product": "p", "title": None, "state": "closed", "outcome": "answered", "receipt": "agreed",
    }
    for n in range(MANY)
]  # fmt: skip
PROCESSES = [
    {
        "id": f"p{n}", "as": "provider", "with": "c", "title": "t", "product": "p", "format": "f",
        "state": "STARTED", "problem": "",
    }
    for n in range(MANY)
]  # fmt: skip
LISTS: dict[str, list[Any]] = {"uses": USES, "processes": PROCESSES}


@dataclass
class Node:
    """The owner's port of a node that has many of each, and remembers what it was asked for."""

    folder: Path
    asked: list[tuple[int, int]] = field(default_factory=list)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)

    def answer(_method: str, path: str, _body: object) -> Any:
        parts = urlsplit(path)
        name = parts.path.rpartition("/")[2]
        query = parse_qs(parts.query)
        after, limit = int(query.get("after", ["0"])[0]), int(query["limit"][0])
        made.asked.append((after, limit))
        following = str(after + limit) if after + limit < MANY else None
        rows = LISTS[name][after : after + limit]
        return {name: rows, "nextAfter": following, "previousAfter": None}

    with owner_port.answering(tmp_path, answer):
        yield made


def listed(node: Node, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert owner_port.run(node.folder, *words, "--json") == Exit.DONE
    return json.loads(capsys.readouterr().out)


def test_a_list_is_whole(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands on the second page is as true as the rest."""
    assert listed(node, capsys, "process", "list") == PROCESSES
    assert node.asked == [(0, 1000), (1000, 1000), (2000, 1000)]


@pytest.mark.parametrize(("limit", "asked"), [(3, [(0, 3)]), (1500, [(0, 1000), (1000, 500)])])
def test_only_so_many_are_asked_for(
    node: Node, capsys: pytest.CaptureFixture[str], limit: int, asked: list[tuple[int, int]]
) -> None:
    """Who wants to see three does not wait for thousands."""
    assert listed(node, capsys, "process", "list", "--limit", str(limit)) == PROCESSES[:limit]
    assert node.asked == asked


def test_what_was_used_since_is_not_looked_for_before(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """`uses --since today` of a busy provider is a page, not its history."""
    found = listed(node, capsys, "uses", "--since", "2026-11-20")

    assert found == [u for u in USES if u["openedAt"] >= "2026-11-20"]
    assert node.asked == [(0, 1000)]
