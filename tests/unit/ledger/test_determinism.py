"""The machine is a function: whoever runs it, whenever, with whatever interpreter settings, gets the same."""

import ast
from pathlib import Path
from typing import Any

import pytest

import entrepot.ledger
from entrepot.ledger import Chronicle
from entrepot.ledger.machine import apply_block

PACKAGE = Path(entrepot.ledger.__file__).parent
PURE = [
    *(PACKAGE / "modules").glob("*.py"),
    *(PACKAGE / f"{name}.py" for name in ("machine", "operation", "state", "merkle", "transaction")),
]
# `datetime` serves one check of a date's digits; nothing reads a clock.
ALLOWED = {
    "__future__",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "hashlib",
    "msgspec",
    "re",
    "typing",
    "urllib.parse",
}


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_nothing_in_the_machine_can_differ_from_node_to_node(path: Path) -> None:
    """A clock, a random number, a float or the hash seed in a rule would part the copies of a ledger."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                assert {name.name for name in names} <= ALLOWED
            case ast.ImportFrom(module=module):
                assert module is not None
                assert module in ALLOWED or module.startswith(
                    ("entrepot.ledger", "entrepot.values", "entrepot.identity")
                )
            case ast.Constant(value=float()) | ast.BinOp(op=ast.Div()):
                pytest.fail(f"{path.name}:{node.lineno}: no floats")
            case ast.Call(func=ast.Name(id="hash" | "id" | "float" | "open" | "eval" | "exec" as name)):
                pytest.fail(f"{path.name}:{node.lineno}: {name}() has no place here")
            case ast.Attribute(attr="now" | "utcnow" | "today"):
                pytest.fail(f"{path.name}:{node.lineno}: no clock")
            case ast.For(iter=ast.Set() | ast.SetComp()) | ast.comprehension(iter=ast.Set() | ast.SetComp()):
                pytest.fail(f"{path.name}: the order of a set is the hash seed's")


def test_an_empty_block_moves_the_height_and_nothing_else(space: Any, tmp_path: Path) -> None:
    """Under an engine that makes empty blocks the file follows, and log and state stay as they were."""
    path = tmp_path / "ledger.db"
    chronicle = Chronicle.open(path, space.genesis)
    chronicle.append(apply_block(chronicle.head, 1, 2, space.admissions))
    size, root = chronicle.size, chronicle.head.state.root
    chronicle.append(apply_block(chronicle.head, 9, 10, []))
    chronicle.append(apply_block(chronicle.head, 10, 11, [b"noise"]))
    chronicle.close()
    again = Chronicle.open(path, space.genesis)

    assert (again.head.height, again.size, again.head.state.root) == (10, size, root)
    again.append(apply_block(again.head, 11, 12, [space.alpha.batch(1)]))
    assert again.size == size + 2
    again.close()
