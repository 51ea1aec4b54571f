"""Catalogue pages as bytes: datasets that were rendered when they were published, put one beside the other.

A page begins after a number of the shelf and not at a position, so nothing is left out when products come
and go while somebody turns the pages; what is published anew meanwhile comes once more, at the end. The
bytes are those that `render_catalog` would give.
"""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from entrepot.catalogue import shelf_store, store
from entrepot.catalogue.dcat import service_of
from entrepot.catalogue.model import Product
from entrepot.catalogue.search import Search, search
from entrepot.values import Did, ProductId, canonical
from entrepot.values.canonical import Json

PAGE: Final = 100
_ABOVE_ALL: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins and how long it is; `skip` counts datasets from there."""

    after: int = 0
    size: int = PAGE
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a catalogue, and where the pages before and behind it begin.

    That is after which number of the shelf, or at which position of a search's answer.
    """

    body: bytes
    next_after: int | None
    previous_after: int | None


@dataclass(frozen=True, slots=True)
class Stock:
    """A page of what one provider has on offer, as its owner reads it: the newest first."""

    products: tuple[Product, ...]
    total: int
    next_after: int | None
    previous_after: int | None


@dataclass(frozen=True, slots=True)
class Cover:
    """What a catalogue says of itself on each of its pages."""

    catalog_id: str
    participant: Did
    endpoint: str
    context: tuple[str, ...]
    only_own: bool
    """Whether it shows what its participant provides, or what everybody does."""


def page(connection: Connection, cover: Cover, place: Place | Search) -> Page:
    """One page of the catalogue, or of what a search finds in it."""
    if isinstance(place, Search):
        return _found(connection, cover, place)
    provider = cover.participant if cover.only_own else None
    rows = shelf_store.page(connection, provider, place.after, place.skip, place.size + 1)
    shown = rows[: place.size]
    return Page(
        body=_bound(cover, [(whose, dataset) for _, whose, dataset in shown]),
        next_after=shown[-1][0] if len(rows) > place.size else None,
        previous_after=(
            shelf_store.before(connection, provider, place.after, place.size) if place.after else None
        ),
    )


def stock(connection: Connection, provider: Did, place: Place) -> Stock:
    """One page of what a provider has on offer here; `place.after` is 0 for the newest."""
    rows = store.page_of(connection, provider, place.after or _ABOVE_ALL, place.size + 1)
    shown = rows[: place.size]
    return Stock(
        products=tuple(product for _, product in shown),
        total=shelf_store.count(connection, provider),
        next_after=shown[-1][0] if len(rows) > place.size else None,
        previous_after=(
            shelf_store.above(connection, provider, place.after, place.size) if place.after else None
        ),
    )


def _found(connection: Connection, cover: Cover, wanted: Search) -> Page:
    """A page of what a search finds; the pages around it begin at these positions of the answer."""
    if cover.only_own:
        wanted = replace(wanted, provider=cover.participant)
    answer = search(connection, wanted)
    return Page(
        body=_bound(cover, [*zip(answer.providers, answer.datasets, strict=True)]),
        next_after=answer.next_offset,
        previous_after=max(wanted.offset - wanted.limit, 0) if wanted.offset else None,
    )


def dataset_page(connection: Connection, cover: Cover, product_id: ProductId) -> bytes | None:
    """The dataset of one product by itself; None where this catalogue does not show it."""
    found = shelf_store.dataset(connection, product_id)
    if found is None or (cover.only_own and found[0] != cover.participant):
        return None
    return b'{"@context":' + canonical.encode([*cover.context]) + b"," + found[1][1:]


def _bound(cover: Cover, datasets: list[tuple[Did, bytes]]) -> bytes:
    """Bind datasets into a catalogue: its participant's directly, those of others under their names."""
    own = [d for whose, d in datasets if whose == cover.participant]
    nested = []
    for other in dict.fromkeys(whose for whose, _ in datasets if whose != cover.participant):
        theirs = [d for whose, d in datasets if whose == other]
        nested.append(
            _object(
                {"@id": f"{cover.catalog_id}/of/{other}", "@type": "Catalog", "participantId": other},
                {"dataset": _array(theirs)},
            )
        )
    service: Json = {
        "@id": service_of(cover.participant),
        "@type": "DataService",
        "endpointURL": cover.endpoint,
    }
    plain: dict[str, Json] = {
        "@context": [*cover.context],
        "@id": cover.catalog_id,
        "@type": "Catalog",
        "participantId": cover.participant,
        "service": [service],
    }
    rendered = {"dataset": _array(own)} if own else {}
    return _object(plain, rendered | ({"catalog": _array(nested)} if nested else {}))


def _object(plain: dict[str, Json], rendered: dict[str, bytes]) -> bytes:
    """An object in canonical form, some of whose members are rendered already."""
    members = {name: canonical.encode(value) for name, value in plain.items()} | rendered
    # All names are ASCII, so their order is that of RFC 8785.
    return b"{" + b",".join(canonical.encode(n) + b":" + members[n] for n in sorted(members)) + b"}"


def _array(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"
