"""Commands about planes: what they ask of the node, and what they refuse to ask."""

import importlib.util
import json
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

DATASETS = "/owner/signaling/controlplanes/edc%20one/datasets"
TERMS = {"permission": [{"action": "use"}]}


@dataclass
class Node:
    folder: Path
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)

    def answer(method: str, path: str, body: Any) -> Any:
        made.asked.append((method, path, body))
        return {"state": "STARTED", "dataset": "cars"}

    (tmp_path / "terms.json").write_text(json.dumps(TERMS))
    with owner_port.answering(tmp_path, answer):
        yield made


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["--product", "6P", "--terms"], {"product": "6P", "policy": TERMS, "byHand": False}),
        (["--by-hand", "--product", "6P", "--terms"], {"product": "6P", "policy": TERMS, "byHand": True}),
        (["--most-bytes", "7"], {"mostBytes": 7, "byHand": False}),
    ],
)
def test_a_data_set_is_opened(node: Node, words: list[str], body: dict[str, Any]) -> None:
    """On the owner's terms, or for so many bytes; a name may hold what a path does not."""
    words = [*words, str(node.folder / "terms.json")] if words[-1] == "--terms" else words

    assert owner_port.run(node.folder, "dataplane", "open", "edc one", "cars/new", *words) == Exit.DONE
    assert node.asked == [("PUT", DATASETS, {"dataset": "cars/new", **body})]


@pytest.mark.parametrize(
    "words", [[], ["--product", "6P"], ["--product", "6P", "--most-bytes", "7"], ["--terms", "terms.json"]]
)
def test_nothing_is_opened_without_saying_what(node: Node, words: list[str]) -> None:
    """A product without terms would be given out on none."""
    with pytest.raises(MalformedError, match="one of the two"):
        owner_port.run(node.folder, "dataplane", "open", "edc", "cars", *words)

    assert node.asked == []


def test_a_data_set_is_shut_and_a_flow_approved(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """The two words that an owner has about what a foreign control plane does here."""
    owner_port.run(node.folder, "dataplane", "shut", "edc one", "cars/new")
    owner_port.run(node.folder, "dataplane", "approve", "urn:uuid:1")

    assert node.asked == [
        ("DELETE", f"{DATASETS}/cars%2Fnew", None),
        ("POST", "/owner/signaling/flows/urn%3Auuid%3A1/approve", None),
    ]
    assert "shut" in (told := capsys.readouterr().out)
    assert "STARTED" in told
