"""Batches of usage records: a chain of roots for each connector, opened by nobody here."""

from typing import Annotated

import msgspec
from msgspec import Meta

from entrepot.ledger.transaction import DigestText
from entrepot.values import canonical


class UsageBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Number (from 1), root of the batch before (none for the first), root; nothing else."""

    number: Annotated[int, Meta(ge=1, le=canonical.MAX_INTEGER)]
    previous: DigestText | None
    root: DigestText
