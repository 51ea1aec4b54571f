"""Products as DCAT datasets, the way the Dataspace Protocol writes a catalogue.

An offer inside a catalogue has no target; empty lists are left out, for the schema refuses them. Terms
of our own are full names, so that they survive another connector's JSON-LD.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from entrepot.catalogue.model import (
    MAX_ID,
    MAX_SIZE,
    MAX_TERMS,
    MAX_TEXT,
    MAX_VERSION,
    Product,
    faults_of,
    product_digest,
)
from entrepot.catalogue.protection import Protection, decode_protection, encode_protection
from entrepot.policy import ENTREPOT, parse_policy, render_policy
from entrepot.values import (
    FORMATS,
    Did,
    Digest,
    Grade,
    KindOfUse,
    MalformedError,
    ProductId,
    canonical,
    parse_digest,
    parse_time,
    render_digest,
    render_time,
)
from entrepot.values.canonical import Json

DCT: Final = "http://purl.org/dc/terms/"
DCAT: Final = "http://www.w3.org/ns/dcat#"
SERVED: Final = frozenset({"EntrepotApi-PULL", "EntrepotQuery-PULL", "HttpData-PULL", "HttpData-PUSH"})
"""Formats that this release serves."""

_NUMBER: Final = re.compile(r"0|[1-9]\d{0,15}", re.ASCII)


def formats_of(product: Product) -> tuple[str, ...]:
    """The formats by which a product is used: those served here, else those that its kinds of use have.

    A product never names a format of a kind that it is not offered for, so one that no release serves yet
    can be seen in the catalogue and cannot be opened.
    """
    named = sorted(f for f, kind in FORMATS.items() if kind in product.kinds)
    return tuple(f for f in named if f in SERVED) or tuple(named)


def service_of(provider: Did) -> str:
    """The id of a provider's data service: its entry in the provider's DID document.

    It does not depend on who shows the product, so a dataset is the same bytes in every catalogue.
    """
    return f"{provider}#dataservice"


def render_dataset(product: Product, service_id: str) -> dict[str, Json]:
    """Write a product as a dataset."""
    offer: dict[str, Json] = {"@id": product.offer_id, "@type": "Offer"}
    document: dict[str, Json] = {
        "@id": product.id,
        "@type": "Dataset",
        DCT + "title": product.title,
        DCT + "description": product.description,
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
            {"@type": "Distribution", "format": f, "accessService": service_id} for f in formats_of(product)
        ],
    }
    if product.protection is not None:
        # As text: another connector's JSON-LD carries it without knowing its terms.
        document[ENTREPOT + "protection"] = encode_protection(product.protection).decode()
    if product.keywords:
        document[DCAT + "keyword"] = [*product.keywords]
    return document


def render_catalog(
    catalog_id: str,
    participant: Did,
    endpoint: str,
    products: Sequence[Product],
    endpoints: Mapping[Did, str] = MappingProxyType({}),
) -> dict[str, Json]:
    """Write the catalogue of one participant; what others provide stands in a catalogue of each of them.

    `endpoints` says where those others serve the protocol. Without it, ask them for their DID document.
    """
    service_id = service_of(participant)
    document: dict[str, Json] = {
        "@id": catalog_id,
        "@type": "Catalog",
        "participantId": participant,
        "service": [{"@id": service_id, "@type": "DataService", "endpointURL": endpoint}],
    }
    own = [p for p in products if p.provider == participant]
    if own:
        document["dataset"] = [render_dataset(p, service_id) for p in own]
    others = dict.fromkeys(p.provider for p in products if p.provider != participant)
    if others:
        document["catalog"] = [
            _render_nested(f"{catalog_id}/of/{other}", other, endpoints.get(other), products)
            for other in others
        ]
    return document


def _render_nested(
    catalog_id: str, provider: Did, endpoint: str | None, products: Sequence[Product]
) -> dict[str, Json]:
    service_id = service_of(provider)
    document: dict[str, Json] = {
        "@id": catalog_id,
        "@type": "Catalog",
        "participantId": provider,
        "dataset": [render_dataset(p, service_id) for p in products if p.provider == provider],
    }
    if endpoint is not None:
        document["service"] = [{"@id": service_id, "@type": "DataService", "endpointURL": endpoint}]
    return document


def parse_dataset(document: Json) -> tuple[Product, Digest]:
    """Read a dataset that another node of ours wrote, with the digest that it states.

    The digest is recomputed from what was read; another one is refused.
    """
    if not isinstance(document, dict):
        raise MalformedError("dataset: expected an object")
    offers = document.get("hasPolicy")
    offer = offers[0] if isinstance(offers, list) and len(offers) == 1 else offers
    if not isinstance(offer, dict):
        raise MalformedError("hasPolicy: expected one offer")
    try:
        product = Product(
            id=ProductId(_text(document, "@id", MAX_ID)),
            version=_number(document, ENTREPOT + "version", MAX_VERSION),
            title=_text(document, DCT + "title"),
            description=_text(document, DCT + "description"),
            keywords=tuple(_texts(document, DCAT + "keyword")),
            provider=Did(_text(document, DCT + "publisher", 500)),
            grade=Grade(_text(document, ENTREPOT + "grade")),
            rights=_text(document, DCT + "rights"),
            kinds=frozenset(KindOfUse(k) for k in _texts(document, ENTREPOT + "kindOfUse")),
            policy=parse_policy(offer),
            media_type=_text(document, ENTREPOT + "mediaType", 200),
            size=_number(document, ENTREPOT + "byteSize", MAX_SIZE),
            artefact=parse_digest(_text(document, ENTREPOT + "artefact")),
            published_at=parse_time(_text(document, DCT + "issued")),
            protection=_protection(document),
        )
    except ValueError as error:
        raise MalformedError(f"dataset: {error}") from error
    if faults := faults_of(product):
        raise MalformedError("; ".join(faults))
    if offer.get("@id") != product.offer_id:
        raise MalformedError(f"hasPolicy: the offer of this version is {product.offer_id}")
    stated = parse_digest(_text(document, ENTREPOT + "digest"))
    if stated != product_digest(product):
        raise MalformedError("dataset: the stated digest is not that of what stands there")
    return product, stated


def _protection(document: dict[str, Json]) -> Protection | None:
    key = ENTREPOT + "protection"
    return decode_protection(_text(document, key, canonical.MAX_BYTES).encode()) if key in document else None


def _text(document: dict[str, Json], key: str, most: int = MAX_TEXT) -> str:
    value = document.get(key)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # JSON-LD writes a list of one and its member alike
    if not isinstance(value, str) or len(value) > most or "\x00" in value:
        raise MalformedError(f"{key}: expected text of at most {most} characters")
    return value


def _texts(document: dict[str, Json], key: str) -> list[str]:
    value = document.get(key)
    items = value if isinstance(value, list) else [] if value is None else [value]
    if len(items) > MAX_TERMS:
        raise MalformedError(f"{key}: more than {MAX_TERMS} entries")
    return [_text({key: item}, key) for item in items]


def _number(document: dict[str, Json], key: str, most: int) -> int:
    text = _text(document, key)
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise MalformedError(f"{key}: expected a number of at most {most}")
    return int(text)
