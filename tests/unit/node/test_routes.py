"""The table of routes: what each asks for, and that it really asks."""

import asyncio
import dataclasses
import importlib.util
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot.identity import KeyJob, issue_id_token  # noqa: E402 (after the house is loaded)
from entrepot.journal import new_uuid  # noqa: E402
from entrepot.node.http import Application, Gatekeeper  # noqa: E402
from entrepot.protocols import Call, Proof, Response, Route  # noqa: E402

House = the_house.House
TABLE = Path(__file__).parents[3] / "docs" / "reference" / "routes.md"
PRIVATE = Path(__file__).parents[3] / "docs" / "decisions" / "0011-what-only-our-nodes-say.md"
OF_THE_FIELD = ("/.well-known/", "/dsp/", "/dcp/", "/signaling/", "/door/", "/inbox/", "/basin/")
FOLLOWED = "/witness/log/"
REACHED = 299


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    asyncio.run(made.admit("provider", "consumer", "observer"))
    yield made
    made.close()


def routes_of(house: House) -> set[tuple[str, str, str, str]]:
    found = set()
    for home in house.homes.values():
        for part in home.parts:
            found |= {("public", r.method, r.path, str(r.proof)) for r in part.public}
            found |= {("owner", r.method, r.path, str(r.proof)) for r in part.owner}
    return found


def test_the_table_in_the_docs_is_the_table_in_the_code(house: House) -> None:
    """A route that nobody wrote down is a door that nobody watches."""
    row = re.compile(r"\| (\w+) \| (\w+) \| `([^`]+)` \| ([a-z ]+) \|")
    written = {m.groups() for m in map(row.match, TABLE.read_text().splitlines()) if m}

    assert written == routes_of(house)


def test_what_only_our_nodes_say_is_written_down_with_its_reason(house: House) -> None:
    """A message that no protocol of the field has shuts connectors of other makes out, unless it must be."""
    own = {
        f"{method} {path.replace(FOLLOWED, '/ledger/')}"
        for port, method, path, _ in routes_of(house)
        if port == "public" and not path.startswith(OF_THE_FIELD)
    }
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", PRIVATE.read_text(), re.MULTILINE)

    assert sorted(rows) == sorted(own)


def guarded(house: House, name: str) -> tuple[Application, list[Route]]:
    """The routes of a node that ask for membership, with handlers that only say that they were reached."""
    home = house.homes[name]

    async def reached(_call: Call) -> Response:
        return Response(REACHED)

    routes = [
        dataclasses.replace(r, handle=reached)
        for part in home.parts
        for r in part.public
        if isinstance(r, Route) and r.proof is Proof.MEMBERSHIP
    ]
    return Application(routes, Gatekeeper(home.node.acquaintance.authenticate)), routes


def token(house: House, sender: str, audience: str, age: timedelta = timedelta(0)) -> str:
    node, to = house.homes[sender].node, house.homes[audience].did
    signer = node.vault.signer(KeyJob.IDENTITY)
    now = node.clock() - age
    return "Bearer " + issue_id_token(signer, node.me, to, now, new_uuid(), node.access_token(to))


@pytest.mark.parametrize("name", ["operator", "provider"])
def test_every_route_of_members_asks_who_is_calling(house: House, name: str) -> None:
    """No token, no bearer, another's audience, expired, unsigned, a stranger's: none gets through."""
    application, routes = guarded(house, name)
    bad = {
        "none": "",
        "not a token": "Bearer nonsense",
        "no bearer": token(house, "consumer", name).removeprefix("Bearer "),
        "wrong audience": token(house, "consumer", "observer"),
        "expired": token(house, "consumer", name, timedelta(hours=1)),
        "not signed": token(house, "consumer", name).rpartition(".")[0] + ".",
        "no member": token(house, "stranger", name),
    }

    async def walk() -> set[tuple[str, str]]:
        passed = set()
        for route in routes:
            path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
            for kind, authorization in bad.items():
                reply = await the_house.call(
                    application, route.method, path, b"{}", {"authorization": authorization}
                )
                if reply.status not in {401, 404}:
                    passed.add((route.path, kind))
            good = {"authorization": token(house, "consumer", name)}
            first = await the_house.call(application, route.method, path, b"{}", good)
            again = await the_house.call(application, route.method, path, b"{}", good)
            if first.status != REACHED or again.status not in {401, 404}:
                passed.add((route.path, f"replay: {first.status} then {again.status}"))
        return passed

    assert routes
    assert asyncio.run(walk()) == set()


def test_the_owner_is_asked_for_the_owners_token_on_the_owners_port_only(house: House) -> None:
    """A member's token opens nothing of the owner's, and strangers do not reach the owner's routes."""

    async def walk() -> list[tuple[str, int]]:
        wrong = []
        for name, home in house.homes.items():
            for route in (r for part in home.parts for r in part.owner):
                path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
                for authorization in ("", "Bearer guess", token(house, "consumer", name)):
                    reply = await the_house.call(
                        home.owner, route.method, path, b"{}", {"authorization": authorization}
                    )
                    wrong += [(route.path, reply.status)] if reply.status != 401 else []
                reply = await the_house.call(home.public, route.method, path, b"{}")
                wrong += [(route.path, reply.status)] if reply.status != 404 else []
        return wrong

    assert asyncio.run(walk()) == []


def test_a_door_opens_to_its_own_token_only(house: House) -> None:
    """No token and a guessed one are told the same: there is nothing here."""
    provider = house.homes["provider"]

    async def knock(authorization: str) -> int:
        headers = {"authorization": authorization}
        return (await the_house.call(provider.public, "GET", "/door/urn:uuid:x", b"", headers)).status

    assert asyncio.run(knock("")) == asyncio.run(knock("Bearer guess")) == 404


def test_what_asks_for_a_signature_or_an_invitation_refuses_anything_else(house: House) -> None:
    """Routes without membership verify what they are given before they believe it."""

    async def walk() -> list[tuple[str, int]]:
        wrong = []
        for home in house.homes.values():
            for part in home.parts:
                for route in part.public:
                    if route.proof in {Proof.LOG_SIGNATURE, Proof.INVITATION, Proof.ACCESS_TOKEN}:
                        path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
                        reply = await the_house.call(home.public, route.method, path, b'{"a":1}')
                        wrong += [(route.path, reply.status)] if not 400 <= reply.status < 500 else []
        return wrong

    assert asyncio.run(walk()) == []


def test_a_revoked_member_is_refused_by_every_route(tmp_path: Path) -> None:
    """From the moment that a node knows, whatever the token."""
    house = House(tmp_path)
    asyncio.run(house.admit("provider", "consumer"))
    application, routes = guarded(house, "provider")

    async def walk() -> set[int]:
        await asyncio.sleep(0)
        await house.publish(1)
        found = set()
        for route in routes:
            path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
            headers = {"authorization": token(house, "consumer", "provider")}
            found.add((await the_house.call(application, route.method, path, b"{}", headers)).status)
        return found

    found = asyncio.run(walk())
    house.close()
    assert found <= {401, 404}
