"""Batches of usage records: a chain of roots for each connector, opened by nobody here.

Whether counts are true is checked off the ledger by whoever holds the openings.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from entrepot.ledger.operation import Context, Member, Outcome, Reason, Refusal, View
from entrepot.ledger.transaction import DigestText
from entrepot.values import canonical


class UsageBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Number (from 1), root of the batch before (none for the first), root; nothing else."""

    number: Annotated[int, Meta(ge=1, le=canonical.MAX_INTEGER)]
    previous: DigestText | None
    root: DigestText


class BatchChain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a connector's batches stand."""

    number: int
    root: str


def batch(view: View, actor: Member, body: UsageBatch, _context: Context) -> Outcome:
    """The number is the next one and the previous root matches, so no batch is lost, twice or reordered."""
    key = f"usage/{actor.did}"
    last = view.read(key, BatchChain)
    number, root = (0, None) if last is None else (last.number, last.root)
    if body.number != number + 1:
        return Refusal(Reason.NOT_NEXT)
    if body.previous != root:
        return Refusal(Reason.WRONG_PREVIOUS)
    return {key: BatchChain(body.number, body.root)}
