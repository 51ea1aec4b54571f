"""From records to anchored batches: nothing lost, nothing twice, no number skipped, whatever stops it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from entrepot import journal as j
from entrepot.journal import Journal
from entrepot.ledger import (
    BatchState,
    Comparison,
    ProofError,
    Receipt,
    Record,
    RecordKind,
    TransactionState,
    Units,
    UsageBatch,
    batch_committed,
    batch_of,
    batch_witnessed,
    batches_in,
    commitment,
    compare,
    decode_leaf,
    decode_receipt,
    decode_transaction,
    destroy_openings,
    keep_receipt,
    oldest_unanchored,
    oldest_unwitnessed,
    proof_of,
    receipt_of,
    records_of,
    resubmit_batch,
    seal_records,
    sign_batch,
    sign_receipt,
    submit_batch,
    verify_record,
    write_record,
)
from entrepot.values import (
    ConflictError,
    Did,
    KeyId,
    MalformedError,
    NotFoundError,
    UseId,
    canonical,
    parse_digest,
    render_digest,
    sha256,
)

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
FAR = START + timedelta(days=3650)
ADDRESS = "https://ledger.example"


def contract(number: int) -> str:
    return f"{number:046d}A"


def record(use: int, number: int = 1, kind: RecordKind = RecordKind.OPENED, **facts: Any) -> Record:
    return Record(
        at="2026-11-25T08:00:00.000000Z",
        consumer="did:web:beta.example",
        contract=contract(number),
        kind=kind,
        product="urn:uuid:1",
        use=f"urn:uuid:{use}",
        **{"units": Units(uses=1)} | facts,
    )


class Ledger:
    """Takes batches by the rule of the real one, and forgets nothing when a node dies."""

    def __init__(self, taken: list[tuple[str, UsageBatch]] | None = None) -> None:
        self.taken = list(taken or [])

    def submit(self, raw: bytes) -> None:
        signed = decode_transaction(raw)
        if self.find(signed.id) is not None:
            return
        body = canonical.decode_struct(bytes(signed.transaction.body), UsageBatch)
        before = self.taken[-1][1].root if self.taken else None
        assert (body.number, body.previous) == (len(self.taken) + 1, before)
        self.taken.append((signed.id, body))

    def find(self, name: str) -> int | None:
        return next((at for at, (taken, _) in enumerate(self.taken) if taken == name), None)


class Worker:
    """What a node's anchoring loop does, one step a call; each starts from what is written."""

    def __init__(self, journal: Journal, ledger: Ledger, alpha: Any, limit: int = 3) -> None:
        self.journal, self.ledger, self.alpha, self.limit = journal, ledger, alpha, limit

    def seal(self) -> object:
        return self.journal.write_now(lambda tx: seal_records(tx, "worker", self.limit))

    def sign(self, height: int = 0) -> object:
        batches = self.journal.read_now(lambda c: batches_in(c, BatchState.SEALED))
        for batch in batches:
            raw = self.signed(batch, height)
            self.journal.write_now(lambda tx, b=batch, r=raw: submit_batch(tx, b.number, r, ADDRESS, FAR))
        return batches

    def signed(self, batch: Any, height: int = 0) -> bytes:
        return sign_batch(
            batch,
            chain="ledger.example/space",
            height=height,
            actor=Did(self.alpha.did),
            key=KeyId(self.alpha.key_id),
            signer=self.alpha.key,
        )

    def send(self) -> object:
        messages = self.journal.write_now(lambda tx: j.claim(tx, "sender", ("ledger",), 0.0))
        for message in messages:
            self.ledger.submit(message.body)
            self.journal.write_now(lambda tx, m=message: j.settle(tx, m.id))
        return messages

    def ask(self) -> object:
        """Ask the ledger; a batch is looked at as committed first, and as witnessed the next time."""
        moved = False
        for batch in self.journal.read_now(
            lambda c: batches_in(c, BatchState.SUBMITTED, BatchState.COMMITTED)
        ):
            at = self.ledger.find(decode_transaction(batch.transaction or b"").id)
            if at is None:
                continue
            moved = True
            if batch.state is BatchState.SUBMITTED:
                self.journal.write_now(lambda tx, b=batch, p=at: batch_committed(tx, b.number, p))
            else:
                self.journal.write_now(lambda tx, b=batch: batch_witnessed(tx, b.number))
        return moved

    def finish(self) -> None:
        while any([self.seal(), self.sign(), self.send(), self.ask()]):
            pass


def require_whole(journal: Journal, ledger: Ledger, uses: int) -> None:
    """Every record is in exactly one batch of the ledger, provably; numbers have no gap."""
    by_contract: dict[str, list[int]] = {}
    for use in range(uses):
        for written in journal.read_now(lambda c, u=use: records_of(c, UseId(f"urn:uuid:{u}"))):
            proof = journal.read_now(lambda c, r=written.row: proof_of(c, r))
            assert proof is not None
            assert written.batch is not None
            root = parse_digest(ledger.taken[written.batch - 1][1].root)
            leaf = verify_record(commitment(written.salt, written.body), proof, root)
            assert leaf.contract == written.record.contract
            by_contract.setdefault(leaf.contract, []).append(proof.number)
    for numbers in by_contract.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
    batches = journal.read_now(lambda c: batches_in(c, *BatchState, limit=10_000))
    assert [render_digest(b.root) for b in batches] == [body.root for _, body in ledger.taken]
    assert sum(b.count for b in batches) == sum(map(len, by_contract.values()))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(f"sqlite:///{tmp_path}/node.db", clock=lambda: START) as journal:
        journal.create_schema()
        yield journal


@pytest.fixture
def write(journal: Journal) -> Callable[..., int]:
    return lambda *args, **facts: journal.write_now(
        lambda tx: write_record(tx, record(*args, **facts), facts.pop("until", FAR))
    )


@pytest.fixture
def worker(journal: Journal, space: Any) -> Worker:
    return Worker(journal, Ledger(), space.alpha)


def test_records_go_all_the_way(journal: Journal, write: Any, worker: Worker) -> None:
    """The plain case: records of two contracts in two batches, each proved against the ledger."""
    for use in range(4):
        write(use, use % 2)
    write(0, 0, RecordKind.CLOSED, units=Units(bytes=7, rows=3, seconds=2))
    worker.finish()

    require_whole(journal, worker.ledger, 4)
    assert [b.count for b in journal.read_now(lambda c: batches_in(c, BatchState.WITNESSED))] == [3, 2]
    written = journal.read_now(lambda c: records_of(c, UseId("urn:uuid:0")))
    proof = journal.read_now(lambda c: proof_of(c, written[1].row))
    assert proof is not None
    assert decode_leaf(proof.leaf).sums == Units(bytes=7, rows=3, seconds=2)
    assert [w.record.kind for w in written] == [RecordKind.OPENED, RecordKind.CLOSED]


def test_the_real_ledger_takes_the_batches(
    journal: Journal, write: Any, worker: Worker, space: Any, tmp_path: Path
) -> None:
    """What is signed here is what the state machine asks for."""
    from entrepot.ledger import EmbeddedLedger

    ledger = EmbeddedLedger(tmp_path / "ledger.db", space.genesis, space.log, clock=space.Clock())
    for raw in space.admissions[:1]:
        assert ledger.outcome(ledger.submit(raw)).result(10).state is TransactionState.COMMITTED
    for use in range(5):
        write(use)
    for number in (1, 2):
        worker.seal()
        worker.sign()
        (batch,) = journal.read_now(lambda c: batches_in(c, BatchState.SUBMITTED))
        status = ledger.outcome(ledger.submit(batch.transaction or b"")).result(10)
        assert (batch.number, status.state) == (number, TransactionState.COMMITTED)
        position = status.number or 0
        journal.write_now(lambda tx, n=number, p=position: batch_committed(tx, n, p))
    ledger.close()


def test_a_kill_at_any_statement_loses_and_repeats_nothing(space: Any, tmp_path: Path) -> None:
    """The files are taken as a kill would leave them, at every statement and commit of a whole life."""
    images: list[tuple[Path, list[tuple[str, UsageBatch]], int]] = []
    acknowledged = 0
    ledger, numbers = Ledger(), count()

    def image(*_: object) -> None:
        folder = tmp_path / f"image {next(numbers)}"
        folder.mkdir()
        for name in ("node.db", "node.db-wal"):
            shutil.copy(tmp_path / name, folder / name)
        images.append((folder, list(ledger.taken), acknowledged))

    with Journal.open(f"sqlite:///{tmp_path}/node.db", clock=lambda: START) as journal:
        journal.create_schema()
        for moment in ("before_cursor_execute", "commit"):
            sa.event.listen(journal._writing, moment, image)
        worker = Worker(journal, ledger, space.alpha, limit=2)
        for use in range(3):
            journal.write_now(lambda tx, u=use: write_record(tx, record(u, u % 2), FAR))
            acknowledged += 1
        worker.finish()
        require_whole(journal, ledger, 3)

    assert len(images) > 40
    for folder, taken, known in images:
        with Journal.open(f"sqlite:///{folder}/node.db", clock=lambda: START) as journal:
            after = Worker(journal, Ledger(taken), space.alpha, limit=2)
            # One that was signed before the kill may be signed at another height after it.
            after.finish()
            require_whole(journal, after.ledger, 3)
            kept = [journal.read_now(lambda c, u=u: records_of(c, UseId(f"urn:uuid:{u}"))) for u in range(3)]
            assert sum(map(len, kept)) >= known


class Life(RuleBasedStateMachine):
    """Writing, sealing, signing, sending and asking in any order, with failures and restarts between."""

    folder: Path
    alpha: Any
    examples = count()

    def __init__(self) -> None:
        super().__init__()
        self.url = f"sqlite:///{self.folder}/{next(self.examples)}.db"
        self.ledger, self.uses = Ledger(), 0
        self.journal = Journal.open(self.url, clock=lambda: START)
        self.journal.create_schema()

    @property
    def worker(self) -> Worker:
        return Worker(self.journal, self.ledger, self.alpha, limit=4)

    @rule(number=st.integers(0, 2), rows=st.integers(0, 9))
    def write(self, number: int, rows: int) -> None:
        written = record(self.uses, number, units=Units(rows=rows, uses=1))
        self.journal.write_now(lambda tx: write_record(tx, written, FAR))
        self.uses += 1

    @rule()
    def seal(self) -> None:
        self.worker.seal()

    @rule()
    def seal_and_fail(self) -> None:
        def use_case(tx: j.Transaction) -> None:
            seal_records(tx, "worker", 4)
            raise KeyError

        with pytest.raises(KeyError):
            self.journal.write_now(use_case)

    @rule(height=st.integers(0, 5))
    def sign(self, height: int) -> None:
        self.worker.sign(height)

    @rule()
    def send(self) -> None:
        self.worker.send()

    @rule()
    def send_and_forget(self) -> None:
        """The ledger took it, and the node died before it wrote that down."""
        for message in self.journal.write_now(lambda tx: j.claim(tx, "dead", ("ledger",), 0.0)):
            self.ledger.submit(message.body)

    @rule()
    def ask(self) -> None:
        self.worker.ask()

    @rule(height=st.integers(6, 9))
    def sign_anew(self, height: int) -> None:
        """The first transaction expired, says the ledger, so the batch is signed at another height."""
        for batch in self.journal.read_now(lambda c: batches_in(c, BatchState.SUBMITTED)):
            if self.ledger.find(decode_transaction(batch.transaction or b"").id) is None:
                raw = self.worker.signed(batch, height)
                self.journal.write_now(
                    lambda tx, b=batch, r=raw: resubmit_batch(tx, b.number, r, ADDRESS, FAR)
                )
                return

    @precondition(lambda self: self.uses)
    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal.open(self.url, clock=lambda: START)

    @invariant()
    def the_ledger_holds_a_prefix_of_our_batches(self) -> None:
        batches = self.journal.read_now(lambda c: batches_in(c, *BatchState, limit=10_000))
        assert [b.number for b in batches] == list(range(1, len(batches) + 1))
        ours = [render_digest(b.root) for b in batches]
        assert [body.root for _, body in self.ledger.taken] == ours[: len(self.ledger.taken)]

    def teardown(self) -> None:
        self.worker.finish()
        require_whole(self.journal, self.ledger, self.uses)
        self.journal.close()


def test_any_order_of_steps_and_failures_anchors_every_record_once(space: Any, tmp_path: Path) -> None:
    """The promise of anchoring, whatever the order of its steps and of what goes wrong between them."""
    Life.folder, Life.alpha = tmp_path, space.alpha
    machine = Life.TestCase
    machine.settings = settings(
        max_examples=12, stateful_step_count=20, deadline=None, phases=[Phase.generate]
    )
    machine().runTest()


def test_one_sealer_at_a_time(journal: Journal, write: Any, worker: Worker) -> None:
    """Two sealers would give one number to two records, or close two batches at once."""
    write(1)
    first = journal.write_now(lambda tx: seal_records(tx, "one"))
    assert first is not None
    raw = worker.signed(first)
    journal.write_now(lambda tx: submit_batch(tx, 1, raw, ADDRESS, FAR))
    journal.write_now(lambda tx: batch_committed(tx, 1, 0))
    write(2)
    later = START + timedelta(seconds=31)

    assert journal.write_now(lambda tx: seal_records(tx, "two")) is None
    second = journal.write_now(lambda tx: seal_records(replace(tx, now=later), "two"))
    assert second is not None
    assert (second.number, second.previous) == (2, first.root)
    assert journal.write_now(lambda tx: seal_records(replace(tx, now=later), "two")) is None


def test_the_wait_for_an_anchor_is_told(journal: Journal, write: Any, worker: Worker) -> None:
    """The gate refuses past a bound of this age; it must end with *committed*, not before."""
    later = START + timedelta(seconds=90)

    def ages() -> tuple[float, float]:
        return journal.read_now(
            lambda c: (
                oldest_unanchored(c, later).total_seconds(),
                oldest_unwitnessed(c, later).total_seconds(),
            )
        )

    assert ages() == (0, 0)
    write(1)
    assert ages() == (90, 90)
    for step in (worker.seal, worker.sign, worker.send):
        step()
        assert ages() == (90, 90)
    worker.ask()
    assert ages() == (0, 90)
    worker.ask()
    assert ages() == (0, 0)


def test_steps_repeat_without_harm_and_are_not_skipped(journal: Journal, write: Any, worker: Worker) -> None:
    """A worker that does not know whether its last step was written does it again."""
    write(1)
    worker.seal()
    (batch,) = journal.read_now(lambda c: batches_in(c, BatchState.SEALED))
    raw = worker.signed(batch)

    with pytest.raises(ConflictError):
        journal.write_now(lambda tx: batch_committed(tx, 1, 7))
    with pytest.raises(ConflictError):
        journal.write_now(lambda tx: resubmit_batch(tx, 1, raw, ADDRESS, FAR))
    assert journal.write_now(lambda tx: submit_batch(tx, 1, raw, ADDRESS, FAR))
    assert not journal.write_now(lambda tx: submit_batch(tx, 1, raw, ADDRESS, FAR))
    with pytest.raises(ConflictError, match="committed first"):
        journal.write_now(lambda tx: batch_witnessed(tx, 1))
    for _ in range(2):
        journal.write_now(lambda tx: batch_committed(tx, 1, 7))
    with pytest.raises(ConflictError, match="not at 8"):
        journal.write_now(lambda tx: batch_committed(tx, 1, 8))
    for _ in range(2):
        journal.write_now(lambda tx: batch_witnessed(tx, 1))
    journal.write_now(lambda tx: batch_committed(tx, 1, 7))
    with pytest.raises(ConflictError, match="nothing to send"):
        journal.write_now(lambda tx: resubmit_batch(tx, 1, raw, ADDRESS, FAR))
    kept = journal.read_now(lambda c: batch_of(c, 1))
    assert kept is not None
    assert (kept.state, kept.position, kept.transaction) == (BatchState.WITNESSED, 7, raw)


def test_a_batch_is_sent_with_its_own_transaction_only(journal: Journal, write: Any, worker: Worker) -> None:
    """A transaction of another batch, queued by mistake, would leave a hole in the chain."""
    write(1)
    worker.seal()
    (batch,) = journal.read_now(lambda c: batches_in(c, BatchState.SEALED))
    for other in (replace(batch, number=2), replace(batch, root=sha256(b""))):
        raw = worker.signed(other)
        with pytest.raises(MalformedError):
            journal.write_now(lambda tx, r=raw: submit_batch(tx, 1, r, ADDRESS, FAR))
    with pytest.raises(NotFoundError):
        journal.write_now(lambda tx: batch_witnessed(tx, 2))


def test_a_record_of_a_failed_use_case_never_was(journal: Journal) -> None:
    """The record commits with what it records, or neither does."""

    def use_case(tx: j.Transaction) -> None:
        write_record(tx, record(1), FAR)
        raise KeyError

    with pytest.raises(KeyError):
        journal.write_now(use_case)
    assert journal.read_now(lambda c: records_of(c, UseId("urn:uuid:1"))) == []
    assert journal.write_now(lambda tx: seal_records(tx, "one")) is None


def test_openings_are_destroyed_and_commitments_stay(journal: Journal, write: Any, worker: Worker) -> None:
    """What may no longer be kept goes, beyond guessing; its neighbours can still be proved."""
    soon = START + timedelta(days=1)
    forgotten = journal.write_now(lambda tx: write_record(tx, record(0), soon))
    write(1)
    after = START + timedelta(days=2)
    assert journal.write_now(lambda tx: destroy_openings(replace(tx, now=after))) == 0  # not sealed yet
    worker.finish()

    assert journal.write_now(lambda tx: destroy_openings(replace(tx, now=after))) == 1
    assert journal.read_now(lambda c: records_of(c, UseId("urn:uuid:0"))) == []
    assert journal.read_now(lambda c: proof_of(c, forgotten)) is not None
    require_neighbour = journal.read_now(lambda c: records_of(c, UseId("urn:uuid:1")))
    proof = journal.read_now(lambda c: proof_of(c, require_neighbour[0].row))
    root = parse_digest(worker.ledger.taken[0][1].root)
    assert proof is not None
    verify_record(commitment(require_neighbour[0].salt, require_neighbour[0].body), proof, root)
    with pytest.raises(ProofError):
        verify_record(commitment(bytes(32), require_neighbour[0].body), proof, root)


def test_a_receipt_is_kept_once_and_compared(journal: Journal, space: Any) -> None:
    """Both sides' word on one use, and no second word that takes the first one back."""
    digest = render_digest(sha256(b"data"))
    receipt = Receipt(
        artefact=digest,
        at="2026-11-25T08:00:05.000000Z",
        bytes=4,
        consumer="did:web:beta.example",
        contract=contract(1),
        key="did:web:beta.example#evidence-1",
        use="urn:uuid:1",
    )
    signed = decode_receipt(sign_receipt(receipt, space.beta.key))
    other = decode_receipt(sign_receipt(msgspec.structs.replace(receipt, bytes=5), space.beta.key))
    use = UseId("urn:uuid:1")

    def comparison() -> Comparison:
        return journal.read_now(lambda c: compare(c, use))

    assert comparison() is Comparison.NO_RECEIPT
    assert journal.write_now(lambda tx: keep_receipt(tx, signed, FAR))
    assert comparison() is Comparison.DIFFERS  # we wrote nothing of such a use
    closed = record(1, 1, RecordKind.CLOSED, artefact=digest, size=4)
    journal.write_now(lambda tx: write_record(tx, closed, FAR))
    assert comparison() is Comparison.AGREED
    assert not journal.write_now(lambda tx: keep_receipt(tx, signed, FAR))
    with pytest.raises(ConflictError):
        journal.write_now(lambda tx: keep_receipt(tx, other, FAR))
    assert journal.read_now(lambda c: receipt_of(c, use)) == signed


def test_there_is_no_proof_before_sealing_nor_of_what_is_not_there(journal: Journal, write: Any) -> None:
    """Evidence waits; asking for a record that never was is an error, not an empty proof."""
    row = write(1)
    assert journal.read_now(lambda c: proof_of(c, row)) is None
    with pytest.raises(NotFoundError):
        journal.read_now(lambda c: proof_of(c, row + 1))


def test_one_batch_at_a_time_is_on_its_way(journal: Journal, write: Any, worker: Worker) -> None:
    """While the ledger is away nothing queues up, and no batch can come before the one it builds on."""
    write(1)
    worker.seal()
    for step in (worker.seal, worker.sign, worker.seal):
        write(2)
        step()
    assert [b.count for b in journal.read_now(lambda c: batches_in(c, *BatchState))] == [1]
    worker.finish()
    assert [b.count for b in journal.read_now(lambda c: batches_in(c, *BatchState))] == [1, 3]


def test_a_witness_that_is_away_holds_up_no_anchoring(journal: Journal, write: Any, worker: Worker) -> None:
    """Unwitnessed age only alarms: a committed batch whose message still waits must not stop the next."""
    later = START + timedelta(hours=1)
    for use in range(3):
        write(use)
        worker.seal()
        worker.sign()
        (message,) = journal.write_now(lambda tx: j.claim(tx, "sender", ("ledger",), 0.0))[-1:]
        worker.ledger.submit(message.body)
        journal.write_now(lambda tx, m=message: j.postpone(tx, m.id, later))
        journal.write_now(lambda tx, n=use: batch_committed(tx, n + 1, n))

    assert len(worker.ledger.taken) == 3
    assert journal.read_now(lambda c: oldest_unanchored(c, later)) == timedelta()
    assert journal.read_now(lambda c: oldest_unwitnessed(c, later)) == timedelta(hours=1)
