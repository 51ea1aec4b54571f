"""The command line as a newcomer meets it: help with examples, and docs that know every word."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cyclopts import App

from entrepot.cli.main import app
from entrepot.cli.output import Exit, code_of, table
from entrepot.node.settings import Settings
from entrepot.values import (
    EntrepotError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TrustError,
    UnavailableError,
)

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def commands(of: App = app, before: str = "") -> Iterator[tuple[str, App]]:
    for name in of:
        if name.startswith("-"):
            continue
        command = of[name]
        whole = f"{before} {name}".strip()
        if command.default_command is not None:
            yield whole, command
        yield from commands(command, whole)


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_has_help_with_an_example(name: str) -> None:
    """Nobody should have to read the code to use it."""
    command = dict(commands())[name]

    assert f"Example: entrepot {name}" in (command.default_command.__doc__ or "")


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_is_in_the_docs(name: str) -> None:
    """A command that the docs do not know is one that nobody finds."""
    assert f"`{name}`" in (DOCS / "commands.md").read_text()


@pytest.mark.parametrize("name", [n for n, _ in commands() if n != "run"])
def test_every_command_answers_in_json(name: str) -> None:
    """Programs read what people read."""
    annotations = dict(commands())[name].default_command.__annotations__

    assert "json" in annotations


def test_every_setting_is_in_the_docs() -> None:
    """A setting that exists in code is explained."""
    page = (DOCS / "settings.md").read_text()
    missing = []
    for field in msgspec.structs.fields(Settings):
        inner = getattr(field.type, "__struct_fields__", None)
        names = [f"{field.name}.{n}" for n in inner] if inner else [field.name]
        missing += [n for n in names if f"`{n}`" not in page]

    assert missing == []


def test_help_comes_at_once() -> None:
    """Nothing heavy is imported before it is needed."""
    heavy = "{'sqlalchemy', 'cryptography', 'uvicorn', 'aiohttp'}"
    code = f"import sys; import entrepot.cli; print([m for m in sys.modules if m in {heavy}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("no"), Exit.REFUSED),
        (TrustError("no"), Exit.REFUSED),
        (NotFoundError("no"), Exit.NOT_FOUND),
        (UnavailableError("no"), Exit.UNAVAILABLE),
        (MalformedError("no"), Exit.USAGE),
        (EntrepotError("no"), Exit.FAULT),
    ],
)
def test_exit_codes_are_those_of_the_docs(error: EntrepotError, code: Exit) -> None:
    """Scripts tell a refusal from a fault by the code alone."""
    assert code_of(error) is code
    assert re.search(rf"\| {int(code)} \|", (DOCS / "commands.md").read_text())


def test_an_empty_table_says_what_to_do_next() -> None:
    """An empty page is where a newcomer gives up."""
    assert table([], ("a",), "Nothing yet; do this.") == "Nothing yet; do this."
    assert table([{"a": 1, "b": "xyz"}], ("a", "b"), "") == "A  B\n1  xyz"
