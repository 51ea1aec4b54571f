"""The messages of the presentation protocol: what was written is read, all else is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.protocols.dcp import MEMBERSHIP
from entrepot.protocols.dcp.codec import (
    MAX_SCOPES,
    parse_presentations,
    parse_query,
    render_presentations,
    render_query,
)
from entrepot.values import EntrepotError, MalformedError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOME = st.lists(TEXTS, min_size=1, max_size=MAX_SCOPES).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(texts=SOME)
def test_messages_are_read_as_they_were_written(texts: tuple[str, ...]) -> None:
    assert parse_query(render_query(texts)) == texts
    assert parse_presentations(render_presentations(texts)) == texts


def test_a_query_looks_as_the_standard_writes_it() -> None:
    """DCP 1.0, 5.4.1: context, type and scopes; another implementation reads no more than that."""
    message = msgspec.json.decode(render_query((MEMBERSHIP,)))

    assert message["@context"] == ["https://w3id.org/dspace-dcp/v1.0/dcp.jsonld"]
    assert message["type"] == "PresentationQueryMessage"
    assert message["scope"] == ["org.eclipse.dspace.dcp.vc.type:MembershipCredential:read"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"scope":[]}',
        b'{"scope":"all"}',
        b'{"scope":[1]}',
        b'{"presentationDefinition":{}}',
        b'{"scope":["a"],"presentationDefinition":{"id":"1"}}',
        msgspec.json.encode({"scope": ["a"] * (MAX_SCOPES + 1)}),
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_queries_without_scopes_are_refused(body: bytes) -> None:
    """Scope or definition, never both, never neither (DCP 1.0, 5.4.1)."""
    with pytest.raises(MalformedError):
        parse_query(body)


@given(raw=st.binary(max_size=40) | JSON.map(msgspec.json.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for parse in (parse_query, parse_presentations):
        try:
            found = parse(raw)
        except EntrepotError:
            continue
        assert all(isinstance(t, str) for t in found)


def test_a_presentation_may_come_in_its_envelope() -> None:
    """VC Data Model 2.0, 4.13, as DCP 1.0, 5.4.2 lets a response hold objects; other objects are refused."""
    envelope = {"id": "data:application/vp+jwt,a.b.c", "type": "EnvelopedVerifiablePresentation"}
    test = {"presentation": ["d.e.f", envelope]}

    assert parse_presentations(msgspec.json.encode(test)) == ("d.e.f", "a.b.c")
    for wrong in ({}, {**envelope, "type": "VerifiablePresentation"}, {**envelope, "id": "a.b.c"}, 7, None):
        with pytest.raises(MalformedError):
            parse_presentations(msgspec.json.encode({"presentation": [wrong]}))


@given(name=st.sampled_from(["scope", "presentation", "presentationDefinition"]), value=JSON)
def test_any_value_is_read_or_refused(name: str, value: object) -> None:
    test = msgspec.json.encode({"scope": ["a"], "presentation": ["b"], name: value})
    for parse in (parse_query, parse_presentations):
        try:
            found = parse(test)
        except EntrepotError:
            continue
        assert len(found) <= MAX_SCOPES
