"""The state machine: who may do what, once, and the same root for everybody."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import InconsistentError
from entrepot.ledger.machine import (
    CROWD,
    WINDOW,
    Call,
    Head,
    apply_block,
    decode_block_leaf,
    genesis_head,
    is_block_leaf,
    read_call,
    replay,
)
from entrepot.ledger.modules.contracts import EndReason
from entrepot.ledger.operation import Context, Refusal, View
from entrepot.ledger.transaction import SignedTransaction, make_payload
from entrepot.values import MalformedError


def test_only_the_authority_of_genesis_admits(space: Any) -> None:
    """A member that could admit others would make the space's membership worthless."""
    head = space.peopled()

    assert space.refused(head, space.alpha.admit(space.stranger)) == "not-allowed"
    assert space.refused(head, space.regulator.admit(space.stranger)) == "not-allowed"
    assert space.refused(head, space.stranger.admit(space.stranger)) == "not-a-member"
    assert space.refused(head, space.operator.admit(space.alpha, height=1)) == "exists"


def test_nobody_is_admitted_as_operator_or_with_another_members_key(space: Any) -> None:
    """A second operator could admit; a key named after somebody else would sign in their name."""
    head = space.peopled()
    impostor = space.Actor("stranger", key_of="alpha")

    assert space.refused(head, space.operator.admit(space.stranger, "operator")) == "not-allowed"
    assert space.refused(head, space.operator.admit(impostor)) == "wrong-key"


def test_after_rotation_only_the_new_key_signs(space: Any) -> None:
    """A stolen old key must stop working the moment its owner has changed it."""
    newer = space.Actor("alpha", 2)
    head = space.after(space.peopled(), space.alpha.new_keys(newer))

    assert space.refused(head, space.alpha.batch(1)) == "wrong-key"
    assert space.after(head, newer.batch(1)).height == head.height + 1


def test_epochs_follow_one_another(space: Any) -> None:
    """Evidence names a key by its epoch; a gap or a repeat would make two keys answer to one name."""
    head = space.peopled()

    assert space.refused(head, space.alpha.new_keys(space.alpha)) == "not-next"
    assert space.refused(head, space.alpha.new_keys(space.Actor("alpha", 3))) == "not-next"
    assert space.refused(head, space.beta.new_keys(space.Actor("alpha", 2))) == "not-allowed"


def test_the_operator_may_replace_a_members_lost_keys(space: Any) -> None:
    """A member that lost its keys cannot sign the change itself."""
    newer = space.Actor("alpha", 2)
    head = space.after(space.peopled(), space.operator.new_keys(newer))

    assert space.after(head, newer.batch(1))


@pytest.mark.parametrize("by", ["operator", "regulator"])
def test_a_revoked_member_can_do_nothing_more(space: Any, by: str) -> None:
    """Revocation is decided here; every later transaction of that member is refused, for ever."""
    head = space.after(space.peopled(), getattr(space, by).revoke(space.alpha))

    for transaction in (space.alpha.batch(1), space.alpha.register(), space.alpha.new_keys(space.alpha)):
        assert space.refused(head, transaction) == "not-a-member"
    assert space.refused(head, space.operator.admit(space.alpha)) == "repeated"
    assert space.refused(head, space.operator.admit(space.alpha, height=1)) == "exists"
    assert space.refused(head, space.operator.file(1, space.alpha, space.beta)) == "party-not-in-force"


def test_the_operator_cannot_be_revoked(space: Any) -> None:
    """Nobody could ever admit or revoke again."""
    assert space.refused(space.peopled(), space.regulator.revoke(space.operator)) == "not-allowed"
    assert space.refused(space.peopled(), space.beta.revoke(space.alpha)) == "not-allowed"


def test_a_product_belongs_to_its_first_owner(space: Any) -> None:
    """Another member must not put its own description behind a known name."""
    head = space.after(space.peopled(), space.alpha.register())

    assert space.refused(head, space.beta.register()) == "not-allowed"
    assert space.refused(head, space.beta.register(text="v2")) == "not-allowed"
    assert space.after(head, space.alpha.register(text="v2"))


def test_core_data_cannot_be_registered(space: Any) -> None:
    """Core data is never offered, so its grade is not in the vocabulary."""
    assert space.refused(space.peopled(), space.alpha.register(grade="core")) == "malformed"


def test_a_contract_id_is_used_once_for_ever(space: Any) -> None:
    """Two envelopes under one id would be two truths about what was promised."""
    head = space.after(space.peopled(), space.alpha.file(1, space.alpha, space.beta))
    head = space.after(head, space.alpha.end(1))

    assert space.refused(head, space.beta.file(1, space.alpha, space.beta)) == "exists"
    assert space.refused(head, space.operator.file(1, space.beta, space.alpha)) == "exists"


def test_a_contract_is_filed_by_a_party_or_the_operator(space: Any) -> None:
    """A third member must not bind two others."""
    head = space.peopled()

    assert space.refused(head, space.regulator.file(1, space.alpha, space.beta)) == "not-allowed"
    assert space.refused(head, space.alpha.file(1, space.alpha, space.stranger)) == "party-not-in-force"
    assert space.refused(head, space.alpha.file(1, space.alpha, space.alpha)) == "malformed"
    assert space.after(head, space.operator.file(1, space.alpha, space.beta))
    assert space.after(head, space.alpha.file(1, space.alpha, space.stranger, one_sided=True))


def test_a_contract_ends_once_by_those_who_may(space: Any) -> None:
    """Only a supervisor gives an order; only a party or the operator ends by agreement; an end is final."""
    head = space.after(space.peopled(), space.alpha.file(1, space.alpha, space.beta))

    assert space.refused(head, space.regulator.end(1)) == "not-allowed"
    assert space.refused(head, space.alpha.end(1, EndReason.ORDER)) == "not-allowed"
    assert space.refused(head, space.alpha.end(2)) == "unknown"
    head = space.after(head, space.regulator.end(1, EndReason.ORDER))
    assert space.refused(head, space.alpha.end(1)) == "ended"


def test_batches_form_one_chain(space: Any) -> None:
    """A batch that is lost, reordered or replaced breaks the chain and is refused."""
    head = space.after(space.peopled(), space.alpha.batch(1), space.alpha.batch(2), space.beta.batch(1))

    assert space.refused(head, space.alpha.batch(4)) == "not-next"
    assert space.refused(head, space.alpha.batch(2, height=1)) == "not-next"
    assert space.refused(head, space.alpha.batch(3, previous=space.digest("other"))) == "wrong-previous"


def test_a_repeat_is_recognised_in_the_block_and_after_it(space: Any) -> None:
    """The same payload takes effect once, whatever signature bytes travel with it."""
    batch = space.alpha.batch(1)
    block = space.block(space.peopled(), batch, batch)

    assert [type(result).__name__ for result in block.results] == ["SignedTransaction", "Refusal"]
    assert space.refused(block.head, batch) == "repeated"


def test_the_window_is_kept_to_the_height(space: Any) -> None:
    """At the window's last height a transaction is admitted and its repeat known; one later it is refused."""
    head = space.peopled()
    last = Head(head.chain, WINDOW - 1, head.time, head.state)
    late = Head(head.chain, WINDOW, head.time, head.state)

    batch = space.alpha.batch(1)
    assert space.refused(space.after(late, space.beta.batch(1, height=1)), batch) == "expired"
    assert space.refused(late, batch) == "expired"
    assert space.after(last, batch).height == WINDOW
    assert space.refused(last, space.admissions[0]) == "repeated"
    assert space.refused(head, space.alpha.batch(1, height=head.height + 2)) == "not-yet"


def test_what_is_too_old_to_be_repeated_is_forgotten_in_blocks_that_hold_transactions(space: Any) -> None:
    """The state must not grow with every transaction, and an empty block must leave its root alone."""
    head = space.peopled()
    far = Head(head.chain, WINDOW + 10, head.time, head.state)
    assert far.state.get("made/0") is not None

    empty = space.block(far)
    assert (empty.leaves, empty.head.state.root) == ((), far.state.root)
    assert space.after(far, space.alpha.batch(1, height=WINDOW)).state.get("made/0") is None


def test_a_crowded_height_takes_no_more(space: Any) -> None:
    """What is searched for repeats stays bounded, even if a member makes everything at one height."""
    head = space.peopled()
    crowd = {"made/1": b"".join(n.to_bytes(32, "big") for n in range(CROWD))}
    crowded = Head(head.chain, head.height, head.time, head.state.update(crowd))

    assert space.refused(crowded, space.alpha.batch(1, height=1)) == "crowded"
    assert space.after(crowded, space.alpha.batch(1, height=0))


def test_a_transaction_for_another_ledger_is_refused(space: Any) -> None:
    """A signature given for one space must not be worth anything in another."""
    head = space.peopled()
    other = space.alpha.make("usage.batch", read_call(space.alpha.batch(1)).body, chain="other.example")

    assert space.refused(head, other) == "other-chain"


def test_a_signature_by_another_key_is_refused(space: Any) -> None:
    """Nobody acts in another member's name."""
    raw = space.alpha.batch(1)
    forged = raw[:-64] + space.beta.key.sign(b"entrepot/transaction/v1\n" + raw[:-64])

    assert space.refused(space.peopled(), forged) == "bad-signature"
    assert space.refused(space.peopled(), raw[:-1] + bytes([raw[-1] ^ 1])) == "bad-signature"


def test_a_signature_remembered_for_one_key_is_not_believed_for_another(space: Any) -> None:
    """A transaction checked before its sender's keys changed must not slip through with the old one."""
    head = space.peopled()
    call = read_call(space.alpha.batch(1))
    assert not isinstance(apply_block(head, 9, 9, [call]).results[0], Refusal)
    taken = space.after(head, space.alpha.new_keys(space.Actor("alpha", 2)))

    assert isinstance(apply_block(taken, 9, 9, [call]).results[0], Refusal)


@pytest.mark.parametrize(
    "text",
    ["13812345678", "11010519491231002X", "a.13812345678", "11010519491231002X.b"],
)
def test_what_looks_like_a_person_never_reaches_a_ledger(space: Any, text: str) -> None:
    """The log is for ever and for everybody; an identity or mobile number in it could not be taken back."""
    with pytest.raises(MalformedError, match="no personal data") as caught:
        read_call(space.alpha.register(f"urn:uuid:{text}"))

    assert text not in str(caught.value)
    assert space.refused(space.peopled(), space.alpha.register(f"urn:uuid:{text}")) == "personal-data"


def test_percent_encoding_hides_nobody(space: Any) -> None:
    """A DID may hold percent escapes; a number behind one, or written in them, is still a number."""
    for text in ("x.example%3A13812345678", "x.example:%31%33%38%31%32%33%34%35%36%37%38"):
        raw = space.operator.admit(space.stranger)
        raw = raw.replace(space.stranger.did.encode(), f"did:web:{text}".encode())
        assert space.refused(space.peopled(), raw) == "personal-data"


@pytest.mark.parametrize(
    "text",
    ["110105194912310021", "013812345678", "d0c9a8e8-59ab-4c5e-9d3a-013812345678", "20261125080000123"],
)
def test_other_numbers_are_no_persons(space: Any, text: str) -> None:
    """Codes, digests and times hold long digits and must pass."""
    assert read_call(space.alpha.register(f"urn:uuid:{text}"))


def test_an_operation_that_no_module_has_is_refused(space: Any) -> None:
    """Well-formed and signed, but nothing that this ledger can do."""
    body = read_call(space.alpha.batch(1)).body
    assert space.refused(space.peopled(), space.alpha.make("usage.erase", body)) == "malformed"


@pytest.mark.parametrize(
    "product", ["a free text", "数据", "urn:uuid:" + "x" * 200, "urn:uuid:a b", "urn:uuid:a\n", "<script>"]
)
def test_there_is_no_room_for_free_text(space: Any, product: str) -> None:
    """Closed forms only: whatever could be a sentence is refused."""
    assert space.refused(space.peopled(), space.alpha.register(product)) == "malformed"


def test_block_leaves_and_transactions_cannot_be_taken_for_each_other(space: Any) -> None:
    """A transaction that reads as a block leaf would let a member write the ledger's own statements."""
    block = space.block(space.peopled(), space.alpha.batch(1), space.beta.batch(1))

    assert [is_block_leaf(leaf) for leaf in block.leaves] == [False, False, True]
    assert decode_block_leaf(block.leaves[-1]).height == block.head.height
    assert space.refused(block.head, block.leaves[-1]) == "malformed"


def test_the_root_does_not_depend_on_height_or_time(space: Any) -> None:
    """An engine that makes a block whenever the root changed would never rest otherwise."""
    head = space.peopled()
    early = apply_block(head, head.height + 1, head.time + 1, [space.alpha.batch(1)])
    late = apply_block(head, head.height + 99, head.time + 99, [space.alpha.batch(1)])

    assert early.head.state.root == late.head.state.root != head.state.root
    assert apply_block(early.head, 200, 10**9, []).head.state.root == early.head.state.root


def test_a_block_that_does_not_follow_is_a_fault_of_the_engine(space: Any) -> None:
    """Heights and times only grow."""
    head = space.peopled()
    for height, time in ((head.height, head.time + 1), (head.height + 1, head.time)):
        with pytest.raises(ValueError, match="does not follow"):
            apply_block(head, height, time, [])


# What a space's members might send, valid and invalid, in any order.
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["operator", "alpha", "beta", "regulator", "stranger"]),
        st.sampled_from(
            ["admit", "revoke", "rotate", "register", "file", "end", "order", "batch", "again", "noise"]
        ),
        st.integers(0, 3),
    ),
    max_size=14,
)


def moved(space: Any, moves: list[tuple[str, str, int]]) -> list[bytes]:
    """The transactions of `moves`."""
    made: list[bytes] = []
    for who, what, n in moves:
        made.append(move(space, made, getattr(space, who), what, n))
    return made


def move(space: Any, made: list[bytes], actor: Any, what: str, n: int) -> bytes:
    other = (space.alpha, space.beta, space.stranger, space.regulator)[n]
    make = {
        "admit": lambda: actor.admit(other),
        "revoke": lambda: actor.revoke(other),
        "rotate": lambda: actor.new_keys(space.Actor(other.name, 2)),
        "register": lambda: actor.register(f"urn:uuid:{n}", text=actor.name),
        "file": lambda: actor.file(n, space.alpha, space.beta, one_sided=n == 2),
        "end": lambda: actor.end(n),
        "order": lambda: actor.end(n, EndReason.ORDER),
        "batch": lambda: actor.batch(n + 1),
        "again": lambda: made[n % len(made)] if made else b"",
        "noise": lambda: bytes([n]) * n * 40,
    }
    return make[what]()


@settings(max_examples=60, deadline=None)
@given(MOVES, st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_replay_gives_the_same_roots(space: Any, moves: list[tuple[str, str, int]], sizes: list[int]) -> None:
    """Whoever re-runs the log, or cuts the same transactions into other blocks, holds the same state."""
    transactions = [*space.admissions, *moved(space, moves)]
    start = head = genesis_head(space.genesis)
    entries: list[bytes] = []
    roots, at = [], 0
    for turn in range(len(transactions)):
        size = sizes[turn % len(sizes)]
        block = space.block(head, *transactions[at : at + size])
        head, at = block.head, at + size
        entries += block.leaves
        roots += [head.state.root] if block.leaves else []
    again = [block.head for block in replay(start, entries)]

    assert [one.state.root for one in again] == roots
    at_once = apply_block(start, 1, 2, transactions).head
    # Every transaction here is made at height 0, so cutting changes nothing that a rule may look at.
    assert at_once.state.root == head.state.root
    assert dict(at_once.state.items()) == dict(head.state.items())


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_invariants_hold_after_any_moves(space: Any, moves: list[tuple[str, str, int]]) -> None:
    """One leaf for each effect, epochs and batches step by one, ends and revocations stay."""
    head, seen = space.peopled(), set()
    for transaction in moved(space, moves):
        before, block = head.state, space.block(head, transaction)
        head = block.head
        assert len(block.leaves) == (2 if block.applied else 0)
        assert (head.state.root == before.root) == (not block.applied)
        for signed in block.applied:
            assert signed.digest not in seen
            seen.add(signed.digest)
        for key, value in before.items():
            if key.startswith(("members/", "contracts/")) and b'"ended":null' not in value:
                assert head.state.get(key) == value


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise_in_a_block(space: Any, raw: bytes) -> None:
    """A proposer can put anything into a block; an exception would halt every node at one height."""
    assert space.refused(space.peopled(), raw) == "malformed"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_transactions_never_raise_in_a_block(space: Any, pick: st.DataObject) -> None:
    """Nor may anything that is nearly a transaction."""
    raw = bytearray(
        pick.draw(st.sampled_from([*space.admissions, space.alpha.batch(1), space.alpha.register()]))
    )
    for _ in range(pick.draw(st.integers(1, 3))):
        at = pick.draw(st.integers(0, len(raw) - 1))
        raw[at : at + pick.draw(st.integers(0, 3))] = pick.draw(st.binary(max_size=3))
    before = space.peopled()
    (result,) = space.block(before, bytes(raw)).results

    if isinstance(result, SignedTransaction):  # the damage undid itself
        assert result.payload == bytes(raw[:-64])


def test_replay_refuses_a_history_that_the_machine_would_not_make(space: Any) -> None:
    """A follower finds a wrong state root, a smuggled or lost transaction, and a block cut short."""
    start = space.peopled()
    good = space.block(start, space.alpha.batch(1), space.beta.batch(1)).leaves
    other_root = space.block(start, space.alpha.batch(1)).leaves[-1]
    for entries in (
        (*good[:2], other_root),
        (good[0], *good),
        good[1:],
        good[:2],
        (good[2],),
        (good[0], space.beta.batch(7), good[2]),
        (*good[:2], b'{"height":}'),
    ):
        with pytest.raises(InconsistentError):
            list(replay(start, entries))


def test_the_check_before_a_block_leaves_the_rules_to_the_block(space: Any) -> None:
    """Batch 2 may wait with batch 1; the rules of a module are for the block."""
    from entrepot.ledger.machine import check  # beside its only use

    view = View(space.peopled().state)
    call: Call = read_call(space.alpha.batch(2))

    assert not isinstance(check(view, call, Context("ledger.example/space", 1, 1)), Refusal)


def test_payloads_are_the_same_bytes_whoever_makes_them(space: Any) -> None:
    """The id of a transaction is the digest of its payload; two encodings would be two names."""
    body = read_call(space.alpha.batch(1)).body
    fields = {
        "chain": "a",
        "height": 1,
        "actor": space.alpha.did,
        "key": space.alpha.key_id,
        "op": "usage.batch",
    }

    assert make_payload(body=body, **fields) == make_payload(body=body, **fields)
    assert make_payload(body=body, **fields).startswith(
        b'{"actor":"did:web:alpha.example","body":{"number":1,'
    )
