"""Offers and agreements as the Dataspace Protocol writes them, without context or envelope."""

from entrepot.contracts.model import Agreement, Offer
from entrepot.policy import parse_policy, render_policy
from entrepot.values import AgreementId, Did, MalformedError, OfferId, ProductId, parse_time, render_time
from entrepot.values.canonical import Json

MAX_ID = 500


def render_offer(offer: Offer) -> dict[str, Json]:
    """Write an offer as it stands in a message (with `target`; in a catalogue the caller drops it)."""
    document: dict[str, Json] = {"@id": offer.id, "@type": "Offer", "target": offer.target}
    if offer.assigner is not None:
        document["assigner"] = offer.assigner
    if offer.assignee is not None:
        document["assignee"] = offer.assignee
    return document | render_policy(offer.policy)


def parse_offer(document: Json) -> Offer:
    """Read an offer of a message; all faults of its policy are listed."""
    if not isinstance(document, dict):
        raise MalformedError("offer: expected an object")
    assigner, assignee = optional_text(document, "assigner"), optional_text(document, "assignee")
    return Offer(
        id=OfferId(text(document, "@id")),
        target=ProductId(text(document, "target")),
        policy=parse_policy(document),
        assigner=None if assigner is None else Did(assigner),
        assignee=None if assignee is None else Did(assignee),
    )


def render_agreement(agreement: Agreement) -> dict[str, Json]:
    return {
        "@id": agreement.id,
        "@type": "Agreement",
        "target": agreement.target,
        "assigner": agreement.assigner,
        "assignee": agreement.assignee,
        "timestamp": render_time(agreement.timestamp),
    } | render_policy(agreement.policy)


def parse_agreement(document: Json) -> Agreement:
    """Read an agreement; without a timestamp, parties or target it is none."""
    if not isinstance(document, dict):
        raise MalformedError("agreement: expected an object")
    return Agreement(
        id=AgreementId(text(document, "@id")),
        target=ProductId(text(document, "target")),
        policy=parse_policy(document),
        assigner=Did(text(document, "assigner")),
        assignee=Did(text(document, "assignee")),
        timestamp=parse_time(text(document, "timestamp")),
    )


def text(document: dict[str, Json], key: str) -> str:
    """A required text; an object that holds only an `@id` counts as that id."""
    value = optional_text(document, key)
    if value is None:
        raise MalformedError(f"{key}: expected text, got nothing")
    return value


def optional_text(document: dict[str, Json], key: str) -> str | None:
    value = document.get(key)
    if isinstance(value, dict) and set(value) <= {"@id", "@type"}:
        value = value.get("@id")
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > MAX_ID or not value.isprintable():
        raise MalformedError(f"{key}: expected printable text of at most {MAX_ID} characters")
    return value
