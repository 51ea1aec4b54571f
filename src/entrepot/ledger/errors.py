"""What can go wrong in the ledger.

TrustError
├── ProofError           a Merkle proof does not lead to the root it was given for
├── SignatureError       a note or transaction is not signed by the key it must be signed by
└── InconsistentError    the log's history is not one history; carries what was found
MalformedError
└── NoteError            bytes that are no note, checkpoint or cosignature
"""

from entrepot.values import MalformedError, TrustError


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


class NoteError(MalformedError):
    """Bytes that are no note, checkpoint or cosignature."""
