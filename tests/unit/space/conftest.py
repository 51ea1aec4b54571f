"""One platform for each test, and the small world it stands in."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str, path: Path) -> ModuleType:
    """Test folders are no packages; what several tests share is loaded by its path, once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


_world = _load("entrepot_space_world", Path(__file__).parent / "world.py")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[object]:
    made = _world.World(tmp_path)
    yield made
    made.close()
