"""Where the command line begins: one command, one exit code.

`entrepot run` lives for months, so what reads the other commands is not loaded into its process.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from entrepot.cli.output import complain
from entrepot.cli.running import run_node
from entrepot.values import EntrepotError


def main() -> None:
    """Run one command and leave with its exit code."""
    as_json = "--json" in sys.argv
    try:
        code = _run(sys.argv[1:])
    except EntrepotError as error:
        code = complain(error, as_json=as_json)
    except KeyboardInterrupt:
        code = 130
    sys.exit(int(code) if isinstance(code, int) else 0)


def _run(words: Sequence[str]) -> object:
    """Run a node as such; every other command, and every other way to write this one, is read by `app`."""
    match words:
        case ["run"]:
            return run_node(Path())
        case ["run", "--node", folder] if not folder.startswith("-"):
            return run_node(Path(folder))
    from entrepot.cli.main import app

    return app(words, result_action="return_value")
