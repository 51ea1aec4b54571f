"""Records, their commitments and the consumer's receipt: one value, one sequence of bytes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.ledger import (
    Comparison,
    ProofError,
    Receipt,
    Record,
    RecordKind,
    SignatureError,
    Units,
    commitment,
    compare_receipt,
    decode_receipt,
    decode_record,
    encode_record,
    leaf_hash,
    new_salt,
    sign_receipt,
)
from entrepot.values import MalformedError, TooLargeError

CONTRACT = "7" * 46 + "A"
DIGEST = "sha256:" + "ab" * 32
OPENED = Record(
    at="2026-11-25T08:00:00.000000Z",
    consumer="did:web:consumer.example",
    contract=CONTRACT,
    decision=DIGEST,
    kind=RecordKind.OPENED,
    product="urn:uuid:1",
    status_age=3,
    units=Units(uses=1),
    use="urn:uuid:0b9c",
)
CLOSED = msgspec.structs.replace(
    OPENED, kind=RecordKind.CLOSED, artefact=DIGEST, size=100, outcome="receipt", units=Units(bytes=120)
)
RECEIPT = Receipt(
    artefact=DIGEST,
    at="2026-11-25T08:00:05.000000Z",
    bytes=100,
    consumer=OPENED.consumer,
    contract=CONTRACT,
    key="did:web:consumer.example#evidence-1",
    use=OPENED.use,
)

counts = st.integers(0, 2**53 - 1)
digests = st.none() | st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
records = st.builds(
    Record,
    artefact=digests,
    at=st.datetimes().map(lambda t: t.isoformat(timespec="microseconds") + "Z"),
    consumer=st.from_regex(r"\Adid:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,40}\Z", fullmatch=True),
    contract=st.from_regex(r"\A[0-9A-Z]{46}[0-9A-Z*]\Z", fullmatch=True),
    decision=digests,
    kind=st.sampled_from(RecordKind),
    outcome=st.none() | st.from_regex(r"\A[a-z][a-z0-9 -]{0,79}\Z", fullmatch=True),
    product=st.from_regex(r"\A[!-~]{1,200}\Z", fullmatch=True),
    receipt=digests,
    size=st.none() | counts,
    status_age=st.none() | counts,
    units=st.builds(Units, counts, counts, counts, st.integers(-1, 1)),
    use=st.from_regex(r"\A[A-Za-z0-9:._-]{1,100}\Z", fullmatch=True),
)


@given(records)
def test_a_record_is_read_back_as_it_was_written(record: Record) -> None:
    """A court reads the bytes years later; they must still be the record."""
    assert decode_record(encode_record(record)) == record


@given(records, st.data())
def test_no_changed_byte_gives_the_same_record(record: Record, data: st.DataObject) -> None:
    """Two texts of one record would be two commitments to one truth."""
    raw = bytearray(encode_record(record))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = decode_record(bytes(raw))
    except MalformedError:
        return
    assert changed != record


@given(st.binary(max_size=400))
def test_no_bytes_make_the_readers_stumble(raw: bytes) -> None:
    """Receipts come from strangers: anything else than a refusal would be a crash."""
    for decode in (decode_record, decode_receipt):
        with pytest.raises((MalformedError, TooLargeError)):
            decode(raw)


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2026-11-25T08:00:00Z"},
        {"consumer": "Zhang San"},
        {"contract": "c1"},
        {"outcome": "Free text, with a name!"},
        {"product": "two words"},
        {"use": "urn:uuid:x\n"},
        {"units": Units(bytes=-1)},
        {"units": Units(uses=2**53)},
        {"decision": DIGEST.upper()},
        {"status_age": -1},
        {"v": 2},
    ],
)
def test_a_record_out_of_form_is_not_written(change: dict[str, Any]) -> None:
    """A record that could not be read back would be lost with its commitment standing."""
    with pytest.raises(MalformedError):
        encode_record(msgspec.structs.replace(OPENED, **change))


def test_the_commitment_hides_behind_its_salt() -> None:
    """Two records alike must not look alike on the ledger, or counting them would be possible."""
    body = encode_record(OPENED)
    salts = [new_salt(), new_salt()]

    assert commitment(salts[0], body) == commitment(salts[0], body)
    assert commitment(salts[0], body) != commitment(salts[1], body)
    with pytest.raises(ProofError):
        commitment(b"short", body)


def test_the_commitment_is_what_the_format_says() -> None:
    """The bytes of records cannot change any more: this is the published vector."""
    salt = bytes(range(32))
    assert encode_record(OPENED) == (
        b'{"artefact":null,"at":"2026-11-25T08:00:00.000000Z","consumer":"did:web:consumer.example",'
        b'"contract":"' + CONTRACT.encode() + b'","decision":"' + DIGEST.encode() + b'","environment":null,'
        b'"kind":"opened",'
        b'"outcome":null,"product":"urn:uuid:1","receipt":null,"size":null,"status_age":3,'
        b'"units":{"bytes":0,"rows":0,"seconds":0,"uses":1},"use":"urn:uuid:0b9c","v":1}'
    )
    made = commitment(salt, encode_record(OPENED))
    assert made.hex() == "94a404cc657f754fbcc748ecfc47dba178745360298958396503a8e0616c3718"
    assert leaf_hash(made).hex() == "9da107fd0680479599d80e08b5a160aefac7ab6e3f80bffa9abed491542aad15"


def test_a_receipt_is_held_to_its_consumers_key(space: Any) -> None:
    """Anyone else's receipt would let a provider write its own."""
    key, other = space.Key("consumer"), space.Key("other")
    signed = decode_receipt(sign_receipt(RECEIPT, key))

    signed.verify(key.raw)
    assert signed.receipt == RECEIPT
    with pytest.raises(SignatureError):
        signed.verify(other.raw)
    foreign = msgspec.structs.replace(RECEIPT, key="did:web:other.example#evidence-1")
    with pytest.raises(MalformedError, match="key of the consumer"):
        decode_receipt(sign_receipt(foreign, other))
    with pytest.raises(TooLargeError):
        decode_receipt(b"{" * 5000)


def test_both_sides_of_a_use_are_set_beside_each_other() -> None:
    """A difference must show, and a missing receipt must not look like agreement."""
    other = msgspec.structs.replace(RECEIPT, artefact="sha256:" + "cd" * 32)
    shorter = msgspec.structs.replace(RECEIPT, bytes=99)

    assert compare_receipt(CLOSED, RECEIPT) is Comparison.AGREED
    assert compare_receipt(CLOSED, other) is Comparison.DIFFERS
    assert compare_receipt(CLOSED, shorter) is Comparison.DIFFERS
    assert compare_receipt(CLOSED, None) is Comparison.NO_RECEIPT
