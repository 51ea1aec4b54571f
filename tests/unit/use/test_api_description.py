"""The OpenAPI description is true of what is served; its standard is in `tests/conformance/openapi`."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs

_SPEC = importlib.util.spec_from_file_location("api_world", Path(__file__).with_name("api_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
api_world = sys.modules.setdefault("api_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(api_world)

EVERY_TYPE = (
    "flag,count,size,word,day,local,moment\n"
    "true,1,1.5,a,2012-01-01,2012-01-01 08:00,2012-01-01T08:00:00Z\n"
    "false,-2,,,2012-01-02,2012-01-01 08:00:00.5,2012-01-01T08:00:00+08:00\n"
)


def test_what_is_served_is_what_was_described(tmp_path: Path) -> None:
    """A description that its own answers break is worse than none."""
    world = api_world.ApiWorld(tmp_path, text=EVERY_TYPE)
    document = world.get("openapi.json").json
    operation = document["paths"]["/items"]["get"]
    page = operation["responses"]["200"]["content"]["application/json"]["schema"]
    schema = {
        **page,
        "components": document["components"],
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    }
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    for below in ("items", "items?limit=1", "items?fields=moment,flag", "items?filter=count+=+7"):
        validator.validate(world.get(below).json)
    refused = world.get("items?limit=0").json
    world.close()

    problem: dict[str, Any] = document["components"]["schemas"]["Problem"]
    jsonschema_rs.Draft202012Validator(problem).validate(refused)
    assert not validator.is_valid({"items": [{"flag": "yes"}], "next": None})
    assert {p["name"] for p in operation["parameters"]} == {"limit", "cursor", "fields", "filter"}
