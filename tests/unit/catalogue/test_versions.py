"""Versions of a product: the history, and the way back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrepot.catalogue import (
    Description,
    Product,
    Resource,
    attach_resource,
    offer_product,
    product,
    product_digest,
    product_under,
    roll_back,
    versions,
    withdraw_product,
)
from entrepot.journal import Journal
from entrepot.policy import Policy, Rule
from entrepot.values import Did, Grade, KindOfUse, NotFoundError, ProductId, RefusedError, sha256

ME, OTHER = Did("did:web:us.example"), Did("did:web:other.example")
PRODUCT = ProductId("urn:product:weather")
Offer = Callable[[str], Product]


@pytest.fixture
def offer(journal: Journal) -> Offer:
    def offered(title: str) -> Product:
        file = Resource(title, Path(f"/data/{title}"), "text/csv", 10, sha256(title.encode()), 1, 1)
        described = Description(
            title=title,
            description="",
            rights="urn:licence",
            grade=Grade.L2,
            kinds=frozenset({KindOfUse.DELIVERY}),
            policy=Policy(permissions=(Rule("use"),)),
        )
        journal.write_now(lambda tx: attach_resource(tx, file))
        return journal.write_now(lambda tx: offer_product(tx, PRODUCT, ME, title, described))

    return offered


def back(journal: Journal, version: int, provider: Did = ME) -> Product:
    return journal.write_now(lambda tx: roll_back(tx, PRODUCT, provider, version))


def test_the_history_is_whole_and_says_what_is_on_offer(journal: Journal, offer: Offer) -> None:
    """A provider sees what it once promised, and which of it holds now."""
    made = [offer(t) for t in ("one", "two", "three")]

    assert [(v.product, v.is_on_offer) for v in journal.read_now(lambda c: versions(c, PRODUCT))] == [
        (made[2], True),
        (made[1], False),
        (made[0], False),
    ]
    journal.write_now(lambda tx: withdraw_product(tx, PRODUCT))
    assert not any(v.is_on_offer for v in journal.read_now(lambda c: versions(c, PRODUCT)))


def test_going_back_is_a_new_version_with_an_older_content(journal: Journal, offer: Offer) -> None:
    """A version that came back under its old number would be two offers under one name."""
    first, second = offer("one"), offer("two")
    third = back(journal, 1)

    assert third == replace(first, version=3, published_at=third.published_at)
    assert journal.read_now(lambda c: product(c, PRODUCT)) == third
    assert product_digest(third) not in {product_digest(first), product_digest(second)}
    for version in (first, second, third):
        digest = product_digest(version)
        assert journal.read_now(lambda c, d=digest: product_under(c, PRODUCT, d)) == version


def test_a_withdrawn_product_comes_back_by_going_back(journal: Journal, offer: Offer) -> None:
    """Withdrawing is no end: the newest content is as good as an older one."""
    offer("one")
    journal.write_now(lambda tx: withdraw_product(tx, PRODUCT))

    assert back(journal, 1).version == 2


def test_there_is_no_way_back_to_where_one_stands_or_never_was(journal: Journal, offer: Offer) -> None:
    """Each with its own answer; and another's product is as if it were not there."""
    offer("one")

    with pytest.raises(RefusedError, match="on offer"):
        back(journal, 1)
    for version, provider in ((2, ME), (0, ME), (1, OTHER)):
        with pytest.raises(NotFoundError):
            back(journal, version, provider)


def test_an_artefact_that_is_gone_does_not_come_back(journal: Journal, offer: Offer) -> None:
    """An offer of bytes that nobody has would be a promise that cannot be kept."""
    offer("one")
    offer("two")
    journal.write_now(lambda tx: tx.connection.exec_driver_sql("DELETE FROM resource WHERE id = 'one'"))

    with pytest.raises(RefusedError, match="no longer here"):
        back(journal, 1)


def test_the_law_of_today_decides(tmp_path: Path) -> None:
    """What might be offered once may not be now: rules are dated, and going back is offering."""
    now = [datetime(2026, 11, 25, tzinfo=UTC)]
    journal = Journal.open(f"sqlite:///{tmp_path / 'law.db'}", clock=lambda: now[0])
    journal.create_schema()
    offered = offer.__wrapped__(journal)  # type: ignore[attr-defined]  # the fixture's own function, on this journal
    offered("one")
    offered("two")
    now[0] = datetime(
        2020, 1, 1, tzinfo=UTC
    )  # before any rule has begun nothing is known, and the answer is no

    with pytest.raises(RefusedError):
        journal.write_now(lambda tx: roll_back(tx, PRODUCT, ME, 1))
    journal.close()
