"""Bodies under the national names (china-tds §6.5, §7.4), where the Dataspace Protocol has no message.

Every body is canonical JSON of a bounded size whose unknown content is refused; what is signed travels as
the bytes that were signed. `status` is the national one: 0 is success.
"""

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from entrepot.contracts import ServiceState
from entrepot.identity import PublicKey, from_base64url, to_base64url
from entrepot.protocols.route import Content, Response, Shape
from entrepot.space import Member, MemberRole
from entrepot.values import KeyId, canonical

S = TypeVar("S", bound=msgspec.Struct)

PATH: Final = "/tds"
PLATFORM: Final = "/platform"
"""What a platform adds to the base address for what only a platform does."""
STATUS_LIST: Final = "/statusList"
SERVICE: Final = "TrustedDataSpace"
"""Type of the DID service whose endpoint is the base address of these endpoints."""
CREDENTIAL: Final = "application/vc+jwt"
LIST: Final = "application/vc+ld+json"
"""A credential in plain JSON."""
BINARY: Final = "application/octet-stream"
MAX_BODY: Final = 256 << 10
OK: Final = b'{"status":"0"}'
CARD: Final = "member-card"
"""What a member card is signed as."""

Name = Annotated[str, Meta(min_length=1, max_length=500)]
Blob = Annotated[str, Meta(max_length=200_000)]


class ContractCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks the platform for a contract's id."""

    counterpartyId: Name  # noqa: N815 (national names are written so)
    negotiationId: Name  # noqa: N815
    signMode: Annotated[str, Meta(pattern=r"^0[12]\Z")] = "02"  # noqa: N815


class ContractCreated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    contractId: Name  # noqa: N815
    creationFlag: str = "0"  # noqa: N815


class ContractRegistrate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files a signed contract; the national text wants the expansion item at filing."""

    contractExpansionItem: dict[str, Annotated[str, Meta(max_length=100)]]  # noqa: N815
    envelope: Blob


class ContractRegistrated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`receipt` is empty while the ledger is still asked."""

    contractHash: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]  # noqa: N815
    receipt: Blob
    status: str


class ProductRegister(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lists a product: its dataset, and the registration that its provider has signed for the ledger."""

    dataset: Blob
    registration: Blob


class ProductWithdraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes a product off the platform's catalogue: this version of it, and what was before."""

    productId: Name  # noqa: N815
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]


class MembershipStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an application stands; the credential is empty before admission."""

    connectorCode: str  # noqa: N815
    credential: str
    problem: str
    state: str


class ContractSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The consumer's signature under a contract, for its provider."""

    keyid: Name
    negotiationId: Name  # noqa: N815
    sig: Annotated[str, Meta(max_length=200)]


class ContractFiled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The countersigned contract and its filing receipt, for the consumer."""

    envelope: Blob
    negotiationId: Name  # noqa: N815
    receipt: Blob


_TEXT: Final = {"type": "string"}
SIGNED: Final = Content(
    {
        "type": "object",
        "required": ["keyid", "payload", "sig"],
        "properties": {"keyid": _TEXT, "payload": _TEXT, "sig": _TEXT},
        "additionalProperties": False,
    }
)
"""A statement: the bytes that were signed, by which key, and the signature; bytes in base64url."""
APPLICATION: Final = Content(
    {
        "type": "object",
        "required": ["application", "evidence_sig", "identity_keyid", "identity_sig", "invitation"],
        "properties": dict.fromkeys(
            ("application", "evidence_sig", "identity_keyid", "identity_sig", "invitation"), _TEXT
        ),
        "additionalProperties": False,
    }
)
"""An application for membership, signed by both keys, with the code of the invitation."""
_DONE: Final = {"type": "object", "required": ["status"], "properties": {"status": {"const": "0"}}}


def shape(takes: Content | type[msgspec.Struct], *gives: Content | type[msgspec.Struct]) -> Shape:
    """The shape of an endpoint here; what it gives may still be under way (202) where it says what."""
    given = tuple(g if isinstance(g, Content) else Content(g) for g in gives)
    taken = takes if isinstance(takes, Content) else Content(takes)
    return Shape({200: given, 202: given} if given else {200: (Content(_DONE),)}, taken)


class ServiceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As provider: asks a service party for its signature, beside those of provider and consumer."""

    envelope: Blob
    until: Annotated[str, Meta(max_length=40)]


class ServiceAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a request stands; `keyid` and `sig` are empty until a person has signed."""

    keyid: Annotated[str, Meta(max_length=500)]
    reason: Annotated[str, Meta(max_length=1000)]
    sig: Annotated[str, Meta(max_length=200)]
    state: ServiceState


class ServiceFiled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filed contract and its receipt, for a service party that has signed it."""

    envelope: Blob
    receipt: Blob


class ServiceWithdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service party's signature is not needed any more: there will be no contract."""

    request: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class MemberCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the platform says of a member's evidence key, at a time."""

    at: str
    did: str
    epoch: int
    evidence_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    evidence_key_id: str
    roles: tuple[MemberRole, ...]
    state: str

    @property
    def key_id(self) -> KeyId:
        return KeyId(self.evidence_key_id)

    @property
    def key(self) -> PublicKey:
        return PublicKey("ed25519", bytes.fromhex(self.evidence_key))

    @property
    def is_supervisor_in_force(self) -> bool:
        return self.is_in_force(MemberRole.REGULATOR)

    def is_in_force(self, role: MemberRole) -> bool:
        return self.state == "in-force" and role in self.roles


class _Problem(msgspec.Struct, frozen=True):
    """What is read of another node's error document; the rest of it is its own."""

    detail: str = ""
    reasons: tuple[str, ...] = ()


def decode(raw: bytes, kind: type[S]) -> S:
    return canonical.decode_struct(raw, kind, max_bytes=MAX_BODY)


def answer(body: msgspec.Struct, status: int = 200) -> Response:
    return Response(status, canonical.encode_struct(body))


def text(raw: bytes) -> str:
    """Bytes as they stand inside of a body."""
    return to_base64url(raw)


def raw(text_of_bytes: str) -> bytes:
    return from_base64url(text_of_bytes)


def render_listing(dataset: canonical.Json, registration: bytes) -> bytes:
    return canonical.encode_struct(ProductRegister(text(canonical.encode(dataset)), text(registration)))


def parse_listing(body: bytes) -> tuple[canonical.Json, bytes]:
    listing = decode(body, ProductRegister)
    return canonical.decode(raw(listing.dataset)), raw(listing.registration)


def member_card(member: Member, at: str) -> MemberCard:
    return MemberCard(
        at=at,
        did=member.did,
        epoch=member.epoch,
        evidence_key=member.evidence_key.raw.hex(),
        evidence_key_id=member.evidence_key_id,
        roles=member.roles,
        state=str(member.state),
    )


def read_problem(body: bytes) -> tuple[str, tuple[str, ...]]:
    """What another node says went wrong, bounded; its words are shown, and decide nothing."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "", ()
    return problem.detail[:500], tuple(r[:500] for r in problem.reasons[:16])
