"""What the tests of policies share: any policy, any facts, and a second, plainer interpreter."""

import importlib.util
import sys
from pathlib import Path


def _load(name: str, path: Path) -> None:
    """Test folders are no packages; what several tests share is loaded by its path, once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


_load("entrepot_policy_reference", Path(__file__).with_name("reference.py"))
_load("entrepot_policy_samples", Path(__file__).with_name("samples.py"))
