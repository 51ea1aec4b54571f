"""Histories that a witness and a follower refuse, and how a ledger that lost some is made whole again.

The log here is a simulator that holds the log's real key and lies with it.
"""

import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import (
    EMPTY_ROOT,
    AddCheckpoint,
    Checkpoint,
    EmbeddedLedger,
    Follower,
    InconsistentError,
    Note,
    NoteError,
    ProofError,
    SignatureError,
    SizeConflictError,
    Tree,
    UnknownLogError,
    Witness,
    decode_add_checkpoint,
    decode_note,
    decode_signatures,
    encode_add_checkpoint,
    encode_note,
    genesis_head,
    hold_witness,
    leaf_hash,
    sign_checkpoint,
    verify_cosignature,
)
from entrepot.ledger.witness import judge
from entrepot.values import EntrepotError, TooLargeError, UnavailableError, sha256

OTHER_SIGNATURE = "\u2014 other.example AAAAAAA=\n".encode()


class LyingLog:
    """A log with its real key, whose operator may sign whatever it likes."""

    def __init__(self, space: Any, entries: list[bytes]) -> None:
        self.space, self.entries = space, entries
        self.tree = Tree(map(leaf_hash, entries))

    def note(self, size: int | None = None, root: bytes | None = None) -> bytes:
        size = len(self.entries) if size is None else size
        one = Checkpoint(self.space.log_key.name, size, self.tree.root(size) if root is None else root)
        return encode_note(Note(one.text, (sign_checkpoint(one, self.space.log, self.space.log_key),)))

    def request(self, old: int, size: int | None = None) -> bytes:
        size = len(self.entries) if size is None else size
        return encode_add_checkpoint(
            AddCheckpoint(old, self.tree.prove_consistency(old, size), self.note(size))
        )


def history(space: Any, *blocks: list[bytes]) -> LyingLog:
    """A log whose every block is what the machine makes of its transactions."""
    head, entries = genesis_head(space.genesis), []
    for transactions in blocks:
        block = space.block(head, *transactions)
        head = block.head
        entries += block.leaves
    return LyingLog(space, entries)


@pytest.fixture
def honest(space: Any) -> LyingLog:
    """Ten entries: three admissions, two batches, two filings, and a leaf after each."""
    return history(
        space,
        space.admissions,
        [space.alpha.batch(1), space.beta.batch(1)],
        [space.alpha.file(1, space.alpha, space.beta), space.alpha.file(2, space.alpha, space.beta)],
    )


@pytest.fixture
def forked(space: Any) -> LyingLog:
    """The same size, and another second block."""
    return history(
        space,
        space.admissions,
        [space.alpha.batch(1), space.alpha.batch(2)],
        [space.alpha.file(1, space.alpha, space.beta), space.alpha.file(2, space.alpha, space.beta)],
    )


@pytest.fixture
def witness(space: Any, tmp_path: Path) -> Iterator[Witness]:
    one = make_witness(space, tmp_path)
    yield one
    one.close()


def make_witness(space: Any, folder: Path) -> Witness:
    return Witness(
        folder / "witness.db",
        "observer.example",
        space.witness,
        [space.log_key],
        space.Clock(),
    )


@pytest.fixture
def follower(space: Any, tmp_path: Path) -> Iterator[Follower]:
    one = Follower(tmp_path / "follower.db", space.genesis, space.log_key)
    yield one
    one.close()


# --- a witness


def test_a_witness_cosigns_a_log_that_only_grows(space: Any, honest: LyingLog, witness: Witness) -> None:
    """From nothing, step by step, and again without growth: each answer is a cosignature that holds."""
    for old, size in ((0, 0), (0, 4), (4, 7), (7, 7), (7, 10)):
        (line,) = decode_signatures(witness.add_checkpoint(honest.request(old, size)))
        text = decode_note(honest.note(size)).text

        assert verify_cosignature(text, line, space.witness_key).name == "observer.example"
        assert witness.cosigned(space.log_key.name).size == size


def test_a_witness_refuses_a_smaller_tree(space: Any, honest: LyingLog, witness: Witness) -> None:
    """A restored backup shows itself here; the answer names the size, from which the log must go on."""
    witness.add_checkpoint(honest.request(0))

    for old, size in ((0, 7), (7, 7), (4, 7)):
        with pytest.raises(SizeConflictError) as caught:
            witness.add_checkpoint(honest.request(old, size))
        assert caught.value.size == 10
    assert witness.cosigned(space.log_key.name).size == 10


def test_a_witness_refuses_another_root_for_the_same_size_and_keeps_the_proof(
    space: Any, honest: LyingLog, forked: LyingLog, witness: Witness
) -> None:
    """Two signed roots for one size prove that the log lied; both notes are kept."""
    witness.add_checkpoint(honest.request(0))

    for old in (10, 0):
        with pytest.raises(InconsistentError):
            witness.add_checkpoint(forked.request(old))
    assert witness.contradictions(space.log_key.name) == [(honest.note(), forked.note())]


def test_a_witness_refuses_a_tree_that_does_not_extend_the_last(
    space: Any, honest: LyingLog, forked: LyingLog, witness: Witness
) -> None:
    """Neither the fork's own proof, nor the honest one, nor none, makes a fork an extension."""
    witness.add_checkpoint(honest.request(0, 7))

    for proof in (forked.tree.prove_consistency(7), honest.tree.prove_consistency(7), ()):
        with pytest.raises(ProofError):
            witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(7, proof, forked.note())))
    assert witness.cosigned(space.log_key.name).size == 7


def test_a_restored_witness_cosigns_nothing_until_it_knows_what_it_had_cosigned(
    space: Any, honest: LyingLog, forked: LyingLog, tmp_path: Path
) -> None:
    """From what its backup knows a log could lead it into another history than the one it has witnessed."""
    (tmp_path / "restored").mkdir()
    before = make_witness(space, tmp_path)
    before.add_checkpoint(honest.request(0, 4))
    before.close()
    shutil.copy(tmp_path / "witness.db", tmp_path / "restored" / "witness.db")
    later = make_witness(space, tmp_path)
    cosigned = honest.note() + later.add_checkpoint(honest.request(4))
    later.close()

    hold_witness(tmp_path / "restored" / "witness.db", "2026-11-25T08:00:00.000000Z")
    restored = make_witness(space, tmp_path / "restored")
    assert restored.held_since() == "2026-11-25T08:00:00.000000Z"
    for request in (forked.request(4), honest.request(4)):
        with pytest.raises(UnavailableError, match="resume"):
            restored.add_checkpoint(request)
    with pytest.raises(NoteError, match="no cosignature"):
        restored.resume([honest.note()])
    assert restored.held_since()

    assert restored.resume([cosigned]) == 10
    assert not restored.held_since()
    for old in (4, 10):
        with pytest.raises((InconsistentError, SizeConflictError)):
            restored.add_checkpoint(forked.request(old))
    assert restored.add_checkpoint(honest.request(10))
    restored.close()


def test_a_witness_is_resumed_from_no_smaller_tree(honest: LyingLog, witness: Witness) -> None:
    """An old checkpoint that somebody shows would take it back behind what it knows."""
    small = honest.note(4) + witness.add_checkpoint(honest.request(0, 4))
    witness.add_checkpoint(honest.request(4))

    assert witness.resume([small]) == 10
    assert witness.resume([]) == 10


def test_a_rewritten_entry_under_a_fresh_valid_signature_is_refused(
    space: Any, honest: LyingLog, witness: Witness, follower: Follower
) -> None:
    """The operator changes an old entry and signs the new tree: neither witness nor follower goes along."""
    witness.add_checkpoint(honest.request(0, 7))
    follower.follow(honest.note(7), honest.entries[:7])
    changed = LyingLog(space, [*honest.entries[:4], space.alpha.batch(9), *honest.entries[5:]])

    with pytest.raises(ProofError):
        witness.add_checkpoint(changed.request(7))
    with pytest.raises(InconsistentError):
        follower.follow(changed.note(), changed.entries[7:])
    assert follower.size == 7


def test_a_witness_believes_only_the_log_it_knows(space: Any, honest: LyingLog, witness: Witness) -> None:
    """Unknown logs and foreign keys get no cosignature, and an old size beyond the tree is nonsense."""
    stranger = LyingLog(space, honest.entries)
    one = Checkpoint("other.example", 0, EMPTY_ROOT)
    other = encode_note(Note(one.text, (sign_checkpoint(one, space.log, space.log_key),)))
    with pytest.raises(UnknownLogError):
        witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(0, (), other)))
    note = decode_note(stranger.note())
    forged = sign_checkpoint(Checkpoint(space.log_key.name, 1, EMPTY_ROOT), space.log, space.log_key)
    with pytest.raises(SignatureError):
        witness.add_checkpoint(
            encode_add_checkpoint(AddCheckpoint(0, (), encode_note(Note(note.text, (forged,)))))
        )
    with pytest.raises(NoteError):
        witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(11, (), honest.note())))


def test_a_witness_remembers_over_a_restart(space: Any, honest: LyingLog, tmp_path: Path) -> None:
    """A witness that forgot would cosign a second history."""
    first = make_witness(space, tmp_path)
    first.add_checkpoint(honest.request(0))
    first.close()
    again = make_witness(space, tmp_path)

    with pytest.raises(SizeConflictError):
        again.add_checkpoint(honest.request(0, 7))
    again.close()


def test_a_witness_that_cannot_remember_does_not_sign(
    space: Any, honest: LyingLog, witness: Witness, tmp_path: Path
) -> None:
    """The cosignature leaves only after its checkpoint is durable."""
    with closing(sqlite3.connect(tmp_path / "witness.db", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON cosigned BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )

    with pytest.raises(UnavailableError):
        witness.add_checkpoint(honest.request(0))
    assert witness.cosigned(space.log_key.name) is None


@pytest.mark.parametrize("turn", range(5))
def test_of_two_racing_requests_one_is_cosigned(
    space: Any, honest: LyingLog, tmp_path: Path, turn: int
) -> None:
    """The race of the standard: the size must never go back, even between two processes on one file."""
    witnesses = [make_witness(space, tmp_path) for _ in range(2)]
    start, answers = threading.Barrier(2), {}

    def ask(witness: Witness, size: int) -> None:
        start.wait()
        try:
            witness.add_checkpoint(honest.request(0, size))
            answers[size] = size
        except SizeConflictError as conflict:
            answers[size] = conflict.size

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(witnesses, (4, 7), strict=True)]
    for thread in threads[:: 1 if turn % 2 else -1]:
        thread.start()
    for thread in threads:
        thread.join()
    first = witnesses[0].cosigned(space.log_key.name).size
    assert answers == {4: first, 7: first}
    for one in witnesses:
        one.close()


requests = st.lists(st.tuples(st.booleans(), st.integers(0, 10), st.integers(0, 10)), max_size=25)


@settings(deadline=None, max_examples=60)
@given(requests)
def test_no_sequence_of_requests_brings_a_witness_to_contradict_itself(
    space: Any, asked: list[tuple[bool, int, int]]
) -> None:
    """Whatever honest and forked heads arrive, in any order, what is cosigned is one growing history."""
    blocks = (space.admissions, [space.alpha.batch(1), space.beta.batch(1)])
    logs = (
        history(space, *blocks, [space.alpha.batch(2), space.beta.batch(2)]),
        history(
            space,
            *blocks[:1],
            [space.beta.batch(1), space.alpha.batch(1)],
            [space.alpha.batch(2), space.beta.batch(2)],
        ),
    )
    cosigned: list[Checkpoint] = [Checkpoint(space.log_key.name, 0, EMPTY_ROOT)]
    for lies, old, size in asked:
        log = logs[lies]
        request = decode_add_checkpoint(log.request(min(old, size), size))
        try:
            after = judge(cosigned[-1], request, space.log_key)
        except EntrepotError:
            continue
        assert after.size >= cosigned[-1].size
        cosigned.append(after)
    assert any(all(one.root == log.tree.root(one.size) for one in cosigned) for log in logs)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 99))
def test_a_request_reads_one_way_or_not_at_all(space: Any, noise: bytes, at: int) -> None:
    """Requests are a stranger's bytes."""
    good = LyingLog(space, [b"a", b"b", b"c"]).request(1)
    for raw in (noise, good[:at] + noise + good[at:], good[: at % len(good)]):
        try:
            request = decode_add_checkpoint(raw)
        except EntrepotError:
            continue
        assert encode_add_checkpoint(request) == raw


def test_a_request_has_one_form_and_a_bound(honest: LyingLog) -> None:
    """Another first word, a proof without end, or a body without end is refused before anything is parsed."""
    good = honest.request(4)
    with pytest.raises(NoteError):
        decode_add_checkpoint(good.replace(b"old ", b"new ", 1))
    with pytest.raises(NoteError):
        decode_add_checkpoint(encode_add_checkpoint(AddCheckpoint(4, (EMPTY_ROOT,) * 64, honest.note())))
    with pytest.raises(TooLargeError):
        decode_add_checkpoint(good + b"x" * (1 << 17))


# --- a follower


def test_a_follower_keeps_every_entry_and_comes_to_the_same_state(
    space: Any, honest: LyingLog, follower: Follower
) -> None:
    """In any portions that end with a block, and over a restart."""
    for start, end in ((0, 4), (4, 4), (4, 10)):
        follower.follow(honest.note(end), honest.entries[start:end])

    assert follower.log.entries(0, 10) == honest.entries
    assert follower.log.root(10) == honest.tree.root()
    assert follower.note == honest.note()
    assert follower.log.head.state.get(f"contracts/{space.contract(1)}") is not None


def test_followers_that_overtake_each_other_raise_no_false_alarm(
    honest: LyingLog, follower: Follower
) -> None:
    """A loop and a person may follow at once; the slower must neither fail nor take anything twice."""
    follower.follow(honest.note(7), honest.entries[:7], 0)
    follower.follow(honest.note(4), honest.entries[:4], 0)
    assert follower.size == 7
    threads = [
        threading.Thread(target=follower.follow, args=(honest.note(), honest.entries[4:], 4))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert follower.log.entries(0, 10) == honest.entries
    assert follower.log.root(10) == honest.tree.root()


def test_following_the_same_head_again_writes_nothing(
    honest: LyingLog, follower: Follower, tmp_path: Path
) -> None:
    """A follower asks twice a second; a disk must not pay for every answer."""
    follower.follow(honest.note(), honest.entries)
    with closing(sqlite3.connect(tmp_path / "follower.db", isolation_level=None)) as connection:
        for table in ("checkpoint", "entry"):
            connection.execute(
                f"CREATE TRIGGER {table}_full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END"
            )

    assert follower.follow(honest.note(), []).size == 10
    with pytest.raises(UnavailableError):
        follower.follow(honest.note().replace(b"\n\n", b"\n\n" + OTHER_SIGNATURE), [])


def test_a_follower_keeps_the_note_that_has_more_cosignatures(honest: LyingLog, follower: Follower) -> None:
    """A ledger is refilled only under a quorum, so the follower keeps the fullest note it has seen last."""
    follower.follow(honest.note(), honest.entries)
    fuller = honest.note() + OTHER_SIGNATURE
    follower.follow(fuller, [])

    assert follower.note == fuller


def test_the_first_witnessed_head_over_an_entry_is_kept(honest: LyingLog, follower: Follower) -> None:
    """Later heads hold the entry as well, but say less of when it was there."""
    for start, end in ((0, 4), (4, 7), (7, 10)):
        follower.follow(honest.note(end), honest.entries[start:end])

    for number, size in ((0, 4), (3, 4), (4, 7), (6, 7), (7, 10), (9, 10)):
        assert follower.log.first_note(number) == honest.note(size)
    assert follower.log.first_note(10) is None


def test_a_follower_refuses_a_smaller_tree(honest: LyingLog, follower: Follower) -> None:
    """An older head is no news; it is refused and what is held stays."""
    follower.follow(honest.note(), honest.entries)

    with pytest.raises(SizeConflictError):
        follower.follow(honest.note(7), [])
    assert follower.size == 10


def test_a_follower_refuses_another_root_for_a_size_it_knows(
    honest: LyingLog, forked: LyingLog, follower: Follower
) -> None:
    """Same size or smaller: a signed root that is not the one held is a contradiction."""
    follower.follow(honest.note(), honest.entries)

    for size in (10, 7):
        with pytest.raises(InconsistentError, match="two roots"):
            follower.follow(forked.note(size), [])


def test_a_follower_refuses_a_tree_that_does_not_extend_its_own(
    honest: LyingLog, forked: LyingLog, follower: Follower
) -> None:
    """The new entries are in order, but they do not stand on the past that the follower holds."""
    follower.follow(honest.note(7), honest.entries[:7])

    with pytest.raises(InconsistentError):
        follower.follow(forked.note(), forked.entries[7:])
    assert follower.log.entries(0, 7) == honest.entries[:7]


def test_a_follower_refuses_entries_that_are_not_under_the_signed_root(
    honest: LyingLog, follower: Follower
) -> None:
    """Valid blocks beyond or short of what was signed are not taken."""
    for size in (4, 7):
        with pytest.raises(InconsistentError):
            follower.follow(honest.note(size), honest.entries)
    with pytest.raises(InconsistentError):
        follower.follow(honest.note(), honest.entries[:7])
    assert (follower.size, follower.log.root(0)) == (0, EMPTY_ROOT)


def test_a_follower_refuses_what_the_machine_would_not_do(
    space: Any, honest: LyingLog, follower: Follower
) -> None:
    """Signed and consistent, but a transaction in it had no right to take effect: a witness cannot see it."""
    wrong = LyingLog(space, [*honest.entries[:7], space.stranger.batch(1), honest.entries[-1]])

    with pytest.raises(InconsistentError, match="not-a-member"):
        follower.follow(wrong.note(), wrong.entries)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10), st.integers(0, 10)), max_size=10))
def test_no_sequence_of_answers_brings_a_follower_off_its_history(
    space: Any, answers: list[tuple[bool, int, int]]
) -> None:
    """Honest and forked heads, entries from any place, in any order: what is held only grows, and one log."""
    blocks = (space.admissions, [space.alpha.batch(1), space.beta.batch(1)])
    other = (space.admissions, [space.beta.batch(1), space.alpha.batch(1)])
    last = [space.alpha.batch(2), space.beta.batch(2)]
    logs = (history(space, *blocks, last), history(space, *other, last))
    with tempfile.TemporaryDirectory() as folder:
        follower = Follower(Path(folder) / "follower.db", space.genesis, space.log_key)
        held: list[bytes] = []
        for lies, start, size in answers:
            log = logs[lies]
            with suppress(EntrepotError):
                follower.follow(log.note(size), log.entries[start:size])
            now = follower.log.entries(0, follower.size)
            assert now[: len(held)] == held
            held = now
        assert any(held == log.entries[: len(held)] for log in logs)
        assert follower.log.root(len(held)) == Tree(map(leaf_hash, held)).root()
        follower.close()


def test_an_audit_finds_a_row_rewritten_on_the_logs_disk(honest: LyingLog, follower: Follower) -> None:
    """One byte in one old row: number and digests are named, though no head was ever signed anew."""
    follower.follow(honest.note(), honest.entries)
    served = list(honest.entries)
    assert follower.audit(lambda start, end: served[start:end]).differences == ()
    served[4] = served[4].replace(b'"number":1', b'"number":3')
    audit = follower.audit(lambda start, end: served[start:end])

    assert audit.size == 10
    (found,) = audit.differences
    assert (found.number, found.held, found.served) == (4, sha256(honest.entries[4]), sha256(served[4]))
    missing = follower.audit(lambda start, end: served[start : end - 1]).differences
    assert [(d.number, d.served) for d in missing] == [(4, sha256(served[4])), (9, None)]


def test_an_audit_finds_a_row_rewritten_in_a_running_ledger(
    space: Any, tmp_path: Path, follower: Follower
) -> None:
    """The ledger's own head and proofs stay right, so a witness notices nothing; the follower does."""
    path, clock = tmp_path / "ledger.db", space.Clock()
    ledger = EmbeddedLedger(path, space.genesis, space.log, clock=clock)
    for raw in space.admissions:
        ledger.outcome(ledger.submit(raw)).result(10)
    size = ledger.standing().size
    follower.follow(ledger.head(), ledger.log.entries(0, size))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        body = bytearray(connection.execute("SELECT body FROM entry WHERE number = 0").fetchone()[0])
        body[40] ^= 1
        connection.execute("UPDATE entry SET body = ? WHERE number = 0", (bytes(body),))

    assert follower.judge(ledger.head()).size == size
    (found,) = follower.audit(ledger.log.entries).differences
    assert (found.number, found.served) == (0, sha256(bytes(body)))
    ledger.close()


# --- a restored backup


@pytest.fixture
def restored(
    space: Any, tmp_path: Path, honest: LyingLog, witness: Witness, follower: Follower
) -> Iterator[EmbeddedLedger]:
    """A ledger that lost its last block: witness and follower have seen ten entries, its file holds seven."""
    lines = decode_signatures(witness.add_checkpoint(honest.request(0)))
    note = decode_note(honest.note())
    follower.follow(encode_note(Note(note.text, (*note.signatures, *lines))), honest.entries)
    backup = Follower(tmp_path / "ledger.db", space.genesis, space.log_key)  # the same file format
    backup.follow(honest.note(7), honest.entries[:7])
    backup.close()
    ledger = EmbeddedLedger(
        tmp_path / "ledger.db",
        space.genesis,
        space.log,
        clock=space.Clock(),
        witnesses=[space.witness_key],
    )
    yield ledger
    ledger.close()


def ask(ledger: EmbeddedLedger, witness: Witness) -> None:
    """One round with a witness, as the node's loop does it."""
    old, head = ledger.size_known_to("observer.example"), ledger.head()
    size = ledger.standing().size
    try:
        proof = ledger.log.prove_consistency(min(old, size), size)
        line = witness.add_checkpoint(encode_add_checkpoint(AddCheckpoint(min(old, size), proof, head)))
    except SizeConflictError as conflict:
        ledger.named("observer.example", conflict.size)
        return
    ledger.cosigned(head, decode_signatures(line))


def test_a_restored_backup_orders_nothing_and_says_what_it_lacks(
    space: Any, restored: EmbeddedLedger, witness: Witness
) -> None:
    """It would otherwise write a second history over what its witnesses have seen."""
    for _ in range(3):
        ask(restored, witness)

    assert (restored.standing().ordering, restored.standing().behind) == (False, 10)
    with pytest.raises(UnavailableError, match=r"observer\.example"):
        restored.submit(space.alpha.batch(2))


def test_a_restored_backup_is_refilled_from_a_follower_and_goes_on(
    space: Any, restored: EmbeddedLedger, witness: Witness, follower: Follower, honest: LyingLog
) -> None:
    """After it holds what its witnesses cosigned, they cosign its head again and it orders."""
    ask(restored, witness)
    restored.refill(follower.log.entries(7, 10), follower.note)
    assert restored.log.entries(0, 10) == honest.entries
    assert not restored.standing().ordering
    ask(restored, witness)
    ask(restored, witness)

    assert restored.standing().ordering
    name = restored.submit(space.alpha.batch(2))
    assert restored.outcome(name).result(10).height == 4
    ask(restored, witness)
    assert restored.status(name).state == "witnessed"
    follower.follow(restored.published(), restored.log.entries(10, restored.standing().size))


def test_a_refill_believes_nothing_that_is_not_cosigned(
    restored: EmbeddedLedger, witness: Witness, follower: Follower, honest: LyingLog, forked: LyingLog
) -> None:
    """Entries under a head that only the log signed, foreign entries, or too few: all are refused."""
    ask(restored, witness)
    for entries, note, error in (
        (honest.entries[7:], honest.note(), SignatureError),
        (forked.entries[7:], follower.note, InconsistentError),
        (honest.entries[7:9], follower.note, InconsistentError),
        (honest.entries[4:], follower.note, InconsistentError),
    ):
        with pytest.raises(error):
            restored.refill(entries, note)
    assert restored.standing().size == 7


def test_a_ledger_that_orders_is_not_refilled(space: Any, tmp_path: Path, follower: Follower) -> None:
    """Refilling is for a file that lost something, never a way to bring entries in."""
    ledger = EmbeddedLedger(tmp_path / "l.db", space.genesis, space.log, clock=space.Clock())
    with pytest.raises(InconsistentError):
        ledger.refill([], follower.note or b"")
    ledger.close()
