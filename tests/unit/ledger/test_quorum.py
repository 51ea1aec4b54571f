"""What witnesses have said, in any order: when a log is witnessed, and when it may order."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from entrepot.identity import Signer
from entrepot.ledger import (
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    SignatureError,
    SignatureType,
    cosign_checkpoint,
    decode_note,
    parse_checkpoint,
    sign_checkpoint,
)
from entrepot.ledger.quorum import Witnesses
from entrepot.values import Digest, sha256

SINCE = 1_000


class Key:
    def __init__(self, name: str) -> None:
        self._key = SigningKey(sha256(name.encode()))
        self.raw = bytes(self._key.verify_key)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature


SIGNERS: list[Any] = [Key(f"witness {i}") for i in range(3)]
KEYS = [NoteKey(f"w{i}", SignatureType.COSIGNATURE, key.raw) for i, key in enumerate(SIGNERS)]
LOG: Any = Key("log")
LOG_KEY = NoteKey("log", SignatureType.ED25519, LOG.raw)


def note(size: int) -> tuple[Note, Checkpoint]:
    one = Checkpoint("log", size, Digest(sha256(str(size).encode())))
    return Note(one.text, (sign_checkpoint(one, LOG, LOG_KEY),)), one


def cosigned(size: int, witness: int, time: int) -> NoteSignature:
    signer: Signer = SIGNERS[witness]
    return cosign_checkpoint(note(size)[1], time, signer, KEYS[witness])


TIMES = st.sampled_from([SINCE - 1, SINCE])


@given(st.integers(1, 3), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), TIMES), max_size=14))
@settings(max_examples=80)
def test_witnessed_never_goes_back_and_counts_each_witness_once(
    quorum: int, said: list[tuple[int, int, int]]
) -> None:
    """The largest size that a quorum has cosigned; the gate opens when all were heard since the start."""
    witnesses = Witnesses(KEYS, quorum, SINCE)
    by_size: dict[int, set[int]] = {}
    heard: set[int] = set()
    before = 0
    for size, who, time in said:
        by_size.setdefault(size, set()).add(who)
        heard |= {who} if time >= SINCE else set()
        full = witnesses.add(*note(size), [cosigned(size, who, time)])
        enough = [s for s, names in by_size.items() if len(names) >= quorum]

        assert witnesses.witnessed == max([before, *enough])
        assert (full is not None) == (len(by_size[size]) >= quorum and size >= before)
        assert witnesses.open == (len(heard) == len(KEYS))
        assert witnesses.waiting_for == tuple(f"w{i}" for i in range(3) if i not in heard)
        if witnesses.note is not None:
            held = decode_note(witnesses.note)
            assert parse_checkpoint(held.text).size == witnesses.witnessed
            assert len({s.name for s in held.signatures} - {"log"}) >= quorum
            witnesses.require_quorum(held)
        before = witnesses.witnessed


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    """One that fails is no witness's word, and what was heard stays as it was."""
    witnesses = Witnesses(KEYS, 1, SINCE)
    with pytest.raises(SignatureError):
        witnesses.add(*note(2), [cosigned(1, 0, SINCE)])
    assert (witnesses.note, witnesses.witnessed, witnesses.open) == (None, 0, False)
