"""Members: who may act on the ledger, with which evidence keys, in which epoch.

The operator named in genesis admits; a member changes its own keys, and the operator may do it for one
that has lost them; operator and regulator revoke. A DID that was revoked is not admitted again.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from entrepot.ledger.operation import Context, EvidenceKey, Member, Outcome, Reason, Refusal, Role, View
from entrepot.ledger.transaction import Count, DidText, HexKeyText, KeyText

CodeText = Annotated[str, Meta(pattern=r"^([0-9A-Z]{18}|[0-9A-Z]{31}[0-9A-Z*])\Z")]
"""A unified social credit code or a node's national code."""


class RevocationReason(StrEnum):
    """Why a member is one no more."""

    WITHDRAWAL = "withdrawal"
    BREACH = "breach"
    ORDER = "order"


class KeyOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key as a transaction names it; `EvidenceKey` is the same once it is believed."""

    id: KeyText
    public: HexKeyText


KeyOffers = Annotated[tuple[KeyOffer, ...], Meta(min_length=1, max_length=8)]


class MemberAdmit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `member.admit`."""

    code: CodeText
    did: DidText
    epoch: Annotated[int, Meta(ge=1, le=1)]
    keys: KeyOffers
    role: Role


class MemberKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `member.keys`: all keys of the next epoch; those of the last one stop signing."""

    did: DidText
    epoch: Count
    keys: KeyOffers


class MemberRevoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `member.revoke`."""

    did: DidText
    reason: RevocationReason


def admit(view: View, actor: Member, body: MemberAdmit, _context: Context) -> Outcome:
    if actor.role is not Role.OPERATOR or body.role is Role.OPERATOR:
        return Refusal(Reason.NOT_ALLOWED)
    if view.member(body.did) is not None:
        return Refusal(Reason.EXISTS)
    if not _own(body.did, body.keys):
        return Refusal(Reason.WRONG_KEY)
    member = Member(body.code, body.did, None, body.epoch, _keys(body.keys), body.role)
    return {f"members/{body.did}": member}


def change_keys(view: View, actor: Member, body: MemberKeys, _context: Context) -> Outcome:
    if body.did != actor.did and actor.role is not Role.OPERATOR:
        return Refusal(Reason.NOT_ALLOWED)
    member = view.member(body.did)
    if member is None or not member.in_force:
        return Refusal(Reason.NOT_A_MEMBER)
    if body.epoch != member.epoch + 1:
        return Refusal(Reason.NOT_NEXT)
    if not _own(body.did, body.keys):
        return Refusal(Reason.WRONG_KEY)
    changed = msgspec.structs.replace(member, epoch=body.epoch, keys=_keys(body.keys))
    return {f"members/{body.did}": changed}


def revoke(view: View, actor: Member, body: MemberRevoke, _context: Context) -> Outcome:
    if actor.role not in {Role.OPERATOR, Role.REGULATOR}:
        return Refusal(Reason.NOT_ALLOWED)
    member = view.member(body.did)
    if member is None or not member.in_force:
        return Refusal(Reason.NOT_A_MEMBER)
    if member.role is Role.OPERATOR:
        return Refusal(Reason.NOT_ALLOWED)  # nobody could admit a successor
    return {f"members/{body.did}": msgspec.structs.replace(member, ended=body.reason.value)}


def _own(did: str, keys: tuple[KeyOffer, ...]) -> bool:
    names = {key.id for key in keys}
    return len(names) == len(keys) and all(name.startswith(f"{did}#") for name in names)


def _keys(keys: tuple[KeyOffer, ...]) -> tuple[EvidenceKey, ...]:
    return tuple(EvidenceKey(key.id, key.public) for key in keys)
