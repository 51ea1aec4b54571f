"""Commands about sources: what they ask of the node, and what they show; a secret is never an argument."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location("owner_port", Path(__file__).with_name("owner_port.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
owner_port = sys.modules.setdefault("owner_port", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(owner_port)

from entrepot.cli.output import Exit  # noqa: E402 (after the port is loaded)
from entrepot.values import MalformedError  # noqa: E402

ATTACHED = {
    "resource": "resource-1", "mediaType": "application/vnd.apache.parquet", "size": 13_019, "rows": 2,
    "columns": [
        {
            "name": "day", "type": "date", "nulls": 0, "distinct": 2,
            "least": "2012-01-01", "greatest": "2012-01-02",
        },
        {"name": "word", "type": "text", "nulls": 1, "distinct": 1, "least": None, "greatest": None},
    ],
    "preview": [["2012-01-01", "wet"], ["2012-01-02", None]],
}  # fmt: skip


@dataclass
class Node:
    """The owner's port of a node that answers every call alike, and remembers it."""

    folder: Path
    asked: list[tuple[str, Any]] = field(default_factory=list)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)

    def answer(_method: str, path: str, body: Any) -> Any:
        made.asked.append((path, body))
        return ATTACHED

    with owner_port.answering(tmp_path, answer):
        yield made


def run(node: Node, *words: str) -> object:
    return owner_port.run(node.folder, *words)


def test_a_source_is_attached_and_shown(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """The owner sees types, statistics and first rows before anything is offered."""
    file = node.folder / "weather.csv"

    code = run(node, "source", "attach", "csv", str(file), "--encoding", "gb18030", "--sensitive", "word")

    assert code == Exit.DONE
    assert node.asked == [
        (
            "/owner/sources",
            {
                "kind": "csv", "where": str(file), "table": "", "secret": "", "encoding": "gb18030",
                "paths": [], "parameters": [], "sensitive": ["word"],
            },
        )
    ]  # fmt: skip
    shown = capsys.readouterr().out
    assert "resource-1  application/vnd.apache.parquet, 13,019 bytes\n2 rows" in shown
    assert "None" not in shown
    assert "2012-01-02" in shown


def test_an_address_is_passed_on_as_it_is(node: Node) -> None:
    """Resolved like a path it would be another one."""
    where = "https://api.example/v1"

    run(
        node,
        "source",
        "attach",
        "http",
        where,
        "--path",
        "/a",
        "--path",
        "/b",
        "--parameter",
        "x",
        "--secret",
        "k",
    )

    ((_, body),) = node.asked
    assert (body["where"], body["paths"], body["parameters"], body["secret"]) == (
        where,
        ["/a", "/b"],
        ["x"],
        "k",
    )


def test_a_secret_is_read_from_a_file(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line it would stand in the list of processes and in the shell's history."""
    file = node.folder / "password.txt"
    file.write_text("geheim\n")

    run(node, "source", "secret", "db", "--file", str(file))

    assert node.asked == [("/owner/secrets", {"name": "db", "value": "geheim"})]
    assert "geheim" not in capsys.readouterr().out


def test_an_empty_secret_is_refused(node: Node) -> None:
    """It would open nothing, and be found out far away."""
    file = node.folder / "password.txt"
    file.write_text("\n")

    with pytest.raises(MalformedError, match="empty"):
        run(node, "source", "secret", "db", "--file", str(file))
    assert node.asked == []


def test_what_was_attached_is_shown_again(node: Node) -> None:
    """A name with a comma in it is one segment of the query."""
    run(node, "source", "show", "resource-1", "--sensitive", "a", "--sensitive", "b c")

    assert [path for path, _ in node.asked] == ["/owner/resources/resource-1?sensitive=a%2Cb%20c"]
