"""Receipts: the consumer says what it got; both sides keep it, each in its own batches."""

from entrepot import regulation
from entrepot.contracts import Contract, Move, Next, Party, contract_by_id
from entrepot.identity import Signer, known_member
from entrepot.journal import Transaction
from entrepot.ledger import (
    Comparison,
    Receipt,
    Record,
    RecordKind,
    SignedReceipt,
    compare,
    decode_receipt,
    keep_receipt,
    sign_receipt,
    write_record,
)
from entrepot.use import duties, store
from entrepot.use import process as transfers
from entrepot.use.gate import settle
from entrepot.use.model import Acquisition, House, Outcome
from entrepot.values import (
    FORMATS,
    ContractId,
    Did,
    KindOfUse,
    NotFoundError,
    ProtocolError,
    TrustError,
    UseId,
    UtcTime,
    render_digest,
    render_time,
)


def make_receipt(
    acquisition: Acquisition, contract: Contract, use_id: UseId, me: Did, now: UtcTime, signer: Signer
) -> bytes:
    """Sign that we got the artefact under this use. Outside the writer."""
    if acquisition.artefact is None:
        raise ProtocolError("nothing was received yet")
    receipt = Receipt(
        artefact=render_digest(acquisition.artefact),
        at=render_time(now),
        bytes=acquisition.size,
        consumer=me,
        contract=contract.contract_id,
        key=signer.key_id,
        use=use_id,
    )
    return sign_receipt(receipt, signer)


def keep_own_receipt(tx: Transaction, rail: transfers.Rail, acquisition: Acquisition, raw: bytes) -> None:
    """Write our receipt down as a record of our own, and complete the process.

    **The caller queues it for the provider in this transaction.**
    """
    signed = decode_receipt(raw)
    receipt = signed.receipt
    retain_until = tx.now + regulation.retention("record", tx.now.date())
    if not keep_receipt(tx, signed, retain_until):
        return
    record = Record(
        at=render_time(tx.now),
        consumer=receipt.consumer,
        contract=receipt.contract,
        kind=RecordKind.RECEIPT,
        product=acquisition.product_id,
        use=receipt.use,
        artefact=receipt.artefact,
        receipt=signed.digest,
        size=receipt.bytes,
    )
    write_record(tx, record, retain_until)
    if (contract := contract_by_id(tx.connection, ContractId(receipt.contract))) is not None:
        duties.expect(tx, contract, UseId(receipt.use), FORMATS[acquisition.format])
    if acquisition.process_id is not None and FORMATS[acquisition.format] is KindOfUse.DELIVERY:
        transfers.move(tx, rail, acquisition.process_id, Next(Move.COMPLETE))


def take_in_receipt(tx: Transaction, house: House, sender: Did, signed: SignedReceipt) -> Comparison:
    """Take in the consumer's receipt and close its use by it. A repeat gives the same answer.

    Its signature is checked here against the evidence key of the sender's membership.
    """
    receipt = signed.receipt
    contract = contract_by_id(tx.connection, ContractId(receipt.contract))
    use = store.read_use(tx.connection, UseId(receipt.use))
    if (
        contract is None
        or use is None
        or contract.party is not Party.PROVIDER
        or contract.counterparty != sender
        or use.contract_id != contract.contract_id
        or receipt.consumer != sender
    ):
        raise NotFoundError("there is no such use of yours")
    membership = known_member(tx.connection, sender)
    if membership is None or membership.evidence_key_id != receipt.key:
        raise TrustError("the receipt is signed with a key that is not the consumer's")
    signed.verify(membership.evidence_key.raw)
    keep_receipt(tx, signed, tx.now + regulation.retention("record", tx.now.date()))
    verdict = compare(tx.connection, use.id)
    outcome = Outcome.RECEIVED if verdict is Comparison.AGREED else Outcome.DIFFERS
    settle(tx, house, use.id, outcome)
    return verdict
