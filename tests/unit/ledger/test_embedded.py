"""Embedded ordering: accepted, committed, witnessed; and nothing before its witnesses have spoken."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from entrepot.ledger import (
    Checkpoint,
    CorruptError,
    EmbeddedLedger,
    InconsistentError,
    RefusedTransactionError,
    SignatureError,
    TransactionState,
    Tree,
    cosign_checkpoint,
    decode_note,
    leaf_hash,
    parse_checkpoint,
    verify_checkpoint,
    verify_consistency,
    verify_inclusion,
)
from entrepot.ledger.note import NoteSignature
from entrepot.values import MalformedError, NotFoundError, UnavailableError

Open = Callable[..., EmbeddedLedger]


@pytest.fixture
def clock(space: Any) -> Any:
    return space.Clock()


@pytest.fixture
def start(space: Any, tmp_path: Path, clock: Any) -> Iterator[Open]:
    """Starts ledgers over one file; all of them are stopped in the end."""
    started: list[EmbeddedLedger] = []

    def start(path: Path = tmp_path / "ledger.db", **options: Any) -> EmbeddedLedger:
        ledger = EmbeddedLedger(path, space.genesis, space.log, clock=clock, **options)
        started.append(ledger)
        return ledger

    yield start
    for ledger in started:
        ledger.close()


def commit(ledger: EmbeddedLedger, *transactions: bytes) -> list[TransactionState]:
    names = [ledger.submit(raw) for raw in transactions]
    return [ledger.outcome(name).result(10).state for name in names]


def cosign(space: Any, clock: Any, ledger: EmbeddedLedger, seconds: int = 0) -> NoteSignature:
    """What an honest witness says of the ledger's head."""
    checkpoint = parse_checkpoint(decode_note(ledger.head()).text)
    return cosign_checkpoint(checkpoint, int(clock().timestamp()) + seconds, space.witness, space.witness_key)


def test_a_transaction_is_accepted_then_committed_then_witnessed(space: Any, start: Open, clock: Any) -> None:
    """The three words of the design, in order, and evidence only after the third."""
    ledger = start(witnesses=[space.witness_key])
    ledger.cosigned(ledger.head(), [cosign(space, clock, ledger)])
    name = ledger.submit(space.admissions[0])
    committed = ledger.outcome(name).result(10)

    assert (committed.state, committed.number, committed.height) == (TransactionState.COMMITTED, 0, 1)
    assert ledger.status(name) == committed
    ledger.cosigned(ledger.head(), [cosign(space, clock, ledger)])
    assert ledger.status(name).state is TransactionState.WITNESSED
    assert ledger.standing().witnessed == ledger.standing().size == 2


def test_what_is_published_proves_itself(space: Any, start: Open) -> None:
    """Head, entries and proofs of one ledger hold together, at every size."""
    ledger = start()
    commit(ledger, *space.admissions)
    middle = ledger.standing().size
    commit(ledger, space.alpha.batch(1), space.beta.batch(1))
    checkpoint = verify_checkpoint(decode_note(ledger.published()), space.log_key)
    entries = ledger.log.entries(0, checkpoint.size)

    assert Tree(map(leaf_hash, entries)).root() == checkpoint.root
    for number, entry in enumerate(entries):
        path = ledger.log.prove_inclusion(number, checkpoint.size)
        verify_inclusion(leaf_hash(entry), number, checkpoint.size, path, checkpoint.root)
    proof = ledger.log.prove_consistency(middle, checkpoint.size)
    verify_consistency(middle, ledger.log.root(middle), checkpoint.size, checkpoint.root, proof)


def test_a_restart_goes_on_from_the_same_roots(space: Any, start: Open) -> None:
    """A committed block is there after a stop, to the last bit, and the next one follows it."""
    ledger = start()
    commit(ledger, *space.admissions)
    head, root = ledger.head(), ledger.log.head.state.root
    ledger.close()
    again = start()

    assert (again.head(), again.log.head.state.root) == (head, root)
    assert commit(again, space.alpha.batch(1)) == [TransactionState.COMMITTED]
    assert again.standing().height == ledger.standing().height + 1


def test_refused_transactions_leave_nothing(space: Any, start: Open) -> None:
    """Neither a leaf nor a height; and the sender is told why, at once or after its block."""
    ledger = start()
    commit(ledger, *space.admissions)
    before = ledger.standing()

    with pytest.raises(RefusedTransactionError, match="not-a-member"):
        ledger.submit(space.stranger.batch(1))
    with pytest.raises(MalformedError):
        ledger.submit(b"noise" * 30)
    name = ledger.submit(space.alpha.batch(7))
    status = ledger.outcome(name).result(10)
    assert (status.state, status.reason) == (TransactionState.REFUSED, "not-next")
    assert ledger.status(name) == status
    assert ledger.standing() == before


def test_the_same_bytes_again_are_the_same_transaction(space: Any, start: Open) -> None:
    """A sender repeats until it knows; repeating must never cost or change anything."""
    ledger = start()
    commit(ledger, *space.admissions)
    batch = space.alpha.batch(1)
    names = {ledger.submit(batch) for _ in range(5)}
    ledger.outcome(*names).result(10)

    assert names == {ledger.submit(batch)}
    assert ledger.status(*names).state is TransactionState.COMMITTED
    assert ledger.outcome(*names).done()
    assert ledger.standing().size == len(space.admissions) + 1 + 2


def test_an_unknown_transaction_is_unknown(space: Any, start: Open) -> None:
    """A sender whose transaction was lost learns so, and sends the same bytes again."""
    ledger = start()
    name = space.digest("nothing")

    assert ledger.status(name).state is TransactionState.UNKNOWN
    assert ledger.outcome(name).result(0).state is TransactionState.UNKNOWN


def test_many_threads_submit_at_once(space: Any, start: Open) -> None:
    """Every accepted transaction is committed exactly once, in some order."""
    ledger = start()
    commit(ledger, *space.admissions)
    done: list[TransactionState] = []

    def submit(offset: int) -> None:
        done.extend(
            commit(ledger, *(space.alpha.file(n, space.alpha, space.beta) for n in range(offset, 200, 4)))
        )

    threads = [threading.Thread(target=submit, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [TransactionState.COMMITTED] * 200
    filed = [key for key, _ in ledger.log.head.state.items() if key.startswith("contracts/")]
    assert len(filed) == 200


def test_what_waits_is_accepted_and_bounded_and_told_to_come_again(space: Any, start: Open) -> None:
    """Before its block a transaction is accepted, no more; a flood and a stop are said, not swallowed."""
    ledger = start(block_seconds=30, most_waiting=2)
    names = [ledger.submit(raw) for raw in space.admissions[:2]]
    assert [ledger.status(name).state for name in names] == [TransactionState.ACCEPTED] * 2
    with pytest.raises(UnavailableError, match="waiting already"):
        ledger.submit(space.admissions[2])
    waiting = ledger.outcome(names[0])
    ledger.close()

    with pytest.raises(UnavailableError, match="stopped"):
        waiting.result(10)
    assert start().standing().size == 0


def test_block_times_only_grow_even_if_the_clock_stands(space: Any, start: Open, clock: Any) -> None:
    """A clock that stands or is set back must not stop the ledger or turn time around."""
    ledger = start()
    commit(ledger, space.admissions[0])
    first = ledger.log.head.time
    clock.forward(-3600)
    commit(ledger, *space.admissions[1:])

    assert ledger.log.head.time > first


def test_without_witnesses_nothing_is_ever_called_witnessed(space: Any, start: Open) -> None:
    """A ledger that nobody watches orders at once, and says what it is worth."""
    ledger = start()
    name = ledger.submit(space.admissions[0])
    ledger.outcome(name).result(10)
    standing = ledger.standing()

    assert (standing.ordering, standing.witnesses, standing.witnessed) == (True, 0, 0)
    assert ledger.status(name).state is TransactionState.COMMITTED


# --- the gate: nothing is ordered after a start until the witnesses have spoken


def test_after_a_start_nothing_is_ordered_before_every_witness_has_spoken(
    space: Any, start: Open, clock: Any
) -> None:
    """Otherwise a restored backup would go on from the past, and sign a second history."""
    other = space.Key("second witness")
    keys = [space.witness_key, type(space.witness_key)("second.example", space.witness_key.type, other.raw)]
    ledger = start(witnesses=keys)

    with pytest.raises(UnavailableError, match=r"observer\.example, second\.example"):
        ledger.submit(space.admissions[0])
    ledger.cosigned(ledger.head(), [cosign(space, clock, ledger)])
    assert ledger.standing().waiting_for == ("second.example",)
    with pytest.raises(UnavailableError):
        ledger.submit(space.admissions[0])
    checkpoint = parse_checkpoint(decode_note(ledger.head()).text)
    ledger.cosigned(ledger.head(), [cosign_checkpoint(checkpoint, int(clock().timestamp()), other, keys[1])])
    assert commit(ledger, space.admissions[0]) == [TransactionState.COMMITTED]


def test_an_old_cosignature_opens_no_gate(space: Any, start: Open, clock: Any) -> None:
    """A cosignature kept from before says nothing of what the witness has cosigned since."""
    ledger = start(witnesses=[space.witness_key])
    old = cosign(space, clock, ledger)
    clock.forward(3600)
    ledger.close()
    again = start(witnesses=[space.witness_key])
    again.cosigned(again.head(), [old])

    assert not again.standing().ordering


def test_only_a_true_cosignature_of_this_logs_head_counts(space: Any, start: Open, clock: Any) -> None:
    """Neither another key's line, nor a broken one, nor one for a tree that this log does not have."""
    ledger = start(witnesses=[space.witness_key])
    good = cosign(space, clock, ledger)
    elsewhere = Checkpoint(space.log_key.name, 1, leaf_hash(b"x"))
    from entrepot.ledger import Note, encode_note, sign_checkpoint

    forged = encode_note(Note(elsewhere.text, (sign_checkpoint(elsewhere, space.log, space.log_key),)))
    with pytest.raises((InconsistentError, NotFoundError)):
        ledger.cosigned(forged, [good])
    with pytest.raises(SignatureError):
        ledger.cosigned(ledger.head(), [NoteSignature(good.name, good.key_id, bytes(72))])
    ledger.cosigned(ledger.head(), [NoteSignature("nobody.example", b"abcd", bytes(72))])
    assert not ledger.standing().ordering


def test_a_quorum_makes_witnessed(space: Any, start: Open, clock: Any) -> None:
    """With one of two asked for, one cosignature publishes the checkpoint; the other may join later."""
    other = space.Key("second witness")
    second = type(space.witness_key)("second.example", space.witness_key.type, other.raw)
    ledger = start(witnesses=[space.witness_key, second], quorum=1)
    head = ledger.head()
    ledger.cosigned(head, [cosign(space, clock, ledger)])
    assert len(decode_note(ledger.published()).signatures) == 2
    line = cosign_checkpoint(
        parse_checkpoint(decode_note(head).text), int(clock().timestamp()), other, second
    )
    ledger.cosigned(head, [line])
    assert len(decode_note(ledger.published()).signatures) == 3


@pytest.mark.parametrize("theirs", [1, 3])
def test_a_witnessed_checkpoint_that_is_not_of_this_log_is_found_at_the_start(
    space: Any, start: Open, clock: Any, tmp_path: Path, theirs: int
) -> None:
    """A file put together from two histories must not serve the one under the other's cosignatures."""
    ledger = start(witnesses=[space.witness_key])
    ledger.cosigned(ledger.head(), [cosign(space, clock, ledger)])
    commit(ledger, *space.admissions)
    ledger.cosigned(ledger.head(), [cosign(space, clock, ledger)])
    ledger.close()
    other = start(tmp_path / "other.db")
    commit(other, *space.admissions[::-1][:theirs])
    other.close()
    with database(tmp_path / "other.db") as connection:
        connection.execute("ATTACH ? AS good", (str(tmp_path / "ledger.db"),))
        connection.execute("INSERT INTO checkpoint SELECT * FROM good.checkpoint")

    with pytest.raises(CorruptError, match="witnessed"):
        start(tmp_path / "other.db", witnesses=[space.witness_key])


def test_witnessed_never_goes_back(space: Any, start: Open, clock: Any) -> None:
    """An older head whose last cosignature comes late must not replace a newer one."""
    other = space.Key("second witness")
    second = type(space.witness_key)("second.example", space.witness_key.type, other.raw)
    ledger = start(witnesses=[space.witness_key, second])

    def lines(head: bytes) -> list[NoteSignature]:
        checkpoint, time = parse_checkpoint(decode_note(head).text), int(clock().timestamp())
        return [
            cosign_checkpoint(checkpoint, time, space.witness, space.witness_key),
            cosign_checkpoint(checkpoint, time, other, second),
        ]

    ledger.cosigned(ledger.head(), lines(ledger.head()))
    commit(ledger, space.admissions[0])
    older = ledger.head()
    ledger.cosigned(older, lines(older)[:1])
    commit(ledger, *space.admissions[1:])
    ledger.cosigned(ledger.head(), lines(ledger.head()))
    ledger.cosigned(older, lines(older)[1:])

    assert ledger.standing().witnessed == ledger.standing().size
    assert decode_note(ledger.published()).text == decode_note(ledger.head()).text


def test_without_witnesses_the_head_is_what_is_published(space: Any, start: Open) -> None:
    """Cosignatures of nobody change nothing, and an unknown witness names no size."""
    ledger = start()
    ledger.cosigned(ledger.head(), [])
    commit(ledger, *space.admissions)

    assert ledger.published() == ledger.head()
    with pytest.raises(SignatureError):
        ledger.named("nobody.example", 7)


@pytest.mark.parametrize(("names", "quorum"), [(["a"], 0), (["a"], 2), (["a", "a"], 1), ([], 1)])
def test_a_quorum_that_cannot_be_meant_is_refused(
    space: Any, start: Open, names: list[str], quorum: int
) -> None:
    """None of one would call everything witnessed; two of one never anything; two of one name is one."""
    keys = [type(space.witness_key)(name, space.witness_key.type, space.witness.raw) for name in names]

    with pytest.raises(ValueError, match="quorum"):
        start(witnesses=keys, quorum=quorum)


def test_a_silent_witness_does_not_fill_the_memory(space: Any, start: Open, clock: Any) -> None:
    """Of many rounds without a quorum only the last ones are kept."""
    other = space.Key("second witness")
    second = type(space.witness_key)("second.example", space.witness_key.type, other.raw)
    ledger = start(witnesses=[space.witness_key, second])
    for key, name in ((space.witness, space.witness_key), (other, second)):
        head = parse_checkpoint(decode_note(ledger.head()).text)
        ledger.cosigned(ledger.head(), [cosign_checkpoint(head, int(clock().timestamp()), key, name)])
    commit(ledger, *space.admissions)
    for number in range(1, 40):
        commit(ledger, space.alpha.batch(number))
        ledger.cosigned(ledger.head(), [cosign(space, clock, ledger)])

    assert ledger.standing().witnessed == 0
    assert len(ledger._witnesses._cosignatures) <= 16


# --- crash, disk, tampering


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_a_disk_that_fails_commits_nothing_and_stops_the_ledger(
    space: Any, start: Open, tmp_path: Path
) -> None:
    """Whoever waits is told; a new start goes on from what is really there."""
    ledger = start()
    commit(ledger, *space.admissions)
    root = ledger.log.head.state.root
    with database(tmp_path / "ledger.db") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON marker BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    name = ledger.submit(space.alpha.batch(1))

    with pytest.raises(UnavailableError, match="disk is full"):
        ledger.outcome(name).result(10)
    with pytest.raises(UnavailableError, match="disk is full"):
        ledger.submit(space.beta.batch(1))
    ledger.close()
    with database(tmp_path / "ledger.db") as connection:
        connection.execute("DROP TRIGGER full")
    again = start()
    assert again.log.head.state.root == root
    assert commit(again, space.alpha.batch(1)) == [TransactionState.COMMITTED]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'L2', 'L1') AS BLOB) WHERE number = 4",
            "entry 4",
        ),
        ("DELETE FROM entry WHERE number = 1", "entry 2"),
        ("UPDATE entry SET body = x'00' WHERE digest IS NULL", "an entry"),
        ("DELETE FROM state WHERE key LIKE 'members/%'", "state"),
        ("UPDATE marker SET state_root = x'00'", "state"),
        ("UPDATE marker SET genesis = x'00'", "genesis"),
    ],
)
def test_a_changed_file_is_found_at_the_start(
    space: Any, start: Open, tmp_path: Path, change: str, found: str
) -> None:
    """A ledger does not go on from a history or a state that is not what it committed."""
    ledger = start()
    commit(ledger, *space.admissions)
    commit(ledger, space.alpha.register())
    ledger.close()
    with database(tmp_path / "ledger.db") as connection:
        connection.execute(change)

    with pytest.raises(CorruptError, match=found):
        start()


def test_two_ledgers_on_one_file_do_not_both_write(space: Any, start: Open) -> None:
    """The second to commit finds that the file has moved, and stops."""
    one, two = start(), start()
    commit(one, *space.admissions)
    name = two.submit(space.admissions[0])

    with pytest.raises(UnavailableError):
        two.outcome(name).result(10)
    assert one.standing().size == len(space.admissions) + 1
