"""A platform and its members on a network that loses, repeats and delays what it is told to."""

import importlib.util
import shutil
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


_here = Path(__file__).parent
_load("entrepot_space_world", _here.parents[1] / "space" / "world.py")
_net = _load("entrepot_tds_net", _here / "net.py")


@pytest.fixture(scope="session")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    """The folder of a network in which everybody has joined, and where its ledger stands."""
    made = _net.Net(tmp_path_factory.mktemp("peopled"))
    made.close()
    return made.folder, made.world.head


@pytest.fixture
def net(peopled: tuple[Path, object], tmp_path: Path) -> Iterator[object]:
    folder, head = peopled
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    made = _net.Net(tmp_path, head)
    yield made
    made.close()
