"""The owner's view of both sides: a consumer asks the provider for its records, and sees what differs."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from entrepot.contracts import Party, Status, open_envelope, read_payload, render_agreement
from entrepot.contracts import store as contract_store
from entrepot.journal import Journal, Transaction
from entrepot.ledger import decode_receipt, keep_receipt, render_note_key, write_record
from entrepot.node.roles.side_owner import side_routes
from entrepot.oversight import EvidenceError, OpeningsRequest, pack
from entrepot.protocols import Call
from entrepot.space import read_statement
from entrepot.values import canonical, sha256

NAME = "evidence_story"
if NAME not in sys.modules:
    _SPEC = importlib.util.spec_from_file_location(NAME, Path(__file__).parents[1] / "oversight" / "story.py")
    assert _SPEC is not None
    assert _SPEC.loader is not None
    sys.modules[NAME] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules[NAME])
story: Any = sys.modules[NAME]

LATER = datetime(2030, 1, 1, tzinfo=UTC)
USE = "urn:uuid:use"


class Provider:
    """The other side, as the client of the national protocol reaches it."""

    def __init__(self) -> None:
        self.package = b""
        self.asked: list[tuple[str, OpeningsRequest]] = []

    async def openings(self, party: str, statement: bytes) -> bytes:
        self.asked.append((party, read_statement(statement, OpeningsRequest).content))
        return self.package


class Signer:
    """The consumer's evidence key as its vault gives it."""

    key_id = story.CONSUMER.key_id
    sign = staticmethod(story.CONSUMER.key.sign)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    ids = iter(range(1_000))
    one = Journal.open(f"sqlite:///{tmp_path / 'n.db'}", lambda: story.NOON, lambda: f"urn:uuid:{next(ids)}")
    one.create_schema()
    yield one
    one.close()


def keep(tx: Transaction, party: Party, envelope: bytes) -> None:
    terms = read_payload(open_envelope(envelope).raw_payload)
    agreement = terms.agreement
    other = agreement.assigner if party is Party.CONSUMER else agreement.assignee
    values = {
        "agreement_id": agreement.id, "contract_id": terms.contract_id, "negotiation_id": "n",
        "party": str(party), "counterparty": other, "status": str(Status.PERFORMING),
        "agreement": canonical.encode(render_agreement(agreement)), "product_digest": terms.product_digest,
        "envelope": envelope, "envelope_digest": sha256(envelope), "receipt": b"", "one_sided": False,
        "ends_at": None, "end_reason": None, "ended_at": None, "end_told": True,
        "vouched_by": "",
    }  # fmt: skip
    contract_store.keep_contract(tx, values)


def call(journal: Journal, provider: Provider, method: str) -> Any:
    witnesses = [render_note_key(key) for key in story.WITNESS_KEYS]
    space = SimpleNamespace(ledger_key=render_note_key(story.LOG_KEY), witnesses=witnesses, quorum=2)
    node: Any = SimpleNamespace(
        journal=journal,
        clock=lambda: story.NOON,
        vault=SimpleNamespace(signer=lambda _job: Signer),
        settings=SimpleNamespace(space=space),
    )
    client: Any = provider
    (route,) = [r for r in side_routes(node, client) if r.method == method]
    return json.loads(asyncio.run(route.handle(Call({"id": USE}, b"", {}, {}))).body)  # type: ignore[arg-type]


def consumer(journal: Journal, **facts: Any) -> Any:
    """A consumer's node with its record, its receipt and its contract."""
    signed = decode_receipt(story.signed_receipt(msgspec.structs.replace(story.RECEIPT, **facts)))

    def fill(tx: Transaction) -> None:
        keep(tx, Party.CONSUMER, story.envelope())
        write_record(tx, story.record_of(signed.raw), LATER)
        keep_receipt(tx, signed, LATER)

    journal.write_now(fill)
    return signed


def test_a_consumer_sees_its_own_side_until_it_asks(journal: Journal) -> None:
    """Nobody is accused of what was not asked yet; then both sides stand beside each other and agree."""
    signed, provider = consumer(journal), Provider()
    provider.package = pack(story.usual(receipt=signed.raw).package())

    alone = call(journal, provider, "GET")
    assert (alone["verdict"], alone["provider"], len(alone["consumer"])) == (None, [], 1)
    assert provider.asked == []
    both = call(journal, provider, "POST")
    assert (both["verdict"], both["disagreements"], both["receipt"]) == ("agreed", [], signed.digest)
    assert [record["kind"] for record in both["provider"]] == ["opened", "closed"]
    ((party, request),) = provider.asked
    assert (party, request.use, request.contract) == (story.PROVIDER.did, USE, story.CONTRACT)


def test_where_they_differ_both_words_are_shown(journal: Journal) -> None:
    """The provider says eight bytes and the consumer seven: nobody is right by being asked."""
    signed, provider = consumer(journal, bytes=7), Provider()
    provider.package = pack(story.usual(receipt=signed.raw, anchored=False).package())
    both = call(journal, provider, "POST")

    assert both["verdict"] == "differs"
    assert both["disagreements"] == [{"fact": "size", "provider": "8", "consumer": "7"}]


def test_what_the_provider_shows_is_verified_before_it_counts(journal: Journal) -> None:
    """Records that lead to no witnessed log are no records."""
    signed, provider = consumer(journal), Provider()
    unseen = story.usual(receipt=signed.raw)
    unseen.cosigners = 1
    provider.package = pack(unseen.package())
    with pytest.raises(EvidenceError, match="too few witnesses"):
        call(journal, provider, "POST")


def test_a_provider_asks_nobody(journal: Journal) -> None:
    """It has the consumer's receipt at hand, or none."""

    def fill(tx: Transaction) -> None:
        keep(tx, Party.PROVIDER, story.envelope())
        for record in (story.OPENED, story.CLOSED):
            write_record(tx, record, LATER)

    journal.write_now(fill)
    provider = Provider()
    assert call(journal, provider, "POST")["verdict"] == "no receipt"
    assert provider.asked == []
