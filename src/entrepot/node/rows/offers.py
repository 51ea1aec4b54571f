"""What is on offer, here and elsewhere, and what it is made of."""

from typing import Any, NotRequired, TypeAlias, TypedDict

Policy: TypeAlias = dict[str, Any]
"""A policy in its wire form; docs/reference/policy.md lists what it may say."""


class Text(TypedDict):
    """The same sentences in both languages."""

    en: tuple[str, ...]
    zh: tuple[str, ...]


class Terms(TypedDict):
    policy: Policy
    text: Text
    assured: dict[str, Text]
    """By kind of use: what this environment enforces, detects or only records."""


class AttachedRow(TypedDict):
    resource: str
    size: int
    digest: str


class ColumnRow(TypedDict):
    name: str
    type: str
    nulls: int
    distinct: int
    least: Any
    greatest: Any


class ResourceRow(AttachedRow):
    """A resource; of a table also what stands in it."""

    mediaType: str
    kind: str | None
    where: str
    table: str
    rows: NotRequired[int]
    columns: NotRequired[list[ColumnRow]]
    preview: NotRequired[tuple[tuple[Any, ...], ...]]


class SecretRow(TypedDict):
    secret: str


class VersionRow(TypedDict):
    """A version of a product; in its history also whether it is the one on offer."""

    id: str
    version: int
    title: str
    grade: str
    size: int
    publishedAt: str
    artefact: str
    digest: str
    onOffer: NotRequired[bool]


class ProductRow(TypedDict):
    id: str
    version: int
    title: str
    description: str
    keywords: list[str]
    rights: str
    publishedAt: str
    provider: str
    grade: str
    kinds: list[str]
    size: int
    digest: str
    artefact: str
    text: Text
    assured: dict[str, Text]
    onOffer: NotRequired[bool]


class ProductPage(TypedDict):
    """A page of what I offer; `after` of the pages around it, where there are some."""

    total: int
    nextAfter: int | None
    previousAfter: int | None
    products: list[ProductRow]


class OfferedRow(ProductRow):
    """A product as it was just offered, and where it gives away what another one over the same data keeps."""

    tensions: list[str]


class WithdrawnRow(TypedDict):
    product: str
    listed: bool


class FoundProduct(TypedDict):
    id: str
    version: int
    title: str
    description: str
    keywords: list[str]
    provider: str
    grade: str
    kinds: list[str]
    mediaType: str
    size: int
    publishedAt: str
    digest: str


class SpaceProduct(FoundProduct):
    """A product of the space with its terms, as its provider offers them now."""

    rights: str
    policy: Policy
    text: Text
    assured: dict[str, Text]


class UnacceptableRow(TypedDict):
    id: str
    title: str
    reasons: list[str]


class FoundRow(TypedDict):
    total: int
    nextOffset: int | None
    products: list[FoundProduct]
    notAcceptable: list[UnacceptableRow]
    """Offers that ask for something which is not known here; they can be seen, and not be used."""


class ElsewhereRow(TypedDict):
    """A dataset in another party's catalogue."""

    product: str
    kinds: list[str]
    graded: bool
    """Whether it is a product of a space like this one, with grade, digest and size."""
    problem: str
    """Why its terms cannot be agreed to here; what is not known is named."""
