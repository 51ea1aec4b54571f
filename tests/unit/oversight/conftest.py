"""Lets the tests of this folder use the small space that stands beside them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _beside(name: str) -> ModuleType:
    whole = f"evidence_{name}"
    if whole not in sys.modules:
        spec = importlib.util.spec_from_file_location(whole, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[whole] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[whole])
    return sys.modules[whole]


_beside("forgeries")


@pytest.fixture(scope="session")
def street() -> Any:
    """A small space whose story ends in evidence."""
    return _beside("story").Street
