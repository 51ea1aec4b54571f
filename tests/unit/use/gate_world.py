"""A provider's journal with one product, one contract in force, one open door: what the gate stands on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from entrepot import catalogue, policy
from entrepot.catalogue import Column, ColumnType
from entrepot.contracts import (
    Agreement,
    Contract,
    Party,
    Status,
    agreement_of,
    ends_at,
    render_agreement,
    store,
)
from entrepot.identity import (
    KeyJob,
    Membership,
    PublicKey,
    Vault,
    issue_membership,
    remember_membership,
    remember_status_list,
)
from entrepot.identity.status import StatusList
from entrepot.journal import Journal, Transaction
from entrepot.ledger import Record, RecordKind, records_of
from entrepot.policy import Fact, Facts, Policy, parse_policy
from entrepot.use import Admitted, Denied, Door, House, Knock, Outcome, Spent, admit, facts_of, settle
from entrepot.use import store as use_store
from entrepot.use.process import token_digest
from entrepot.values import (
    AgreementId,
    Did,
    Grade,
    KeyId,
    KindOfUse,
    ProcessId,
    ProductId,
    UseId,
    canonical,
    sha256,
)

PROVIDER, CONSUMER, PLATFORM = Did("did:web:provider"), Did("did:web:consumer"), Did("did:web:platform")
CONTRACT = "1491310000MA1FL0000N31012026112508010854RZ32S1A"
AGREEMENT = AgreementId(CONTRACT)
PROCESS, OTHER = ProcessId("urn:uuid:process"), ProcessId("urn:uuid:other")
ASKING, CALLING = ProcessId("urn:uuid:asking"), ProcessId("urn:uuid:calling")
TOKEN = "the token of the door"
LIST = "http://platform/statusList"
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
LIMIT = 2
END = "2026-12-31T00:00:00Z"


class World:
    """One provider, at a time that the test moves."""

    def __init__(
        self,
        folder: Path,
        terms: Policy | None = None,
        kinds: frozenset[KindOfUse] = frozenset({KindOfUse.DELIVERY, KindOfUse.QUERY}),
        grade: Grade = Grade.L2,
    ) -> None:
        self.now = NOW
        self.folder = folder
        self.terms = TERMS if terms is None else terms
        self._ids = 0
        self.journal = Journal.open(f"sqlite:///{folder / 'node.db'}", lambda: self.now, self._new_id)
        self.journal.create_schema()
        self.house = House(PROVIDER, "boot-1", timedelta(seconds=60), timedelta(hours=1))
        vault = Vault.create(folder / "vault", "a passphrase for tests", PLATFORM, (KeyJob.IDENTITY,))
        data = folder / "data.csv"
        data.write_text("a,b\n1,2\n")
        measured = catalogue.measure(data, "text/csv", "resource-1")
        columns = (Column("a", ColumnType.INTEGER), Column("b", ColumnType.INTEGER))
        resource = replace(measured, columns=columns, rows=1)
        self.membership = Membership(
            did=CONSUMER, issuer=PLATFORM, connector_code="5" * 32, subject_code="9" * 18, region="3101",
            roles=("consumer",), evidence_key_id=KeyId(f"{CONSUMER}#evidence-1"),
            evidence_key=PublicKey("ed25519", bytes(32)), status_url=LIST, status_index=1,
            valid_from=NOW - timedelta(days=1), valid_until=NOW + timedelta(days=300),
        )  # fmt: skip
        credential = issue_membership(vault.signer(KeyJob.IDENTITY), self.membership)

        def fill(tx: Transaction) -> None:
            catalogue.attach_resource(tx, resource)
            described = catalogue.Description(
                "Data",
                "Rows of data.",
                "research",
                grade,
                kinds,
                self.terms,
            )
            product = catalogue.offer_product(tx, ProductId("6PRODUCT"), PROVIDER, "resource-1", described)
            self._keep_contract(tx, product)
            remember_membership(tx, credential, self.membership)
            for process in (PROCESS, OTHER):
                door = Door(process, AGREEMENT, CONSUMER, "HttpData-PULL", 1)
                use_store.open_door(tx, door, token_digest(TOKEN))
            for process, format_ in ((ASKING, "EntrepotQuery-PULL"), (CALLING, "EntrepotApi-PULL")):
                door = Door(process, AGREEMENT, CONSUMER, format_, 1)
                use_store.open_door(tx, door, token_digest(TOKEN))

        self.journal.write_now(fill)
        self.learn_status()

    def learn_status(self, *, revoked: bool = False) -> None:
        """A status list signed now comes in."""
        bits = bytearray(16_384)
        if revoked:
            bits[0] |= 1 << 6
        found = StatusList(PLATFORM, LIST, self.now, bytes(bits))
        self.journal.write_now(lambda tx: remember_status_list(tx, found, "signed"))

    def knock(self, process: ProcessId = PROCESS, **other: object) -> Admitted | Denied:
        knock = replace(Knock(process, TOKEN, KindOfUse.DELIVERY, "research"), **other)  # type: ignore[arg-type]
        return self.journal.write_now(lambda tx: admit(tx, knock, self.house))

    def ask(self) -> Admitted | Denied:
        return self.knock(ASKING, kind=KindOfUse.QUERY)

    def settle(self, use_id: UseId, outcome: Outcome, sent: int = 0, **spent: object) -> object:
        came_to = replace(Spent(bytes=sent), **spent)  # type: ignore[arg-type]  # as the test names them
        return self.journal.write_now(lambda tx: settle(tx, self.house, use_id, outcome, came_to))

    def contract(self, connection: Connection) -> Contract:
        """The one contract, as it stands."""
        found = agreement_of(connection, AGREEMENT)
        assert found is not None
        return found

    def facts(self, kind: KindOfUse, terms: Policy, observed: Mapping[str, Fact]) -> Facts:
        """All that would be known of a call of this kind under other terms."""
        knock = Knock(PROCESS, TOKEN, kind, "research", observed)

        def gather(connection: Connection) -> Facts:
            contract = self.contract(connection)
            agreed = replace(contract, agreement=replace(contract.agreement, policy=terms))
            plan = policy.compile_policy(terms)
            return facts_of(connection, agreed, plan, self.membership, knock, self.now, reserved=False)

        return self.journal.read_now(gather)

    def records(self, use_id: UseId) -> list[Record]:
        return [w.record for w in self.journal.read_now(lambda c: records_of(c, use_id))]

    def kinds(self, use_id: UseId) -> list[RecordKind]:
        return [record.kind for record in self.records(use_id)]

    def reboot(self) -> None:
        self.house = replace(self.house, boot=self.house.boot + "+")

    def close(self) -> None:
        self.journal.close()

    def _new_id(self) -> str:
        self._ids += 1
        return f"urn:uuid:{self._ids}"

    def _keep_contract(self, tx: Transaction, product: catalogue.Product) -> None:
        agreement = Agreement(AGREEMENT, product.id, self.terms, PROVIDER, CONSUMER, NOW - timedelta(hours=1))
        store.keep_contract(
            tx,
            {
                "agreement_id": agreement.id, "contract_id": CONTRACT, "negotiation_id": "urn:uuid:n",
                "party": str(Party.PROVIDER), "counterparty": CONSUMER, "status": str(Status.PERFORMING),
                "agreement": canonical.encode(render_agreement(agreement)),
                "product_digest": catalogue.product_digest(product), "envelope": b"",
                "envelope_digest": sha256(b""), "receipt": b"", "one_sided": False,
                "ends_at": ends_at(self.terms), "end_reason": None, "ended_at": None, "end_told": True,
            },
        )  # fmt: skip


TERMS = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "research"},
                    {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": str(LIMIT)},
                    {
                        "leftOperand": "odrl:dateTime",
                        "operator": "lteq",
                        "rightOperand": "2026-12-31T00:00:00Z",
                    },
                    {"leftOperand": "odrl:spatial", "operator": "isPartOf", "rightOperand": "31"},
                ],
            }
        ]
    }
)
assert policy.contradictions(TERMS) == ()


def admitted(found: Admitted | Denied) -> Admitted:
    assert isinstance(found, Admitted), found
    return found


def denied(found: Admitted | Denied) -> Denied:
    assert isinstance(found, Denied), found
    return found
