"""Membership credentials on request: for members in force, in either form of DCP 1.0.

The ledger decides who is a member; what is issued here is its projection, as is the credential that a
member was given at its admission. Each form names the status list of its own data model.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from entrepot.identity import (
    MEMBERSHIP_TYPE,
    Credential,
    CredentialForm,
    Kind,
    Rejection,
    Signer,
    StatusList,
    issue_status_list_2021,
    membership_credential,
)
from entrepot.space import member_store
from entrepot.space.membership import membership_of
from entrepot.space.model import Rules
from entrepot.values import Did, RefusedError, UtcTime
from entrepot.values.canonical import Json

KINDS: Final = (
    Kind("urn:entrepot:credential:membership:vc20", MEMBERSHIP_TYPE, CredentialForm.VC20),
    Kind("urn:entrepot:credential:membership:vc11", MEMBERSHIP_TYPE, CredentialForm.VC11),
)
_TEXT: Final[Json] = {"type": "string", "maxLength": 100}
_SUBJECT: Final[Json] = {
    "type": "object",
    "required": ["id", "connectorCode", "subjectCode", "region", "roles", "evidenceKey"],
    "properties": {
        "id": {"type": "string"},
        "connectorCode": _TEXT,
        "subjectCode": _TEXT,
        "region": _TEXT,
        "roles": {"type": "array", "items": {"type": "string"}},
        "evidenceKey": {"type": "object"},
    },
}
SCHEMAS: Final[dict[str, Json]] = {
    MEMBERSHIP_TYPE: {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": MEMBERSHIP_TYPE,
        "type": "object",
        "required": ["credentialSubject"],
        "properties": {"credentialSubject": _SUBJECT},
    }
}


def decide_membership(
    connection: Connection, rules: Rules, holder: Did, kinds: Sequence[Kind], now: UtcTime
) -> tuple[Credential, ...] | Rejection:
    """What a holder is given: credentials to a member in force, a reason to any other.

    Raises `RefusedError` for who never applied: nothing is written down for whom we do not know.
    """
    member = member_store.read_member(connection, holder)
    if member is None:
        raise RefusedError("credentials are issued to members of this space")
    if not member.in_force:
        return Rejection(f"the membership is {member.state}")
    membership = membership_of(member, rules)
    if now > membership.valid_until:
        return Rejection("the membership's time is over")
    return tuple(membership_credential(membership, kind.form) for kind in kinds if kind.form is not None)


class OlderList:
    """The status list in the form of 2021, signed anew when there is a newer one."""

    def __init__(self, rules: Rules, signer: Signer) -> None:
        self._rules = rules
        self._signer = signer
        self._signed: tuple[UtcTime, str] | None = None

    def of(self, newest: StatusList) -> str:
        """The signed form of this list; strangers who ask often cost one signature a list."""
        if self._signed is None or self._signed[0] != newest.signed_at:
            raw = issue_status_list_2021(self._signer, newest, self._rules.status_url_2021)
            self._signed = newest.signed_at, raw
        return self._signed[1]
