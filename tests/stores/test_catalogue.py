"""What the catalogue's tables promise, on whichever database they stand."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.catalogue import (
    Description,
    Place,
    Product,
    Resource,
    attach_resource,
    forget_unused,
    keep_title,
    list_product,
    offer_product,
    product,
    product_digest,
    product_under,
    products,
    resource,
    stock,
    title_of,
    withdraw_product,
)
from entrepot.journal import Journal
from entrepot.policy import Policy, parse_policy
from entrepot.values import Did, Grade, KindOfUse, NotFoundError, ProductId, sha256

ME = Did("did:web:us.example")
PRODUCT = ProductId("urn:product:weather")
TERMS = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [{"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "3"}],
            }
        ]
    }
)
FILE = Resource(
    id="r1",
    path=Path("/data/气象.csv"),
    media_type="text/csv",
    size=2**53 - 1,
    digest=sha256(b"content"),
    modified_ns=1_795_000_000_123_456_789,
    inode=2**63 - 1,
)


def described(title: str = "气象 / Weather 🌦", policy: Policy = TERMS) -> Description:
    return Description(
        title=title,
        description="x" * 10_000,
        rights="urn:licence",
        grade=Grade.L2,
        kinds=frozenset({KindOfUse.DELIVERY, KindOfUse.JOB}),
        policy=policy,
        keywords=("weather", "气象"),
    )


def offer(journal: Journal, name: str = PRODUCT, title: str = "气象 / Weather 🌦") -> Product:
    return journal.write_now(lambda tx: offer_product(tx, ProductId(name), ME, "r1", described(title)))


def product_of(journal: Journal, name: str) -> Product:
    found = journal.read_now(lambda c: product(c, ProductId(name)))
    assert found is not None
    return found


class CatalogueContract:
    """What every database keeps for the catalogue. Subclasses provide `journal`."""

    @pytest.fixture
    def ready(self, journal: Journal) -> Journal:
        journal.write_now(lambda tx: attach_resource(tx, FILE))
        return journal

    def test_a_resource_is_read_back_whole(self, ready: Journal) -> None:
        """Times in nanoseconds and inodes use all 63 bits: a lost bit reads as a changed file."""
        assert ready.read_now(lambda c: resource(c, "r1")) == FILE

    def test_a_product_is_read_back_whole(self, ready: Journal) -> None:
        """Chinese, long texts, the policy and the time to the microsecond: all of it is under the digest."""
        made = offer(ready)

        assert ready.read_now(lambda c: product(c, PRODUCT)) == made
        assert ready.read_now(lambda c: product_under(c, PRODUCT, product_digest(made))) == made

    def test_one_version_is_on_offer_and_every_version_is_kept(self, ready: Journal) -> None:
        """A contract finds the version that it was made on, for as long as it lasts."""
        made = [offer(ready, title=f"Weather {i}") for i in range(3)]

        assert ready.read_now(products) == made[-1:]
        for version in made:
            digest = product_digest(version)
            assert ready.read_now(lambda c, d=digest: product_under(c, PRODUCT, d)) == version

    def test_a_withdrawn_product_can_come_back(self, ready: Journal) -> None:
        """As the version it was, where another's listing is repeated; as a new one, where it is our own."""
        other = replace(offer(ready), id=ProductId("urn:product:other"), resource_id="")
        ready.write_now(lambda tx: list_product(tx, other))
        for name in (PRODUCT, other.id):
            ready.write_now(lambda tx, n=name: withdraw_product(tx, n))
        with pytest.raises(NotFoundError):
            ready.write_now(lambda tx: withdraw_product(tx, PRODUCT))

        ready.write_now(lambda tx: list_product(tx, other))

        assert ready.read_now(products) == [other]
        assert offer(ready).version == 2

    def test_an_artefact_stays_while_any_version_names_it(self, ready: Journal) -> None:
        """Contracts outlive offers: a withdrawn version is delivered until its contracts are over."""
        spare = replace(FILE, id="r2", path=FILE.path.with_name("spare.csv"))
        ready.write_now(lambda tx: attach_resource(tx, spare))
        offer(ready)
        ready.write_now(lambda tx: withdraw_product(tx, PRODUCT))
        names = [FILE.path.name, spare.path.name, "nobody's"]

        gone = ready.write_now(lambda tx: forget_unused(tx, FILE.path.parent, names))

        assert gone == {spare.path.name, "nobody's"}
        assert ready.read_now(lambda c: resource(c, "r1")) == FILE
        assert ready.read_now(lambda c: resource(c, "r2")) is None

    def test_products_are_listed_in_the_order_of_their_offers(self, ready: Journal) -> None:
        """The same catalogue is the same bytes, whoever asks."""
        made = [offer(ready, f"urn:product:{i}") for i in (3, 1, 2)]

        assert ready.read_now(products) == made

    def test_pages_of_what_i_offer_leave_nothing_out_and_say_nothing_twice(self, ready: Journal) -> None:
        """A product that is withdrawn while somebody turns the pages must not push another one off them."""
        names = [f"urn:product:{n}" for n in range(7)]
        for name in reversed(names):  # the newest is shown first: what was just offered is seen at once
            offer(ready, name)
        others = replace(
            product_of(ready, names[0]), id=ProductId("urn:product:theirs"), provider=Did("did:web:x")
        )
        ready.write_now(lambda tx: list_product(tx, others))
        first = ready.read_now(lambda c: stock(c, ME, Place(size=3)))
        ready.write_now(lambda tx: withdraw_product(tx, ProductId(names[1])))
        second = ready.read_now(lambda c: stock(c, ME, Place(after=first.next_after or 0, size=3)))
        third = ready.read_now(lambda c: stock(c, ME, Place(after=second.next_after or 0, size=3)))
        back = ready.read_now(lambda c: stock(c, ME, Place(after=third.previous_after or 0, size=3)))

        assert [p.id for page in (first, second, third) for p in page.products] == names
        assert (first.total, second.total) == (7, 6)
        assert (first.previous_after, third.next_after) == (None, None)
        assert back == second

    def test_a_product_is_called_by_its_newest_name(self, ready: Journal) -> None:
        """People would read codes, or the name that a product had last year."""
        theirs = replace(offer(ready, title="Old"), id=ProductId("urn:theirs"), title="Theirs")
        offer(ready, title="New")
        ready.write_now(lambda tx: withdraw_product(tx, PRODUCT))
        assert ready.read_now(lambda c: title_of(c, theirs.id)) is None
        ready.write_now(lambda tx: keep_title(tx, theirs))
        ready.write_now(lambda tx: keep_title(tx, replace(theirs, title="Theirs, renamed")))

        assert ready.read_now(lambda c: title_of(c, PRODUCT)) == "New"
        assert ready.read_now(lambda c: title_of(c, theirs.id)) == "Theirs, renamed"

    def test_a_title_that_is_learned_twice_at_once_is_kept_once(self, ready: Journal) -> None:
        """Two uses of one product that begin together: one of them would fail over a name."""
        theirs = replace(offer(ready), id=ProductId("urn:theirs"), title="Theirs")
        with ThreadPoolExecutor(8) as pool:
            made = [pool.submit(ready.write_now, lambda tx: keep_title(tx, theirs)) for _ in range(8)]
        assert [m.exception() for m in made] == [None] * 8
        assert ready.read_now(lambda c: title_of(c, theirs.id)) == "Theirs"

    def test_offers_made_at_once_are_versions_one_after_the_other(self, ready: Journal) -> None:
        """Two owners at two consoles: none is lost, and one is on offer at the end."""
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda i: offer(ready, title=f"Weather {i}"), range(8)))

        assert sorted(p.version for p in made) == list(range(1, 9))
        assert [p.version for p in ready.read_now(products)] == [8]


class TestSqliteCatalogue(CatalogueContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestPostgresqlCatalogue(CatalogueContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
