"""The published schemas, contexts and examples of the Dataspace Protocol 2025-1, where they are at hand.

They are reference data and stand beside the project, not in it; without them these tests are skipped.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema_rs import Draft201909, Draft201909Validator, Registry

PUBLISHED = Path(__file__).parents[4] / "shared" / "standards" / "dsp-2025-1"
ROOT = "https://w3id.org/dspace/2025/1/"


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


_unit = Path(__file__).parents[2] / "unit"
_load("entrepot_policy_samples", _unit / "policy" / "samples.py")
_load("entrepot_dsp_samples", _unit / "protocols" / "dsp" / "samples.py")
_node = _load("entrepot_dsp_node", _unit / "protocols" / "dsp" / "node.py")


@pytest.fixture(scope="session")
def published() -> Path:
    if not PUBLISHED.is_dir():
        pytest.skip("the published schemas of the Dataspace Protocol are not beside the checkout")
    return PUBLISHED


@pytest.fixture(scope="session")
def faults(published: Path) -> Callable[[str, bytes], list[str]]:
    """Gives what a schema (`catalog/catalog`) has against a body; nothing where it meets the schema."""
    resources = []
    for path in sorted(published.glob("*/*-schema.json")):
        # Three schemas point at `#definitions/…`, which is no pointer; `#/definitions/…` is meant.
        text = path.read_text().replace("#definitions/", "#/definitions/")
        schema = json.loads(text)
        resources.append((schema.get("$id", ROOT + path.relative_to(published).as_posix()), schema))
    registry = Registry(resources, draft=Draft201909)
    validators: dict[str, Draft201909Validator] = {}

    def check(name: str, body: bytes) -> list[str]:
        if name not in validators:
            reference: Any = {"$ref": f"{ROOT}{name}-schema.json"}
            validators[name] = Draft201909Validator(reference, registry=registry)
        errors = validators[name].iter_errors(json.loads(body))
        return [f"{e.instance_path}: {e.message}" for e in errors]

    return check


@pytest.fixture(scope="session")
def terms(published: Path) -> frozenset[str]:
    """Every term that the two published contexts define, at whatever place."""
    found: set[str] = set()

    def walk(context: Any) -> None:
        for term, meaning in context.items():
            if not term.startswith("@"):
                found.add(term)
            if isinstance(meaning, dict) and isinstance(meaning.get("@context"), dict):
                walk(meaning["@context"])

    for name in ("dspace", "odrl"):
        walk(json.loads((published / "context" / f"{name}.jsonld").read_text())["@context"])
    return frozenset(found)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[object]:
    made = _node.Node(tmp_path)
    yield made
    made.journal.close()
