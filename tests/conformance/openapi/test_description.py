"""OpenAPI 3.1: what we say of an open API is held against the standard's own schema.

`schema-2022-10-07.json` is https://spec.openapis.org/oas/3.1/schema/2022-10-07 of the OpenAPI Initiative
(Apache-2.0), as the package openapi-spec-validator 0.9.0 carries it. It leaves the schemas inside to JSON
Schema 2020-12, so they are held against that.
"""

import copy
import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from entrepot.catalogue import Column, ColumnType, Product, Resource, Source, SourceKind
from entrepot.policy import Policy, Rule, Terms
from entrepot.use.api_ask import table_under
from entrepot.use.openapi import describe_service, describe_table
from entrepot.values import Did, Digest, Grade, KindOfUse, ProcessId, ProductId

SCHEMA = Path(__file__).with_name("schema-2022-10-07.json")
DIGEST = "e7cb616a2a10849a166c4e4a93c62c56cfea02cc00eadf287e2fb875e7124098"
PROCESS = ProcessId("urn:uuid:5b1c9a4e-0000-4000-8000-000000000001")
PRODUCT = Product(
    id=ProductId("6WEATHER"), version=3, title="气象 / Weather", description="Every day.", keywords=(),
    provider=Did("did:web:us"), grade=Grade.L1, rights="open", kinds=frozenset({KindOfUse.API}),
    policy=Policy((Rule("use"),)), media_type="application/vnd.apache.parquet", size=1,
    artefact=Digest(bytes(32)), published_at=datetime(2026, 11, 25, tzinfo=UTC),
)  # fmt: skip
COLUMNS = tuple(Column(f"column {kind} 列", kind) for kind in ColumnType)
TABLE = Resource("r", Path("/x"), "application/vnd.apache.parquet", 1, Digest(bytes(32)), 1, 1, COLUMNS, 9)
SERVICE = Source(SourceKind.HTTP, "https://api.example", paths=("/now", "/days/1"), parameters=("from", "to"))


def described(kind: str) -> dict[str, Any]:
    if kind == "service":
        return dict(describe_service(PRODUCT, PROCESS, SERVICE))
    terms = Terms(fields=frozenset({COLUMNS[0].name}), max_rows=7) if kind == "narrowed" else Terms()
    return dict(describe_table(PRODUCT, PROCESS, table_under(TABLE, terms, bytes(32))))


def schemas_in(value: Any) -> list[Any]:
    """Every schema object of a document."""
    if isinstance(value, list):
        return [s for item in value for s in schemas_in(item)]
    if not isinstance(value, dict):
        return []
    found = [value["schema"]] if "schema" in value else []
    return [*found, *(s for item in value.values() for s in schemas_in(item))]


@pytest.mark.parametrize("kind", ["table", "narrowed", "service"])
def test_the_description_is_valid_openapi(kind: str) -> None:
    """Whoever makes a client from it has a tool that refuses anything else."""
    document = described(kind)

    jsonschema_rs.Draft202012Validator(json.loads(SCHEMA.read_bytes())).validate(document)
    inner = [*schemas_in(document), *document["components"]["schemas"].values()]
    assert inner
    for schema in inner:
        jsonschema_rs.meta.validate(
            schema
            if isinstance(schema, bool)
            else {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
        )


def test_the_schema_would_find_a_fault() -> None:
    """A check that lets everything through proves nothing; and it is the published one."""
    validator = jsonschema_rs.Draft202012Validator(json.loads(SCHEMA.read_bytes()))
    document = described("table")
    faults = [
        lambda d: d.pop("info"),
        lambda d: d.update(openapi="3.0.0"),
        lambda d: d["paths"]["/items"]["get"]["parameters"][0].pop("in"),
        lambda d: d["paths"].update(items=d["paths"].pop("/items")),
        lambda d: d["components"]["securitySchemes"]["door"].pop("scheme"),
    ]

    for fault in faults:
        broken = copy.deepcopy(document)
        fault(broken)
        assert not validator.is_valid(broken)
    assert sha256(SCHEMA.read_bytes()).hexdigest() == DIGEST


def test_each_path_has_an_operation_of_its_own_name() -> None:
    """Generated clients name their functions by it."""
    names = [
        item["get"]["operationId"]
        for kind in ("table", "service")
        for item in described(kind)["paths"].values()
    ]

    assert len(set(names)) == len(names) == 3
