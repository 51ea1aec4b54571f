"""A space that is none of ours: an issuer, and the wallet of one of its members. Nothing of a node runs here.

Both are small web servers of the test. They write tokens and credentials as any wallet does; what they do
beyond that, such as revoking or lying, is what the test tells them to.
"""

import json
import threading
import uuid
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs

from harness import Quiet

from entrepot.identity import (
    SUITES,
    Credential,
    CredentialForm,
    KeyJob,
    Signer,
    StatusEntry,
    issue_credential,
    issue_id_token,
    issue_presentation,
    issue_status_list,
    write_did_document,
)
from entrepot.values import Did, KeyId

CLIENT, SECRET = "edc", "the secret of the client"
_CONTEXT: Final = "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld"


class _Party(ThreadingHTTPServer):
    """Somebody with a DID whose document lies on a port of this machine."""

    daemon_threads = True

    def __init__(self, answers: type[Quiet]) -> None:
        super().__init__(("127.0.0.1", 0), answers)
        self.did = Did(f"did:web:127.0.0.1%3A{self.server_port}")
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.signer = Signer(KeyId(f"{self.did}#key"), "es256", SUITES["es256"].generate())
        self.services: dict[str, str] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def document(self) -> bytes:
        return write_did_document(self.did, {KeyJob.IDENTITY: self.signer}, self.services)

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Chamber(_Party):
    """The issuer: it says who is a member, and of whom it says so no longer."""

    def __init__(self) -> None:
        super().__init__(_AtChamber)
        self.revoked: set[int] = set()

    @property
    def list_url(self) -> str:
        return f"{self.url}/status"

    @property
    def status_list(self) -> bytes:
        now = datetime.now(UTC)
        return issue_status_list(self.signer, self.did, self.list_url, self.revoked, now).encode()

    def says(
        self,
        holder: Did,
        index: int,
        holds_for: timedelta = timedelta(days=1),
        form: CredentialForm = CredentialForm.VC20,
    ) -> str:
        """A membership of this space."""
        now = datetime.now(UTC).replace(microsecond=0)
        credential = Credential(
            form=form,
            issuer=self.did,
            subject=holder,
            types=("MembershipCredential",),
            claims={"level": "gold"},
            valid_from=now - timedelta(minutes=1),
            valid_until=now + holds_for,
            status=(StatusEntry(self.list_url, index),),
            id=f"urn:uuid:{uuid.uuid4()}",
        )
        return issue_credential(self.signer, credential)


class _AtChamber(Quiet):
    server: Chamber

    def do_GET(self) -> None:  # noqa: N802 (the name of the base class)
        found = {"/.well-known/did.json": self.server.document, "/status": self.server.status_list}
        self.reply(200 if self.path in found else 404, found.get(self.path, b""))


class Wallet(_Party):
    """Token service and credential service of one member; its connector is another process."""

    def __init__(self) -> None:
        super().__init__(_AtWallet)
        self.held: list[str] = []
        self.granted: set[str] = set()
        self.services["CredentialService"] = self.url

    def token(self, audience: str, nested: str) -> str:
        """A token that says who we are; `nested` is what the reader gave us, or our own leave to ask."""
        if not nested:
            nested = f"access-{uuid.uuid4()}"
            self.granted.add(nested)
        return issue_id_token(
            self.signer, self.did, Did(audience), datetime.now(UTC), str(uuid.uuid4()), nested
        )

    def presented(self, asking: dict[str, Any]) -> dict[str, Any]:
        """All that we hold, for somebody to whom we have given leave to ask."""
        shown = tuple(self.held)
        now = datetime.now(UTC)
        raw = issue_presentation(self.signer, self.did, Did(asking["iss"]), shown, now, str(uuid.uuid4()))
        kind = "PresentationResponseMessage"
        return {"@context": [_CONTEXT], "@type": kind, "type": kind, "presentation": [raw]}


class _AtWallet(Quiet):
    server: Wallet

    def do_GET(self) -> None:  # noqa: N802 (the name of the base class)
        known = self.path == "/.well-known/did.json"
        self.reply(200 if known else 404, self.server.document if known else b"")

    def do_POST(self) -> None:  # noqa: N802 (the name of the base class)
        body = self.body().decode()
        if self.path == "/token":
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if (form["client_id"], form["client_secret"]) != (CLIENT, SECRET):
                self.reply(401)
                return
            token = self.server.token(form["audience"], form.get("token", ""))
            self._say({"access_token": token, "token_type": "Bearer", "expires_in": 300})
            return
        claims = _claims(self.headers.get("authorization", "").removeprefix("Bearer "))
        if self.path != "/presentations/query" or claims.get("token") not in self.server.granted:
            self.reply(401)
            return
        self._say(self.server.presented(claims))

    def _say(self, answer: dict[str, Any]) -> None:
        self.reply(200, json.dumps(answer).encode(), "application/json")


def _claims(token: str) -> dict[str, Any]:
    """What a token says. Whose it is does not matter here: only its reader could know our access token."""
    middle = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found
