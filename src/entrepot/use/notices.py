"""Notices of performance: the consumer says, with its signature, that it did what it owed.

A notice names the duty as the contract does, and the use after which it fell due. The provider keeps it
as the proof, the consumer keeps it as its own. **It proves who said so, and when; not that it is true.**
"""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from entrepot.contracts import Contract, Party, contract_by_id
from entrepot.identity import Signer, known_member, verify_signature
from entrepot.journal import Transaction
from entrepot.use import duty_store
from entrepot.use.duties import is_performed_by_consumer, record_performance
from entrepot.use.duty_store import Owed
from entrepot.values import (
    ContractId,
    Did,
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    TrustError,
    UseId,
    UtcTime,
    canonical,
    render_time,
)

SIGNED_AS: Final = b"entrepot/duty-notice/v1\n"
MAX_NOTICE: Final = 4 << 10
_SIGNATURE: Final = 64

_Name = Annotated[str, Meta(pattern=r"^[ -~]{1,200}\Z")]
_Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")]


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a consumer says it has done."""

    at: _Time
    consumer: _Name
    contract: _Name
    duty: _Name
    key: _Name
    use: _Name | None = None
    """The use after which it fell due; none for what is owed first."""
    v: Annotated[int, Meta(ge=1, le=1)] = 1


@dataclass(frozen=True, slots=True)
class SignedNotice:
    """A notice as it travels: canonical payload, then 64 bytes of signature."""

    raw: bytes
    payload: bytes
    signature: bytes
    notice: Notice


def make_notice(
    contract: Contract, duty: str, use_id: UseId | None, me: Did, now: UtcTime, signer: Signer
) -> bytes:
    """Sign that a duty was performed. Outside the writer."""
    notice = Notice(
        at=render_time(now),
        consumer=me,
        contract=contract.contract_id,
        duty=duty,
        key=signer.key_id,
        use=use_id,
    )
    payload = canonical.encode_struct(notice)
    raw = payload + signer.sign(SIGNED_AS + payload)
    decode_notice(raw)
    return raw


def decode_notice(raw: bytes) -> SignedNotice:
    """Read a signed notice strictly. **Verifies no signature.**"""
    if len(raw) > MAX_NOTICE:
        raise TooLargeError(f"notice of {len(raw)} bytes where at most {MAX_NOTICE} are allowed")
    if len(raw) <= _SIGNATURE:
        raise MalformedError(f"notice of {len(raw)} bytes has no room for its signature")
    payload, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
    notice = canonical.decode_struct(payload, Notice)
    if not notice.key.startswith(f"{notice.consumer}#"):
        raise MalformedError("a notice is signed with a key of the consumer it names")
    return SignedNotice(raw, payload, signature, notice)


def take_in_notice(tx: Transaction, sender: Did, signed: SignedNotice) -> Owed:
    """Take in the consumer's notice as the proof of a duty. A repeat of the same bytes changes nothing.

    Its signature is checked here against the evidence key of the sender's membership.
    """
    notice = signed.notice
    contract = contract_by_id(tx.connection, ContractId(notice.contract))
    if (
        contract is None
        or contract.party is not Party.PROVIDER
        or contract.counterparty != sender
        or notice.consumer != sender
    ):
        raise NotFoundError("there is no such contract of yours")
    membership = known_member(tx.connection, sender)
    if membership is None or membership.evidence_key_id != notice.key:
        raise TrustError("the notice is signed with a key that is not the consumer's")
    verify_signature(membership.evidence_key, SIGNED_AS + signed.payload, signed.signature)
    return _keep(tx, contract, signed)


def keep_own_notice(tx: Transaction, contract: Contract, raw: bytes) -> Owed:
    """Keep our own notice, as consumer. **The caller queues it for the provider in this transaction.**"""
    return _keep(tx, contract, decode_notice(raw))


def _keep(tx: Transaction, contract: Contract, signed: SignedNotice) -> Owed:
    notice = signed.notice
    if not is_performed_by_consumer(notice.duty.partition(" ")[0]):
        raise RefusedError("that somebody was paid is written down by whoever was paid")
    known = duty_store.proven(tx.connection, contract.agreement.id, signed.raw)
    if known is not None:
        return known
    use_id = None if notice.use is None else UseId(notice.use)
    return record_performance(tx, contract, notice.duty, use_id, signed.raw)
