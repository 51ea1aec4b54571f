"""The other end: what a node asks of its platform and of other members under the national names.

What comes back is a stranger's bytes: bounded, decoded strictly, and verified where it is signed. A reply
that is no success becomes the error it stands for, with the words of the other side.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from entrepot import space
from entrepot.catalogue import Found, Search, render_search
from entrepot.contracts import Signature
from entrepot.identity import DidDocument
from entrepot.protocols.route import Outgoing, Reply
from entrepot.protocols.tds import codec, finding
from entrepot.protocols.tds.checking import verify_filing_receipt
from entrepot.protocols.tds.codec import MemberCard, MembershipStatus, ServiceAnswer
from entrepot.protocols.tds.supervision import Acknowledgements, Register
from entrepot.values import (
    ConflictError,
    ContractId,
    Did,
    MalformedError,
    NotFoundError,
    RefusedError,
    TrustError,
    UnavailableError,
    UtcTime,
    canonical,
    render_time,
    sha256,
)

MAX_REGISTER: Final = 8 << 20
MAX_FOUND: Final = 16 << 20
MAX_OPENINGS: Final = 32 << 20
_AGAIN: Final = frozenset({408, 425, 429})
_EXPANSION: Final = {"version": "1"}


@dataclass(frozen=True, slots=True)
class Client:
    """A way to the endpoints of others, found through their DID documents."""

    outgoing: Outgoing
    document: Callable[[Did], Awaitable[DidDocument]]
    authorization: Callable[[Did], Awaitable[str]]
    """Gives the `Authorization` header for a call to this party."""
    platform: Did

    async def speaks(self, did: Did) -> bool:
        """Whether a party has these endpoints at all."""
        return codec.SERVICE in (await self.document(did)).services

    async def contract_id(self, negotiation: str, counterparty: Did) -> ContractId:
        """Ask the platform for a contract's id; the same negotiation always gets the same one."""
        body = canonical.encode_struct(
            codec.ContractCreate(counterpartyId=counterparty, negotiationId=negotiation)
        )
        reply = await self.post_to_platform("contractCreate", body)
        return ContractId(codec.decode(reply.body, codec.ContractCreated).contractId)

    async def file(self, envelope: bytes) -> bytes | None:
        """File a contract and give its verified receipt; nothing while the ledger is still asked."""
        body = canonical.encode_struct(
            codec.ContractRegistrate(contractExpansionItem=_EXPANSION, envelope=codec.text(envelope))
        )
        reply = await self.post_to_platform("contractRegistrate", body)
        answer = codec.decode(reply.body, codec.ContractRegistrated)
        if answer.contractHash != sha256(envelope).hex():
            raise TrustError("the platform answers for another contract")
        if not answer.receipt:
            return None
        receipt = codec.raw(answer.receipt)
        await verify_filing_receipt(self.document, self.platform, receipt, envelope)
        return receipt

    async def hand_over_signature(self, provider: Did, negotiation: str, signature: Signature) -> None:
        """As consumer: give the provider our signature, before we verify the agreement."""
        content = codec.ContractSignature(
            keyid=signature.keyid, negotiationId=negotiation, sig=codec.text(signature.raw)
        )
        await self.post(provider, "contractSignature", canonical.encode_struct(content))

    async def hand_over_filed(self, consumer: Did, negotiation: str, envelope: bytes, receipt: bytes) -> None:
        """As provider: give the consumer the countersigned contract and its receipt."""
        content = codec.ContractFiled(
            envelope=codec.text(envelope), negotiationId=negotiation, receipt=codec.text(receipt)
        )
        await self.post(consumer, "contractFiled", canonical.encode_struct(content))

    async def ask_service_party(self, did: Did, envelope: bytes, until: UtcTime) -> ServiceAnswer:
        """As provider: ask for a service party's signature, or how that stands. **Verify what it gives.**"""
        content = codec.ServiceRequest(envelope=codec.text(envelope), until=render_time(until))
        reply = await self.post(did, "serviceSignatureRequest", canonical.encode_struct(content))
        return codec.decode(reply.body, ServiceAnswer)

    async def member_card(self, did: Did) -> MemberCard:
        """Ask the platform for a member's evidence key and roles; the card is signed by the platform."""
        reply = await self._get_from_platform(f"members/{quote(did, safe='')}", codec.MAX_BODY)
        statement = space.read_statement(reply.body, MemberCard)
        key = (await self.document(self.platform)).key(statement.key_id, "assertionMethod")
        if key is None or statement.signer != self.platform:
            raise TrustError("the member card is not the platform's")
        card = space.verify_statement(codec.CARD, statement, statement.key_id, key)
        if card.did != did:
            raise TrustError("the platform answers for another member")
        return card

    async def search(self, wanted: Search) -> Found:
        """Ask the platform for products."""
        name = f"{finding.PRODUCTS}?{render_search(wanted)}"
        reply = await self._get_from_platform(name, MAX_FOUND)
        return finding.parse_found(reply.body, wanted.limit)

    async def register(self) -> Register:
        """As supervisor: read the register of contracts."""
        reply = await self._get_from_platform("contracts", MAX_REGISTER)
        return canonical.decode_struct(reply.body, Register, max_bytes=MAX_REGISTER)

    async def acknowledgements(self, order: str) -> Acknowledgements:
        """As supervisor: who has acknowledged an order of ours."""
        reply = await self._get_from_platform(f"orders/{quote(order, safe='')}", codec.MAX_BODY)
        return codec.decode(reply.body, Acknowledgements)

    async def openings(self, party: Did, statement: bytes) -> bytes:
        """As supervisor: ask a party for openings with a signed request; gives what it answered."""
        url = f"{await self._base(party)}/openingsRequest"
        headers = {"authorization": await self.authorization(party), **_JSON}
        return _required(await self.outgoing("POST", url, statement, headers, MAX_OPENINGS)).body

    async def apply(self, application: bytes) -> MembershipStatus:
        """Send our application; the same bytes again tell where it stands, and bring the credential."""
        url = f"{await self._base(self.platform)}{codec.PLATFORM}/membershipApplication"
        reply = await self.outgoing("POST", url, application, _JSON, codec.MAX_BODY)
        return codec.decode(_required(reply).body, MembershipStatus)

    async def status_list(self, did: Did) -> str:
        """The newest status list that a node has. **It is to be verified, whoever relays it.**"""
        reply = await self.outgoing(
            "GET", await self._base(did) + codec.STATUS_LIST, max_bytes=codec.MAX_BODY
        )
        try:
            return _required(reply).body.decode("ascii")
        except UnicodeDecodeError as error:
            raise MalformedError("the status list is no token") from error

    async def post(self, did: Did, name: str, body: bytes, media_type: str = "application/json") -> Reply:
        """Send a message to a party; give its reply where that is a success, else raise."""
        return await self._post(did, f"{await self._base(did)}/{name}", body, media_type)

    async def post_to_platform(self, name: str, body: bytes) -> Reply:
        url = f"{await self._base(self.platform)}{codec.PLATFORM}/{name}"
        return await self._post(self.platform, url, body, "application/json")

    async def _get_from_platform(self, name: str, max_bytes: int) -> Reply:
        url = f"{await self._base(self.platform)}{codec.PLATFORM}/{name}"
        headers = {"authorization": await self.authorization(self.platform)}
        return _required(await self.outgoing("GET", url, headers=headers, max_bytes=max_bytes))

    async def _post(self, did: Did, url: str, body: bytes, media_type: str) -> Reply:
        headers = {"authorization": await self.authorization(did), "content-type": media_type}
        return _required(await self.outgoing("POST", url, body, headers, codec.MAX_BODY))

    async def _base(self, did: Did) -> str:
        base = (await self.document(did)).services.get(codec.SERVICE)
        if base is None:
            raise NotFoundError(f"{did} does not speak the messages of the trusted data space")
        return base.rstrip("/")


_JSON: Final = {"content-type": "application/json"}


def _required(reply: Reply) -> Reply:
    """Turn a reply that is no success into the error it stands for."""
    status = reply.status
    if 200 <= status < 300:
        return reply
    if status >= 500 or status in _AGAIN:
        raise UnavailableError(f"the other side answered {status}")
    detail, reasons = codec.read_problem(reply.body)
    said = detail or f"the other side answered {status}"
    match status:
        case 401:
            raise TrustError(said)
        case 403:
            raise RefusedError(*(reasons or (said,)))
        case 404:
            raise NotFoundError(said)
        case 409:
            raise ConflictError(said)
        case _:
            raise MalformedError(said)
