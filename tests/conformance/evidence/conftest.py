"""Lets the tests of this folder use the small space of `tests/unit/oversight`, and its vectors."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
STORY = HERE.parents[1] / "unit" / "oversight" / "story.py"


def _module(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_module("evidence_story", STORY)


@pytest.fixture(scope="session")
def street() -> Any:
    """A small space whose story ends in evidence."""
    return _module("evidence_story", STORY).Street
