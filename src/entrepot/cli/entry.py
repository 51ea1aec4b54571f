"""Where the command line begins: one command, one exit code.

`entrepot run` lives for months, so what reads the other commands is not loaded into its process.
"""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from entrepot.cli.output import Exit, complain
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


def run_node(folder: Path) -> Exit:
    """Run the node in a folder, with its console, until it is stopped."""
    gc.disable()  # what is loaded stays: to look for garbage in it costs a tenth of a start
    from entrepot import console
    from entrepot.node.running import run

    gc.freeze()
    gc.enable()
    run(folder.resolve(), faces=[console.routes])
    return Exit.DONE


def _run(words: Sequence[str]) -> object:
    """Run a node as such; every other command, and every other way to write this one, is read by `app`."""
    match words:
        case ["run"]:
            return run_node(Path())
        case ["run", "--node", folder] if not folder.startswith("-"):
            return run_node(Path(folder))
    from entrepot.cli.main import app

    return app(words, result_action="return_value")
