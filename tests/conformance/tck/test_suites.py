"""The official suites, as far as this machine has what they need; `run.py` says what that is."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
PAGE = RUN.parents[3] / "docs" / "reference" / "conformance.md"
NOT_HERE = 77
SUITES = [("DSP", 65), ("DCP verifier", 20), ("DCP credential service", 40), ("DCP issuer", 25)]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("suite", "tests"), SUITES)
def test_an_official_suite_passes_with_all_its_tests(suite: str, tests: int) -> None:
    """A connector of the field would meet messages of ours that the field's own tests refuse."""
    ran = subprocess.run([sys.executable, RUN, "--suite", suite], capture_output=True, text=True, check=False)
    if ran.returncode == NOT_HERE:
        pytest.skip(ran.stdout.strip().splitlines()[-1])

    assert ran.stdout.rstrip().splitlines()[-1] == f"{suite} {tests} passed, 0 failed", (
        ran.stdout + ran.stderr
    )
    assert ran.returncode == 0


@pytest.mark.parametrize(("suite", "tests"), SUITES)
def test_the_docs_say_what_a_run_says_and_how_the_connector_is_started(suite: str, tests: int) -> None:
    """Whoever holds a newer release of a suite has to start our side without us."""
    page = PAGE.read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| {suite} |"))
    script = row.split("`")[1]

    assert f"{suite} {tests} passed, 0 failed" in page
    assert f".venv/bin/python tests/conformance/tck/{script} " in page
    assert RUN.with_name(script).is_file()
