"""Offering, listing and withdrawing products: what is refused, and what stays."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from entrepot_policy_samples import POLICIES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.catalogue import (
    Column,
    ColumnRole,
    ColumnType,
    Description,
    Product,
    Protection,
    attach_resource,
    examine,
    list_product,
    measure,
    offer_product,
    product,
    product_digest,
    product_under,
    products,
    withdraw_product,
)
from entrepot.journal import Journal
from entrepot.policy import (
    OPERANDS,
    Atom,
    Duty,
    Operator,
    Policy,
    Rule,
    contradictions,
    parse_policy,
    service_faults,
    shortfalls,
)
from entrepot.regulation import kinds_admitted
from entrepot.values import Did, Grade, KindOfUse, NotFoundError, ProductId, RefusedError, sha256

ME, OTHER = Did("did:web:us.example"), Did("did:web:them.example")
PRODUCT = ProductId("urn:product:weather")
OPEN = Policy(permissions=(Rule("use"),))
DESCRIBED = Description(
    title="气象观测 / Weather observations",
    description="Hourly, one station a row.",
    rights="urn:licence:internal",
    grade=Grade.L2,
    kinds=frozenset({KindOfUse.DELIVERY}),
    policy=OPEN,
    keywords=("weather", "气象"),
)


@pytest.fixture
def ready(journal: Journal, tmp_path: Path) -> Journal:
    """A journal with one resource, `r1`."""
    path = tmp_path / "weather.csv"
    path.write_bytes(b"station,hour\n")
    found = replace(measure(path, "text/csv", "r1"), columns=(Column("station", ColumnType.TEXT),))
    journal.write_now(lambda tx: attach_resource(tx, found))
    return journal


def offer(journal: Journal, described: Description = DESCRIBED, provider: Did = ME) -> Product:
    return journal.write_now(lambda tx: offer_product(tx, PRODUCT, provider, "r1", described))


def listed(made: Product, **changed: object) -> Product:
    """The product as a platform would get it: without the resource behind it."""
    return replace(made, resource_id="", **changed)


def test_an_offered_product_is_read_back_whole(ready: Journal) -> None:
    """What is stored is what was offered; its digest enters every contract on it."""
    made = offer(ready)

    assert ready.read_now(lambda c: product(c, PRODUCT)) == made
    assert ready.read_now(products) == [made]


def test_a_new_version_takes_the_place_of_the_old_one(ready: Journal) -> None:
    """A contract on the old version still finds it; nobody can ask for a new contract on it."""
    old = offer(ready)
    new = offer(ready, replace(DESCRIBED, description="Every half hour."))

    assert (old.version, new.version) == (1, 2)
    assert old.offer_id != new.offer_id
    assert ready.read_now(products) == [new]
    assert ready.read_now(lambda c: product_under(c, PRODUCT, product_digest(old))) == old


def test_offering_again_what_was_withdrawn_gives_a_new_version(ready: Journal) -> None:
    """The old version stays under contract, so its number can never name other terms."""
    offer(ready)
    ready.write_now(lambda tx: withdraw_product(tx, PRODUCT))

    again = offer(ready, replace(DESCRIBED, description="Back again."))

    assert again.version == 2
    assert ready.read_now(products) == [again]


def test_a_withdrawn_product_is_on_offer_no_longer(ready: Journal) -> None:
    """Withdrawing twice says that there is nothing: an owner who mistypes an id must hear of it."""
    made = offer(ready)
    ready.write_now(lambda tx: withdraw_product(tx, PRODUCT))

    assert ready.read_now(products) == []
    assert ready.read_now(lambda c: product(c, PRODUCT)) is None
    assert ready.read_now(lambda c: product_under(c, PRODUCT, product_digest(made))) == made
    with pytest.raises(NotFoundError):
        ready.write_now(lambda tx: withdraw_product(tx, PRODUCT))


def test_a_product_needs_a_resource(ready: Journal) -> None:
    """A product without data behind it could be contracted and never delivered."""
    with pytest.raises(NotFoundError):
        ready.write_now(lambda tx: offer_product(tx, PRODUCT, ME, "r9", DESCRIBED))


def test_without_a_grade_nothing_is_offered(ready: Journal) -> None:
    """An ungraded product could be anything, core data included."""
    with pytest.raises(RefusedError, match="grade"):
        offer(ready, replace(DESCRIBED, grade=None))


@given(grade=st.sampled_from(Grade), kinds=st.frozensets(st.sampled_from(KindOfUse)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_product_is_offered_only_for_kinds_of_use_that_its_grade_admits(
    ready: Journal, grade: Grade, kinds: frozenset[KindOfUse]
) -> None:
    """The grade sets the least protective kinds of use; core data is never offered at all."""
    admitted = kinds_admitted(grade, date(2026, 11, 25))
    described = replace(DESCRIBED, grade=grade, kinds=kinds)

    if kinds and kinds <= admitted:
        assert offer(ready, described).kinds == kinds
    else:
        with pytest.raises(RefusedError) as refused:
            offer(ready, described)
        assert all(r.strip() for r in refused.value.reasons)


def test_core_data_is_refused_by_the_rule_that_names_it(ready: Journal) -> None:
    """The refusal cites the article, so that the responsible person can read it."""
    with pytest.raises(RefusedError, match="GB/T 43697"):
        offer(ready, replace(DESCRIBED, grade=Grade.CORE))


def test_a_policy_that_defeats_itself_is_refused(ready: Journal) -> None:
    """Nobody could ever use the product, and the provider would learn it from the first complaint."""
    defeated = Policy(permissions=(Rule("use"),), prohibitions=(Rule("use"),))
    assert contradictions(defeated)

    with pytest.raises(RefusedError):
        offer(ready, replace(DESCRIBED, policy=defeated))


def test_a_policy_that_permits_nothing_is_refused(ready: Journal) -> None:
    """An empty policy is a product that looks on offer and is not."""
    with pytest.raises(RefusedError, match="permits nothing"):
        offer(ready, replace(DESCRIBED, policy=Policy()))


def test_a_policy_that_does_not_survive_the_wire_is_refused(ready: Journal) -> None:
    """The consumer would be bound to other terms than those the provider meant."""
    limit_under_prohibition = Policy(
        permissions=(Rule("use"),), prohibitions=(Rule("use", (Atom(OPERANDS["count"], Operator.LTEQ, 3),)),)
    )

    with pytest.raises(RefusedError, match="survive the wire"):
        offer(ready, replace(DESCRIBED, policy=limit_under_prohibition))


def test_a_refusal_names_every_reason_at_once(ready: Journal) -> None:
    """One round trip to the responsible person, not four."""
    with pytest.raises(RefusedError) as refused:
        offer(ready, replace(DESCRIBED, title=" ", kinds=frozenset({KindOfUse.API}), policy=Policy()))

    assert len(refused.value.reasons) >= 3


@pytest.mark.parametrize(
    "name", ["", "a b", "a?b", "a#b", "a%2Fb", "a\x00b", "x" * 201, "产品", "a/../b"], ids=ascii
)
def test_a_product_id_fits_an_address(ready: Journal, name: str) -> None:
    """It is a step of a URL, a key in two databases, and the stem of the offer's id."""
    with pytest.raises(RefusedError, match="id"):
        ready.write_now(lambda tx: offer_product(tx, ProductId(name), ME, "r1", DESCRIBED))


def test_nobody_else_can_take_a_product_over(ready: Journal) -> None:
    """Not while it is listed, and not after its provider withdrew it."""
    made = offer(ready)
    taken = listed(made, provider=OTHER, version=2)

    for _ in range(2):
        with pytest.raises(RefusedError, match="another provider"):
            ready.write_now(lambda tx: list_product(tx, taken))
        with pytest.raises(RefusedError, match="another provider"):
            offer(ready, provider=OTHER)
        if ready.read_now(products):
            ready.write_now(lambda tx: withdraw_product(tx, PRODUCT))


class TestListing:
    """What a platform does with another's product."""

    @pytest.fixture
    def made(self, ready: Journal) -> Product:
        made = listed(offer(ready, provider=OTHER))
        return replace(made, id=ProductId("urn:product:other"))

    def test_a_repeat_changes_nothing(self, ready: Journal, made: Product) -> None:
        """A provider repeats its listing until it hears the answer."""
        first = ready.write_now(lambda tx: list_product(tx, made))
        again = ready.write_now(lambda tx: list_product(tx, made))

        assert first == again == made

    def test_one_version_has_one_content(self, ready: Journal, made: Product) -> None:
        """A consumer's contract names version and digest; a second content would split them."""
        ready.write_now(lambda tx: list_product(tx, made))

        with pytest.raises(RefusedError, match="listed already"):
            ready.write_now(lambda tx: list_product(tx, replace(made, title="Another")))

    def test_an_older_version_does_not_come_back(self, ready: Journal, made: Product) -> None:
        """A delayed message must not put withdrawn terms on offer again."""
        newer = replace(made, version=made.version + 1, title="Newer")
        ready.write_now(lambda tx: list_product(tx, newer))

        with pytest.raises(RefusedError):
            ready.write_now(lambda tx: list_product(tx, made))
        assert ready.read_now(lambda c: product(c, made.id)) == newer

    def test_what_was_withdrawn_can_be_listed_again(self, ready: Journal, made: Product) -> None:
        """The same bytes under the same registration: its provider changed its mind."""
        ready.write_now(lambda tx: list_product(tx, made))
        ready.write_now(lambda tx: withdraw_product(tx, made.id))

        ready.write_now(lambda tx: list_product(tx, made))

        assert ready.read_now(lambda c: product(c, made.id)) == made

    def test_the_same_rules_hold_as_for_our_own(self, ready: Journal, made: Product) -> None:
        """A platform would otherwise be the way around the law."""
        with pytest.raises(RefusedError):
            ready.write_now(lambda tx: list_product(tx, replace(made, grade=Grade.L4)))


@given(policy=POLICIES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_offered_policy_comes_back_equal_from_the_store(ready: Journal, policy: Policy) -> None:
    """The policy that decides a use is the one that was signed, not a neighbour of it."""
    try:
        made = offer(ready, replace(DESCRIBED, policy=policy))
    except RefusedError:
        assert (
            contradictions(policy)
            or service_faults(policy)
            or shortfalls(policy, DESCRIBED.kinds)
            or not policy.permissions
        )
        return

    found = ready.read_now(lambda c: product_under(c, PRODUCT, product_digest(made)))
    assert found is not None
    assert found.policy == policy


BASE = Product(
    id=PRODUCT,
    version=1,
    title="t",
    description="d",
    keywords=("k",),
    provider=ME,
    grade=Grade.L2,
    rights="r",
    kinds=frozenset({KindOfUse.DELIVERY}),
    policy=OPEN,
    media_type="text/csv",
    size=10,
    artefact=sha256(b"x"),
    published_at=datetime(2026, 11, 25, tzinfo=UTC),
)
CHANGES = [
    ("id", "urn:product:x"),
    ("version", 2),
    ("title", "u"),
    ("description", "e"),
    ("keywords", ("k", "l")),
    ("provider", OTHER),
    ("grade", Grade.L3),
    ("rights", "s"),
    ("kinds", frozenset({KindOfUse.DELIVERY, KindOfUse.QUERY})),
    ("policy", Policy(permissions=(Rule("use", (), (Duty("inform"),)),))),
    ("policy", parse_policy({"permission": [{"action": "odrl:read"}]})),
    ("media_type", "text/plain"),
    ("size", 11),
    ("artefact", sha256(b"y")),
    ("protection", Protection("trial", "person", 10, (("arm", ColumnRole.DIMENSION),))),
]


@pytest.mark.parametrize(("name", "other"), CHANGES)
def test_the_digest_of_a_product_covers_everything_it_says(name: str, other: object) -> None:
    """Whatever a consumer is told is under the digest that both sign."""
    assert product_digest(replace(BASE, **{name: other})) != product_digest(BASE)


def test_nothing_of_a_product_is_left_out_of_the_digest_unsaid() -> None:
    """A field added to the product must be put under the digest, or named here with its reason."""
    outside = {
        "published_at",  # when it was listed here: the same terms listed again are the same product
        "resource_id",  # a name of our own, empty at everybody else's
    }

    assert {f.name for f in fields(Product)} == {name for name, _ in CHANGES} | outside


def test_what_was_examined_before_is_not_searched_again_in_the_transaction() -> None:
    """A hostile policy takes half a second to search: in the writer it would hold up every other call."""
    document = {
        "prohibition": [{"action": "use"}],
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "purpose", "operator": "eq", "rightOperand": "never examined"}
                ],
            }
        ],
    }

    first, again = (examine(parse_policy(document)) for _ in range(2))  # type: ignore[arg-type]  # JSON as it is

    assert first
    assert first is again
