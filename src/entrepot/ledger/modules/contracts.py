"""Contracts: the digest of a signed envelope under an id that is unique for ever, and its end."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from entrepot.ledger.operation import Context, Member, Outcome, Reason, Refusal, Role, View
from entrepot.ledger.transaction import DidText, DigestText

ContractText = Annotated[str, Meta(pattern=r"^[0-9A-Z]{46}[0-9A-Z*]\Z")]
"""The national 47-character code of a digital contract."""


class EndReason(StrEnum):
    """Why a contract ended."""

    EXPIRY = "expiry"
    AGREEMENT = "agreement"
    BREACH = "breach"
    ORDER = "order"


class ContractFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `contract.file`; the envelope's signatures hide what a guess at its payload could confirm."""

    contract: ContractText
    digest: DigestText
    one_sided: bool
    parties: Annotated[tuple[DidText, ...], Meta(min_length=2, max_length=8)]


class ContractEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `contract.end`."""

    contract: ContractText
    reason: EndReason


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is filed; `ended` names the reason once it is over."""

    digest: str
    ended: str | None
    filed_by: str
    one_sided: bool
    parties: tuple[str, ...]


def file(view: View, actor: Member, body: ContractFile, _context: Context) -> Outcome:
    """The operator or a party files; all parties are members in force, or the filing says it is one-sided."""
    if actor.role is not Role.OPERATOR and actor.did not in body.parties:
        return Refusal(Reason.NOT_ALLOWED)
    if len(set(body.parties)) != len(body.parties):
        return Refusal(Reason.MALFORMED)
    key = f"contracts/{body.contract}"
    if view.read(key, Contract) is not None:
        return Refusal(Reason.EXISTS)
    members = sum(_in_force(view, did) for did in body.parties)
    if members < (1 if body.one_sided else len(body.parties)):
        return Refusal(Reason.PARTY_NOT_IN_FORCE)
    return {key: Contract(body.digest, None, actor.did, body.one_sided, body.parties)}


def end(view: View, actor: Member, body: ContractEnd, _context: Context) -> Outcome:
    """A party or the operator ends it; a supervisor's order comes from the regulator or the operator."""
    key = f"contracts/{body.contract}"
    contract = view.read(key, Contract)
    if contract is None:
        return Refusal(Reason.UNKNOWN)
    if not _may_end(actor, contract, body.reason):
        return Refusal(Reason.NOT_ALLOWED)
    if contract.ended is not None:
        return Refusal(Reason.ENDED)
    return {key: msgspec.structs.replace(contract, ended=body.reason.value)}


def _may_end(actor: Member, contract: Contract, reason: EndReason) -> bool:
    if reason is EndReason.ORDER:
        return actor.role in {Role.REGULATOR, Role.OPERATOR}
    return actor.role is Role.OPERATOR or actor.did in contract.parties


def _in_force(view: View, did: str) -> bool:
    member = view.member(did)
    return member is not None and member.in_force
