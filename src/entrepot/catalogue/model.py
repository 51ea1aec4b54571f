"""What is on offer: resources and the products made of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.catalogue.protection import Protection, encode_protection, protection_faults, unfit_roles
from entrepot.catalogue.source import Column, Source, SourceKind
from entrepot.policy import Policy, render_policy
from entrepot.values import (
    Did,
    Digest,
    Grade,
    KindOfUse,
    OfferId,
    ProductId,
    UtcTime,
    canonical,
    render_digest,
    sha256,
)
from entrepot.values.canonical import Json

MAX_ID: Final = 200
MAX_TEXT: Final = 10_000
MAX_VERSION: Final = 2**31 - 1
MAX_SIZE: Final = 2**53 - 1
MAX_TERMS: Final = 100

_ID: Final = re.compile(r"[A-Za-z0-9:._~@!$&'()*+,;=/-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that this node holds. `modified_ns` and `inode` tell whether it is still the same one.

    A table is a Parquet file made from its source, once; a live service is a file that describes it.
    """

    id: str
    path: Path
    media_type: str
    size: int
    digest: Digest
    modified_ns: int
    inode: int
    columns: tuple[Column, ...] = ()
    """Of a table, in their order; nothing else has any."""
    rows: int = 0
    source: Source | None = None
    """What it was made from; absent where a file is attached as it is."""

    @property
    def service(self) -> Source | None:
        """The live service that it describes."""
        return self.source if self.source is not None and self.source.kind is SourceKind.HTTP else None


def misfits(
    resource: Resource, kinds: frozenset[KindOfUse], protection: Protection | None = None
) -> list[str]:
    """By which of these kinds a resource cannot be used, whatever its grade, and what is protected amiss."""
    if resource.service is not None:
        return [f"a live service is used by api only, not by {k}" for k in sorted(kinds - {KindOfUse.API})]
    if resource.columns:
        return [] if protection is None else unfit_roles(protection, resource.columns)
    needy = sorted(kinds & {KindOfUse.API, KindOfUse.QUERY})
    return [f"{k} needs a table; attach the file as one" for k in needy]


@dataclass(frozen=True, slots=True)
class Product:
    """A data product (数据产品): a resource, described in DCAT terms, with grade, rights and policy."""

    id: ProductId
    version: int
    title: str
    description: str
    keywords: tuple[str, ...]
    provider: Did
    grade: Grade
    rights: str
    kinds: frozenset[KindOfUse]
    policy: Policy
    media_type: str
    size: int
    artefact: Digest
    published_at: UtcTime
    resource_id: str = ""
    """Our resource behind it; empty where the product is another node's."""
    protection: Protection | None = None
    """What may be asked about it; absent where it is not queried."""

    @property
    def offer_id(self) -> OfferId:
        return OfferId(f"{self.id}#offer-{self.version}")


def faults_of(product: Product) -> list[str]:
    """What no product may be, whoever offers it: a name that no address can hold, words without end."""
    faults = []
    if not _ID.fullmatch(product.id) or {".", ".."} & set(product.id.split("/")):
        faults.append(f"a product's id is at most {MAX_ID} letters, digits and marks of an address")
    if not 1 <= product.version <= MAX_VERSION or not 0 <= product.size <= MAX_SIZE:
        faults.append("a product's version or size is no such number")
    if not product.title.strip():
        faults.append("a product has a title")
    if len(product.keywords) > MAX_TERMS:
        faults.append(f"a product has at most {MAX_TERMS} keywords")
    words = (product.title, product.description, product.rights, product.media_type, *product.keywords)
    if any(len(w) > MAX_TEXT or "\x00" in w for w in words) or len(product.media_type) > MAX_ID:
        faults.append(f"a text of a product has at most {MAX_TEXT} characters, its media type {MAX_ID}")
    if product.protection is not None:
        faults += protection_faults(product.protection)
    return faults


def product_digest(product: Product) -> Digest:
    """The digest of what the product is and on which terms it is offered; it enters the contract."""
    document: dict[str, Json] = {
        "artefact": render_digest(product.artefact),
        "description": product.description,
        "grade": str(product.grade),
        "id": product.id,
        "keywords": [*product.keywords],
        "kinds": [*sorted(str(k) for k in product.kinds)],
        "mediaType": product.media_type,
        "offer": render_policy(product.policy),
        "provider": product.provider,
        "rights": product.rights,
        "size": product.size,
        "title": product.title,
        "version": product.version,
    }
    if product.protection is not None:
        document["protection"] = encode_protection(product.protection).decode()
    return sha256(b"entrepot/product/v1\n" + canonical.encode(document))
