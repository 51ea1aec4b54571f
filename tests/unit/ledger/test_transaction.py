"""Transactions: one encoding, one name, one signature over them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import SignatureError, decode_transaction, transaction_id
from entrepot.ledger.machine import read_call
from entrepot.values import EntrepotError, MalformedError, TooLargeError, canonical


def test_a_transaction_is_named_by_its_payload_alone(space: Any) -> None:
    """The sender knows the name before the ledger does; a second signature makes no second one."""
    raw = space.alpha.batch(1)
    signed = decode_transaction(raw)

    assert signed.id == transaction_id(raw[:-64]) == decode_transaction(raw[:-64] + bytes(64)).id
    assert signed.id.startswith("sha256:")
    signed.verify(space.alpha.key.raw)
    with pytest.raises(SignatureError):
        signed.verify(space.beta.key.raw)


def test_a_signature_is_bound_to_its_purpose(space: Any) -> None:
    """A signature over the bare payload, given for something else, is no transaction's signature."""
    payload = space.alpha.batch(1)[:-64]

    with pytest.raises(SignatureError):
        decode_transaction(payload + space.alpha.key.sign(payload)).verify(space.alpha.key.raw)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("actor", "https://alpha.example"),
        ("actor", "did:web:alpha example"),
        ("actor", "did:web:" + "a" * 300),
        ("key", "did:web:alpha.example"),
        ("op", "usage.BATCH"),
        ("op", "a.batch.more"),
        ("height", -1),
        ("height", 2**53),
        ("height", 1.5),
        ("chain", ""),
        ("chain", "Space of ours"),
        ("note", "free text"),
        ("body", None),
    ],
)
def test_only_the_closed_form_is_read(space: Any, field: str, value: object) -> None:
    """No unknown key, no open field: there is no place for what does not belong on a ledger."""
    raw = space.alpha.batch(1)
    changed: Any = canonical.decode(raw[:-64])
    changed[field] = value
    import json  # canonical.encode would refuse some of these first

    payload = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()

    with pytest.raises(MalformedError):
        read_call(payload + raw[-64:])


def test_only_canonical_bytes_are_read(space: Any) -> None:
    """Two texts of one transaction would be two names for it, also when the difference is in the body."""
    raw = space.alpha.batch(1)
    for payload in (raw[:-64].replace(b'"v":1', b'"v": 1'), raw[:-64].replace(b'"number":1', b'"number": 1')):
        with pytest.raises(MalformedError):
            read_call(payload + raw[-64:])


def test_size_is_bounded_before_anything_is_parsed() -> None:
    """A huge transaction costs the ledger nothing."""
    with pytest.raises(TooLargeError):
        decode_transaction(b"{" * (1 << 20))
    with pytest.raises(MalformedError):
        decode_transaction(bytes(64))


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda c: st.dictionaries(st.sampled_from(["actor", "body", "v", "op"]), c),
            max_leaves=5,
        ).map(lambda v: repr(v).replace("'", '"').encode() + bytes(64)),
    )
)
def test_no_input_fails_in_another_way(raw: bytes) -> None:
    """A stranger's bytes are refused by name, never by an accident."""
    try:
        read_call(raw)
    except EntrepotError:
        return
    pytest.fail("random bytes are no transaction")
