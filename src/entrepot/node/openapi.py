"""The description of a node's own routes, as OpenAPI 3.1 has it: made of the routes and of nothing else.

What each route takes and gives stands beside it (`Shape`); here it becomes paths, parameters, bodies and
schemas. Pages for people are left out. The products' own descriptions are another matter (`use/openapi.py`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from entrepot.node.api import answer, owner_route
from entrepot.node.http import RawRoute
from entrepot.node.node import Part
from entrepot.protocols import UNDESCRIBED, Asked, Call, Content, Proof, Response, Route
from entrepot.values import MalformedError

PROBLEM: Final = "application/problem+json"
_PARAMETER: Final = re.compile(r"\{(\w+)(:path)?\}")
_REF: Final = "#/components/schemas/{name}"
_SCHEMES: Final[Mapping[Proof, tuple[str, Mapping[str, Any]]]] = {
    Proof.OWNER: ("owner", {"description": "The owner's token; it lies in the node's folder."}),
    Proof.MEMBERSHIP: (
        "member",
        {"description": "A self-issued token of a member in force, made out to this node; it passes once."},
    ),
    Proof.ACCESS_TOKEN: (
        "access",
        {"description": "A self-issued token that carries the access token which this node gave."},
    ),
    Proof.ID_TOKEN: (
        "identity",
        {"description": "A self-issued token of whoever calls, made out to this node; it passes once."},
    ),
    Proof.DOOR_TOKEN: ("door", {"description": "The token of an open door; the gate judges the use."}),
    Proof.PLANE_TOKEN: ("plane", {"description": "The token that the owner has given to this plane."}),
    Proof.INBOX_TOKEN: ("inbox", {"description": "The token that was given for one push."}),
}
_FAILURES: Final = {
    400: "Malformed, or not allowed by the protocol.",
    401: "The proof that this route asks for is missing or does not hold.",
    403: "A rule said no; `reasons` says which.",
    404: "There is no such thing, or not for this caller.",
    408: "The body did not come in time.",
    409: "Not in the present state, or somebody else was first.",
    413: "The body is too large.",
    415: "The body is of a media type that is not read here.",
    429: "Too often; `retry-after` says in how many seconds again.",
    503: "Not possible now; the same call may succeed later.",
}


class Problem(msgspec.Struct, frozen=True, rename="camel"):
    """What went wrong and what to do next (RFC 9457)."""

    title: str
    status: int
    remedy: str
    type: str = "about:blank"
    detail: str = ""
    request_id: str = ""
    """What the node's log calls this request."""
    reasons: tuple[str, ...] = ()
    rule: str = ""


def description_part(parts: Sequence[Part], title: str) -> Part:
    """The route by which an owner reads the descriptions of both ports; its own is in them."""
    path = "/owner/openapi.json"
    ports = ("owner", "public")

    async def handle(call: Call) -> Response:
        port = call.query.get("port", ports[0])
        if port not in ports:
            raise MalformedError(f"port: expected one of {', '.join(ports)}")
        found = [r for p in parts for r in (p.owner if port == ports[0] else p.public)]
        return answer(describe([*found, route] if port == ports[0] else found, f"{title}, {port} port"))

    document = Content({"type": "object", "required": ["openapi", "info", "paths", "components"]})
    route = owner_route("GET", path, handle, document, asks=(Asked("port", {"enum": [*ports]}),))
    return Part(owner=[route])


def describe(routes: Sequence[Route | RawRoute], title: str) -> dict[str, Any]:
    """Describe the routes of one port."""
    shown = [r for r in routes if r.shape is not UNDESCRIBED]
    types = dict.fromkeys(c.holds for c in _contents(shown) if not isinstance(c.holds, dict))
    schemas, components = msgspec.json.schema_components([Problem, *types], ref_template=_REF)
    known = dict(zip(types, map(_in_ecma, schemas[1:]), strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, known)
    schemes = dict(_SCHEMES[r.proof] for r in shown if r.proof in _SCHEMES)
    return {
        "openapi": "3.1.1",
        "info": {"title": title, "version": version("entrepot")},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _in_ecma(components),
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", **scheme} for name, scheme in schemes.items()
            },
        },
    }


def _contents(routes: Iterable[Route | RawRoute]) -> Iterable[Content]:
    for route in routes:
        shape = route.shape
        if shape.takes is not None:
            yield shape.takes
        for contents in (*shape.gives.values(), *shape.fails.values()):
            yield from contents


def _operation(route: Route | RawRoute, known: Mapping[Any, Any]) -> dict[str, Any]:
    shape = route.shape
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                for name, _ in _PARAMETER.findall(route.path)
            ),
            *(
                {"name": a.name, "in": "query", "required": a.required, "schema": a.schema}
                for a in shape.asks
            ),
        ],
        "responses": _responses(route, known),
    }
    if route.proof in _SCHEMES:
        operation["security"] = [{_SCHEMES[route.proof][0]: []}]
    if shape.takes is not None:
        body = {shape.takes.media_type: {"schema": _schema(shape.takes, known)}}
        operation["requestBody"] = {"required": not shape.takes.optional, "content": body}
    return operation


def _responses(route: Route | RawRoute, known: Mapping[Any, Any]) -> dict[str, Any]:
    problem = {PROBLEM: {"schema": {"$ref": _REF.format(name="Problem")}}}
    responses: dict[str, Any] = {
        str(status): {"description": why, "content": problem} for status, why in _failures(route)
    }
    for status, contents in {**route.shape.gives, **route.shape.fails}.items():
        why = _FAILURES.get(status, "All is well." if status < 400 else "No.")
        body = {c.media_type: {"schema": _schema(c, known)} for c in contents}
        responses[str(status)] = {"description": why} | ({"content": body} if body else {})
    return dict(sorted(responses.items()))


def _failures(route: Route | RawRoute) -> Iterable[tuple[int, str]]:
    """The problems that a route may answer with: none about a proof or a body that it does not ask for."""
    never = set()
    if route.proof is Proof.NONE:
        never |= {401, 403}
    if route.shape.takes is None:
        never |= {408, 413, 415}
    if route.proof is not Proof.DOOR_TOKEN:
        never.add(429)
    return ((status, why) for status, why in _FAILURES.items() if status not in never)


def _schema(content: Content, known: Mapping[Any, Any]) -> Any:  # noqa: ANN401 (a JSON schema)
    return content.holds if isinstance(content.holds, dict) else known[content.holds]


def _in_ecma(schema: Any) -> Any:  # noqa: ANN401 (a JSON schema)
    r"""Write patterns as JSON Schema has them: our `\Z` is the end of the text, which is its `$`."""
    if isinstance(schema, list):
        return [_in_ecma(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    pattern = schema.get("pattern")
    own = {"pattern": pattern.replace(r"\Z", "$")} if isinstance(pattern, str) else {}
    return {name: _in_ecma(item) for name, item in schema.items()} | own


def _name(route: Route | RawRoute) -> str:
    """A name for programs that are made from the description: `postOwnerProductsIdWithdraw`."""
    words = re.findall(r"[A-Za-z0-9]+", _PARAMETER.sub(r"\1", route.path))
    return route.method.lower() + "".join(w[0].upper() + w[1:] for w in words)
