"""What a negotiation learns while its contract is signed: its id, the signatures, the filing receipt.

Each use case takes an open transaction and goes on with the negotiation as far as that lets it.
"""

from dataclasses import replace

from entrepot.contracts.desk import Desk
from entrepot.contracts.digital import Signature, contract_payload, open_envelope, seal_envelope
from entrepot.contracts.exchange import Party, State
from entrepot.contracts.life import keep_contract, settle_contract
from entrepot.contracts.model import Negotiation
from entrepot.contracts.rules import NEGOTIATION
from entrepot.contracts.service import existing, proceed, save, touched
from entrepot.journal import Transaction
from entrepot.values import ConflictError, ContractId, Did, NotFoundError, ProcessId, ProtocolError


def contract_id_given(
    tx: Transaction, desk: Desk, negotiation_id: ProcessId, contract_id: ContractId
) -> None:
    """The platform gave the contract its id, so the agreement can be sent."""
    before = existing(tx.connection, negotiation_id)
    if NEGOTIATION.is_final(before.exchange.state):
        raise ConflictError("the negotiation is over; nothing is agreed under this id")
    if before.signing.contract_id is None:
        signing = replace(before.signing, contract_id=contract_id)
        proceed(tx, desk, replace(before, signing=signing), before)


def handed_over(
    tx: Transaction, desk: Desk, negotiation_id: ProcessId, payload: bytes, envelope: bytes
) -> None:
    """Our signature is with the provider, so we may verify."""
    before = existing(tx.connection, negotiation_id)
    if not before.signing.handed_over:
        signing = replace(before.signing, payload=payload, envelope=envelope, handed_over=True)
        proceed(tx, desk, replace(before, signing=signing), before)


def counterparty_signed(
    tx: Transaction, negotiation_id: ProcessId, sender: Did, signature: Signature
) -> None:
    """The consumer's signature came. **The caller has verified it over `payload_of` the negotiation.**"""
    before = existing(tx.connection, negotiation_id)
    if before.counterparty != sender or before.exchange.party is not Party.PROVIDER:
        raise NotFoundError("there is no such negotiation with you")
    if before.exchange.state is State.TERMINATED:
        raise ConflictError("the negotiation was terminated")
    if not before.signing.envelope:
        payload = payload_of(before)
        envelope = seal_envelope(payload, [signature])
        signing = replace(before.signing, payload=payload, envelope=envelope)
        save(tx, replace(before, signing=signing, exchange=touched(before.exchange)), before)


def service_party_signed(
    tx: Transaction, desk: Desk, negotiation_id: ProcessId, signature: Signature
) -> None:
    """A service party's signature came. **The caller has verified it over `payload_of` the negotiation.**"""
    before = existing(tx.connection, negotiation_id)
    if NEGOTIATION.is_final(before.exchange.state) or before.signing.receipt:
        return  # too late to change anything
    known = open_envelope(before.signing.envelope).signatures
    if signature not in known:
        envelope = seal_envelope(before.signing.payload, [*known, signature])
        signing = replace(before.signing, envelope=envelope)
        proceed(tx, desk, replace(before, signing=signing), before)


def contract_filed(
    tx: Transaction, desk: Desk, negotiation_id: ProcessId, envelope: bytes, receipt: bytes
) -> None:
    """The contract is filed: as provider we may finalize, as consumer we hold what we can prove."""
    before = existing(tx.connection, negotiation_id)
    if before.signing.receipt:
        return
    signing = replace(before.signing, envelope=envelope, receipt=receipt)
    filed = replace(before, signing=signing)
    keep_contract(tx, filed)
    settle_contract(tx, filed)
    proceed(tx, desk, filed, before)


def payload_of(negotiation: Negotiation) -> bytes:
    """The bytes to be signed, as far as the negotiation has come."""
    agreement, digest = negotiation.agreement, negotiation.signing.product_digest
    if agreement is None or digest is None:
        raise ProtocolError("there is nothing to sign before the agreement")
    contract_id = negotiation.signing.contract_id or ContractId(agreement.id)
    return contract_payload(agreement, contract_id, digest)
