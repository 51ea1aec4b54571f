"""Every HTTP route of every role, asked over real sockets for what it says of itself and what it does not.

schemathesis makes the calls from the description that a node gives of its own routes: such as it describes,
and such as it forbids. Whatever comes, the answer is one of those described: no fault, no status, media type
or field that nobody wrote down. `make fuzz` asks longer.
"""

import contextlib
import http.client
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

sys.path.append(str(Path(__file__).parents[1] / "console"))

from town import Town, found_town

from entrepot.identity import KeyJob, Vault, issue_id_token
from entrepot.journal import new_uuid
from entrepot.node.node import access_token
from entrepot.node.settings import SETTINGS, Settings
from entrepot.values import Did, system_clock
from space import PASSPHRASE

EXAMPLES: Final = max(settings().max_examples // 16, 1)
CHECKS: Final = [status_code_conformance, content_type_conformance, response_schema_conformance]
STRICT: Final = [not_a_server_error, *CHECKS]
CALLS_OUT: Final = {"GET /owner/catalogues/{did}", "POST /owner/openings", "POST /owner/offers"}
"""Here an owner names a party that is called at once: where nobody is there, 503 is the plain truth."""
WHOLE: Final = {"owner", "member"}
"""Proofs that are asked for before a body is read."""
UNPROVEN: Final = {401, 404, 405}
REFUSED: Final = UNPROVEN | {400, 403}
NODES: Final = ("operator", "regulator", "provider", "consumer")
PORTS: Final = ("public", "owner")


@dataclass
class Caller:
    """Somebody who calls a port of a node with all that it asks for, or with less."""

    town: Town
    name: str
    port: str
    vault: Vault
    """Of the consumer, who is a member."""

    @property
    def base(self) -> str:
        return f"http://{getattr(self.town.nodes[self.name], self.port)}"

    def document(self) -> Any:
        document = self.town.nodes[self.name].ask("GET", f"/owner/openapi.json?port={self.port}")
        for schema in document["components"]["schemas"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False  # a field that nobody wrote down is a fault here
        return document

    def proof(self, schemes: set[str]) -> dict[str, str]:
        """What the route asks for, good for one call."""
        if "owner" in schemes:
            return {"authorization": f"Bearer {self.town.token(self.name)}"}
        if not schemes:
            return {}
        me, to = self.vault.did, Did(self.town.nodes[self.name].did)
        signer = self.vault.signer(KeyJob.IDENTITY)
        ours = Settings.read(self.town.nodes["consumer"].folder / SETTINGS)
        shown = access_token(ours, self.vault, system_clock, to)
        return {
            "authorization": f"Bearer {issue_id_token(signer, me, to, system_clock(), new_uuid(), shown)}"
        }


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Everybody, with a contract in force and a use that was made of it."""
    running = found_town(tmp_path_factory.mktemp("town"))
    try:
        product, _ = running.offer("Fuel", 100)
        running.space.use(product)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def vault(town: Town) -> Vault:
    return Vault.open(town.nodes["consumer"].folder / "vault", PASSPHRASE)


@pytest.fixture(scope="module")
def known(town: Town) -> list[str]:
    """Names of what there is: products, contracts, negotiations, uses, members, records."""
    consumer = town.nodes["consumer"]
    contract = consumer.ask("GET", "/owner/contracts")["contracts"][0]
    acquisition = consumer.ask("GET", "/owner/acquisitions")[0]
    at = consumer.did
    return [
        *(contract[k] for k in ("agreement", "contract", "product")),
        *(acquisition[k] for k in ("id", "negotiation", "process", "use")),
        at,
    ]


def named(case: Any, name: str | None, consumer: str) -> None:
    """Put the name of something that there is where a path or a body asks for one."""
    if name is None:
        return
    for parameter in list(case.path_parameters or {}):
        case.path_parameters[parameter] = quote(name, safe="")
    if isinstance(case.body, dict):
        changes = {"callbackAddress": f"http://{consumer}/dsp/2025-1", "use": name, "agreement": name}
        for key in ("agreementId", "consumerPid", "providerPid", "negotiationId", "contract", "product"):
            changes[key] = name
        case.body.update({k: v for k, v in changes.items() if k in case.body})


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("name", NODES)
def test_every_answer_is_one_that_the_node_describes(
    town: Town, vault: Vault, known: list[str], name: str, port: str
) -> None:
    """A 500 shows a way to break us; an answer that nobody described breaks clients."""
    caller = Caller(town, name, port, vault)
    schema = schemathesis.openapi.from_dict(caller.document())
    faults: dict[str, str] = {}
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            schemes = {scheme for option in operation.definition.raw.get("security", ()) for scheme in option}

            @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
            @given(
                case=st.one_of(
                    operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
                    operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
                ),
                pick=st.sampled_from([None, *known]),
                proven=st.sampled_from([True, True, True, False]),
            )
            def ask(case: Any, pick: str | None, proven: bool) -> None:  # noqa: FBT001 (hypothesis names it)
                named(case, pick, town.nodes["consumer"].public)
                headers = caller.proof(schemes) if proven else {"authorization": "Bearer guess"}  # noqa: B023
                reply = case.call(base_url=caller.base, session=session, headers=headers, timeout=60)
                checks = CHECKS if reply.status_code == 503 and case.operation.label in CALLS_OUT else STRICT
                case.validate_response(reply, checks=checks)
                if schemes and not proven:  # noqa: B023 (called before the loop goes on)
                    assert reply.status_code in (UNPROVEN if schemes <= WHOLE else REFUSED)  # noqa: B023

            try:
                ask()
            except (Exception, BaseExceptionGroup) as fault:  # noqa: BLE001 (all faults are told at the end)
                faults[operation.label] = "".join(str(fault).splitlines(keepends=True)[:40])
    assert faults == {}, "\n\n".join(f"{route}\n{fault}" for route, fault in faults.items())


def heard(
    address: str, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str]]:
    """What a port answers to one request, as it came over the socket; `body` may come in pieces."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        reply.read()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize("name", NODES)
def test_what_no_route_is_asked_for_is_answered_by_the_edge(town: Town, name: str) -> None:
    """Wrong methods, too much, other media types, bombs and addresses that are none, on both ports."""
    node, path = town.nodes[name], "/owner/records/x/erase"
    owner = {"authorization": f"Bearer {town.token(name)}", "content-type": "application/json"}
    status, told = heard(node.owner, "DELETE", path)
    assert (status, told["allow"]) == (405, "OPTIONS, POST")
    assert heard(node.owner, "OPTIONS", path)[0] == 204
    assert heard(node.public, "TRACE", "/health")[0] == 405
    assert heard(node.public, "HEAD", "/.well-known/did.json")[0] == 200
    assert heard(node.public, "POST", "/dcp/presentations/query", b"x" * (80 << 10), **owner)[0] in {401, 413}
    taker = "/dcp/presentations/query", {"authorization": "Bearer x.y.z"}
    assert heard(node.public, "POST", taker[0], b"<a/>", **taker[1], content_type="text/xml")[0] == 415
    assert heard(node.owner, "POST", path, b"x" * (1 << 21), **owner)[0] == 413
    assert heard(node.owner, "POST", path, iter([b"x" * (1 << 16)] * 32), **owner)[0] == 413
    for strange in ("/%ff", "/%00", "/owner/uses/%00", "//", "/..%2f..%2fetc/passwd", "/dsp/2025-1/%F0%9F"):
        assert heard(node.public, "GET", strange)[0] in {400, 404}
    assert heard(node.owner, "GET", "/owner/openapi.json?" + "a=1&" * 60, **owner)[0] == 400
    assert heard(node.public, "GET", "/health")[0] == 200
