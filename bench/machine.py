"""What was measured on, and by which command: every claim of this folder prints both with its figures.

python bench/machine.py
"""

import os
import platform
import shlex
import sqlite3
import sys
from pathlib import Path


def described() -> str:
    """The machine of this run, and the command that repeats it."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    script = Path(sys.argv[0])
    command = shlex.join(["python", f"{script.parent.name}/{script.name}", *sys.argv[1:]])
    return (
        f"machine: {model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}\ncommand: {command}"
    )


if __name__ == "__main__":
    print(described())
