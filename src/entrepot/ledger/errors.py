"""What can go wrong in the ledger.

TrustError
├── ProofError           a Merkle proof does not lead to the root it was given for
├── SignatureError       a note or transaction is not signed by the key it must be signed by
├── InconsistentError    the log shows two histories where there may be one
└── CorruptError         the ledger's own file is not what was committed
NotFoundError
└── UnknownLogError      this witness does not know the log
ConflictError
└── SizeConflictError    the tree is not the one last seen; carries that one's size
RefusedError
└── RefusedTransactionError   the state machine said no; carries its reason
MalformedError
├── PersonalDataError    a transaction holds what looks like a person's number
└── NoteError            bytes that are no note, checkpoint or cosignature
"""

from enum import StrEnum

from entrepot.values import ConflictError, MalformedError, NotFoundError, RefusedError, TrustError


class ProofError(TrustError):
    """A Merkle proof does not lead to the root it was given for."""

    def remedy(self) -> str:
        return "Fetch the proof again for the sizes named; if it fails again, keep it: it is evidence."


class SignatureError(TrustError):
    """A note or transaction is not signed by the key it must be signed by."""

    def remedy(self) -> str:
        return "Compare the key with the one the ledger's genesis or the member's record names."


class InconsistentError(TrustError):
    """The log shows two histories where there may be one."""

    def remedy(self) -> str:
        return "Keep both histories as evidence and stop trusting this log until it is explained."


class CorruptError(TrustError):
    """The ledger's own file is not what was committed to it."""

    def remedy(self) -> str:
        return "Keep the file as evidence; restore a backup and refill it from a follower."


class NoteError(MalformedError):
    """Bytes that are no note, checkpoint or cosignature."""


class PersonalDataError(MalformedError):
    """A transaction holds what looks like a person's number; the message never says which."""

    def __init__(self) -> None:
        super().__init__("a ledger holds no personal data")

    def remedy(self) -> str:
        return "Record a salted commitment instead, and keep the data off the ledger."


class RefusedTransactionError(RefusedError):
    """The ledger does not take this transaction; `reason` is from the machine's closed vocabulary."""

    def __init__(self, reason: StrEnum) -> None:
        super().__init__(f"the ledger refuses the transaction: {reason.value}")
        self.reason = reason
        self.reasons = (reason.value,)

    def remedy(self) -> str:
        return "Ask the ledger what became of an earlier copy before you sign a new one."


class UnknownLogError(NotFoundError):
    """This witness does not know the log."""

    def __init__(self, origin: str) -> None:
        super().__init__(f"no log of origin {origin[:100]}")

    def remedy(self) -> str:
        return "Add the log's verifier key to the witness's settings."


class SizeConflictError(ConflictError):
    """The tree does not go on from the one last seen, which has `size` leaves."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the largest tree seen has {size} leaves")
        self.size = size

    def remedy(self) -> str:
        return "Prove consistency from that size; a log that is smaller must be refilled from a follower."
