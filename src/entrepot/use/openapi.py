"""The description of an open API, as OpenAPI 3.1 has it: made of the product's columns and its contract.

Schemas are those of JSON Schema 2020-12. Only what the contract leaves to be used is described.
"""

from typing import Final

from entrepot.catalogue import Column, ColumnType, Product, Source
from entrepot.use.api_ask import LIMIT, Table
from entrepot.values import ProcessId
from entrepot.values.canonical import Json

_PROBLEM: Final = "application/problem+json"
_TYPES: Final[dict[ColumnType, dict[str, Json]]] = {
    ColumnType.BOOLEAN: {"type": ["boolean", "null"]},
    ColumnType.INTEGER: {"type": ["integer", "null"], "format": "int64"},
    ColumnType.NUMBER: {"type": ["number", "null"], "format": "double"},
    ColumnType.DECIMAL: {"type": ["string", "null"], "description": "An exact decimal number."},
    ColumnType.TEXT: {"type": ["string", "null"]},
    ColumnType.DATE: {"type": ["string", "null"], "format": "date"},
    ColumnType.DATETIME: {"type": ["string", "null"], "description": "A date and time without a zone."},
    ColumnType.INSTANT: {"type": ["string", "null"], "format": "date-time"},
}
_REFUSALS: Final = {
    "400": "Malformed: nothing was used; the reasons say what was expected.",
    "403": "Refused under the contract; the reasons say by what.",
    "404": "No door opens to this token.",
    "429": "More often than the contract allows; the header `retry-after` says in how many seconds again.",
    "503": "Not possible now.",
}


def describe_table(product: Product, process_id: ProcessId, table: Table) -> dict[str, Json]:
    """The description of a table's pages."""
    columns = [c for c in table.resource.columns if c.name in set(table.fields)]
    page: Json = {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
            "next": {
                "type": ["string", "null"],
                "description": "Where the next page is, relative to this one; null at the end.",
            },
        },
    }
    operation = _operation("listItems", "Rows of the table, page by page. Each call is one use.", page)
    operation["parameters"] = _parameters(columns, table)
    document = _document(product, process_id)
    document["paths"] = {"/items": {"get": operation}}
    _components(document)["schemas"] = {"Item": _item(columns), "Problem": _problem()}
    return document


def describe_service(product: Product, process_id: ProcessId, source: Source) -> dict[str, Json]:
    """The description of a live service: which of its paths may be asked for, and with what."""
    document = _document(product, process_id)
    paths: dict[str, Json] = {}
    for number, path in enumerate(source.paths, 1):
        operation = _operation(f"call{number}", "What the service answers. Each call is one use.", True)
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in source.parameters
        ]
        paths[f"/service{path}"] = {"get": operation}
    document["paths"] = paths
    _components(document)["schemas"] = {"Problem": _problem()}
    return document


def _document(product: Product, process_id: ProcessId) -> dict[str, Json]:
    return {
        "openapi": "3.1.1",
        "info": {
            "title": product.title,
            "version": str(product.version),
            "description": product.description,
        },
        "servers": [{"url": f"/door/{process_id}"}],
        "security": [{"door": []}],
        "components": {
            "securitySchemes": {
                "door": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of the transfer process that opened this door.",
                }
            },
        },
    }


def _components(document: dict[str, Json]) -> dict[str, Json]:
    components = document["components"]
    if not isinstance(components, dict):
        raise TypeError("a document is made with its components")
    return components


def _operation(name: str, summary: str, answer: Json) -> dict[str, Json]:
    responses: dict[str, Json] = {
        "200": {
            "description": "The answer; the header names the use.",
            "headers": {"entrepot-use": {"schema": {"type": "string"}}},
            "content": {"application/json": {"schema": answer}},
        }
    }
    for status, why in _REFUSALS.items():
        responses[status] = {
            "description": why,
            "content": {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return {"operationId": name, "summary": summary, "responses": responses}


def _parameters(columns: list[Column], table: Table) -> list[Json]:
    whole: Json = {"type": "integer", "minimum": 1, "maximum": table.most, "default": min(LIMIT, table.most)}
    names: list[Json] = [c.name for c in columns]
    return [
        {"name": "limit", "in": "query", "description": "Rows of a page.", "schema": whole},
        {
            "name": "cursor",
            "in": "query",
            "description": "Where the page begins; from `next` of the page before.",
            "schema": {"type": "string"},
        },
        {
            "name": "fields",
            "in": "query",
            "description": "The columns wanted; all of them where it is left out.",
            "style": "form",
            "explode": False,
            "schema": {"type": "array", "items": {"enum": names}, "minItems": 1, "uniqueItems": True},
        },
        {
            "name": "filter",
            "in": "query",
            "description": "Comparisons that every row satisfies, joined by `and`: = != < <= > >= in (…).",
            "schema": {"type": "string"},
        },
    ]


def _item(columns: list[Column]) -> Json:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {c.name: _TYPES[c.type] for c in columns},
    }


def _problem() -> Json:
    return {
        "type": "object",
        "description": "RFC 9457, with every reason and what to do.",
        "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "reasons": {"type": "array", "items": {"type": "string"}},
            "remedy": {"type": "string"},
        },
    }
