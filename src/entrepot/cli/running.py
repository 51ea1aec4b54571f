"""Running a node: what it needs is loaded here, and nothing of the other commands."""

import gc
from pathlib import Path

from entrepot.cli.output import Exit


def run_node(folder: Path) -> Exit:
    """Run the node in a folder, with its console, until it is stopped."""
    gc.disable()  # what is loaded stays: to look for garbage in it costs a tenth of a start
    from entrepot import console
    from entrepot.node.running import run

    gc.freeze()
    gc.enable()
    run(folder.resolve(), faces=[console.routes])
    return Exit.DONE
