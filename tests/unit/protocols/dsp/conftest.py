"""What the tests of the Dataspace Protocol share: any policy, any message, a small node."""

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


_load("entrepot_policy_samples", Path(__file__).parents[2] / "policy" / "samples.py")
_load("entrepot_dsp_samples", Path(__file__).with_name("samples.py"))
_node = _load("entrepot_dsp_node", Path(__file__).with_name("node.py"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[object]:
    made = _node.Node(tmp_path)
    yield made
    made.journal.close()
