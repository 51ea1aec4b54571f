"""What is offered, by whomever: a product of this space, or a dataset of a connector of another make.

Such a connector says of a dataset what the Dataspace Protocol asks for: an offer and its formats. What the
artefact is, how sensitive and how large, nobody says before it is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.catalogue.model import MAX_ID, MAX_TERMS, Product, product_digest
from entrepot.policy import ENTREPOT, Policy, parse_policy, render_policy
from entrepot.values import (
    FORMATS,
    Did,
    Digest,
    KindOfUse,
    MalformedError,
    OfferId,
    ProductId,
    canonical,
    sha256,
)
from entrepot.values.canonical import Json


@dataclass(frozen=True, slots=True)
class Offering:
    """What a consumer has to know of a product to ask for a contract over it."""

    id: ProductId
    provider: Did
    offer_id: OfferId
    policy: Policy
    kinds: frozenset[KindOfUse]
    digest: Digest
    """Of what it is and on which terms it is offered; it enters the contract."""
    artefact: Digest | None = None
    """What comes has this digest, where the provider has promised one."""
    size: int = 0


def offering_of(product: Product) -> Offering:
    return Offering(
        product.id,
        product.provider,
        product.offer_id,
        product.policy,
        product.kinds,
        product_digest(product),
        product.artefact,
        product.size,
    )


def is_of_this_space(document: Mapping[str, Json]) -> bool:
    """Whether a dataset says what a product of this space says."""
    return ENTREPOT + "digest" in document


def parse_offering(document: Mapping[str, Json], provider: Did, wanted: ProductId) -> Offering:
    """Read the dataset of a connector of another make. What its policy says that we do not know is named.

    Offers come new with every catalogue there, so the digest is of what does not change with them.
    """
    if document.get("@id") != wanted:
        raise MalformedError("the provider shows another dataset than the one asked for")
    offer = _entries(document, "hasPolicy")[0]
    offer_id = offer.get("@id")
    if not isinstance(offer_id, str) or not 0 < len(offer_id) <= MAX_ID * 10:
        raise MalformedError("hasPolicy: expected an offer with an @id")
    policy = parse_policy(offer)
    formats = sorted({_name(entry.get("format")) for entry in _entries(document, "distribution")})
    kinds = frozenset(FORMATS[name] for name in formats if name in FORMATS)
    said: Json = {"formats": [*formats], "id": wanted, "offer": render_policy(policy), "provider": provider}
    digest = sha256(b"entrepot/foreign/v1\n" + canonical.encode(said))
    return Offering(wanted, provider, OfferId(offer_id), policy, kinds, digest)


def _entries(document: Mapping[str, Json], key: str) -> list[dict[str, Json]]:
    value = document.get(key)
    items = value if isinstance(value, list) else [value]
    found = [item for item in items if isinstance(item, dict)]
    if not found or len(found) != len(items) or len(items) > MAX_TERMS:
        raise MalformedError(f"{key}: expected one to {MAX_TERMS} objects")
    return found


def _name(value: Json) -> str:
    """A format, which some write as a name and others as something with that `@id`."""
    name = value.get("@id") if isinstance(value, dict) else value
    return name if isinstance(name, str) else ""
