"""The DCAT form of products: nothing is lost, nothing is believed without its digest."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from entrepot_policy_samples import POLICIES
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import (
    SERVED,
    Product,
    formats_of,
    parse_dataset,
    product_digest,
    render_catalog,
    render_dataset,
)
from entrepot.policy import ENTREPOT, Policy, Rule
from entrepot.values import (
    FORMATS,
    Did,
    Grade,
    KindOfUse,
    MalformedError,
    ProductId,
    canonical,
    render_digest,
    sha256,
)

PLATFORM, ALICE, BOB = (Did(f"did:web:{n}.example") for n in ("platform", "alice", "bob"))
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
PRODUCTS = st.builds(
    Product,
    id=st.from_regex(r"urn:product:[a-z0-9-]{1,20}", fullmatch=True).map(ProductId),
    version=st.integers(1, 2**31 - 1),
    title=WORDS.filter(str.strip),
    description=WORDS,
    keywords=st.lists(WORDS, max_size=4).map(tuple),
    provider=st.sampled_from([ALICE, BOB]),
    grade=st.sampled_from(Grade),
    rights=WORDS,
    kinds=st.frozensets(st.sampled_from(KindOfUse), min_size=1),
    policy=POLICIES,
    media_type=st.sampled_from(["text/csv", "application/vnd.apache.parquet"]),
    size=st.integers(0, 2**53 - 1),
    artefact=st.binary(max_size=8).map(sha256),
    published_at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),  # noqa: DTZ001 (hypothesis adds the zone)
    resource_id=st.just(""),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def every_value(document: Any) -> Iterator[Any]:
    yield document
    if isinstance(document, dict | list):
        for inner in document.values() if isinstance(document, dict) else document:
            yield from every_value(inner)


@given(product=PRODUCTS)
def test_a_dataset_carries_the_whole_product(product: Product) -> None:
    """The consumer computes the same digest as the provider, or they could not sign one contract."""
    document = canonical.decode(canonical.encode(render_dataset(product, "urn:service")))

    assert parse_dataset(document) == (product, product_digest(product))


@given(product=PRODUCTS)
def test_a_dataset_names_only_what_it_is_offered_for(product: Product) -> None:
    """A product for query in place must never look as if its bytes could be fetched."""
    found = formats_of(product)

    assert found
    assert {FORMATS[f] for f in found} <= product.kinds
    assert SERVED.issuperset(found) or KindOfUse.DELIVERY not in product.kinds


@given(products=st.lists(PRODUCTS, max_size=3, unique_by=lambda p: p.id))
@settings(max_examples=30)
def test_a_catalogue_has_no_target_and_no_empty_list(products: list[Product]) -> None:
    """The schemas forbid both; another connector would refuse the whole catalogue for one of them."""
    document = render_catalog("urn:catalog", ALICE, "https://alice.example/dsp", products)

    for value in every_value(document):
        assert value != []
        assert not (isinstance(value, dict) and "target" in value)


@given(products=st.lists(PRODUCTS, max_size=4, unique_by=lambda p: p.id))
@settings(max_examples=30)
def test_a_platform_shows_each_product_under_its_providers_name(products: list[Product]) -> None:
    """A consumer must know with whom it would make the contract; the platform is never that party."""
    document: Any = render_catalog("urn:catalog", PLATFORM, "https://platform.example/dsp", products)

    shown = {
        (nested["participantId"], dataset["@id"])
        for nested in document.get("catalog", [])
        for dataset in nested["dataset"]
    }
    assert shown == {(p.provider, p.id) for p in products}
    assert "dataset" not in document
    assert document["participantId"] == PLATFORM


@given(product=PRODUCTS)
def test_a_nested_catalogue_says_where_its_provider_is(product: Product) -> None:
    """Where the platform knows it; otherwise nothing is claimed."""
    at = {product.provider: "https://provider.example/dsp"}

    known: Any = render_catalog("urn:c", PLATFORM, "https://platform.example/dsp", [product], at)
    unknown: Any = render_catalog("urn:c", PLATFORM, "https://platform.example/dsp", [product])

    assert known["catalog"][0]["service"][0]["endpointURL"] == "https://provider.example/dsp"
    assert "service" not in unknown["catalog"][0]


@given(product=PRODUCTS, other=PRODUCTS, pick=st.data())
@settings(max_examples=50)
def test_a_dataset_that_was_tampered_with_is_refused(
    product: Product, other: Product, pick: st.DataObject
) -> None:
    """A term of another product in this one's place is found by the digest, whichever term it is."""
    document = render_dataset(product, "urn:service")
    foreign = render_dataset(other, "urn:service")
    key = pick.draw(st.sampled_from(sorted(set(foreign) & set(document) - {"distribution", "@type"})))
    if foreign[key] == document[key] or key.endswith("issued"):
        return

    with pytest.raises(MalformedError):
        parse_dataset(document | {key: foreign[key]})


def test_an_offer_of_another_version_is_refused(sample: Product) -> None:
    """The offer's id names the version, and a contract on it must mean these terms."""
    document: Any = render_dataset(sample, "urn:service")
    document["hasPolicy"][0]["@id"] = replace(sample, version=9).offer_id

    with pytest.raises(MalformedError, match="offer"):
        parse_dataset(document)


@pytest.fixture
def sample() -> Product:
    return Product(
        id=ProductId("urn:product:weather"),
        version=1,
        title="气象观测",
        description="Hourly",
        keywords=(),
        provider=ALICE,
        grade=Grade.L2,
        rights="urn:licence",
        kinds=frozenset({KindOfUse.DELIVERY}),
        policy=Policy(permissions=(Rule("use"),)),
        media_type="text/csv",
        size=10,
        artefact=sha256(b"x"),
        published_at=datetime(2026, 11, 25, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "number", ["0", "-1", "1.0", "01", " 1", "1_0", "１", "9" * 30, "2147483648", 1, None]
)
def test_a_version_is_written_in_one_way(sample: Product, number: object) -> None:
    """Python reads many texts as one number; two texts for one version are two versions to others."""
    document: Any = render_dataset(sample, "urn:service") | {ENTREPOT + "version": number}

    with pytest.raises(MalformedError):
        parse_dataset(document)


def test_another_connectors_list_of_one_is_its_member(sample: Product) -> None:
    """JSON-LD expands a value to a list of one and back; neither changes what is said."""
    document: Any = {
        k: [v] if isinstance(v, str) and not k.startswith("@") else v
        for k, v in render_dataset(sample, "urn:service").items()
    }

    assert parse_dataset(document)[0] == sample


@given(product=PRODUCTS, key=st.data(), value=JSON)
def test_any_dataset_is_a_product_or_malformed(product: Product, key: st.DataObject, value: Any) -> None:
    """A hostile catalogue costs a refusal, never a traceback."""
    document = render_dataset(product, "urn:service")
    name = key.draw(st.sampled_from(sorted(document)))

    try:
        found, digest = parse_dataset(document | {name: value})
    except MalformedError:
        return
    assert digest == product_digest(found)


@given(document=JSON)
def test_anything_else_is_malformed(document: Any) -> None:
    """Whatever stands where a dataset should be."""
    with pytest.raises(MalformedError):
        parse_dataset(document)


def test_the_digest_is_the_one_stated(sample: Product) -> None:
    """Two digests for one dataset would let a provider choose later which one it meant."""
    document: Any = render_dataset(sample, "urn:service")

    with pytest.raises(MalformedError, match="stated digest"):
        parse_dataset(document | {ENTREPOT + "digest": render_digest(sha256(b"another"))})


def test_a_providers_own_catalogue_shows_its_products_directly(sample: Product) -> None:
    """Only what others provide is nested: a consumer that reads `dataset` alone must find the products."""
    document: Any = render_catalog("urn:c", ALICE, "https://alice.example/dsp", [sample])

    assert [d["@id"] for d in document["dataset"]] == [sample.id]
    assert "catalog" not in document
    assert document["service"][0]["endpointURL"] == "https://alice.example/dsp"


@pytest.mark.parametrize(
    "changed",
    [
        {"id": ProductId("urn:product:a b")},
        {"title": " "},
        {"keywords": ("k",) * 101},
        {"media_type": "x" * 201},
        {"version": 0},
        {"description": "x" * 10_001},
    ],
    ids=lambda c: next(iter(c)),
)
def test_what_no_product_may_be_is_refused_with_its_right_digest(
    sample: Product, changed: dict[str, Any]
) -> None:
    """A provider can sign anything; its digest says only that it meant it."""
    document: Any = render_dataset(replace(sample, **changed), "urn:service")

    with pytest.raises(MalformedError):
        parse_dataset(document)
