"""A provider whose consumer is no member: a chamber abroad vouches for it, and the owner trusts it."""

import importlib.util
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).with_name("gate_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
if "gate_world" not in sys.modules:
    sys.modules["gate_world"] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules["gate_world"])
gate_world = sys.modules["gate_world"]

from entrepot.identity import (  # noqa: E402 (after the world is loaded)
    MEMBERSHIP,
    SUITES,
    Credential,
    CredentialForm,
    Guest,
    Signer,
    StatusEntry,
    Welcome,
    issue_credential,
    object_to_guest,
    remember_guest,
)
from entrepot.policy import parse_policy  # noqa: E402
from entrepot.values import Did, Grade, KeyId  # noqa: E402

CHAMBER = Did("did:web:chamber.example")
SIGNER = Signer(KeyId(f"{CHAMBER}#key"), "es256", SUITES["es256"].generate())
HOUR = timedelta(hours=1)
FREE = parse_policy({"permission": [{"action": "use"}]})


class World(gate_world.World):  # type: ignore[misc, name-defined]  # loaded by its path
    """The consumer is no member: the chamber vouches for it, and the owner trusts the chamber."""

    def __init__(self, folder: Path, terms: Any = FREE, grade: Grade = Grade.L2) -> None:
        super().__init__(folder, terms, grade=grade)
        self.journal.write_now(lambda tx: tx.connection.execute(text("DELETE FROM known_member")))
        self.house = replace(self.house, welcome=Welcome(frozenset({CHAMBER}), (MEMBERSHIP,)))
        self.vouch()

    def vouch(self, holds_for: timedelta = 2 * HOUR) -> None:
        """The guest shows what the chamber says of it, and the chamber bears it out."""
        said = Credential(
            form=CredentialForm.VC20,
            issuer=CHAMBER,
            subject=gate_world.CONSUMER,
            types=("MembershipCredential",),
            claims={"region": "310000", "roles": ["consumer"]},
            valid_from=self.now - HOUR,
            valid_until=self.now + holds_for,
            status=(StatusEntry("https://chamber.example/status", 1),),
        )
        self.shown = issue_credential(SIGNER, said)
        guest = Guest(gate_world.CONSUMER, (self.shown,), self.now)
        self.journal.write_now(lambda tx: remember_guest(tx, guest))

    def revoke(self) -> None:
        shown = (self.shown,)
        self.journal.write_now(lambda tx: object_to_guest(tx, gate_world.CONSUMER, "it was revoked", shown))
