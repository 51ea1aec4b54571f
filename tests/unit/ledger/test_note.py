"""Notes, checkpoints and cosignatures in C2SP form: published bytes hold, anything else is refused."""

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import (
    Checkpoint,
    Note,
    NoteError,
    NoteKey,
    NoteSignature,
    SignatureError,
    SignatureType,
    cosign_checkpoint,
    decode_note,
    decode_signatures,
    encode_note,
    parse_checkpoint,
    parse_note_key,
    render_note_key,
    render_signature,
    sign_checkpoint,
    tree_hash,
    verify_checkpoint,
    verify_cosignature,
)
from entrepot.values import EntrepotError, TooLargeError

# From the Go package golang.org/x/mod/sumdb/note, whose format C2SP describes.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
# The example of c2sp.org/tlog-cosignature.
C2SP_COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()


def checkpoint(size: int = 3) -> Checkpoint:
    return Checkpoint("ledger.example/space", size, tree_hash([bytes([n]) for n in range(size)]))


def signed(space: Any, size: int = 3) -> Note:
    one = checkpoint(size)
    return Note(one.text, (sign_checkpoint(one, space.log, space.log_key),))


def test_a_note_signed_by_another_implementation_holds() -> None:
    """The bytes of the Go implementation verify under its published key."""
    key, note = parse_note_key(GO_KEY), decode_note(GO_NOTE)

    assert render_note_key(key) == GO_KEY
    assert encode_note(note) == GO_NOTE
    assert (note.signatures[0].name, note.signatures[0].key_id) == (key.name, key.id)
    from entrepot.ledger.note import verify_ed25519  # a note that is no checkpoint

    verify_ed25519(key.raw, note.text.encode(), note.signatures[0].signature)


def test_the_example_of_the_specification_reads_as_it_says() -> None:
    """Origin, size, root, and the time inside the cosignature."""
    note = decode_note(C2SP_COSIGNED)
    one = parse_checkpoint(note.text)

    assert (one.origin, one.size) == ("example.com/behind-the-sofa", 20852163)
    assert one.root == b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert one.text == note.text
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1679315147
    assert encode_note(note) == C2SP_COSIGNED


def test_a_checkpoint_and_its_cosignature_survive_the_way(space: Any) -> None:
    """Signed, cosigned, encoded, decoded, verified: and the witness's time is the one it signed."""
    one = checkpoint()
    note = signed(space)
    cosigned = Note(
        note.text, (*note.signatures, cosign_checkpoint(one, 1_700_000_000, space.witness, space.witness_key))
    )
    read = decode_note(encode_note(cosigned))

    assert read == cosigned
    assert verify_checkpoint(read, space.log_key) == one
    assert verify_cosignature(read.text, read.signatures[1], space.witness_key).time == 1_700_000_000
    assert decode_signatures(render_signature(read.signatures[1]).encode()) == read.signatures[1:]


def test_a_cosignature_is_bound_to_time_text_and_key(space: Any) -> None:
    """Another time, another tree or another witness: nothing of a cosignature can be moved."""
    line = cosign_checkpoint(checkpoint(), 100, space.witness, space.witness_key)
    later = NoteSignature(line.name, line.key_id, (101).to_bytes(8, "big") + line.signature[8:])
    late = cosign_checkpoint(checkpoint(), 2**63, space.witness, space.witness_key)
    other = NoteKey("observer.example", SignatureType.COSIGNATURE, space.Key("other").raw)
    plain = NoteKey("observer.example", SignatureType.ED25519, space.witness.raw)

    for text, signature, key in (
        (checkpoint().text, later, space.witness_key),
        (checkpoint(4).text, line, space.witness_key),
        (checkpoint().text, line, other),
        (checkpoint().text, line, plain),
        (checkpoint().text, NoteSignature(line.name, plain.id, line.signature), plain),
        (checkpoint().text, late, space.witness_key),
        (checkpoint().text, NoteSignature(line.name, line.key_id, line.signature[:-1]), space.witness_key),
    ):
        with pytest.raises(SignatureError):
            verify_cosignature(text, signature, key)


def test_a_checkpoint_counts_only_under_the_logs_own_key(space: Any) -> None:
    """Unknown signatures are ignored, a known one that fails condemns the note, none at all is refused."""
    note = signed(space)
    stranger = NoteSignature("stranger.example", b"abcd", bytes(64))
    broken = NoteSignature(space.log_key.name, space.log_key.id, bytes(64))

    assert verify_checkpoint(Note(note.text, (stranger, *note.signatures)), space.log_key) == checkpoint()
    as_witness = NoteKey(space.log_key.name, SignatureType.COSIGNATURE, space.log.raw)
    plain = NoteSignature(as_witness.name, as_witness.id, note.signatures[0].signature)
    with pytest.raises(SignatureError):
        verify_checkpoint(Note(note.text, (plain,)), as_witness)
    for signatures in ((stranger,), (*note.signatures, broken)):
        with pytest.raises(SignatureError):
            verify_checkpoint(Note(note.text, signatures), space.log_key)
    with pytest.raises(SignatureError):
        verify_checkpoint(Note(checkpoint(4).text, note.signatures), space.log_key)


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n",
        "a\n1\nAAAA\n",
        "a\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nextension\n",
        "\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a b\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n9223372036854775808\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nextension",
        "a\n１\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """One tree head, one text: leading zeroes, stray bits, other digits and extension lines have no place."""
    with pytest.raises(NoteError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA=",
        b"text\n\n\xe2\x80\x94 na+me AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
        b"text\n\n- name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"te\xffxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"te\rxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA=\nmore\n",
        b"\xe2\x80\x94 name AAAAAAA=\n",
    ],
)
def test_what_is_no_note_is_refused(raw: bytes) -> None:
    """Every byte of a note has one meaning."""
    with pytest.raises(NoteError):
        decode_note(raw)


@pytest.mark.parametrize(("key", "signature"), [(31, 64), (33, 64), (32, 63), (32, 65), (32, 0)])
def test_keys_and_signatures_of_another_length_are_refused(key: int, signature: int) -> None:
    """Bytes that slid from signature into text, or were cut off, must never verify."""
    from entrepot.ledger.note import verify_ed25519  # the one place where libsodium is called

    with pytest.raises(SignatureError, match="Ed25519 signature of"):
        verify_ed25519(bytes(key), b"text", bytes(signature))


def test_notes_are_bounded() -> None:
    """A note that never ends, or with signatures without end, costs the reader nothing."""
    with pytest.raises(TooLargeError):
        decode_note(b"a" * (1 << 17))
    with pytest.raises(TooLargeError):
        decode_signatures("\u2014 name AAAAAAA=\n".encode() * 10_000)
    with pytest.raises(NoteError):
        decode_signatures("\u2014 name AAAAAAA=".encode())
    with pytest.raises(NoteError):
        decode_note(b"text\n\n" + "\u2014 name AAAAAAA=\n".encode() * 65)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=80).map(lambda t: t.encode("utf-8", "ignore"))))
def test_whatever_decodes_encodes_to_the_same_bytes(raw: bytes) -> None:
    """There is one way to write a note, and no input makes the reader fail otherwise."""
    for decode in (decode_note, decode_signatures, lambda r: parse_checkpoint(r.decode("latin-1"))):
        try:
            value = decode(raw)
        except EntrepotError:
            continue
        if isinstance(value, Note):
            assert encode_note(value) == raw


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_change_to_a_cosigned_checkpoint_is_noticed(space: Any, pick: st.DataObject) -> None:
    """One byte anywhere: the note is refused, or a signature that held holds no more."""
    note = signed(space)
    line = cosign_checkpoint(checkpoint(), 5, space.witness, space.witness_key)
    raw = bytearray(encode_note(Note(note.text, (*note.signatures, line))))
    at = pick.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= pick.draw(st.integers(1, 255))

    with pytest.raises(EntrepotError):
        verify_both(space, bytes(raw))


def verify_both(space: Any, raw: bytes) -> None:
    note = decode_note(raw)
    verify_checkpoint(note, space.log_key)
    for signature in note.signatures[1:] or note.signatures:
        verify_cosignature(note.text, signature, space.witness_key)


@given(st.text(max_size=60), st.integers(0, 66))
def test_a_verifier_key_reads_one_way_or_not_at_all(noise: str, at: int) -> None:
    """Policy files are written by people."""
    for text in (noise, GO_KEY[:at] + noise + GO_KEY[at:], GO_KEY[:at]):
        try:
            key = parse_note_key(text)
        except EntrepotError:
            continue
        assert render_note_key(key) == text


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AQ==",
        "PeterNeumann",
        "Peter Neumann+004fb23e+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+f63234e3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AxpcAQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_verifier_key_with_a_wrong_id_is_refused(text: str) -> None:
    """A policy file with a typing error in it must not silently name another key."""
    with pytest.raises(NoteError):
        parse_note_key(text)
