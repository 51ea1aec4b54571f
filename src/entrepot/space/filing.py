"""Contract ids and the filing (备案) of contracts (china-tds §6.5: contractCreate, contractRegistrate).

The platform gives an id before anything is agreed, verifies what is filed under it, has its digest put on
the ledger, and signs a receipt only after the ledger has committed it. *Filed* does not mean witnessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.contracts import SIGNED_AS, ContractTerms, ends_at, open_envelope, read_payload, signatories
from entrepot.identity import PublicKey, Signer, verify_signature
from entrepot.journal import AuditEvent, Page, Place, Transaction, audit
from entrepot.ledger import ContractFile
from entrepot.policy import service_parties
from entrepot.space import filing_store, listing_store, member_store
from entrepot.space.errors import FilingConflictError
from entrepot.space.membership import existing, random_characters
from entrepot.space.model import FiledContract, FilingState, Member, Rules
from entrepot.space.operations import FILE, want
from entrepot.space.rules import filing_reasons
from entrepot.space.statement import read_statement, sign_statement, verify_statement
from entrepot.values import (
    ContractId,
    Did,
    Digest,
    KeyId,
    MalformedError,
    NodeType,
    NotFoundError,
    RefusedError,
    TransactionId,
    TrustError,
    contract_code,
    parse_digest,
    render_digest,
    render_time,
    sha256,
)

RECEIPT: Final = "filing-receipt"
"""What a filing receipt is signed as."""


class Event(StrEnum):
    GIVEN = "space:contract:give"
    FILING = "space:contract:accept"
    FILED = "space:contract:file"
    REFUSED = "space:contract:refuse"


class FilingReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the platform certifies: this envelope stands on the ledger under this contract id."""

    contract: str
    envelope: str
    filed_at: str
    one_sided: bool
    parties: tuple[str, ...]
    platform: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Filing:
    """An envelope whose every signature holds under a key that the platform knows of its signer."""

    terms: ContractTerms
    raw: bytes
    signers: Mapping[Did, KeyId]

    @property
    def digest(self) -> Digest:
        return sha256(self.raw)

    @property
    def parties(self) -> tuple[Did, ...]:
        """Every signatory: provider, consumer, then service parties."""
        return tuple(did for _, did in signatories(self.terms.agreement))


def give_contract_id(
    tx: Transaction, rules: Rules, holder: Did, negotiation: str, counterparty: Did
) -> ContractId:
    """Give a contract its id; the same negotiation of the same member always gets the same one."""
    known = filing_store.read_given(tx.connection, holder, negotiation)
    if known is not None:
        if known.counterparty != counterparty:
            raise FilingConflictError("this negotiation has an id for another counterparty")
        return known.contract_id
    if not existing(tx.connection, holder).in_force:
        raise RefusedError(f"{holder} is no member in force")
    if holder == counterparty:
        raise MalformedError("a contract has two parties")
    contract_id = ContractId(
        contract_code(
            rules.contract_type,
            NodeType.BUSINESS,
            rules.subject_code,
            rules.place,
            tx.now,
            random_characters(tx.new_id()),
        )
    )
    given = FiledContract(
        contract_id=contract_id,
        holder=holder,
        counterparty=counterparty,
        negotiation=negotiation,
        state=FilingState.GIVEN,
        given_at=tx.now,
        product=None,
        envelope=b"",
        envelope_digest=None,
        one_sided=False,
        ends_at=None,
        transaction=None,
        filed_at=None,
        receipt=b"",
        end_reason="",
        problem="",
    )
    filing_store.give(tx, given)
    audit(tx, AuditEvent(Event.GIVEN, {"contract": contract_id, "holder": holder}))
    return contract_id


def named_parties(envelope: bytes) -> tuple[Did, ...]:
    """Every signatory as an envelope names them, to look for their keys. **Believe nothing yet.**"""
    agreement = read_payload(open_envelope(envelope).raw_payload).agreement
    return tuple(did for _, did in signatories(agreement))


def signatories_of(contract: FiledContract) -> tuple[Did, ...]:
    """Every signatory of a contract; of one that is not filed yet, who will sign it as far as is known."""
    return named_parties(contract.envelope) if contract.envelope else contract.parties


def named_contract(envelope: bytes) -> ContractId:
    """The contract id that an envelope names. **Believe nothing yet.**"""
    return read_payload(open_envelope(envelope).raw_payload).contract_id


def verify_filing(raw: bytes, keys: Mapping[KeyId, PublicKey]) -> Filing:
    """Turn an envelope into a filing, or raise; `keys` are the evidence keys of its parties.

    **Says nothing of membership, product or id**; `file_contract` does.
    """
    envelope = open_envelope(raw)  # (1) one way to write it, signatures in order
    payload = envelope.raw_payload
    terms = read_payload(payload)  # (2) the payload is what its agreement gives
    agreement = terms.agreement
    named = signatories(agreement)
    if len({did for _, did in named}) != len(named):
        raise MalformedError("the signatories of a contract are different members")
    signers: dict[Did, KeyId] = {}
    for signature in envelope.signatures:
        key_id = KeyId(signature.keyid)
        party = Did(key_id.partition("#")[0])
        if (signature.role, party) not in named:  # (3) each by a party of its role
            raise TrustError(f"the key {key_id[:200]} does not belong to a party of role {signature.role}")
        if party in signers:
            raise MalformedError("a party signs once")
        public = keys.get(key_id)
        if public is None:  # (4) by a key that is its evidence key now
            raise TrustError(f"{key_id[:200]} is no evidence key of a member")
        verify_signature(public, SIGNED_AS + payload, signature.raw)  # (5) over these very bytes
        signers[party] = key_id
    return Filing(terms, raw, signers)


def keys_of(connection: Connection, parties: tuple[Did, ...]) -> dict[KeyId, PublicKey]:
    """The evidence keys of those parties that are members in force."""
    found = (member_store.read_member(connection, did) for did in parties)
    return {m.evidence_key_id: m.evidence_key for m in found if m is not None and m.in_force}


def file_contract(tx: Transaction, rules: Rules, filing: Filing, sender: Did) -> FiledContract:
    """Take in a verified filing; its state says whether the ledger has it. A repeat gives the same."""
    contract_id = filing.terms.contract_id
    given = filing_store.read_contract(tx.connection, contract_id)
    if given is None or given.holder != sender:
        raise NotFoundError("this contract id was not given to you")
    if given.state is FilingState.ENDED and given.envelope_digest is None:
        raise RefusedError("nothing is filed under this contract id any more: it was ended before")
    if given.state is not FilingState.GIVEN:
        if given.envelope_digest != filing.digest:
            raise FilingConflictError("another envelope is filed under this contract id")
        if not given.envelope and given.state is FilingState.FILED:
            # A restored platform has it from the ledger alone: now it has the envelope, and can sign again.
            state, raw = str(FilingState.COMMITTED), filing.raw
            filing_store.move_contract(
                tx, contract_id, FilingState.FILED, state=state, envelope=raw, problem=""
            )
        return _existing(tx.connection, contract_id)
    agreement = filing.terms.agreement
    ends = ends_at(agreement.policy)
    signers: dict[Did, Member | None] = {}
    for did, key_id in filing.signers.items():
        member = member_store.read_member(tx.connection, did)
        # The keys were read outside of this transaction; one that was changed since signs no more.
        signers[did] = member if member is not None and member.evidence_key_id == key_id else None
    reasons = filing_reasons(
        rules,
        given,
        sender,
        signers,
        listing_store.read_product(tx.connection, agreement.target, filing.terms.product_digest),
        parties=(agreement.assigner, agreement.assignee),
        services=service_parties(agreement.policy),
        product_digest=filing.terms.product_digest,
        ends_at=ends,
        now=tx.now,
    )
    if reasons:
        raise RefusedError(*reasons)
    one_sided = len(filing.signers) < len(filing.parties)
    filing_store.move_contract(
        tx,
        contract_id,
        FilingState.GIVEN,
        state=str(FilingState.FILING),
        product=agreement.target,
        envelope=filing.raw,
        envelope_digest=filing.digest,
        one_sided=one_sided,
        ends_at=ends,
        problem="",
    )
    body = ContractFile(
        contract=contract_id,
        digest=render_digest(filing.digest),
        one_sided=one_sided,
        parties=filing.parties,
    )
    want(tx, FILE, contract_id, body)
    audit(tx, AuditEvent(Event.FILING, {"contract": contract_id, "envelope": render_digest(filing.digest)}))
    return _existing(tx.connection, contract_id)


def filed(tx: Transaction, contract_id: ContractId, transaction: TransactionId) -> None:
    """The ledger has the contract; its receipt is to be signed."""
    filing_store.move_contract(
        tx,
        contract_id,
        FilingState.FILING,
        state=str(FilingState.COMMITTED),
        ledger_transaction=transaction,
        filed_at=tx.now,
    )
    audit(tx, AuditEvent(Event.FILED, {"contract": contract_id, "transaction": transaction}))


def not_filed(tx: Transaction, contract_id: ContractId, reason: str) -> None:
    """The ledger refused; the id is free for another attempt of its holder."""
    filing_store.move_contract(
        tx,
        contract_id,
        FilingState.FILING,
        state=str(FilingState.GIVEN),
        envelope=b"",
        envelope_digest=None,
        problem=f"the ledger refused: {reason}"[:1000],
    )
    audit(tx, AuditEvent(Event.REFUSED, {"contract": contract_id, "reason": reason}))


def contracts_without_receipt(connection: Connection, most: int = 100) -> list[FiledContract]:
    return filing_store.without_receipt(connection, most)


def sign_receipt(contract: FiledContract, rules: Rules, signer: Signer) -> bytes:
    """Sign the receipt of a contract that the ledger has committed."""
    if contract.transaction is None or contract.envelope_digest is None or contract.filed_at is None:
        raise RefusedError(f"contract {contract.contract_id} is not filed")
    receipt = FilingReceipt(
        contract=contract.contract_id,
        envelope=render_digest(contract.envelope_digest),
        filed_at=render_time(contract.filed_at),
        one_sided=contract.one_sided,
        parties=named_parties(contract.envelope),
        platform=rules.platform,
        transaction=contract.transaction,
    )
    return sign_statement(RECEIPT, receipt, signer)


def keep_receipt(tx: Transaction, contract_id: ContractId, receipt: bytes) -> bool:
    """Keep the signed receipt: now the contract is filed. The first one stays; repeats get the same."""
    if _existing(tx.connection, contract_id).state is not FilingState.COMMITTED:
        return False
    filing_store.move_contract(
        tx, contract_id, FilingState.COMMITTED, state=str(FilingState.FILED), receipt=receipt
    )
    return True


def verify_receipt(
    raw: bytes, platform: Did, key_id: KeyId, key: PublicKey, envelope: bytes
) -> FilingReceipt:
    """Check that the platform certifies the filing of this very envelope, or raise."""
    receipt = verify_statement(RECEIPT, read_statement(raw, FilingReceipt), key_id, key)
    if receipt.platform != platform or key_id.partition("#")[0] != platform:
        raise TrustError("the receipt is another platform's")
    if parse_digest(receipt.envelope) != sha256(envelope):
        raise TrustError("the receipt is for another envelope")
    terms = read_payload(open_envelope(envelope).raw_payload)
    if receipt.contract != terms.contract_id or receipt.parties != named_parties(envelope):
        raise TrustError("the receipt is for another contract")
    return receipt


def contract(connection: Connection, contract_id: ContractId) -> FiledContract | None:
    return filing_store.read_contract(connection, contract_id)


def contracts(connection: Connection, most: int = 1000) -> list[FiledContract]:
    """The newest of them."""
    return list(contract_page(connection, Place(size=most)).items)


def contract_page(connection: Connection, place: Place) -> Page[FiledContract]:
    return filing_store.page_of_contracts(connection, place)


def _existing(connection: Connection, contract_id: ContractId) -> FiledContract:
    found = filing_store.read_contract(connection, contract_id)
    if found is None:
        raise NotFoundError("there is no such contract here")
    return found
