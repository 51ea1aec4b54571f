"""Schemas of credentials: a stranger's bytes that say what a stranger's claims must look like."""

from typing import Any

import msgspec
import pytest
from entrepot_identity_world import ALICE, PLATFORM
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import (
    MAX_SCHEMA,
    Credential,
    CredentialForm,
    Schema,
    check_claims,
    issue_credential,
    parse_token,
    read_credential,
    read_schema,
)
from entrepot.values import EntrepotError, MalformedError, TooLargeError, TrustError

WHOLE, SUBJECT = Schema("https://issuer.example/schema"), Schema("https://issuer.example/schema", True)
NEEDS_FOO = {"$schema": "http://json-schema.org/draft-04/schema#", "required": ["id", "foo"]}
NEEDS_FOO_INSIDE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "properties": {"credentialSubject": {"required": ["id", "foo"]}},
    "required": ["credentialSubject"],
}


def read(schema: object) -> Any:
    return read_schema(msgspec.json.encode(schema))


def credential(**claims: Any) -> Credential:
    made = Credential(CredentialForm.VC20, PLATFORM.did, ALICE.did, (), claims, None, None)
    return read_credential(parse_token(issue_credential(PLATFORM.identity, made)))


@pytest.mark.parametrize(("schema", "kind"), [(NEEDS_FOO, SUBJECT), (NEEDS_FOO_INSIDE, WHOLE)])
def test_claims_keep_to_their_schema_or_are_refused(schema: object, kind: Schema) -> None:
    """Of the subject as the older kind meant it, of the whole credential as the newer one says."""
    check_claims(credential(foo="bar"), kind, read(schema))

    with pytest.raises(TrustError, match="breaks the schema") as caught:
        check_claims(credential(secret="my secret"), kind, read(schema))
    assert "my secret" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"7",
        b"<html>",
        b'{"type": 7}',
        b'{"pattern": "("}',
        b'{"$schema": "https://eve.example/meta"}',
        b'{"$ref": "https://eve.example/schema"}',
        b'{"$ref": "http://127.0.0.1:9/schema"}',
        b'{"$ref": "file:///etc/passwd"}',
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ],
)
def test_what_is_no_schema_or_wants_more_fetched_is_refused(raw: bytes) -> None:
    """A schema must not make us call an address that nobody checked."""
    with pytest.raises(MalformedError):
        read_schema(raw)


def test_a_schema_is_bounded() -> None:
    with pytest.raises(TooLargeError):
        read_schema(b" " * MAX_SCHEMA + b"{}")


def test_a_pattern_takes_no_longer_than_its_text() -> None:
    """A pattern that backtracks would keep the node, and this test, busy for years on forty letters."""
    validator = read({"properties": {"credentialSubject": {"properties": {"a": {"pattern": "^(a+)+$"}}}}})
    with pytest.raises(TrustError):
        check_claims(credential(a="a" * 40 + "!"), WHOLE, validator)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "required", "properties", "$ref", "items", "enum", "pattern", "not"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_any_schema_is_read_or_refused(schema: Any) -> None:
    try:
        check_claims(credential(foo=1), WHOLE, read(schema))
    except EntrepotError:
        return
