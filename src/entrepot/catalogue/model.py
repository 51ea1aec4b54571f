"""What is on offer: resources and the products made of them."""

from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that this node holds. `modified_ns` and `inode` tell whether it is still the same one."""

    id: str
    path: Path
    media_type: str
    size: int
    digest: Digest
    modified_ns: int
    inode: int


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

    @property
    def offer_id(self) -> OfferId:
        return OfferId(f"{self.id}#offer-{self.version}")


def product_digest(product: Product) -> Digest:
    """The digest of what the product is and on which terms it is offered; it enters the contract."""
    return sha256(
        b"entrepot/product/v1\n"
        + canonical.encode(
            {
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
        )
    )
