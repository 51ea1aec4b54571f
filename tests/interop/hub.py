"""A real IdentityHub: the wallet in which connectors of Eclipse's keep their credentials.

One holder lives in it, made at its start; what it holds is put in through its Identity API. What is in it
ends with it.
"""

import json
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any, Final

from edc import SaidNoError
from jars import IDENTITY_HUB
from runtime import Runtime, call

from entrepot.identity import Credential, CredentialForm, parse_token, read_credential
from entrepot.values import Did, render_time
from space import free_ports

_CONTEXTS: Final = ("api", "identity", "credentials", "did", "sts", "accounts", "version")
_HOLDER: Final = "guest"
_KEY: Final = f"{b64encode(_HOLDER.encode()).decode()}.key"
_FORMATS: Final = {CredentialForm.VC20: "VC2_0_JOSE", CredentialForm.VC11: "VC1_0_JWT"}


class IdentityHub(Runtime):
    """Made by `prepared_hub`, over with `stop`."""

    secret: Final = "the secret of the client"

    @property
    def did(self) -> Did:
        """Of the holder."""
        return Did(self.id)

    @property
    def token_service(self) -> str:
        return f"http://127.0.0.1:{self.ports['sts']}/api/sts/token"

    @property
    def origins(self) -> list[str]:
        """Where others ask it: for the DID document, and for credentials."""
        return [f"http://127.0.0.1:{self.ports[name]}" for name in ("did", "credentials")]

    def is_up(self) -> bool:
        self.must_run()
        try:
            return call("GET", self.ports["did"], f"/{_HOLDER}/did.json")[0] == 200
        except OSError:
            return False

    def document(self) -> dict[str, Any]:
        """The DID document of the holder."""
        status, said = call("GET", self.ports["did"], f"/{_HOLDER}/did.json")
        assert status == 200, said
        found: dict[str, Any] = json.loads(said)
        return found

    def holds(self, *credentials: str) -> None:
        """Hold these credentials and no others."""
        for held in self._ask("GET"):
            self._ask("DELETE", f"/{held['id']}")
        for raw in credentials:
            self._ask("POST", "", _manifest(raw))

    def _ask(self, method: str, path: str = "", body: object = None) -> Any:
        """Ask the Identity API about the holder's credentials."""
        where = f"/api/identity/v1alpha/participants/{_context()}/credentials{path}"
        raw = None if body is None else json.dumps(body)
        status, said = call(method, self.ports["identity"], where, raw, {"x-api-key": _KEY})
        if status >= 300:
            raise SaidNoError(status, said)
        return json.loads(said or "null")


def prepared_hub(folder: Path) -> IdentityHub:
    """A wallet that is not started yet; **say by `interop.holder.connector` where its holder's is.**"""
    ports = dict(zip(_CONTEXTS, free_ports(len(_CONTEXTS)), strict=True))
    host = f"did:web:127.0.0.1%3A{ports['did']}"
    paths = {"did": "/", "version": "/version"}
    settings = {
        "edc.hostname": "127.0.0.1",
        "edc.iam.did.web.use.https": "false",
        "edc.ih.iam.id": f"{host}:hub",
        "edc.ih.iam.publickey.alias": "hub",
        "edc.iam.sts.privatekey.alias": "hub",
        "edc.iam.sts.publickey.id": "hub",
        "web.http.port": str(ports["api"]),
        "web.http.path": "/api",
        **{f"web.http.{name}.port": str(ports[name]) for name in _CONTEXTS[1:]},
        **{f"web.http.{name}.path": paths.get(name, f"/api/{name}") for name in _CONTEXTS[1:]},
        "interop.holder.id": _HOLDER,
        "interop.holder.did": f"{host}:{_HOLDER}",
        "interop.holder.credentials": f"http://127.0.0.1:{ports['credentials']}/api/credentials/v1/participants/{_context()}",
        "interop.holder.key": _KEY,
        "interop.holder.secret": IdentityHub.secret,
    }
    return IdentityHub(f"{host}:{_HOLDER}", folder, IDENTITY_HUB, ports, settings)


def _context() -> str:
    """The holder as paths name it."""
    return urlsafe_b64encode(_HOLDER.encode()).decode().rstrip("=")


def _manifest(raw: str) -> dict[str, Any]:
    """A credential as the Identity API takes it: the token, and once more what it says."""
    said = read_credential(parse_token(raw))
    return {
        "id": said.id,
        "participantContextId": _HOLDER,
        "verifiableCredentialContainer": {
            "rawVc": raw,
            "format": _FORMATS[said.form],
            "credential": _said(said),
        },
    }


def _said(credential: Credential) -> dict[str, Any]:
    assert credential.valid_from is not None
    return {
        "id": credential.id,
        "type": ["VerifiableCredential", *credential.types],
        "issuer": {"id": credential.issuer},
        "issuanceDate": render_time(credential.valid_from),
        "credentialSubject": [{"id": credential.subject, "claims": credential.claims}],
    }
