"""A real Eclipse connector (EDC), and what it is asked through its management API.

Stores are in memory, save where a runtime is given a database (`keeping`). State machines of EDC tick once a
second: what it does by itself takes seconds.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from jars import MOCK, Mixture, key_folder
from runtime import FRUGAL, Runtime, call

from space import free_ports, wait_for

NS: Final = "https://w3id.org/edc/v0.0.1/ns/"
ODRL: Final = "http://www.w3.org/ns/odrl.jsonld"
PROTOCOL: Final = "dataspace-protocol-http:2025-1"
MEMBERSHIP: Final = "org.eclipse.dspace.dcp.vc.type:MembershipCredential:read"
"""The scope that lets somebody see a membership (DCP 1.0, 5.4.1.2)."""
PATIENCE: Final = 90.0
USE: Final[Mapping[str, Any]] = {"permission": [{"action": "use"}]}
_CONTEXTS: Final = ("api", "control", "management", "protocol", "version", "public")


class SaidNoError(Exception):
    """The management API answered no."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said[:500]}")
        self.status = status


class Peer(NamedTuple):
    """The other side, as EDC wants it named."""

    id: str
    address: str
    """The base address of its Dataspace Protocol 2025-1."""


class Door(NamedTuple):
    """What a started pull gives EDC: its stored data address."""

    endpoint: str
    authorization: str


class Edc(Runtime):
    """A connector: made by `started`, over with `stop`."""

    @property
    def peer(self) -> Peer:
        """This runtime as its counterparties name it."""
        return Peer(self.id, f"{self.origin}/protocol/2025-1")

    @property
    def origin(self) -> str:
        """Where it is called by its counterparties."""
        return f"http://127.0.0.1:{self.ports['protocol']}"

    def is_up(self) -> bool:
        self.must_run()
        try:
            if call("GET", self.ports["api"], "/api/check/readiness")[0] != 200:
                return False
            self.negotiations()  # it says that it is ready before every API of it is there
        except (OSError, SaidNoError):
            return False
        return True

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the management API; gives its JSON, or raises what it said no with."""
        raw = None if body is None else json.dumps(body)
        status, said = call(method, self.ports["management"], f"/management/v3{path}", raw)
        if status >= 300:
            raise SaidNoError(status, said)
        return json.loads(said or "null")

    # As provider.

    def publish(self, asset: str, origin: str, policy: Mapping[str, Any] = USE) -> None:
        """Offer what lies at an HTTP address, under a policy of its own."""
        self.add_asset(asset, origin)
        odrl = {"@context": ODRL, "@type": "Set", **policy}
        self.ask("POST", "/policydefinitions", {**_VOCABULARY, "@id": f"policy-{asset}", "policy": odrl})
        self.define(asset, f"policy-{asset}", asset)

    def add_asset(self, asset: str, origin: str) -> None:
        address = {"type": "HttpData", "baseUrl": origin, "proxyPath": "true", "proxyQueryParams": "true"}
        properties = {"name": asset, "contenttype": "application/octet-stream"}
        self.ask(
            "POST", "/assets", {**_VOCABULARY, "@id": asset, "properties": properties, "dataAddress": address}
        )

    def define(self, definition: str, policy: str, asset: str | None = None) -> None:
        """Offer one asset (with `%` in its name, all alike; without a name, every one) under a policy."""
        only = [] if asset is None else [_criterion(asset)]
        self.ask(
            "POST",
            "/contractdefinitions",
            {
                **_VOCABULARY,
                "@id": definition,
                "accessPolicyId": policy,
                "contractPolicyId": policy,
                "assetsSelector": only,
            },
        )

    # As consumer.

    def catalog(self, peer: Peer, *, limit: int = 50, offset: int = 0, only: str | None = None) -> Any:
        """Ask a peer for its catalogue: one page of it."""
        query = {
            "limit": limit,
            "offset": offset,
            "filterExpression": [] if only is None else [_criterion(only)],
        }
        return self.ask("POST", "/catalog/request", {**_to(peer), "querySpec": query})

    def dataset(self, peer: Peer, asset: str) -> Any:
        return self.ask("POST", "/catalog/dataset/request", {**_to(peer), "@id": asset})

    def offer_of(self, peer: Peer, asset: str) -> dict[str, Any]:
        """What a peer offers an asset for, as `negotiate` takes it."""
        offer = first(self.dataset(peer, asset)["hasPolicy"])
        return {"@context": ODRL, **offer, "assigner": peer.id, "target": asset}

    def negotiate(self, peer: Peer, offer: Mapping[str, Any]) -> str:
        """Begin a negotiation; gives its id here."""
        begun: str = self.ask("POST", "/contractnegotiations", {**_to(peer), "policy": offer})["@id"]
        return begun

    def negotiation(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/contractnegotiations/{quote(key, safe='')}")
        return found

    def negotiations(self) -> list[dict[str, Any]]:
        """All of them, at most a thousand."""
        found: list[dict[str, Any]] = self.ask("POST", "/contractnegotiations/request", _EVERYTHING)
        return found

    def agreed(self, key: str, patience: float = PATIENCE) -> str:
        """Wait until a negotiation is finalized; gives its agreement's id here."""
        self.reaches(f"/contractnegotiations/{key}", "FINALIZED", patience)
        found: str = self.negotiation(key)["contractAgreementId"]
        return found

    def agreement(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/contractagreements/{quote(key, safe='')}")
        return found

    def transfer(self, peer: Peer, agreement: str, kind: str = "HttpData-PULL", sink: str = "") -> str:
        """Ask for a transfer; gives its id here. A push names the address that is to be posted to."""
        destination = {"dataDestination": {"type": "HttpData", "baseUrl": sink}} if sink else {}
        body = {**_to(peer), "contractId": agreement, "transferType": kind, **destination}
        begun: str = self.ask("POST", "/transferprocesses", body)["@id"]
        return begun

    def transfer_process(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/transferprocesses/{quote(key, safe='')}")
        return found

    def transfer_processes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("POST", "/transferprocesses/request", _EVERYTHING)
        return found

    def door(self, key: str) -> Door:
        """Where data is to be pulled, and by which token: stored a moment after the transfer has started."""
        self.reaches(f"/transferprocesses/{key}", "STARTED")

        def stored() -> Any:
            try:
                return self.ask("GET", f"/edrs/{key}/dataaddress")
            except SaidNoError as no:
                if no.status != 404:
                    raise
                return None

        found = wait_for("its data address", stored)
        return Door(*(found.get(name) or found[NS + name] for name in ("endpoint", "authorization")))

    # As either.

    def suspend(self, key: str) -> None:
        self.ask("POST", f"/transferprocesses/{key}/suspend", {**_VOCABULARY, "reason": "a pause"})

    def resume(self, key: str) -> None:
        self.ask("POST", f"/transferprocesses/{key}/resume", {})  # without a body it is refused

    def terminate(self, key: str) -> None:
        self.ask("POST", f"/transferprocesses/{key}/terminate", {**_VOCABULARY, "reason": "no more"})

    def reaches(self, path: str, state: str, patience: float = PATIENCE) -> None:
        """Wait until a negotiation or a transfer (its path) is in this state; it may not end in another."""

        def there() -> bool:
            found = self.ask("GET", path)
            over = found["state"] in {"TERMINATED", "COMPLETED"}
            assert not over or found["state"] == state, found
            return bool(found["state"] == state)

        wait_for(f"{path} to be {state}", there, patience, pause=0.1)


def prepared(
    folder: Path, participant: str, mixture: Mixture = MOCK, more: Mapping[str, str] | None = None
) -> Edc:
    """A runtime that is not started yet, on ports that are free now; `more` are settings beside the usual."""
    ports = dict(zip(_CONTEXTS, free_ports(len(_CONTEXTS)), strict=True))
    settings = {
        "edc.participant.id": participant,
        "edc.hostname": "127.0.0.1",
        "edc.dsp.callback.address": f"http://127.0.0.1:{ports['protocol']}/protocol",
        "web.http.port": str(ports["api"]),
        "web.http.path": "/api",
        **{f"web.http.{name}.port": str(ports[name]) for name in _CONTEXTS[1:]},
        **{f"web.http.{name}.path": f"/{name}" for name in _CONTEXTS[1:]},
        "edc.dataplane.api.public.baseurl": f"http://127.0.0.1:{ports['public']}/public",
        "edc.transfer.proxy.token.signer.privatekey.alias": "private-key",
        "edc.transfer.proxy.token.verifier.publickey.alias": "public-key",
        "interop.secrets": str(key_folder()),
        **(more or {}),
    }
    return Edc(participant, folder, mixture, ports, settings)


def keeping(database: str) -> dict[str, str]:
    """The settings of a `DURABLE` runtime that keeps its states in a database of PostgreSQL (its address)."""
    address = urlsplit(database)
    source = "edc.datasource.default"
    return {
        f"{source}.url": f"jdbc:postgresql://{address.hostname}:{address.port}{address.path}",
        f"{source}.user": address.username or "",
        f"{source}.password": address.password or "",
        "edc.sql.schema.autocreate": "true",
    }


def by_dcp(did: str, token_service: str, client: str, secret: str) -> dict[str, str]:
    """The settings of a `DCP` runtime whose identity is a wallet with a token service."""
    return {
        "edc.iam.issuer.id": did,
        "edc.iam.did.web.use.https": "false",
        "edc.iam.credential.revocation.mimetype": "application/vc+ld+json",
        "interop.sts.url": token_service,
        "interop.sts.client": client,
        "interop.sts.secret": secret,
        "interop.scope": MEMBERSHIP,
    }


def started(
    folder: Path,
    participant: str,
    mixture: Mixture = MOCK,
    more: Mapping[str, str] | None = None,
    options: Sequence[str] = FRUGAL,
) -> Edc:
    """A runtime that is up. Raises `NotHereError` where none can be had on this machine."""
    edc = prepared(folder, participant, mixture, more)
    edc.start(options)
    try:
        wait_for("an EDC", edc.is_up)
    except BaseException:
        edc.stop()
        raise
    return edc


def first(value: Any) -> Any:
    """EDC writes a list of one as the thing itself."""
    return value[0] if isinstance(value, list) else value


_VOCABULARY: Final = {"@context": {"@vocab": NS}}
_EVERYTHING: Final = {**_VOCABULARY, "limit": 1000, "offset": 0}


def _to(peer: Peer) -> dict[str, Any]:
    return {
        **_VOCABULARY,
        "counterPartyId": peer.id,
        "counterPartyAddress": peer.address,
        "protocol": PROTOCOL,
    }


def _criterion(asset: str) -> dict[str, str]:
    operator = "like" if "%" in asset else "="
    return {"operandLeft": f"{NS}id", "operator": operator, "operandRight": asset}
