"""Canonical JSON: one value, one sequence of bytes, and no other bytes are read."""

import string

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from entrepot.values import EntrepotError, MalformedError, TooLargeError, canonical

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
VALUES: st.SearchStrategy[canonical.Json] = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct as the ledger has them."""

    use: str
    size: int
    notes: list[str]


@given(value=VALUES)
def test_the_bytes_are_those_of_rfc_8785(value: canonical.Json) -> None:
    """A signature made here verifies with any other implementation of RFC 8785."""
    assert rfc8785.dumps(value) == canonical.encode(value)


@given(value=VALUES)
def test_what_was_encoded_decodes_to_itself(value: canonical.Json) -> None:
    """Nothing is lost or changed on the way through bytes."""
    assert value == canonical.decode(canonical.encode(value))


@given(value=VALUES, place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_is_another_value(value: canonical.Json, place: int, byte: int) -> None:
    """Two different sequences of bytes never read as the same value, so a digest names one value."""
    raw = bytearray(canonical.encode(value))
    raw[place % len(raw)] = byte
    changed = bytes(raw)

    try:
        read = canonical.decode(changed)
    except EntrepotError:
        return
    assert canonical.encode(read) == changed


@given(raw=st.binary(max_size=40) | st.text(string.printable, max_size=40).map(str.encode))
def test_any_bytes_are_read_exactly_or_refused(raw: bytes) -> None:
    """No input of a stranger gets another exception than ours, or a second reading."""
    try:
        read = canonical.decode(raw)
    except EntrepotError:
        return
    assert canonical.encode(read) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" 1",
        b"1\n",
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b"NaN",
        b"\xef\xbb\xbf1",
        b"\xff",
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\u001F"',
        b"[1, 2]",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        '{"é":1}'.encode(),
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 5_000,
        b"[" * 900_000,
        b"[" * 65 + b"]" * 65,
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_a_second_way_to_write_is_refused(raw: bytes) -> None:
    """Every freedom of JSON that would give one value two signatures is closed."""
    with pytest.raises(MalformedError):
        canonical.decode(raw)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("nan"),
        b"bytes",
        (1, 2),
        {1: 2},
        {"a": {2}},
        "\ud800",
        {"é": 1},
        2**53,
        -(2**53),
        10**5_000,
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else value.bit_length(),
)
def test_what_has_no_canonical_form_is_not_written(value: canonical.Json) -> None:
    """A value outside the profile is refused where it is made, not where it is read."""
    with pytest.raises(MalformedError):
        canonical.encode(value)


def test_nesting_has_a_bound() -> None:
    """A deep value can neither be written nor read, so that no reader's stack decides what is valid."""
    deep: canonical.Json = 1
    for _ in range(canonical.MAX_DEPTH - 1):
        deep = [deep]

    assert deep == canonical.decode(canonical.encode(deep))
    with pytest.raises(MalformedError):
        canonical.encode([deep])


def test_size_has_a_bound() -> None:
    """Bytes beyond the bound are refused before they are parsed."""
    with pytest.raises(TooLargeError):
        canonical.decode(b'"12345678"', max_bytes=9)
    with pytest.raises(TooLargeError):
        canonical.decode_struct(b'"12345678"', Receipt, max_bytes=9)


def test_an_error_does_not_repeat_a_long_input() -> None:
    """A stranger cannot fill a log through an error's text."""
    with pytest.raises(MalformedError) as caught:
        canonical.encode({"é" * 10_000: 1})

    assert len(str(caught.value)) < 200


@given(use=TEXTS, size=INTEGERS, notes=st.lists(TEXTS, max_size=3))
def test_a_struct_has_the_bytes_of_its_fields(use: str, size: int, notes: list[str]) -> None:
    """A struct is written as the object that a verifier in another language sees."""
    raw = canonical.encode_struct(Receipt(use, size, notes))

    assert canonical.encode({"use": use, "size": size, "notes": list(notes)}) == raw
    assert Receipt(use, size, notes) == canonical.decode_struct(raw, Receipt)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_of_a_struct_is_refused_or_is_another_struct(place: int, byte: int) -> None:
    """As for free values: one struct, one sequence of bytes."""
    raw = bytearray(canonical.encode_struct(Receipt("urn:uuid:1", 12, ["a"])))
    raw[place % len(raw)] = byte
    changed = bytes(raw)

    try:
        read = canonical.decode_struct(changed, Receipt)
    except EntrepotError:
        return
    assert canonical.encode_struct(read) == changed


@pytest.mark.parametrize(
    "raw",
    [
        b'{"notes":[],"size":1,"use":"u","zeal":1}',
        b'{"notes":[],"size":1}',
        b'{"size":1,"notes":[],"use":"u"}',
        b'{"notes":[],"size":"1","use":"u"}',
        b'{"notes":[],"size":1,"use":"u"} ',
        b"[]",
    ],
)
def test_a_struct_is_read_from_its_own_bytes_only(raw: bytes) -> None:
    """Unknown, missing, disordered and padded content is refused."""
    with pytest.raises(MalformedError):
        canonical.decode_struct(raw, Receipt)


@pytest.mark.parametrize(
    ("raw", "has"),
    [
        (rb'{"a":"\u0000"}', True),
        (rb'{"\u0000":1}', True),
        (rb'{"a":"\\\u0000"}', True),
        (rb'{"a":"\\u0000"}', False),
        (rb'{"a":"\u00001"}', True),
        (rb'{"a":"u0000"}', False),
    ],
)
def test_a_zero_character_is_told_from_its_spelling(raw: bytes, has: bool) -> None:  # noqa: FBT001 (a table)
    """PostgreSQL refuses the one and keeps the other; a question with it would end as a fault."""
    assert canonical.has_zero(raw) is has
