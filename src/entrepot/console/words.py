"""The words of the console: two languages, each complete, whole sentences, with plurals.

A sentence in code or in a template is its own key, in English. The catalogues are the `.po` files beside
this module; `writing` reads and compiles them when a language is first asked for, by Babel alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

DOMAIN: Final = "console"


class Language(StrEnum):
    ENGLISH = "en"
    CHINESE = "zh"

    @property
    def other(self) -> "Language":
        return Language.CHINESE if self is Language.ENGLISH else Language.ENGLISH


def wished(accepted: str) -> Language:
    """The language that a browser asks for first; English where it asks for neither."""
    wishes: list[tuple[float, Language]] = []
    for wish in accepted.split(","):
        name, _, weight = wish.partition(";q=")
        language = name.strip().partition("-")[0].lower()
        if language in tuple(Language):
            wishes.append((_weight(weight), Language(language)))
    return max(wishes, key=lambda w: w[0])[1] if wishes else Language.ENGLISH


def _weight(text: str) -> float:
    try:
        return float(text) if text.strip() else 1.0
    except ValueError:
        return 0.0


def mark(sentence: str) -> str:
    """Mark a sentence that is looked up later; it is found by this name when the catalogues are checked."""
    return sentence


NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "party": {"provider": mark("provider"), "consumer": mark("consumer")},
    "signatory": {
        "provider": mark("provider"),
        "consumer": mark("consumer"),
        "service": mark("service party"),
    },
    "role": {
        "provider": mark("provider"),
        "consumer": mark("consumer"),
        "service": mark("service party"),
        "regulator": mark("regulator"),
    },
    "kind": {
        "api": mark("open API"),
        "delivery": mark("delivery"),
        "query": mark("query in place"),
        "job": mark("sandboxed code"),
        "joint": mark("joint computing"),
    },
    "grade": {
        "L1": mark("general data, level 1"),
        "L2": mark("general data, level 2"),
        "L3": mark("general data, level 3"),
        "L4": mark("general data, level 4"),
        "important": mark("important data"),
        "core": mark("core data"),
    },
    "negotiation": {
        "INITIAL": mark("about to begin"),
        "REQUESTED": mark("requested"),
        "OFFERED": mark("offered"),
        "ACCEPTED": mark("accepted"),
        "AGREED": mark("agreed"),
        "VERIFIED": mark("signed by the consumer"),
        "FINALIZED": mark("signed and filed"),
        "TERMINATED": mark("ended without a contract"),
    },
    "process": {
        "INITIAL": mark("about to begin"),
        "REQUESTED": mark("requested"),
        "STARTED": mark("open"),
        "SUSPENDED": mark("shut for now"),
        "COMPLETED": mark("completed"),
        "TERMINATED": mark("stopped"),
    },
    "signature": {
        "waiting": mark("waits for my signature"),
        "signed": mark("signed by me"),
        "refused": mark("refused"),
        "withdrawn": mark("withdrawn by the provider"),
        "filed": mark("signed and filed"),
        "ended": mark("ended"),
    },
    "plane": {"control": mark("control plane"), "data": mark("data plane")},
    "flow": {
        "INITIALIZED": mark("about to begin"),
        "PREPARING": mark("being prepared"),
        "PREPARED": mark("prepared"),
        "STARTING": mark("about to start"),
        "STARTED": mark("open"),
        "SUSPENDED": mark("shut for now"),
        "COMPLETED": mark("completed"),
        "TERMINATED": mark("stopped"),
    },
    "contract": {
        "01": mark("initiated"),
        "02": mark("negotiated"),
        "03": mark("being signed"),
        "0301": mark("signed"),
        "0302": mark("signing failed"),
        "05": mark("in force"),
        "06": mark("ended"),
    },
    "end": {
        "expiry": mark("it had run out"),
        "agreement": mark("by agreement"),
        "breach": mark("for breach"),
        "order": mark("by order of the regulator"),
    },
    "filing": {
        "given": mark("numbered"),
        "filing": mark("being filed"),
        "committed": mark("on the ledger"),
        "filed": mark("filed"),
        "ending": mark("ending"),
        "ended": mark("ended"),
    },
    "member": {
        "applied": mark("asks to be admitted"),
        "admitting": mark("being admitted"),
        "in-force": mark("member"),
        "suspended": mark("suspended"),
        "revoking": mark("being revoked"),
        "revoked": mark("revoked"),
        "declined": mark("declined"),
    },
    "owed": {"before": mark("before"), "alongside": mark("alongside"), "after": mark("after")},
    "known": {"member": mark("member"), "guest": mark("guest")},
    "use": {
        "open": mark("open"),
        "interrupted": mark("interrupted"),
        "closed": mark("closed"),
    },
    "outcome": {
        "sent": mark("sent, receipt awaited"),
        "interrupted": mark("interrupted"),
        "answered": mark("answered"),
        "failed": mark("failed after data was touched"),
        "received": mark("received"),
        "differs": mark("received something else"),
        "ended": mark("ended without a receipt"),
        "lapsed": mark("lapsed without a receipt"),
        "refused": mark("refused before data was touched"),
    },
    "acquisition": {
        "looking": mark("looking it up"),
        "negotiating": mark("negotiating"),
        "opening": mark("opening"),
        "fetching": mark("fetching"),
        "asking": mark("asking"),
        "received": mark("received"),
        "failed": mark("failed"),
    },
    "record": {
        "opened": mark("opened"),
        "interrupted": mark("interrupted"),
        "resumed": mark("resumed"),
        "closed": mark("closed"),
        "receipt": mark("receipt given"),
    },
    "anchor": {
        "written": mark("written down"),
        "sealed": mark("sealed in a batch"),
        "submitted": mark("handed to the ledger"),
        "committed": mark("on the ledger"),
        "witnessed": mark("witnessed"),
    },
    "comparison": {
        "agreed": mark("both sides agree"),
        "differs": mark("the two sides differ"),
        "no receipt": mark("no receipt yet"),
    },
    "fact": {
        "contract": mark("the contract"),
        "consumer": mark("the consumer"),
        "product": mark("the product"),
        "artefact": mark("the digest of the data"),
        "size": mark("the size of the data"),
        "taken back": mark("whether the use was taken back"),
        "receipt": mark("the receipt"),
        "time": mark("the time"),
    },
    "per": {
        "total": mark("over the whole contract"),
        "minute": mark("each minute"),
        "hour": mark("each hour"),
        "day": mark("each day"),
        "rows": mark("over the whole contract"),
        "bytes": mark("over the whole contract"),
        "seconds": mark("over the whole contract"),
    },
    "operator": {
        "eq": mark("is"),
        "neq": mark("is not"),
        "lt": mark("is less than"),
        "lteq": mark("is at most"),
        "gt": mark("is more than"),
        "gteq": mark("is at least"),
        "isA": mark("is a"),
        "isPartOf": mark("lies in"),
        "hasPart": mark("contains"),
        "isAnyOf": mark("is one of"),
        "isAllOf": mark("is all of"),
        "isNoneOf": mark("is none of"),
    },
    "moment": {
        "eq": mark("is"),
        "neq": mark("is not"),
        "lt": mark("is before"),
        "lteq": mark("is not after"),
        "gt": mark("is after"),
        "gteq": mark("is not before"),
    },
}
"""What a value of the product is called, by subject; the test compares them with the values themselves."""

SHAPES: Final[Mapping[str, str]] = {
    "05": "good",
    "in-force": "good",
    "filed": "good",
    "FINALIZED": "good",
    "received": "good",
    "answered": "good",
    "agreed": "good",
    "witnessed": "good",
    "committed": "good",
    "06": "over",
    "ended": "over",
    "revoked": "over",
    "declined": "over",
    "TERMINATED": "over",
    "COMPLETED": "over",
    "withdrawn": "over",
    "STARTED": "good",
    "SUSPENDED": "bad",
    "lapsed": "over",
    "closed": "over",
    "suspended": "bad",
    "revoking": "bad",
    "failed": "bad",
    "differs": "bad",
    "refused": "bad",
    "0302": "bad",
}
"""The shape beside a state's word: good, over, bad, and else under way."""

DONE: Final[Mapping[str, str]] = {
    "signed-in": mark("You are signed in."),
    "signed-out": mark("You are signed out."),
    "performed": mark("It is written down that this was done."),
    "approved": mark("You have approved these terms; the contract is now signed and filed by itself."),
    "refused": mark("You have refused; the other side is told."),
    "countered": mark("Your terms are on their way to the other side."),
    "asked": mark("Your terms are sent. Where they are not the provider's own, a person there decides."),
    "signed": mark("You have signed. The provider files the contract once everybody has."),
    "declined-signature": mark(
        "You have refused to sign; the provider is told why, and no contract comes of it."
    ),
    "shut": mark("The door is shut: what ran was cut, and the other side is told why."),
    "opened": mark("The door is asked to open again; it does under a new token."),
    "ended": mark("The transfer is stopped for good; another one may be begun under its contract."),
    "withdrawn": mark("The product is no longer on offer; contracts in force go on."),
    "stopped": mark("The contract has ended: nothing begins under it any more, and what ran was cut."),
    "admitted": mark("The applicant is admitted; it is a member once the ledger has it."),
    "declined": mark("The applicant is declined; it may come again with a new invitation."),
    "suspended": mark("The member is suspended; every node learns it with the next status list."),
    "resumed": mark("The member takes part again."),
    "revoked": mark("The member is revoked for ever."),
    "ordered": mark("The stop is ordered; both parties are told at once."),
}
"""What a page says first after something was done."""

REMEDIES: Final[Mapping[str, tuple[str, str]]] = {
    "MalformedError": (
        mark("What was entered cannot be read."),
        mark("Correct the input; the details name the place and what was expected there."),
    ),
    "ProtocolError": (
        mark("The protocol does not allow this."),
        mark("Read the present state first; it may have moved since."),
    ),
    "TransitionError": (
        mark("This is not possible in the present state."),
        mark("Read the present state first; it may have moved since."),
    ),
    "TrustError": (
        mark("An identity, a signature or a proof did not hold."),
        mark("Sign in again, and check the credential and the clock of the other party."),
    ),
    "RefusedError": (
        mark("A rule said no."),
        mark("The details say which rule. “May I?” tells what would be allowed."),
    ),
    "NotFoundError": (
        mark("There is nothing here under this address."),
        mark("Check the address, and that what you look for belongs to you."),
    ),
    "ConflictError": (
        mark("This has changed since the page was shown."),
        mark("Read it again, and repeat what you wanted to do."),
    ),
    "TooLargeError": (mark("That is too much at once."), mark("Send less at once.")),
    "UnavailableError": (
        mark("What is needed for this cannot be had now."),
        mark("Try again in a moment; `entrepot doctor` says what is missing."),
    ),
    "EntrepotError": (
        mark("Something went wrong here."),
        mark("Report this with the request id; the node's log has the details."),
    ),
}
"""What an error is to a person, and what to do next, by the name of its class."""
