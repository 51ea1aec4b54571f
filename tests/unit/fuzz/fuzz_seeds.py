"""Valid messages of every protocol, made by the product's own renderers, and the parser of each.

A parser is given as what takes bytes, with what writes its value again where something does.
"""

import contextlib
import io
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
import pyarrow.parquet
from world import Party

from entrepot import identity, oversight, space
from entrepot.catalogue import (
    Column,
    ColumnType,
    Product,
    Resource,
    Source,
    SourceKind,
    asking,
    parse_dataset,
    prepare,
    render_dataset,
)
from entrepot.contracts import (
    Agreement,
    DoorAddress,
    Message,
    Move,
    Offer,
    Reason,
    State,
    TransferRequest,
)
from entrepot.contracts.wire import parse_agreement, parse_offer, render_agreement, render_offer
from entrepot.identity import (
    Asked,
    AskedState,
    CredentialForm,
    Issuance,
    Kind,
    Membership,
    issue_id_token,
    issue_membership,
    issue_presentation,
)
from entrepot.identity import jwt as tokens
from entrepot.identity.issuance import IssuanceState
from entrepot.identity.schema import read_schema
from entrepot.identity.status import issue_status_list, verify_status_list
from entrepot.node.settings import Settings
from entrepot.policy import parse_policy, render_policy
from entrepot.policy.national import parse_national, render_national
from entrepot.policy.terms import Terms
from entrepot.protocols.dcp import codec as dcp
from entrepot.protocols.dcp import issuance_codec as issuance
from entrepot.protocols.dcp import sts
from entrepot.protocols.dps import codec as dps
from entrepot.protocols.dsp import codec as dsp
from entrepot.protocols.dsp import data_address, envelope
from entrepot.protocols.tds import codec as tds
from entrepot.protocols.tds import finding
from entrepot.protocols.tlog import codec as tlog
from entrepot.use.api_ask import parse_ask, table_under
from entrepot.use.flow.model import Order, PlaneKind
from entrepot.use.query.cage import admitting
from entrepot.use.query.cage.model import Column as CageColumn
from entrepot.use.query.cage.model import Limits, NotAdmittedError, Role, Table
from entrepot.values import (
    AgreementId,
    Digest,
    Grade,
    KindOfUse,
    MalformedError,
    MessageId,
    OfferId,
    ProcessId,
    ProductId,
    canonical,
    sha256,
)

NOW: Final = datetime(2026, 11, 25, 8, tzinfo=UTC)
BASE: Final = "https://peer.example/dsp/2025-1"
PROVIDER, CONSUMER, PLATFORM = (Party(name) for name in ("provider", "consumer", "platform"))
ODRL: Final = {
    "permission": [
        {
            "action": "use",
            "constraint": [
                {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "10"},
                {"leftOperand": "odrl:dateTime", "operator": "lteq", "rightOperand": "2027-01-01T00:00:00Z"},
                {
                    "or": [
                        {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "research"},
                        {"leftOperand": "odrl:spatial", "operator": "isPartOf", "rightOperand": "31"},
                    ]
                },
            ],
            "duty": [
                {
                    "action": "odrl:compensate",
                    "constraint": [
                        {"leftOperand": "odrl:payAmount", "operator": "eq", "rightOperand": "100.00 CNY"}
                    ],
                }
            ],
        }
    ],
    "prohibition": [{"action": "odrl:distribute"}],
    "obligation": [
        {
            "action": "odrl:delete",
            "constraint": [
                {"leftOperand": "odrl:event", "operator": "gt", "rightOperand": "odrl:policyUsage"},
                {"leftOperand": "odrl:elapsedTime", "operator": "lteq", "rightOperand": "P30D"},
            ],
        }
    ],
}
POLICY: Final = parse_policy(ODRL)
OFFER: Final = Offer(OfferId("urn:offer"), ProductId("urn:product"), POLICY, PROVIDER.did, CONSUMER.did)
AGREEMENT: Final = Agreement(
    AgreementId("urn:agreement"), ProductId("urn:product"), POLICY, PROVIDER.did, CONSUMER.did, NOW
)
PRODUCT: Final = Product(
    id=ProductId("urn:product"), version=3, title="气象 / Weather", description="Every day.",
    keywords=("rain", "风"), provider=PROVIDER.did, grade=Grade.L2, rights="open",
    kinds=frozenset({KindOfUse.API, KindOfUse.QUERY}), policy=POLICY, media_type="text/csv", size=7,
    artefact=Digest(sha256(b"data")), published_at=NOW,
)  # fmt: skip


@dataclass(frozen=True)
class Parser:
    """A parser as it is fuzzed."""

    seeds: tuple[bytes, ...]
    parse: Callable[[bytes], Any]
    render: Callable[[Any], bytes] | None = None


def of_document(parse: Callable[[Any], Any], render: Callable[[Any], Any], *seeds: Any) -> Parser:
    """A parser of what a decoder has made of JSON."""

    def read(raw: bytes) -> Any:
        try:
            document = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedError("no JSON") from error
        return parse(document)

    return Parser(
        tuple(msgspec.json.encode(s) for s in seeds), read, lambda value: msgspec.json.encode(render(value))
    )


def of_text(parse: Callable[[str], Any], render: Callable[[Any], str] | None, *seeds: str) -> Parser:
    """A parser of text."""
    return Parser(
        tuple(s.encode() for s in seeds),
        lambda raw: parse(raw.decode("utf-8", "replace")),
        None if render is None else lambda value: render(value).encode(),
    )


def _message(move: Move, content: Any = None, callback: str = "") -> Message:
    pids = (ProcessId("urn:uuid:c"), None if callback else ProcessId("urn:uuid:p"))
    return Message(MessageId("urn:uuid:m"), move, *pids, content, callback)


NEGOTIATION: Final = tuple(
    dsp.render_negotiation(m, BASE)[1]
    for m in (
        _message(Move.REQUEST, OFFER, BASE),
        _message(Move.REQUEST, OFFER),
        _message(Move.OFFER, OFFER),
        _message(Move.ACCEPT),
        _message(Move.AGREE, AGREEMENT),
        _message(Move.VERIFY),
        _message(Move.FINALIZE),
        _message(Move.TERMINATE, Reason("no", ("because", "and"))),
    )
)
DOOR: Final = DoorAddress("https://peer.example/door/1", "a token")
TRANSFER: Final = tuple(
    dsp.render_transfer(m, BASE)[1]
    for m in (
        _message(Move.REQUEST, TransferRequest(AgreementId("urn:agreement"), "HttpData-PUSH", DOOR), BASE),
        _message(Move.START, DOOR),
        _message(Move.SUSPEND, Reason("later", ("soon",))),
        _message(Move.COMPLETE),
        _message(Move.TERMINATE, Reason("no", ())),
    )
)
CATALOG: Final = json.dumps(
    {
        "@context": [envelope.CONTEXT],
        "@type": "CatalogRequestMessage",
        "filter": [{"@type": "QuerySpec", "offset": 3, "limit": 5, "filterExpression": []}],
    }
).encode()
STATE: Final = dsp.render_state("ContractNegotiation", "urn:c", "urn:p", State.AGREED)
ERROR: Final = dsp.render_error("TransferError", "urn:c", "urn:p", 400, "because")

MEMBERSHIP: Final = Membership(
    did=CONSUMER.did, issuer=PLATFORM.did, connector_code="5" * 32, subject_code="91310115MA1K4B0001",
    region="3101", roles=("consumer",), evidence_key_id=CONSUMER.evidence.key_id,
    evidence_key=CONSUMER.evidence.public, status_url="https://platform.example/status/1", status_index=3,
    valid_from=NOW, valid_until=NOW + timedelta(days=30),
)  # fmt: skip
CREDENTIAL: Final = issue_membership(PLATFORM.identity, MEMBERSHIP)
ID_TOKEN: Final = issue_id_token(CONSUMER.identity, CONSUMER.did, PROVIDER.did, NOW, "urn:jti", "access")
SHOWN: Final = issue_presentation(
    CONSUMER.identity, CONSUMER.did, PROVIDER.did, (CREDENTIAL,), NOW, "urn:jti"
)
ENVELOPE: Final[dict[str, canonical.Json]] = {
    "type": "EnvelopedVerifiablePresentation",
    "id": f"data:application/vp+jwt,{SHOWN}",
}
STATUS: Final = issue_status_list(PLATFORM.identity, PLATFORM.did, MEMBERSHIP.status_url, (3, 5), NOW)


DELIVERY: Final = issuance.render_delivery(
    issuance.Delivery(
        "urn:i",
        "urn:h",
        issuance.Outcome.ISSUED,
        (issuance.Container("MembershipCredential", "vc20-bssl/jwt", CREDENTIAL),),
    )
)
REJECTION: Final = issuance.render_delivery(
    issuance.Delivery("urn:i", "urn:h", issuance.Outcome.REJECTED, reason="no")
)
KIND: Final = Kind("a", "MembershipCredential", CredentialForm.VC20)
ASKED_FOR: Final = Asked("urn:h", PLATFORM.did, (KIND,), AskedState.REQUESTED, NOW)
GIVEN: Final = Issuance("urn:i", CONSUMER.did, "urn:h", ("a",), IssuanceState.ISSUED, NOW)


def claims(token: str) -> bytes:
    return identity.from_base64url(token.split(".")[1])


def signed(verify: Callable[[str], Any], signer: identity.Signer, token: str, *more: bytes) -> Parser:
    """What reads a token: its claims are changed and signed again, so that the signature is no shelter."""
    header = token.split(".", maxsplit=1)[0]

    def read(raw: bytes) -> Any:
        body = f"{header}.{identity.to_base64url(raw)}"
        return verify(f"{body}.{identity.to_base64url(signer.sign(body.encode()))}")

    return Parser((claims(token), *more), read)


ORDERED: Final = Order(
    process_id="urn:uuid:p", participant=PROVIDER.did, counterparty=CONSUMER.did, dataset="urn:product",
    agreement="urn:agreement", profile="http-pull",
)  # fmt: skip
ORDER: Final = canonical.encode(dps.render_order("urn:uuid:m", ORDERED, DOOR))
WORD: Final = canonical.encode(
    {**dps.render_word("urn:uuid:m", DOOR, "because"), "dataFlowId": "f", "state": "STARTED", "error": "no"}
)
REGISTRATION: Final = canonical.encode(
    {
        "dataplaneId": "plane",
        "endpoint": "https://plane.example/signaling/",
        "profiles": ["http-pull", "http-push"],
        "participantId": PROVIDER.did,
        "authorization": {"type": "bearer", "token": "a" * 16, "ourToken": "b" * 16},
    }
)
LIMITS: Final = Limits()
SALES: Final = Table(
    name="sales",
    k=5,
    columns=(
        CageColumn(name="person", type="integer", role=Role.SUBJECT),
        CageColumn(name="region", type="text", role=Role.DIMENSION),
        CageColumn(name="year", type="integer", role=Role.DIMENSION),
        CageColumn(name="kind", type="text", role=Role.DIMENSION),
        CageColumn(name="amount", type="integer", role=Role.MEASURE),
    ),
)
SQL: Final = (
    """SELECT region, count(*) AS n, sum(amount) FROM sales WHERE year >= 2020 AND kind IN ('a', 'b')
    GROUP BY region HAVING count(*) > 10 ORDER BY n DESC LIMIT 5""",
    "WITH a AS (SELECT region FROM sales GROUP BY region) SELECT count(*) FROM a",
    "SELECT CASE WHEN avg(amount) > 1.5 THEN 1 ELSE NULL END FROM sales -- words",
)
SETTINGS: Final = b"""did = "did:web:node.example"
roles = ["connector"]
workers = 1
[listen]
public = "127.0.0.1:9001"
owner = "127.0.0.1:9002"
url = "http://127.0.0.1:9001"
[space]
name = "harbour"
platform = "did:web:platform.example"
platform_url = "https://platform.example"
ledger_url = "https://platform.example/ledger"
ledger_origin = "platform.example/ledger"
ledger_key = "key"
[party]
name = "node"
[status]
max_age = 60.0
"""
S = TypeVar("S", bound=msgspec.Struct)


def _national(kind: type[S], value: S) -> tuple[str, Parser]:
    name = f"protocols.tds.codec.decode of {kind.__name__}"
    return name, Parser(
        (canonical.encode_struct(value),), lambda raw: tds.decode(raw, kind), canonical.encode_struct
    )


CARD: Final = tds.MemberCard(
    at="2026-11-25T08:00:00Z", did=CONSUMER.did, epoch=1, evidence_key="ab" * 32,
    evidence_key_id=CONSUMER.evidence.key_id, roles=(space.MemberRole.CONSUMER,), state="in-force",
)  # fmt: skip


def _query(raw: bytes) -> dict[str, str]:
    return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=None))


def _table(kind: SourceKind, suffix: str, content: bytes) -> Parser:
    """What reads a file of the owner's own into a table, header and all."""

    def read(raw: bytes) -> Any:
        with TemporaryDirectory() as folder:
            file = Path(folder, f"table{suffix}")
            file.write_bytes(raw)
            made = prepare(
                Source(kind, str(file), table="t" if kind is SourceKind.SQLITE else ""),
                "",
                Path(folder, "made"),
            )
            return made.columns, made.rows

    return Parser((content,), read)


def _parquet() -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2, None], "b": ["x", "风", ""]}), file)
    return file.getvalue()


def _sqlite() -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.executescript("CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (NULL, '')")
        return made.serialize()


ASKED: Final = table_under(
    Resource(
        id="r", path=Path("/x"), media_type="application/vnd.apache.parquet", size=1,
        digest=Digest(bytes(32)), modified_ns=1, inode=1,
        columns=(Column("a", ColumnType.INTEGER), Column("b", ColumnType.TEXT)), rows=7,
    ),
    Terms(), bytes(32),
)  # fmt: skip


def admitted(raw: bytes) -> Any:
    try:
        return admitting.admit(raw.decode("utf-8", "replace"), (SALES,), LIMITS)
    except NotAdmittedError as error:
        raise MalformedError(str(error)) from error


PARSERS: Final[dict[str, Parser]] = {
    "protocols.dsp.envelope.decode": Parser((*NEGOTIATION, *TRANSFER), envelope.decode),
    "protocols.dsp.codec.parse_negotiation": Parser(
        NEGOTIATION, dsp.parse_negotiation, lambda m: dsp.render_negotiation(m, BASE)[1]
    ),
    "protocols.dsp.codec.parse_transfer": Parser(
        TRANSFER, dsp.parse_transfer, lambda m: dsp.render_transfer(m, BASE)[1]
    ),
    "protocols.dsp.codec.parse_catalog_request": Parser((CATALOG,), dsp.parse_catalog_request),
    "protocols.dsp.codec.read_state": Parser((STATE, ERROR), dsp.read_state),
    "protocols.dsp.codec.read_reasons": Parser((STATE, ERROR), dsp.read_reasons),
    "protocols.dcp.codec.parse_query": Parser(
        (dcp.render_query(("a:b:read", "c")),), dcp.parse_query, dcp.render_query
    ),
    "protocols.dcp.codec.parse_presentations": Parser(
        (
            dcp.render_presentations(("a.b.c", "d")),
            canonical.encode({"presentation": [ENVELOPE, "a.b.c"]}),
        ),
        dcp.parse_presentations,
        dcp.render_presentations,
    ),
    "protocols.dcp.codec.read_object": Parser((DELIVERY,), dcp.read_object),
    "protocols.dcp.issuance_codec.parse_delivery": Parser(
        (DELIVERY, REJECTION), issuance.parse_delivery, issuance.render_delivery
    ),
    "protocols.dcp.issuance_codec.parse_request": Parser(
        (issuance.render_request("urn:h", ("a", "b")),),
        issuance.parse_request,
        lambda v: issuance.render_request(v.holder_pid, v.kinds),
    ),
    "protocols.dcp.issuance_codec.parse_offer": Parser(
        (issuance.render_offer(PLATFORM.did, ("a",)),),
        issuance.parse_offer,
    ),
    "protocols.dcp.issuance_codec.parse_metadata": Parser(
        (issuance.render_metadata(PLATFORM.did, (KIND,), "https://platform.example/schemas/"),),
        issuance.parse_metadata,
    ),
    "protocols.dcp.issuance_codec.parse_status": Parser(
        (issuance.render_status(GIVEN),), lambda raw: issuance.parse_status(raw, ASKED_FOR)
    ),
    "protocols.dcp.sts.parse_token_request": Parser(
        (
            b"grant_type=client_credentials&client_id=a&client_secret=b&audience=did:web:a&bearer_access_scope=a%20b",
            b"grant_type=client_credentials&client_id=a&client_secret=b&audience=did:web:a&token=x",
        ),
        sts.parse_token_request,
    ),
    **dict(
        (
            _national(tds.ContractCreate, tds.ContractCreate("did:web:a", "urn:n")),
            _national(tds.ContractCreated, tds.ContractCreated("urn:c")),
            _national(tds.ContractRegistrate, tds.ContractRegistrate({"a": "b"}, "e30")),
            _national(tds.ContractRegistrated, tds.ContractRegistrated("ab" * 32, "e30", "0")),
            _national(tds.ProductRegister, tds.ProductRegister("e30", "e30")),
            _national(tds.ProductWithdraw, tds.ProductWithdraw("urn:p", 3)),
            _national(tds.MembershipStatus, tds.MembershipStatus("5", "a.b.c", "", "applied")),
            _national(tds.ContractSignature, tds.ContractSignature("did:web:a#k", "urn:n", "c2ln")),
            _national(tds.ContractFiled, tds.ContractFiled("e30", "urn:n", "e30")),
            _national(tds.MemberCard, CARD),
        )
    ),
    "protocols.tds.codec.parse_listing": Parser(
        (tds.render_listing({"a": 1}, b"raw"),), tds.parse_listing, lambda v: tds.render_listing(*v)
    ),
    "protocols.tds.codec.read_problem": Parser((b'{"detail":"no","reasons":["a"]}',), tds.read_problem),
    "catalogue.asking.parse_search": Parser(
        (
            b"words=rain&grade=L1,L2&kind=api&provider=did:web:a&keyword=a,b&since=2026-01-01T00:00:00Z&limit=5",
        ),
        lambda raw: asking.parse_search(_query(raw)),
        lambda wanted: asking.render_search(wanted).encode(),
    ),
    "protocols.tds.finding.parse_found": Parser(
        (b'{"dataset":[{"@id":"x"}],"nextOffset":20,"total":21}',),
        lambda raw: finding.parse_found(raw, 5),
        finding.render_found,
    ),
    "protocols.tlog.codec.parse_tile": of_text(
        tlog.parse_tile, tlog.render_tile, "x001/x234/067.p/112", "000"
    ),
    "protocols.tlog.codec.decode_bundle": Parser(
        (tlog.encode_bundle([b"a", b"", b"bc"]),), tlog.decode_bundle, tlog.encode_bundle
    ),
    "protocols.tlog.codec.decode_hashes": Parser(
        (tlog.encode_hashes([Digest(bytes(32)), Digest(sha256(b"a"))]),),
        tlog.decode_hashes,
        tlog.encode_hashes,
    ),
    "protocols.dsp.data_address.read_address": of_document(
        data_address.read_address,
        lambda v: dps.render_word("m", v).get("dataAddress"),
        json.loads(TRANSFER[1])["dataAddress"],
    ),
    "protocols.dps.codec.decode": Parser((ORDER, WORD), dps.decode),
    "protocols.dps.codec.parse_order": Parser(
        (ORDER,), dps.parse_order, lambda v: canonical.encode(dps.render_order(*v))
    ),
    "protocols.dps.codec.parse_word": Parser((WORD, ORDER), dps.parse_word),
    "protocols.dps.codec.parse_registration": Parser(
        (REGISTRATION,), lambda raw: [dps.parse_registration(raw, kind) for kind in (PlaneKind.DATA,)]
    ),
    "protocols.dps.codec.parse_renewal": Parser(
        (b"grant_type=refresh_token&refresh_token=abc%20d&client_id=x",), dps.parse_renewal
    ),
    "contracts.wire.parse_offer": of_document(parse_offer, render_offer, render_offer(OFFER)),
    "contracts.wire.parse_agreement": of_document(
        parse_agreement, render_agreement, render_agreement(AGREEMENT)
    ),
    "policy.wire.parse_policy": of_document(parse_policy, render_policy, ODRL),
    "policy.national.parse_national": of_document(parse_national, render_national, render_national(POLICY)),
    "catalogue.dcat.parse_dataset": of_document(
        parse_dataset,
        lambda v: render_dataset(v[0], f"{PROVIDER.did}#dataservice"),
        render_dataset(PRODUCT, f"{PROVIDER.did}#dataservice"),
    ),
    "identity.jwt.parse_token": of_text(tokens.parse_token, None, ID_TOKEN, CREDENTIAL, SHOWN),
    "identity.did.read_did_document": Parser(
        (PROVIDER.raw_document,), lambda raw: identity.read_did_document(raw, PROVIDER.did)
    ),
    "identity.schema.read_schema": Parser(
        (b'{"type":"object","properties":{"a":{"type":"string","pattern":"^a+$"}},"required":["a"]}',),
        read_schema,
    ),
    "identity.presentation.verify_id_token": signed(
        lambda raw: identity.verify_id_token(
            identity.claimed_did(raw)[0], CONSUMER.document, PROVIDER.did, NOW
        ),
        CONSUMER.identity,
        ID_TOKEN,
    ),
    "identity.presentation.verify_presentation": signed(
        lambda raw: identity.verify_presentation(raw, CONSUMER.document, PROVIDER.did, NOW),
        CONSUMER.identity,
        SHOWN,
    ),
    "identity.presentation.verify_presentation of an identity hub": signed(
        lambda raw: identity.verify_presentation(raw, CONSUMER.document, PROVIDER.did, NOW, unbound=True),
        CONSUMER.identity,
        SHOWN,
        canonical.encode(ENVELOPE),
    ),
    "identity.membership.verify_membership": signed(
        lambda raw: identity.verify_membership(
            raw, CONSUMER.did, PLATFORM.did, PLATFORM.identity.public, NOW + timedelta(hours=1)
        ),
        PLATFORM.identity,
        CREDENTIAL,
    ),
    "identity.status.verify_status_list": signed(
        lambda raw: verify_status_list(raw, PLATFORM.did, PLATFORM.identity.public, NOW),
        PLATFORM.identity,
        STATUS,
    ),
    "identity.status.verify_status_list of an identity hub": signed(
        lambda raw: verify_status_list(raw, PLATFORM.did, PLATFORM.identity.public, NOW, insecure_shape=True),
        PLATFORM.identity,
        STATUS,
    ),
    "oversight.archive.unpack": Parser(
        (oversight.pack({"manifest.json": b"{}", "contract.txt": b"text"}),), oversight.unpack, oversight.pack
    ),
    "use.query.cage.admitting.admit": Parser(tuple(s.encode() for s in SQL), admitted),
    "use.api_ask.parse_ask": Parser(
        (
            b"limit=5&fields=a,b&filter=a%20%3E%3D%205%20and%20b%20in%20('x','y')",
            b"cursor=" + ASKED.cursors.cursor_of(3).encode(),
        ),
        lambda raw: parse_ask(raw, ASKED),
    ),
    "catalogue.prepare of csv": _table(SourceKind.CSV, ".csv", b'a,b\n1,x\n2,\xe9\xa3\x8e\n,"y, z"\n'),
    "catalogue.prepare of parquet": _table(SourceKind.PARQUET, ".parquet", _parquet()),
    "catalogue.prepare of sqlite": _table(SourceKind.SQLITE, ".db", _sqlite()),
    "node.settings.Settings.decode": Parser(
        (SETTINGS,), lambda raw: Settings.decode(raw.decode("utf-8", "replace"), "entrepot.toml")
    ),
}
