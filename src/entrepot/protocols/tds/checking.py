"""What several endpoints check: who calls, who signed a contract, whether its filing receipt holds."""

from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from entrepot import contracts, space
from entrepot.contracts import SIGNED_AS, Signature
from entrepot.identity import DidDocument, Membership, PublicKey, known_member, verify_signature
from entrepot.journal import Journal
from entrepot.protocols.route import Call
from entrepot.protocols.tds.codec import MemberCard
from entrepot.values import Did, KeyId, TrustError


async def verify_filing_receipt(
    document: Callable[[Did], Awaitable[DidDocument]], platform: Did, receipt: bytes, envelope: bytes
) -> None:
    """Check a filing receipt under the evidence key that its platform's DID document lists, or raise."""
    key_id = space.read_statement(receipt, space.FilingReceipt).key_id
    key = (await document(platform)).key(key_id, "assertionMethod")
    if key is None:
        raise TrustError("the receipt is signed by a key that the platform's document does not list")
    space.verify_receipt(receipt, platform, key_id, key, envelope)


async def evidence_key_of(
    journal: Journal, member_card: Callable[[Did], Awaitable[MemberCard]], did: Did
) -> tuple[KeyId, PublicKey]:
    """A member's evidence key: as it has shown us its credential, or else as the platform says."""

    def query(connection: Connection) -> Membership | None:
        return known_member(connection, did)

    known = await journal.read(query)
    if known is not None:
        return known.evidence_key_id, known.evidence_key
    card = await member_card(did)
    if card.did != did or card.state != "in-force":
        raise TrustError(f"{did} is no member in force")
    return card.key_id, card.key


def verify_contract_signature(signature: Signature, payload: bytes, key_id: KeyId, key: PublicKey) -> None:
    """Check that a contract was signed by this very evidence key, or raise."""
    if signature.keyid != key_id:
        raise TrustError(f"signed by {signature.keyid[:200]}, which is not the signer's evidence key")
    verify_signature(key, SIGNED_AS + payload, signature.raw)


def require_all_signed(envelope: contracts.Envelope) -> dict[Did, Signature]:
    """The signature of every signatory that the payload names, and of nobody else; or raise."""
    terms = contracts.read_payload(envelope.raw_payload)
    signed = {(s.role, Did(s.keyid.partition("#")[0])): s for s in envelope.signatures}
    named = set(contracts.signatories(terms.agreement))
    if signed.keys() != named or len(named) != len(envelope.signatures):
        raise TrustError("the contract is not signed by each signatory that it names, once")
    return {did: signature for (_, did), signature in signed.items()}


def caller_of(call: Call) -> Did:
    if call.caller is None:
        raise TrustError("the caller is not known")
    return call.caller
