"""Catalogue pages: rendered when something is published, and never otherwise than `render_catalog` would."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from entrepot.catalogue import (
    Cover,
    Place,
    Product,
    Search,
    dataset_page,
    list_product,
    page,
    render_catalog,
    render_dataset,
    withdraw_product,
)
from entrepot.catalogue.dcat import service_of
from entrepot.journal import Journal
from entrepot.policy import Policy, Rule
from entrepot.values import Did, Grade, KindOfUse, ProductId, canonical, sha256

PLATFORM, ALICE, BOB = (Did(f"did:web:{n}.example") for n in ("platform", "alice", "bob"))
CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
COVER = Cover("https://p.example/catalog", PLATFORM, "https://p.example/dsp", (CONTEXT,), only_own=False)


def put(journal: Journal, number: int, provider: Did = ALICE, version: int = 1) -> Product:
    def listed(tx: Any) -> Product:
        product = Product(
            id=ProductId(f"urn:product:{number}"),
            version=version,
            title=f"气象 {number}",
            description="",
            keywords=("天气",),
            provider=provider,
            grade=Grade.L2,
            rights="urn:licence",
            kinds=frozenset({KindOfUse.DELIVERY}),
            policy=Policy(permissions=(Rule("use"),)),
            media_type="text/csv",
            size=10,
            artefact=sha256(b"x"),
            published_at=tx.now + timedelta(seconds=number),
        )
        return list_product(tx, product)

    return journal.write_now(listed)


def test_a_search_shows_pages_of_what_it_finds(journal: Journal) -> None:
    """Best first, whoever provides it, with the pages around it by their position."""
    products = [put(journal, n, ALICE if n % 2 else BOB) for n in range(7)]
    wanted = Search(words="天气", limit=3)

    first = journal.read_now(lambda c: page(c, COVER, wanted))
    last = journal.read_now(lambda c: page(c, COVER, replace(wanted, offset=6)))
    own = journal.read_now(
        lambda c: page(c, replace(COVER, participant=BOB, only_own=True), replace(wanted, limit=9))
    )

    assert (first.next_after, first.previous_after) == (3, None)
    assert (last.next_after, last.previous_after) == (None, 3)
    assert len(datasets(canonical.decode(first.body))) == 3
    theirs = {d["@id"] for d in datasets(canonical.decode(own.body))}
    assert theirs == {p.id for p in products if p.provider == BOB}


def turned(journal: Journal, cover: Cover, size: int) -> tuple[list[Any], list[bytes]]:
    """The ids on each page, and the pages."""
    shown, pages, after = [], [], 0
    while True:
        found = journal.read_now(lambda c, a=after: page(c, cover, Place(a, size)))
        pages.append(found.body)
        shown.append([d["@id"] for d in datasets(canonical.decode(found.body))])
        if found.next_after is None:
            return shown, pages
        after = found.next_after


def datasets(document: Any) -> list[Any]:
    nested = [d for c in document.get("catalog", []) for d in c["dataset"]]
    return [*document.get("dataset", []), *nested]


@pytest.mark.parametrize("participant", [PLATFORM, ALICE])
def test_a_page_is_the_bytes_that_rendering_it_would_give(journal: Journal, participant: Did) -> None:
    """A page put together from bytes must not differ by one of them from what the schemas were tried on."""
    products = [put(journal, n, (ALICE, BOB, PLATFORM)[n % 3]) for n in range(7)]
    cover = replace(COVER, participant=participant)

    found = journal.read_now(lambda c: page(c, cover, Place()))
    document = render_catalog(cover.catalog_id, participant, cover.endpoint, products)

    assert found.body == canonical.encode({"@context": [CONTEXT], **document})
    assert (found.next_after, found.previous_after) == (None, None)


def test_an_empty_catalogue_is_a_catalogue(journal: Journal) -> None:
    """The schema refuses an empty list of datasets, not a catalogue without one."""
    found = journal.read_now(lambda c: page(c, COVER, Place()))
    document = render_catalog(COVER.catalog_id, PLATFORM, COVER.endpoint, [])

    assert found.body == canonical.encode({"@context": [CONTEXT], **document})


def test_a_dataset_by_itself_is_the_one_of_the_catalogue(journal: Journal) -> None:
    """A consumer looks one product up and compares it with what it saw in the catalogue."""
    product = put(journal, 1)
    document = {"@context": [CONTEXT], **render_dataset(product, service_of(ALICE))}

    assert journal.read_now(lambda c: dataset_page(c, COVER, product.id)) == canonical.encode(document)
    own = replace(COVER, only_own=True)
    assert journal.read_now(lambda c: dataset_page(c, own, product.id)) is None
    assert journal.read_now(lambda c: dataset_page(c, COVER, ProductId("urn:other"))) is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_together_are_the_catalogue(journal: Journal, size: int) -> None:
    """Nothing is lost between two pages or shown twice."""
    ids = [put(journal, n, (ALICE, BOB)[n % 2]).id for n in range(7)]
    shown, _ = turned(journal, COVER, size)

    assert sorted(i for ids_of_page in shown for i in ids_of_page) == sorted(ids)
    assert all(len(ids_of_page) <= size for ids_of_page in shown)


def test_nothing_is_missed_while_others_publish_and_withdraw(journal: Journal) -> None:
    """A page that began at a position would jump over a product for every one that went away before it."""
    for number in range(6):
        put(journal, number)
    first = journal.read_now(lambda c: page(c, COVER, Place(size=3)))
    journal.write_now(lambda tx: withdraw_product(tx, ProductId("urn:product:0")))
    put(journal, 1, version=2)
    put(journal, 9)

    rest = journal.read_now(lambda c: page(c, COVER, Place(first.next_after or 0, 100)))

    names = [d["@id"].rpartition(":")[2] for d in datasets(canonical.decode(rest.body))]
    assert names == ["3", "4", "5", "1", "9"]


def test_one_can_turn_back(journal: Journal) -> None:
    """`previous` leads to the page before, and from the second page to the first."""
    for number in range(8):
        put(journal, number, BOB if number == 4 else ALICE)
    own = replace(COVER, participant=ALICE, only_own=True)
    second = journal.read_now(lambda c: page(c, own, Place(2, 2)))
    third = journal.read_now(lambda c: page(c, own, Place(second.next_after or 0, 2)))

    assert second.previous_after == 0
    assert third.previous_after == 2


def test_a_provider_shows_what_is_its_own(journal: Journal) -> None:
    """Whatever else lies in its database."""
    put(journal, 1, BOB)
    put(journal, 2, ALICE)

    shown, _ = turned(journal, replace(COVER, participant=ALICE, only_own=True), 1)
    assert shown == [["urn:product:2"]]


def test_eclipse_connectors_count_from_the_beginning(journal: Journal) -> None:
    """Offset and limit, as their filter says."""
    for number in range(5):
        put(journal, number)
    found = journal.read_now(lambda c: page(c, COVER, Place(size=2, skip=1)))

    assert [d["@id"] for d in datasets(canonical.decode(found.body))] == ["urn:product:1", "urn:product:2"]
