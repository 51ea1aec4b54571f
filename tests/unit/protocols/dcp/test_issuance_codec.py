"""The messages of issuance: what is written is read again as the same, whatever it says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import Asked, AskedState, CredentialForm, Issuance, IssuanceState, Kind
from entrepot.protocols.dcp.issuance_codec import (
    Container,
    Delivery,
    Outcome,
    Request,
    parse_delivery,
    parse_metadata,
    parse_offer,
    parse_request,
    parse_status,
    render_delivery,
    render_metadata,
    render_offer,
    render_request,
    render_status,
)
from entrepot.values import Did, MalformedError

AT = datetime(2026, 11, 25, tzinfo=UTC)
ISSUER = Did("did:web:issuer.example")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\n"), min_size=1, max_size=20)
CONTAINERS = st.lists(st.builds(Container, TEXT, TEXT, TEXT), min_size=1, max_size=16).map(tuple)


@given(TEXT, TEXT, CONTAINERS, TEXT)
def test_a_delivery_reads_back(
    theirs: str, ours: str, credentials: tuple[Container, ...], reason: str
) -> None:
    for made in (
        Delivery(theirs, ours, Outcome.ISSUED, credentials),
        Delivery(theirs, ours, Outcome.REJECTED, reason=reason),
    ):
        assert parse_delivery(render_delivery(made)) == made


@given(TEXT, st.lists(TEXT, min_size=1, max_size=16, unique=True))
def test_requests_and_offers_read_back(pid: str, kinds: list[str]) -> None:
    assert parse_request(render_request(pid, kinds)) == Request(pid, tuple(kinds))
    offered = parse_offer(render_offer(ISSUER, kinds))
    assert (offered.issuer, [k.id for k in offered.kinds]) == (ISSUER, kinds)


@given(st.lists(st.builds(Kind, TEXT, TEXT, st.sampled_from(CredentialForm)), max_size=8).map(tuple))
def test_metadata_reads_back(kinds: tuple[Kind, ...]) -> None:
    found = parse_metadata(render_metadata(ISSUER, kinds, "https://issuer.example/schemas/"))

    assert (found.issuer, found.kinds) == (ISSUER, kinds)


@pytest.mark.parametrize("state", list(IssuanceState))
def test_a_state_reads_back_for_the_request_that_it_is_of(state: IssuanceState) -> None:
    """An answer about another request must not end ours."""
    raw = render_status(Issuance("theirs", ISSUER, "ours", ("kind",), state, AT))

    assert parse_status(raw, Asked("ours", ISSUER, (), AskedState.RECEIVED, AT)) == AskedState(state.value)
    with pytest.raises(MalformedError):
        parse_status(raw, Asked("other", ISSUER, (), AskedState.RECEIVED, AT))
    with pytest.raises(MalformedError):
        parse_status(
            raw.replace(str(state).encode(), b"MAYBE"), Asked("ours", ISSUER, (), AskedState.RECEIVED, AT)
        )
