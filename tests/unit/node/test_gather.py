"""What a node gathers for evidence: its own records, the log's entries, and when each was first seen."""

import asyncio
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from entrepot.contracts import Party, Status, open_envelope, read_payload, render_agreement
from entrepot.contracts import store as contract_store
from entrepot.identity import PublicKey
from entrepot.journal import Journal, Transaction
from entrepot.ledger import (
    AddCheckpoint,
    EmbeddedLedger,
    Genesis,
    Witness,
    batch_committed,
    batch_witnessed,
    decode_receipt,
    decode_signatures,
    encode_add_checkpoint,
    keep_receipt,
    parse_note_key,
    render_note_key,
    seal_records,
    sign_batch,
    submit_batch,
    write_record,
)
from entrepot.node.gather import evidence_of
from entrepot.oversight import verify_evidence, write_policy
from entrepot.protocols import Call, Reply
from entrepot.protocols.tlog import LedgerClient, ledger_routes
from entrepot.values import EntrepotError, UnavailableError, UseId, canonical, sha256

NAME = "evidence_story"
if NAME not in sys.modules:
    _SPEC = importlib.util.spec_from_file_location(NAME, Path(__file__).parents[1] / "oversight" / "story.py")
    assert _SPEC is not None
    assert _SPEC.loader is not None
    sys.modules[NAME] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules[NAME])
story: Any = sys.modules[NAME]

LATER = datetime(2030, 1, 1, tzinfo=UTC)
USE = UseId("urn:uuid:use")
SOON = timedelta(seconds=5)


class Signer:
    """A key of the story as the ledger wants it."""

    def __init__(self, key: Any) -> None:
        self.sign, self.public = key.sign, PublicKey("ed25519", key.raw)


class Node:
    """A provider's node with its journal, beside a real ledger and one real witness."""

    def __init__(self, folder: Path) -> None:
        self.now = story.NOON
        clock = lambda: self.now  # noqa: E731 (moved by the test)
        operator = story.OPERATOR
        genesis = Genesis(story.CHAIN, story.CODE, operator.key_id, operator.did, operator.key.raw.hex(), 1)
        witness_key = story.WITNESS_KEYS[0]
        self._ledger = EmbeddedLedger(
            folder / "ledger.db", genesis, Signer(story.LOG), clock=clock, witnesses=[witness_key]
        )
        self._witness = Witness(
            folder / "w.db", witness_key.name, Signer(story.WITNESSES[0]), [story.LOG_KEY], clock
        )
        self._routes = ledger_routes(self._ledger, genesis, "/ledger")
        self.ledger = LedgerClient(self._call, "http://ledger.example/ledger", story.LOG_KEY)
        ids = iter(range(1_000))
        self.journal = Journal.open(f"sqlite:///{folder / 'node.db'}", clock, lambda: f"urn:uuid:{next(ids)}")
        self.journal.create_schema()
        self.policy = write_policy(
            render_note_key(story.LOG_KEY),
            [render_note_key(parse_note_key(render_note_key(witness_key)))],
            1,
            (operator.key_id, operator.key.raw.hex()),
        )

    def close(self) -> None:
        self._ledger.close()
        self._witness.close()
        self.journal.close()

    def at(self, time: datetime, *transactions: bytes) -> None:
        """Let the ledger commit, and a moment later the witness cosign."""
        self.now = time
        for raw in transactions:
            self._ledger.outcome(self._ledger.submit(raw)).result(10)
        self.now = time + SOON
        self.cosign()

    def cosign(self) -> None:
        old, head, size = (
            self._ledger.size_known_to("witness-0.example"),
            self._ledger.head(),
            self._ledger.standing().size,
        )
        proof = self._ledger.log.prove_consistency(old, size)
        line = self._witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(old, proof, head)))
        self._ledger.cosigned(head, decode_signatures(line))

    def anchor(self, time: datetime, record: Any) -> None:
        """Write a record down, and bring its batch to the ledger and its witness."""
        self.now = time
        self.journal.write_now(lambda tx: write_record(tx, record, LATER))
        batch = self.journal.write_now(lambda tx: seal_records(tx, "boot"))
        assert batch is not None
        provider = story.PROVIDER
        raw = sign_batch(
            batch,
            chain=story.CHAIN,
            height=0,
            actor=provider.did,
            key=provider.key_id,
            signer=Signer(provider.key),
        )
        self.journal.write_now(lambda tx: submit_batch(tx, batch.number, raw, "ledger", LATER))
        place = self._ledger.outcome(self._ledger.submit(raw)).result(10).number
        assert place is not None
        self.journal.write_now(lambda tx: batch_committed(tx, batch.number, place))
        self.now = time + SOON
        self.cosign()
        self.journal.write_now(lambda tx: batch_witnessed(tx, batch.number))

    def keep_contract(self, envelope: bytes) -> None:
        terms = read_payload(open_envelope(envelope).raw_payload)

        def keep(tx: Transaction) -> None:
            agreement = terms.agreement
            values = {
                "agreement_id": agreement.id, "contract_id": terms.contract_id, "negotiation_id": "n",
                "party": str(Party.PROVIDER), "counterparty": agreement.assignee,
                "status": str(Status.PERFORMING), "agreement": canonical.encode(render_agreement(agreement)),
                "product_digest": terms.product_digest, "envelope": envelope,
                "envelope_digest": sha256(envelope), "receipt": b"", "one_sided": False, "ends_at": None,
                "end_reason": None, "ended_at": None, "end_told": True,
            }  # fmt: skip
            contract_store.keep_contract(tx, values)

        self.journal.write_now(keep)

    async def _call(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        del max_bytes
        parts = urlsplit(url)
        for route in self._routes:
            whole = re.sub(r"\{(\w+)(:path)?\}", r"(?P<\1>[^/]+)", route.path)
            match = re.fullmatch(whole, parts.path)
            if match and route.method == method:
                try:
                    call = Call(match.groupdict(), body, headers or {}, dict(parse_qsl(parts.query)))
                    response = await route.handle(call)
                except EntrepotError as error:
                    return Reply(error.status, b"{}", {})
                return Reply(response.status, response.body, {})
        raise UnavailableError(f"nobody at {url}")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    one = Node(tmp_path)
    one.cosign()
    yield one
    one.close()


def gathered(node: Node) -> dict[str, bytes]:
    stub: Any = SimpleNamespace(journal=node.journal, ledger=node.ledger)
    return asyncio.run(evidence_of(stub, USE))


def test_each_entry_is_dated_by_the_first_head_that_was_witnessed_over_it(node: Node) -> None:
    """Hours of other traffic come after the use; its time of record stays that of its own minute."""
    noon, envelope = story.NOON, story.envelope()
    node.keep_contract(envelope)
    node.at(noon - timedelta(hours=3), story.admit(story.PROVIDER), story.admit(story.CONSUMER))
    node.at(noon - timedelta(hours=2), story.file(envelope))
    node.anchor(noon + timedelta(minutes=1), story.OPENED)
    node.anchor(noon + timedelta(minutes=2), story.CLOSED)
    receipt = decode_receipt(story.signed_receipt())
    node.journal.write_now(lambda tx: keep_receipt(tx, receipt, LATER))
    for hour in (1, 2):
        node.at(noon + timedelta(hours=hour), story.admit(story.Actor(f"later{hour}")))
    report = verify_evidence(gathered(node), node.policy)

    assert (report.verdict, report.receipt) == ("verified", "agreed")
    assert [w["at"] for w in report.witnessed] == ["2026-11-25T14:00:05.000000Z"]
    assert [(e["op"], e["there_by"][11:19]) for e in report.entries] == [
        ("member.admit", "09:00:05"),
        ("member.admit", "09:00:05"),
        ("contract.file", "10:00:05"),
        ("usage.batch", "12:01:05"),
        ("usage.batch", "12:02:05"),
    ]


def test_nothing_is_given_before_the_witnesses_have_it_all(node: Node) -> None:
    """Evidence waits: what only the log has signed proves nothing to a stranger."""
    envelope = story.envelope()
    node.keep_contract(envelope)
    node.at(story.NOON, story.admit(story.PROVIDER), story.admit(story.CONSUMER), story.file(envelope))
    node.journal.write_now(lambda tx: write_record(tx, story.OPENED, LATER))
    with pytest.raises(UnavailableError):
        gathered(node)
