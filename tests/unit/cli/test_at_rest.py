"""What a node at rest has not loaded: heavy libraries that only a rare question needs."""

import json
import subprocess
import sys
from typing import Final

HEAVY: Final = (
    "alembic",
    "babel",
    "cyclopts",
    "duckdb",
    "jinja2",
    "jsonschema_rs",
    "prometheus_client",
    "psycopg",
    "pyarrow",
    "pygments",
    "rich",
    "sqlalchemy.dialects.postgresql",
    "sqlglot",
)
"""Each costs time at a start, and memory for as long as a node runs."""
PROGRAM: Final = """
import json, sys
from entrepot.cli import main
import entrepot.console, entrepot.node.running
print(json.dumps(sorted(sys.modules)))
"""


def test_what_only_rare_questions_need_is_not_loaded() -> None:
    """One import at the top of a file would bring a library back into the process of every node."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)

    assert "sqlalchemy" in loaded
    assert [name for name in HEAVY if name in loaded] == []
