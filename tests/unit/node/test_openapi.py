"""The description of a node's own routes: all of them, each with what it takes and gives."""

import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot.node.openapi import describe  # noqa: E402 (after the house is loaded)

House = the_house.House
NAMES = ("operator", "observer", "provider")
PORTS = ("public", "owner")
SCHEMA = Path(__file__).parents[2] / "conformance" / "openapi" / "schema-2022-10-07.json"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    yield made
    made.close()


def described(house: House, name: str, port: str) -> Any:
    home = house.homes[name]
    headers = {"authorization": f"Bearer {(home.node.folder / 'owner.token').read_text()}"}
    reply = asyncio.run(
        the_house.call(home.owner, "GET", "/owner/openapi.json", headers=headers, query=f"port={port}")
    )
    assert reply.status == 200
    return json.loads(reply.body)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("port", PORTS)
def test_every_route_is_described(house: House, name: str, port: str) -> None:
    """Whoever adds a route says what it takes and gives: `shape`, or `owner_route` for the owner's API."""
    there = {
        (r.method, re.sub(r":path\}", "}", r.path)) for p in house.homes[name].parts for r in getattr(p, port)
    }
    said = {
        (method.upper(), path)
        for path, operations in described(house, name, port)["paths"].items()
        for method in operations
    }

    assert said == there


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("port", PORTS)
def test_every_schema_can_be_used_and_every_name_is_one_of_its_own(
    house: House, name: str, port: str
) -> None:
    """A client is generated from it: a schema that does not compile, or two of one name, would break it."""
    document = described(house, name, port)
    jsonschema_rs.validate(json.loads(SCHEMA.read_text()), document)
    components = {"components": document["components"]}
    operations = [o for path in document["paths"].values() for o in path.values()]
    bodies = [o.get("requestBody", {"content": {}}) for o in operations]
    answers = [r for o in operations for r in o["responses"].values()]
    for content in (c for b in (*bodies, *answers) for c in b.get("content", {}).values()):
        jsonschema_rs.Draft202012Validator({**content["schema"], **components})

    assert len({o["operationId"] for o in operations}) == len(operations)


def test_a_route_without_a_shape_is_left_out_and_so_the_walk_sees_it(house: House) -> None:
    """The first test here can fail."""
    import dataclasses

    from entrepot.protocols import UNDESCRIBED, Route

    route = next(r for p in house.homes["provider"].parts for r in p.public if isinstance(r, Route))

    assert describe([dataclasses.replace(route, shape=UNDESCRIBED)], "none")["paths"] == {}
