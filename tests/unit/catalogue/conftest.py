"""What the tests of the catalogue share: a journal of its own for each test, and any policy."""

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrepot.journal import Journal

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)


def _load(name: str, path: Path) -> None:
    """Test folders are no packages; what several tests share is loaded by its path, once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


_load("entrepot_policy_samples", Path(__file__).parents[1] / "policy" / "samples.py")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(f"sqlite:///{tmp_path / 'node.db'}", clock=lambda: NOW)
    opened.create_schema()
    yield opened
    opened.close()
