"""Nodes that meet over their real routes, without a server: the parties of identity, and a web of wires."""

import importlib.util
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
for _name, _path in (
    ("entrepot_identity_world", _HERE.parents[1] / "identity" / "world.py"),
    ("entrepot_dcp_web", _HERE / "web.py"),
):
    if _name not in sys.modules:
        # Test folders are no packages; what several tests share is loaded by its path, once.
        _spec = importlib.util.spec_from_file_location(_name, _path)
        assert _spec is not None
        assert _spec.loader is not None
        _module = importlib.util.module_from_spec(_spec)
        sys.modules[_name] = _module
        _spec.loader.exec_module(_module)


@pytest.fixture
def web(tmp_path: Path) -> object:
    made = sys.modules["entrepot_dcp_web"].Web(tmp_path)
    yield made
    made.close()
