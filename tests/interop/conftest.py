"""A real Eclipse connector for tests; what needs one is skipped by name where none can be had."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "space"))
sys.path.insert(0, str(Path(__file__).parent))

from edc import Edc, started
from jars import NotHereError

Start = Callable[[str], Edc]


@pytest.fixture(scope="module")
def edc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts runtimes by name; all end with the module."""
    running: list[Edc] = []

    def start(name: str) -> Edc:
        try:
            running.append(started(tmp_path_factory.mktemp(name), name))
        except NotHereError as reason:
            pytest.skip(str(reason))
        return running[-1]

    yield start
    for runtime in running:
        runtime.stop()
