"""Lets the tests of this folder import what stands beside them, and the simulator of two nodes."""

import importlib.util
import sys
from pathlib import Path

_TESTS = Path(__file__).parents[2]
for _name, _path in {
    "small_world": Path(__file__).with_name("small_world.py"),
    "entrepot_policy_samples": _TESTS / "unit" / "policy" / "samples.py",
    "simulator": _TESTS / "space" / "simulator.py",
    "schedules": _TESTS / "space" / "schedules.py",
}.items():
    if _name not in sys.modules:
        _spec = importlib.util.spec_from_file_location(_name, _path)
        assert _spec is not None
        assert _spec.loader is not None
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])
