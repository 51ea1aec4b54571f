"""Any message that this node may send, and any JSON that somebody else may."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from entrepot_policy_samples import POLICIES
from hypothesis import strategies as st

from entrepot.contracts import (
    Agreement,
    Content,
    DoorAddress,
    Message,
    Move,
    Offer,
    Reason,
    TransferRequest,
)
from entrepot.policy import Rule
from entrepot.values import FORMATS, AgreementId, Did, MessageId, OfferId, ProcessId, ProductId


def printable(most: int, least: int = 1) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
    return st.text(letters, min_size=least, max_size=most)


IDS = st.uuids().map(lambda u: f"urn:uuid:{u}") | printable(40)
DIDS = st.sampled_from([Did("did:web:a.example"), Did("did:web:b.example%3A8080:x")])
ADDRESSES = st.sampled_from(["https://a.example/dsp/2025-1", "http://127.0.0.1:18083"])
TIMES = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1))  # noqa: DTZ001 (hypothesis adds the zone)
# The schemas want a permission or a prohibition.
TERMS = POLICIES.map(
    lambda p: p if p.permissions or p.prohibitions else replace(p, permissions=(Rule("use"),))
)
OFFERS = st.builds(Offer, IDS.map(OfferId), IDS.map(ProductId), TERMS, st.none() | DIDS, st.none() | DIDS)
AGREEMENTS = st.builds(Agreement, IDS.map(AgreementId), IDS.map(ProductId), TERMS, DIDS, DIDS, TIMES)
REASONS = st.builds(Reason, printable(50, 0), st.lists(printable(50), max_size=3).map(tuple))
DOORS = st.builds(DoorAddress, ADDRESSES, printable(60))
REQUESTS = st.builds(
    TransferRequest, IDS.map(AgreementId), st.sampled_from(sorted(FORMATS)), st.none() | DOORS
)

_CARRIES: dict[Move, st.SearchStrategy[Content]] = {
    Move.REQUEST: OFFERS,
    Move.OFFER: OFFERS,
    Move.AGREE: AGREEMENTS,
    Move.TERMINATE: REASONS,
}
_TRANSFER_CARRIES: dict[Move, st.SearchStrategy[Content]] = {
    Move.REQUEST: REQUESTS,
    Move.START: DOORS | st.none(),
    Move.SUSPEND: REASONS,
    Move.TERMINATE: REASONS,
}
NEGOTIATION_MOVES = (
    Move.REQUEST,
    Move.OFFER,
    Move.ACCEPT,
    Move.AGREE,
    Move.VERIFY,
    Move.FINALIZE,
    Move.TERMINATE,
)
TRANSFER_MOVES = (Move.REQUEST, Move.START, Move.SUSPEND, Move.COMPLETE, Move.TERMINATE)


@st.composite
def negotiation_messages(draw: st.DrawFn) -> Message:
    """A message as our own side builds it, first ones included."""
    move = draw(st.sampled_from(NEGOTIATION_MOVES))
    content = draw(_CARRIES.get(move, st.none()))
    return _message(draw, move, content, first=move in {Move.REQUEST, Move.OFFER} and draw(st.booleans()))


@st.composite
def transfer_messages(draw: st.DrawFn) -> Message:
    move = draw(st.sampled_from(TRANSFER_MOVES))
    content = draw(_TRANSFER_CARRIES.get(move, st.none()))
    return _message(draw, move, content, first=move is Move.REQUEST)


def _message(draw: st.DrawFn, move: Move, content: Content, *, first: bool) -> Message:
    consumer, provider = (ProcessId(draw(IDS)) for _ in range(2))
    from_provider = move in {Move.OFFER, Move.AGREE, Move.FINALIZE}
    return Message(
        id=MessageId(draw(IDS)),
        move=move,
        consumer_pid=None if first and from_provider else consumer,
        provider_pid=None if first and not from_provider else provider,
        content=content,
        callback=draw(ADDRESSES) if first else "",
        addressed_to=None if first else consumer if from_provider else provider,
    )


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spoiled(draw: st.DrawFn, document: Any) -> Any:
    """One place of a document put out of order: taken away, doubled, or made something else."""
    if isinstance(document, dict) and document and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(document)))
        match draw(st.integers(0, 3)):
            case 0:
                return {k: v for k, v in document.items() if k != key}
            case 1:
                return document | {
                    draw(st.sampled_from([f"dspace:{key}", f"odrl:{key}", "x"])): document[key]
                }
            case _:
                return document | {key: draw(spoiled(document[key]))}
    if isinstance(document, list) and document and draw(st.booleans()):
        at = draw(st.integers(0, len(document) - 1))
        return [*document[:at], draw(spoiled(document[at])), *document[at + 1 :]]
    return draw(JSON)
