"""Whole spaces for tests; `--all-points` kills at every point of a running use."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from doors import Doors
from strace import why_not

from space import Space, found_space


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-points", action="store_true", help="kill at every point, not only at a slice")


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """One space for all tests that leave it as they found it: three nodes up, nothing under way."""
    running = found_space(tmp_path_factory.mktemp("space"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def strace() -> None:
    """Skips by name what needs strace where it cannot be used."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def doors(space: Space) -> Doors:
    return Doors(space)


@pytest.fixture(autouse=True)
def _everybody_up_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that failed while a node was dead leaves the space to the next one as it found it."""
    yield
    if "space" in request.fixturenames:
        request.getfixturevalue("space").revive()
