"""Products as DCAT datasets, the way the Dataspace Protocol writes a catalogue.

An offer inside a catalogue has no target; empty lists are left out, for the schema refuses them. Terms
of our own are full names, so that they survive another connector's JSON-LD.
"""

from collections.abc import Sequence
from typing import Final

from entrepot.catalogue.model import Product, product_digest
from entrepot.policy import ENTREPOT, parse_policy, render_policy
from entrepot.values import (
    FORMATS,
    Did,
    Digest,
    Grade,
    KindOfUse,
    MalformedError,
    ProductId,
    parse_digest,
    parse_time,
    render_digest,
    render_time,
)
from entrepot.values.canonical import Json

DCT: Final = "http://purl.org/dc/terms/"
DCAT: Final = "http://www.w3.org/ns/dcat#"
SERVED: Final = frozenset({"HttpData-PULL"})
"""Formats that this release serves."""


def render_dataset(product: Product, service_id: str) -> dict[str, Json]:
    """Write a product as a dataset."""
    offer: dict[str, Json] = {"@id": product.offer_id, "@type": "Offer"}
    formats = sorted(f for f, kind in FORMATS.items() if f in SERVED and kind in product.kinds)
    return {
        "@id": product.id,
        "@type": "Dataset",
        DCT + "title": product.title,
        DCT + "description": product.description,
        DCAT + "keyword": [*product.keywords],
        DCT + "rights": product.rights,
        DCT + "issued": render_time(product.published_at),
        DCT + "publisher": product.provider,
        ENTREPOT + "grade": str(product.grade),
        ENTREPOT + "kindOfUse": [*sorted(str(k) for k in product.kinds)],
        ENTREPOT + "version": str(product.version),
        ENTREPOT + "artefact": render_digest(product.artefact),
        ENTREPOT + "mediaType": product.media_type,
        ENTREPOT + "byteSize": str(product.size),
        ENTREPOT + "digest": render_digest(product_digest(product)),
        "hasPolicy": [offer | render_policy(product.policy)],
        "distribution": [
            {"@type": "Distribution", "format": f, "accessService": service_id}
            for f in formats or ["HttpData-PULL"]
        ],
    }


def render_catalog(
    catalog_id: str, participant: Did, endpoint: str, products: Sequence[Product]
) -> dict[str, Json]:
    """Write the catalogue of one participant."""
    service_id = f"{catalog_id}/service"
    document: dict[str, Json] = {
        "@id": catalog_id,
        "@type": "Catalog",
        "participantId": participant,
        "service": [{"@id": service_id, "@type": "DataService", "endpointURL": endpoint}],
    }
    if products:
        document["dataset"] = [render_dataset(p, service_id) for p in products]
    return document


def parse_dataset(document: Json) -> tuple[Product, Digest]:
    """Read a dataset that another node of ours wrote, with the digest that it states.

    The digest is recomputed from what was read; another one is refused.
    """
    if not isinstance(document, dict):
        raise MalformedError("dataset: expected an object")
    offers = document.get("hasPolicy")
    offer = offers[0] if isinstance(offers, list) and offers else offers
    keywords, kinds = document.get(DCAT + "keyword"), document.get(ENTREPOT + "kindOfUse")
    try:
        product = Product(
            id=ProductId(_text(document, "@id")),
            version=int(_text(document, ENTREPOT + "version")),
            title=_text(document, DCT + "title"),
            description=_text(document, DCT + "description"),
            keywords=tuple(str(k) for k in keywords) if isinstance(keywords, list) else (),
            provider=Did(_text(document, DCT + "publisher")),
            grade=Grade(_text(document, ENTREPOT + "grade")),
            rights=_text(document, DCT + "rights"),
            kinds=frozenset(KindOfUse(str(k)) for k in kinds) if isinstance(kinds, list) else frozenset(),
            policy=parse_policy(offer),
            media_type=_text(document, ENTREPOT + "mediaType"),
            size=int(_text(document, ENTREPOT + "byteSize")),
            artefact=parse_digest(_text(document, ENTREPOT + "artefact")),
            published_at=parse_time(_text(document, DCT + "issued")),
        )
    except ValueError as error:
        raise MalformedError(f"dataset: {error}") from error
    stated = parse_digest(_text(document, ENTREPOT + "digest"))
    if stated != product_digest(product):
        raise MalformedError("dataset: the stated digest is not that of what stands there")
    return product, stated


def _text(document: dict[str, Json], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or len(value) > 10_000:
        raise MalformedError(f"{key}: expected text")
    return value
