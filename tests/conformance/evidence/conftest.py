"""Lets the tests of this folder use what stands beside them and the small space of the unit tests."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
UNIT = HERE.parents[1] / "unit" / "oversight"


def _load(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_load("evidence_second_verifier", HERE / "second_verifier.py")
_load("evidence_make_vectors", HERE / "make_vectors.py")
_load("evidence_forgeries", UNIT / "forgeries.py")


@pytest.fixture(scope="session")
def street() -> Any:
    """A small space whose story ends in evidence."""
    return _load("evidence_story", UNIT / "story.py").Street
