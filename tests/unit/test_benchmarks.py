"""What is measured is told, and what is told is measured."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/benchmarks.md").read_text()
MACHINE = "machine.py"


def test_every_claim_has_its_command_on_the_page() -> None:
    """A figure without its command cannot be checked, a measurement that nobody reads proves nothing."""
    measured = {file.name for file in (ROOT / "bench").glob("*.py")} - {MACHINE}
    told = set(re.findall(r"`python bench/(\w+\.py)", PAGE))
    assert told == measured


def test_every_claim_prints_its_machine_and_command() -> None:
    """A figure from nobody knows where is worth nothing."""
    for file in sorted((ROOT / "bench").glob("*.py")):
        assert file.name == MACHINE or "print(described())" in file.read_text(), file.name
