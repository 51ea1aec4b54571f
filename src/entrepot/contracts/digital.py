"""The digital contract (数字合约): what is signed, how, and how a contract lives.

The payload is a function of the decoded agreement, the contract id and the product's digest alone, so
both parties derive the same bytes. What was signed is kept as bytes and never rendered again. Fields
are those of the national digital contract (table C.1, 6.2.2); the agreement itself stands beside them.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from entrepot.contracts.model import Agreement
from entrepot.contracts.wire import parse_agreement, render_agreement
from entrepot.policy import (
    NATIONAL_OPERATORS,
    Atom,
    Duty,
    Junction,
    Moment,
    Operator,
    Policy,
    Rule,
    render_policy,
    service_parties,
)
from entrepot.values import (
    ContractId,
    Did,
    Digest,
    KeyId,
    MalformedError,
    TransitionError,
    UtcTime,
    canonical,
    parse_digest,
    render_digest,
    render_time,
)
from entrepot.values.canonical import Json

SIGNED_AS: Final = b"entrepot/contract/v1\n"
"""What stands before the payload when it is signed: a signature of one thing is none of another."""

_NAME_LENGTH: Final = 128
"""Of a contractName; the product is what names a contract to people."""


class Signatory(StrEnum):
    """Type of a signatory (table C.1)."""

    PROVIDER = "01"
    CONSUMER = "02"
    SERVICE_PARTY = "03"


class Status(StrEnum):
    """Status of a contract (table C.1)."""

    INITIATED = "01"
    NEGOTIATING = "02"
    SIGNING = "03"
    SIGNED = "0301"
    SIGN_FAILED = "0302"
    PERFORMING = "05"
    ENDED = "06"


LIFE: Final[Mapping[tuple[Status, Status], str]] = MappingProxyType(
    {
        (Status.INITIATED, Status.NEGOTIATING): "a request or an offer was made",
        (Status.NEGOTIATING, Status.SIGNING): "the terms are agreed",
        (Status.NEGOTIATING, Status.ENDED): "withdrawn",
        (Status.SIGNING, Status.SIGNED): "every signatory has signed and it is filed",
        (Status.SIGNING, Status.SIGN_FAILED): "a signature did not come or did not hold",
        (Status.SIGN_FAILED, Status.NEGOTIATING): "tried again",
        (Status.SIGNED, Status.PERFORMING): "finalized",
        (Status.SIGNED, Status.ENDED): "ended before the first use",
        (Status.PERFORMING, Status.ENDED): "expiry, agreement, breach or a supervisor's order",
    }
)
"""The life of a contract. The national text names the states (6.5); the arrows are ours."""


class EndReason(StrEnum):
    EXPIRY = "expiry"
    AGREEMENT = "agreement"
    BREACH = "breach"
    ORDER = "order"


def advance(status: Status, to: Status) -> Status:
    """Move a contract along one arrow of `LIFE`, or refuse."""
    if (status, to) not in LIFE:
        raise TransitionError(status, f"the status {to}", "contract")
    return to


def signatories(agreement: Agreement) -> tuple[tuple[Signatory, Did], ...]:
    """Who signs a contract, by role: provider, consumer, then each service party that its policy names."""
    serving = ((Signatory.SERVICE_PARTY, did) for did in service_parties(agreement.policy))
    return (
        (Signatory.PROVIDER, agreement.assigner),
        (Signatory.CONSUMER, agreement.assignee),
        *serving,
    )


def contract_payload(agreement: Agreement, contract_id: ContractId, product_digest: Digest) -> bytes:
    """Give the bytes that every signatory signs."""
    ends = ends_at(agreement.policy)
    payload: dict[str, Json] = {
        "version": 1,
        "contractId": contract_id,
        "contractName": agreement.target[:_NAME_LENGTH],
        "signMode": "02",
        "activationTime": render_time(agreement.timestamp),
        "endTime": "" if ends is None else render_time(ends),
        "signatoryEntities": [
            {"signatoryEntityId": did, "signatorytype": str(role)} for role, did in signatories(agreement)
        ],
        "dataProductId": agreement.target,
        "dataProductDigest": render_digest(product_digest),
        "permissionPolicies": [_national(r, agreement) for r in agreement.policy.permissions],
        "prohibitionPolicies": [_national(r, agreement) for r in agreement.policy.prohibitions],
        "obligationPolicies": [{"actions": [d.action]} for d in _obligations(agreement.policy)],
        "agreement": render_agreement(agreement),
    }
    return canonical.encode(payload)


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """What a payload says, after it was found to be exactly what its agreement gives."""

    contract_id: ContractId
    agreement: Agreement
    product_digest: Digest


def read_payload(payload: bytes) -> ContractTerms:
    """Read a payload strictly: deriving it anew from its agreement must give the same bytes."""
    document = canonical.decode(payload)
    if not isinstance(document, dict):
        raise MalformedError("a contract's payload is an object")
    contract_id, digest = document.get("contractId"), document.get("dataProductDigest")
    if not isinstance(contract_id, str) or not isinstance(digest, str):
        raise MalformedError("a contract's payload names its contractId and dataProductDigest")
    terms = ContractTerms(
        ContractId(contract_id), parse_agreement(document.get("agreement")), parse_digest(digest)
    )
    if contract_payload(terms.agreement, terms.contract_id, terms.product_digest) != payload:
        raise MalformedError("the payload is not what its agreement gives")
    return terms


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature under the payload."""

    keyid: str
    role: str
    sig: str

    @classmethod
    def of(cls, key_id: KeyId, role: Signatory, signature: bytes) -> "Signature":
        return cls(key_id, str(role), base64.b64encode(signature).decode())

    @property
    def raw(self) -> bytes:
        return _unbase64(self.sig)


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload and the signatures under it; provider first, then consumer, then service parties."""

    payload: str
    signatures: tuple[Signature, ...]

    @property
    def raw_payload(self) -> bytes:
        return _unbase64(self.payload)


def seal_envelope(payload: bytes, signatures: Sequence[Signature]) -> bytes:
    """Put payload and signatures into one envelope; its bytes do not depend on who signed first."""
    ordered = tuple(sorted(signatures, key=lambda s: (s.role, s.keyid)))
    return canonical.encode_struct(Envelope(base64.b64encode(payload).decode(), ordered))


def open_envelope(raw: bytes) -> Envelope:
    """Read an envelope strictly. **Does not verify its signatures.**"""
    envelope = canonical.decode_struct(raw, Envelope)
    keys = [(s.role, s.keyid) for s in envelope.signatures]
    if (
        not keys
        or keys != sorted(set(keys))
        or any(s.role not in tuple(Signatory) for s in envelope.signatures)
    ):
        raise MalformedError("the signatures of a contract are in order of role and none is there twice")
    _ = envelope.raw_payload, [s.raw for s in envelope.signatures]
    return envelope


def signed_by(envelope: bytes, role: Signatory) -> tuple[Did, ...]:
    """Who has signed an envelope in a role; nobody where there is none yet. **Verifies nothing.**"""
    if not envelope:
        return ()
    return tuple(Did(s.keyid.partition("#")[0]) for s in open_envelope(envelope).signatures if s.role == role)


def ends_at(policy: Policy) -> UtcTime | None:
    """When the last permission has run out; None where one has no end."""
    ends = [_last_moment(rule) for rule in policy.permissions]
    found = [e for e in ends if e is not None]
    return max(found, default=None) if len(found) == len(ends) else None


def _last_moment(rule: Rule) -> UtcTime | None:
    bounds = [
        c.value
        for c in _conjunction(rule)
        if isinstance(c.value, UtcTime) and c.operator in {Operator.LT, Operator.LTEQ}
    ]
    return min(bounds) if bounds else None


def _conjunction(rule: Rule) -> list[Atom]:
    atoms: list[Atom] = []
    waiting = list(rule.constraints)
    while waiting:
        constraint = waiting.pop(0)
        if isinstance(constraint, Atom):
            atoms.append(constraint)
        elif constraint.junction is Junction.AND:
            waiting += constraint.members
    return atoms


def _obligations(policy: Policy) -> tuple[Duty, ...]:
    """What is owed by every user, and what a permission leaves to be done with or after a use."""
    later = [d for r in policy.permissions for d in r.duties if d.moment is not Moment.BEFORE]
    return (*policy.obligations, *dict.fromkeys(later))


def _national(rule: Rule, agreement: Agreement) -> Json:
    """A rule in the words of the national contract; alternatives stay in the agreement beside it."""
    return {
        "dataProductIds": [agreement.target],
        "assignerId": agreement.assigner,
        "assigneeId": agreement.assignee,
        "actions": [rule.action],
        "constraints": [
            {
                "constraint": atom.operand.national,
                "leftOperand": atom.operand.iri,
                "operator": NATIONAL_OPERATORS[atom.operator],
                "value": _value(atom),
            }
            for atom in _conjunction(rule)
        ],
        "preDuties": [d.action for d in rule.duties if d.moment is Moment.BEFORE],
    }


def _value(atom: Atom) -> Json:
    rendered = render_policy(Policy(permissions=(Rule("use", (atom,)),)))
    return rendered["permission"][0]["constraint"][0]["rightOperand"]  # type: ignore[call-overload,index]  # the shape just rendered


def _unbase64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("expected base64") from error
    if base64.b64encode(raw).decode() != text:
        raise MalformedError("base64 is not in canonical form")
    return raw
