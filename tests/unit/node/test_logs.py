"""What a node tells its operator, and what happens when that cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
PROGRAM = """
from entrepot.node.logs import set_up_logs
from entrepot.values import Log
set_up_logs()
for number in range(3):
    try:
        raise ValueError("secret")
    except ValueError:
        Log().exception("fault", number=number)
print("still here")
"""


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_log_on_a_full_disk_stops_nobody() -> None:
    """A loop that logs why it failed, and fails at that, would be dead when there is space again."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=full, text=True, check=False
        )

    assert done.stdout == "still here\n"


def test_a_log_line_holds_places_and_no_values() -> None:
    """The text of a fault may be what a stranger sent."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert "secret" not in done.stderr
    assert done.stderr.count('"fault": "ValueError"') == 3
