"""The space's search: what a member asks the platform, and how it is written."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from entrepot_space_world import ALICE, BOB
from entrepot_tds_net import Net
from hypothesis import given
from hypothesis import strategies as st

from entrepot import catalogue
from entrepot.catalogue import Found, Search, parse_search, render_search
from entrepot.protocols import tds
from entrepot.protocols.tds.finding import parse_found, render_found
from entrepot.values import Did, Grade, KindOfUse, MalformedError, ProductId, canonical

WORD = st.text(st.characters(categories=["Lo", "Ll", "Nd"]), min_size=1, max_size=10)
SEARCHES = st.builds(
    Search,
    words=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
    grades=st.frozensets(st.sampled_from(Grade)),
    kinds=st.frozensets(st.sampled_from(KindOfUse)),
    provider=st.none() | st.just(ALICE.did),
    keywords=st.lists(WORD, max_size=3).map(tuple),
    media_type=st.sampled_from(["", "text/csv", "text/*"]),
    since=st.none() | st.just(datetime(2026, 11, 25, 8, tzinfo=UTC)),
    until=st.none() | st.just(datetime(2026, 11, 26, tzinfo=UTC)),
    offset=st.integers(0, 10_000),
    limit=st.integers(1, 100),
)


def read(query: str) -> Search:
    from urllib.parse import parse_qsl

    return parse_search(dict(parse_qsl(query)))


@given(wanted=SEARCHES)
def test_a_question_arrives_as_it_was_asked(wanted: Search) -> None:
    """A filter that got lost on the way would show what nobody asked for."""
    assert read(render_search(wanted)) == wanted


@pytest.mark.parametrize(
    "query",
    [
        "grade=L9",
        "kind=look",
        "offset=x",
        "limit=101",
        "offset=-1",
        "since=yesterday",
        "colour=red",
        "words=" + "x" * 501,
    ],
)
def test_a_question_that_cannot_be_read_is_refused(query: str) -> None:
    """A filter that is passed over in silence answers another question."""
    with pytest.raises(MalformedError):
        read(query)


@given(
    found=st.builds(
        Found,
        total=st.integers(0, 1_000),
        datasets=st.lists(st.sampled_from([b'{"a":1}', b'{"b":"x"}']), max_size=3).map(tuple),
        next_offset=st.none() | st.integers(1, 50),
    )
)
def test_an_answer_arrives_as_it_was_given(found: Found) -> None:
    """Datasets travel as the bytes that they were published as."""
    assert parse_found(render_found(found), 3) == found


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"dataset":1}', b"\xff", b'{"dataset":[{},{},{},{}],"total":4}']
)
def test_a_platform_that_answers_nonsense_is_not_believed(raw: bytes) -> None:
    """Nor one that sends more than was asked for."""
    with pytest.raises(MalformedError):
        parse_found(raw, 3)


def test_a_member_finds_what_another_offers(net: Net) -> None:
    """From one node's question through the platform's index to a product that can be read and judged."""
    product = replace(
        net.world.product(), id=ProductId("urn:product:tides"), title="潮汐表", keywords=("tide", "海洋")
    )
    net.world.journal.write_now(lambda tx: catalogue.list_product(tx, product))

    async def ask(**wanted: Any) -> list[str]:
        found = await net.client(BOB).search(Search(**wanted))
        assert found.total == len(found.datasets)
        return [p.title for p in tds.judged(found)[0]]

    assert asyncio.run(ask(words="潮汐")) == ["潮汐表"]
    assert asyncio.run(ask(words="tides", provider=product.provider)) == ["潮汐表"]
    assert asyncio.run(ask(words="tides", provider=Did("did:web:nobody.example"))) == []


def test_what_cannot_be_read_does_not_hide_the_rest(net: Net) -> None:
    """A newer release may write what this one does not know; its neighbours are still found."""
    net.world.product()
    found = net.world.journal.read_now(lambda c: catalogue.search(c, Search()))
    mixed = replace(found, datasets=(b'{"@id":"urn:x"}', *found.datasets))

    assert len(tds.judged(mixed)[0]) == len(found.datasets) > 0


def test_an_offer_that_asks_for_what_nobody_knows_is_shown_with_the_name(net: Net) -> None:
    """A buyer must see why this offer is none for it, and go on with the others."""
    net.world.product()
    found = net.world.journal.read_now(lambda c: catalogue.search(c, Search()))
    strange = json.loads(found.datasets[0])
    strange["@id"] = "urn:product:strange"
    strange["hasPolicy"][0]["permission"][0].setdefault("constraint", []).append(
        {"leftOperand": "https://other.example/ns/weather", "operator": "eq", "rightOperand": "fair"}
    )
    mixed = replace(found, datasets=(canonical.encode(strange), *found.datasets))
    products, (refused,) = tds.judged(mixed)

    assert [p.id for p in products] == [json.loads(found.datasets[0])["@id"]]
    assert refused.id == "urn:product:strange"
    assert any("unknown operand https://other.example/ns/weather" in reason for reason in refused.reasons)
