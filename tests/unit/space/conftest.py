"""One platform for each test, and the small world it stands in."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from entrepot.space import MemberRole


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


@pytest.fixture(scope="session")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object, list[bytes]]:
    """The folder of a platform with three members and a supervisor, where its ledger stands, and its log."""
    made = _world.World(tmp_path_factory.mktemp("peopled"))
    for party in (_world.ALICE, _world.BOB, _world.EVE):
        made.join(party)
    made.join(_world.REGULATOR, MemberRole.REGULATOR)
    made.close()
    return made.folder, made.head, made.entries


@pytest.fixture
def members(peopled: tuple[Path, object, list[bytes]], tmp_path: Path) -> Iterator[object]:
    """A platform with three members and a supervisor."""
    folder, head, entries = peopled
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    made = _world.World(tmp_path, head=head, entries=[*entries])
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[object]:
    made = _world.World(tmp_path)
    yield made
    made.close()
