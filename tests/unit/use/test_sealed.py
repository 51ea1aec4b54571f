"""Encrypted delivery: only the receiver reads it, whole and unchanged, whatever ranges it came in."""

import io
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.identity import Receiver
from entrepot.use.sealed import (
    CHUNK,
    HEADER,
    TAG,
    Seal,
    SealError,
    context_of,
    read_sealed,
    seal_for,
    sealed_size,
    unseal,
)
from entrepot.values import Digest, KeyId, ProcessId, TrustError, sha256

PROCESS = ProcessId("urn:uuid:process")
ME = Receiver(KeyId("me"), bytes(31) + b"\x41")
SECRET = sha256(b"the provider's own")
WHOLE = CHUNK + TAG
SIZES = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17])


def data_of(size: int) -> bytes:
    return (sha256(str(size).encode()) * (size // 32 + 1))[:size]


def seal(plain: bytes, receiver: Receiver = ME) -> Seal:
    return seal_for(receiver.public, SECRET, PROCESS, sha256(plain), len(plain))


def sealed(plain: bytes, made: Seal | None = None) -> bytes:
    return read_sealed(made or seal(plain), io.BytesIO(plain), 0, sealed_size(len(plain)))


def opened(
    folder: Path, raw: bytes, artefact: Digest, receiver: Receiver = ME, pid: ProcessId = PROCESS
) -> bytes:
    source, target = folder / "in", folder / "out"
    source.write_bytes(raw)
    unseal(source, target, receiver.key_from, receiver.public, pid, artefact)
    return target.read_bytes()


@given(size=SIZES)
@settings(max_examples=20)
def test_the_receiver_reads_what_was_sealed(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    """Empty, of one chunk, ending at a chunk's edge, beyond it."""
    plain = data_of(size)
    raw = sealed(plain)

    assert len(raw) == sealed_size(size)
    assert opened(tmp_path_factory.mktemp("open"), raw, sha256(plain)) == plain
    assert len(plain) < 32 or plain[:32] not in raw


@given(size=SIZES, cut=st.data())
@settings(max_examples=60)
def test_ranges_together_are_the_whole(size: int, cut: st.DataObject) -> None:
    """A resume at any byte, in the header or in the middle of a chunk, goes on with the same bytes."""
    plain = data_of(size)
    start = cut.draw(st.integers(0, sealed_size(size)))
    length = cut.draw(st.integers(0, sealed_size(size) - start))

    assert read_sealed(seal(plain), io.BytesIO(plain), start, length) == sealed(plain)[start : start + length]


def test_the_bytes_are_those_of_the_page() -> None:
    """Another program must be able to read them: docs/reference/encrypted-delivery.md, step by step."""
    plain = data_of(CHUNK + 5)
    raw = sealed(plain)
    assert raw[:19] == b"entrepot/sealed/v1\n"
    assert int.from_bytes(raw[19:23]) == 65536
    assert int.from_bytes(raw[23:31]) == len(plain)
    public, whose = raw[31:63], raw[63:95]
    assert whose == sha256(ME.public.raw)
    key = ME.key_from(public, b"entrepot/sealed/v1\n" + sha256(plain) + b"urn:uuid:process")
    assert context_of(PROCESS, sha256(plain)) == b"entrepot/sealed/v1\n" + sha256(plain) + PROCESS.encode()

    first = AESGCM(key).decrypt(bytes(11) + b"\x00", raw[95 : 95 + 65536 + 16], raw[:95])
    last = AESGCM(key).decrypt(bytes(10) + b"\x01\x01", raw[95 + 65536 + 16 :], raw[:95])
    assert first + last == plain


@given(place=st.integers(0, sealed_size(CHUNK + 5) - 1), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_one_changed_bit_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    """Whoever carries it, in the header too, cannot change what is read; nothing is left behind."""
    plain = data_of(CHUNK + 5)
    raw = bytearray(sealed(plain))
    raw[place] ^= 1 << bit
    folder = tmp_path_factory.mktemp("changed")

    with pytest.raises(TrustError):
        opened(folder, bytes(raw), sha256(plain))
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\x00",
        lambda raw: raw[: HEADER + WHOLE],
        lambda raw: raw[:HEADER] + raw[HEADER + WHOLE :],
        lambda raw: raw[:HEADER] + raw[HEADER + WHOLE : HEADER + 2 * WHOLE] + raw[HEADER + WHOLE :],
        lambda raw: raw + raw[-20:],
        lambda _raw: b"",
        lambda raw: raw[:HEADER],
    ],
    ids=[
        "cut",
        "longer",
        "first chunk only",
        "first missing",
        "swapped",
        "repeated end",
        "empty",
        "header only",
    ],
)
def test_a_chunk_can_be_neither_left_out_nor_moved(tmp_path: Path, change: object) -> None:
    """Each chunk alone is genuine; only all of them in their order are the artefact."""
    plain = data_of(2 * CHUNK + 9)
    raw = change(sealed(plain))  # type: ignore[operator]  # one of the functions above

    with pytest.raises(SealError):
        opened(tmp_path, raw, sha256(plain))
    assert not (tmp_path / "out").exists()


def test_a_wrong_key_is_named_as_such(tmp_path: Path) -> None:
    """A consumer that changed its key learns what to do, and is not told of a broken chunk."""
    plain = data_of(100)
    other = Receiver(KeyId("other"), bytes(31) + b"\x42")

    with pytest.raises(SealError, match="a key that is not ours"):
        opened(tmp_path, sealed(plain, seal(plain, other)), sha256(plain))


def test_a_seal_holds_for_one_process_and_one_artefact(tmp_path: Path) -> None:
    """What was sealed for one use opens nothing of another."""
    plain = data_of(100)

    with pytest.raises(SealError):
        opened(tmp_path, sealed(plain), sha256(plain), pid=ProcessId("urn:uuid:another"))
    with pytest.raises(SealError):
        opened(tmp_path, sealed(plain), sha256(b"another artefact"))
    assert seal(plain).key != seal(plain + b"x").key


def test_a_provider_that_seals_something_else_is_found_out(tmp_path: Path) -> None:
    """Encryption proves who can read, not what it is: the contract's digest does."""
    plain, other = data_of(100), data_of(101)[:100]
    made = seal_for(ME.public, SECRET, PROCESS, sha256(plain), 100)

    with pytest.raises(SealError, match="not the artefact"):
        opened(tmp_path, sealed(other, made), sha256(plain))


def test_a_file_that_became_shorter_is_not_made_up() -> None:
    """Its owner changed it in mid-stream: the stream ends, and the receiver asks again."""
    plain = data_of(2 * CHUNK)
    made = seal(plain)

    assert len(read_sealed(made, io.BytesIO(plain[:-1]), 0, sealed_size(len(plain)))) == HEADER + CHUNK + TAG


def test_no_key_in_a_representation() -> None:
    """A seal in a traceback gives nothing away."""
    assert seal(b"x").key.hex() not in repr(seal(b"x"))
    assert str(seal(b"x").key) not in repr(seal(b"x"))
