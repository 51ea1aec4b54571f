"""Lets the tests of this folder import the simulator of two nodes."""

import importlib.util
import sys
from pathlib import Path

_TESTS = Path(__file__).parents[2]
for _name in ("simulator", "schedules"):
    if _name not in sys.modules:
        _spec = importlib.util.spec_from_file_location(_name, _TESTS / "space" / f"{_name}.py")
        assert _spec is not None
        assert _spec.loader is not None
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])
