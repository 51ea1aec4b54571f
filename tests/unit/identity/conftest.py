"""What the tests of identity share: `world.py` beside this file."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.journal import Journal

if "entrepot_identity_world" not in sys.modules:
    # Test folders are no packages; what several tests share is loaded by its path, once.
    _spec = importlib.util.spec_from_file_location(
        "entrepot_identity_world", Path(__file__).parent / "world.py"
    )
    assert _spec is not None
    assert _spec.loader is not None
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["entrepot_identity_world"] = _module
    _spec.loader.exec_module(_module)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(f"sqlite:///{tmp_path}/node.db") as opened:
        opened.create_schema()
        yield opened
