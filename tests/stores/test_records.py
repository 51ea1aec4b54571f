"""What records, batches and openings promise, on whichever database they stand."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from nacl.signing import SigningKey
from sqlalchemy import Connection

from entrepot import ledger as led
from entrepot.identity import PublicKey, Signer
from entrepot.journal import Journal, Transaction
from entrepot.ledger import BatchState, Record, RecordKind, Units
from entrepot.values import Did, Digest, KeyId, UnavailableError, UseId

NOW = datetime.now(UTC)
FAR = NOW + timedelta(days=1)


class Key:
    """An Ed25519 key that is always the same."""

    _key = SigningKey(bytes(32))
    public = PublicKey("ed25519", bytes(_key.verify_key))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature


KEY = cast("Signer", Key())


def contract(number: int) -> str:
    return f"{number:046d}{'A' if number % 2 else '*'}"


def record(use: int, number: int) -> Record:
    return Record(
        at="2026-11-25T08:00:00.000000Z",
        consumer="did:web:beta.example",
        contract=contract(number),
        kind=RecordKind.OPENED,
        product="urn:uuid:1",
        units=Units(uses=1, rows=use),
        use=f"urn:uuid:{use}",
    )


def write(journal: Journal, use: int, number: int, until: datetime = FAR) -> int:
    return journal.write_now(lambda tx: led.write_record(tx, record(use, number), until))


def seal(journal: Journal, holder: str = "one", limit: int = 1000) -> led.Batch | None:
    """Seal a batch and take it as committed, so that the next may follow."""

    def use_case(tx: Transaction) -> led.Batch | None:
        batch = led.seal_records(tx, holder, limit)
        if batch is not None:
            raw = led.sign_batch(
                batch,
                chain="ledger.example",
                height=1,
                actor=Did("did:web:alpha.example"),
                key=KeyId("did:web:alpha.example#evidence-1"),
                signer=KEY,
            )
            led.submit_batch(tx, batch.number, raw, "https://ledger.example", FAR)
            led.batch_committed(tx, batch.number, batch.number)
        return batch

    return journal.write_now(use_case)


def submitted(journal: Journal) -> led.Batch:
    """Seal what waits, if anything does, and queue the last batch for the ledger."""

    def use_case(tx: Transaction) -> led.Batch:
        led.seal_records(tx, "one")
        (batch,) = led.batches_in(tx.connection, BatchState.SEALED)
        raw = led.sign_batch(
            batch,
            chain="ledger.example",
            height=1,
            actor=Did("did:web:alpha.example"),
            key=KeyId("did:web:alpha.example#evidence-1"),
            signer=KEY,
        )
        led.submit_batch(tx, batch.number, raw, "https://ledger.example", FAR)
        return batch

    return journal.write_now(use_case)


def require_proof(journal: Journal, row: int, use: int) -> led.ContractLeaf:
    def query(c: Connection) -> led.ContractLeaf:
        (written,) = led.records_of(c, UseId(f"urn:uuid:{use}"))
        proof = led.proof_of(c, row)
        assert proof is not None
        assert written.batch is not None
        batch = led.batch_of(c, written.batch)
        assert batch is not None
        return led.verify_record(led.commitment(written.salt, written.body), proof, batch.root)

    return journal.read_now(query)


class RecordsContract:
    """What every store of records promises. Subclasses provide `journal`."""

    def test_records_are_numbered_without_gaps_and_proved(self, journal: Journal) -> None:
        """Two batches over several contracts: every record is provable, numbers go on."""
        rows = [write(journal, use, use % 3) for use in range(7)]
        batches = [seal(journal, limit=4), seal(journal, limit=4), seal(journal)]
        leaves = [require_proof(journal, row, use) for use, row in enumerate(rows)]

        assert [b and (b.number, b.count) for b in batches] == [(1, 4), (2, 3), None]
        assert batches[1] is not None
        assert batches[0] is not None
        assert batches[1].previous == batches[0].root
        assert [(leaf.first, leaf.last) for leaf in leaves] == [
            (1, 2), (1, 1), (1, 1), (1, 2), (2, 2), (2, 2), (3, 3)
        ]  # fmt: skip

    def test_writers_and_sealers_at_once_lose_nothing(self, journal: Journal) -> None:
        """Rows become visible out of order here; none may be passed over, none numbered twice."""
        with ThreadPoolExecutor(6) as threads:
            written = [threads.submit(write, journal, use, use % 2) for use in range(40)]
            sealed = [threads.submit(seal, journal, f"holder {n % 2}", 3) for n in range(12)]
            rows = [each.result() for each in written]
            [each.result() for each in sealed]
        holder = next(h for h in ("holder 0", "holder 1", "new") if seal(journal, h, 100) or h == "new")
        while seal(journal, holder) is not None:
            pass

        batches = journal.read_now(lambda c: led.batches_in(c, *BatchState, limit=1000))
        assert sum(batch.count for batch in batches) == 40
        assert [b.number for b in batches] == list(range(1, len(batches) + 1))
        roots: list[Digest | None] = [None, *(b.root for b in batches)]
        assert [b.previous for b in batches] == roots[:-1]
        for use, row in enumerate(rows):
            require_proof(journal, row, use)

    def test_openings_go_and_commitments_stay(self, journal: Journal) -> None:
        """Destroyed is what is sealed and due; a record that waits for its batch is kept whole."""
        past = NOW - timedelta(days=1)
        gone, kept = write(journal, 0, 1, past), write(journal, 1, 1)
        assert journal.write_now(led.destroy_openings) == 0
        seal(journal)
        waiting = write(journal, 2, 1, past)

        assert journal.write_now(led.destroy_openings) == 1
        assert journal.read_now(lambda c: led.records_of(c, UseId("urn:uuid:0"))) == []
        assert journal.read_now(lambda c: led.proof_of(c, gone)) is not None
        require_proof(journal, kept, 1)
        assert seal(journal) is not None
        require_proof(journal, waiting, 2)

    def test_a_restored_node_goes_on_behind_what_it_has_forgotten(self, journal: Journal) -> None:
        """The ledger has batches 2 and 3 of which it knows nothing: its own becomes number 4."""
        write(journal, 0, 1)
        first = seal(journal)
        assert first is not None
        row = write(journal, 1, 1)
        submitted(journal)
        forgotten = [
            led.Anchored(2, first.root, Digest(b"2" * 32), 11),
            led.Anchored(3, Digest(b"2" * 32), Digest(b"3" * 32), 15),
        ]

        assert journal.read_now(led.lost_batches) is None
        assert journal.write_now(lambda tx: led.rejoin_batches(tx, 2, forgotten)) == 2
        assert journal.read_now(led.lost_batches) == (2, 3)
        assert journal.write_now(lambda tx: led.rejoin_batches(tx, 2, forgotten)) == 0
        batches = journal.read_now(lambda c: led.batches_in(c, *BatchState))
        assert [(b.number, b.count, str(b.state)) for b in batches] == [
            (1, 1, "committed"), (2, 0, "witnessed"), (3, 0, "witnessed"), (4, 1, "sealed")
        ]  # fmt: skip
        roots = [None, *(b.root for b in batches)]
        assert [b.previous for b in batches] == roots[:-1]
        require_proof(journal, row, 1)
        submitted(journal)
        journal.write_now(lambda tx: led.batch_committed(tx, 4, 20))
        write(journal, 2, 1)
        after = seal(journal)
        assert after is not None
        assert after.number == 5

    def test_a_batch_that_the_ledger_had_taken_already_is_not_sent_twice(self, journal: Journal) -> None:
        """A backup from between sealing and sending: the old node has sent that very batch."""
        write(journal, 0, 1)
        batch = submitted(journal)
        theirs = [led.Anchored(1, None, batch.root, 3), led.Anchored(2, batch.root, Digest(b"2" * 32), 8)]

        assert journal.write_now(lambda tx: led.rejoin_batches(tx, 1, theirs)) == 1
        batches = journal.read_now(lambda c: led.batches_in(c, *BatchState))
        assert [(b.number, b.position, b.count) for b in batches] == [(1, 3, 1), (2, 8, 0)]
        write(journal, 1, 1)
        after = seal(journal)
        assert after is not None
        assert (after.number, after.previous) == (3, Digest(b"2" * 32))

    def test_a_refusal_that_the_log_does_not_explain_changes_nothing(self, journal: Journal) -> None:
        """What the published log does not show yet will be there in a moment; until then nothing is moved."""
        write(journal, 0, 1)
        submitted(journal)

        with pytest.raises(UnavailableError):
            journal.write_now(lambda tx: led.rejoin_batches(tx, 1, []))
        batches = journal.read_now(lambda c: led.batches_in(c, *BatchState))
        assert [(b.number, str(b.state)) for b in batches] == [(1, "submitted")]

    def test_the_wait_is_told_from_the_oldest(self, journal: Journal) -> None:
        """The age that stops the gate counts from the first record that no committed batch holds."""
        write(journal, 0, 1)
        later = datetime.now(UTC) + timedelta(hours=1)
        assert journal.read_now(lambda c: led.oldest_unanchored(c, later)) >= timedelta(hours=1)
        assert journal.read_now(lambda c: led.oldest_unanchored(c, NOW - timedelta(days=1))) == timedelta()


class TestRecordsOnSqlite(RecordsContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestRecordsOnPostgresql(RecordsContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
