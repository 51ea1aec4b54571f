"""What a command prints of strangers' words."""

import io
import sys

import pytest

from entrepot.cli.output import show


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("as_json", [False, True])
def test_no_strangers_word_moves_a_cursor(monkeypatch: pytest.MonkeyPatch, *, as_json: bool) -> None:
    """A title or an answer could clear the screen, or write another verdict over the true one."""
    said = "a\x1b[2Jb\x9b1;1Hc\rd\x07e\x7f"
    for out in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", out)
        show([said], as_json=as_json, text=f"{said}\n\tf")
        if out.isatty():
            assert all(c in "\n\t" or c.isprintable() for c in out.getvalue())
        elif not as_json:
            assert out.getvalue() == f"{said}\n\tf\n"  # a file gets what came
