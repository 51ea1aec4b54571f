"""What can go wrong, as one tree that a reader sees at once.

EntrepotError
├── MalformedError     bytes or text that are not what they claim to be              (400)
├── ProtocolError      the counterparty sent something the protocol does not allow   (400)
│   └── TransitionError    ... in this state
├── TrustError         an identity, credential, signature or proof did not hold      (401)
├── RefusedError       a rule said no; carries its reasons                           (403)
├── NotFoundError      there is no such thing, or not for this caller                (404)
├── ConflictError      somebody else changed the record first                        (409)
├── TooLargeError      larger than the stated bound                                  (413)
└── UnavailableError   what is needed to decide cannot be had now; try again later   (503)

The numbers are those of the owner's API; each protocol package has a table of its own. Packages add
leaves below these in an `errors.py` of their own.
"""

from typing import ClassVar


class EntrepotError(Exception):
    """Any fault that the product foresees. `remedy` tells a person what to do next."""

    status: ClassVar[int] = 500

    def remedy(self) -> str:
        return "Report this with the request id; the node's log has the details."


class MalformedError(EntrepotError):
    """Bytes or text that are not what they claim to be."""

    status = 400

    def remedy(self) -> str:
        return "Correct the input; the message names the place and what was expected there."


class ProtocolError(EntrepotError):
    """The counterparty sent something the protocol does not allow."""

    status = 400

    def remedy(self) -> str:
        return "Compare the message with the protocol's schema."


class TransitionError(ProtocolError):
    """The message is not allowed in the present state."""

    def __init__(self, state: str, message: str, sender: str) -> None:
        super().__init__(f"{message} from the {sender} is not allowed in state {state}")
        self.state = state

    def remedy(self) -> str:
        return "Read the state again; it may have moved since."


class TrustError(EntrepotError):
    """An identity, credential, signature or proof did not hold."""

    status = 401

    def remedy(self) -> str:
        return "Check the credential and the clock of the party that sent it."


class RefusedError(EntrepotError):
    """A rule said no. `reasons` says which, in the order they were found."""

    status = 403

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons) or "no rule grants this")
        self.reasons = reasons

    def remedy(self) -> str:
        return "Ask `entrepot policy explain` what would be allowed."


class NotFoundError(EntrepotError):
    """There is no such thing, or not for this caller."""

    status = 404

    def remedy(self) -> str:
        return "Check the identifier, and that it belongs to you."


class ConflictError(EntrepotError):
    """Somebody else changed the record first."""

    status = 409

    def remedy(self) -> str:
        return "Read it again and repeat what you wanted to do."


class TooLargeError(EntrepotError):
    """Larger than the stated bound."""

    status = 413

    def remedy(self) -> str:
        return "Send less at once."


class UnavailableError(EntrepotError):
    """What is needed to decide cannot be had now."""

    status = 503

    def remedy(self) -> str:
        return "Try again later; `entrepot doctor` says what is missing."
