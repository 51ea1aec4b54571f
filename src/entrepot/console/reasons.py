"""Why something was refused or ended, as it was written down in English, told in the reader's language.

What a policy says is read back by `policy`, what the gate and the other services of this product say by the
sentences below. All else was written by somebody: it stands as it is, in a language of its own.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from babel.support import Translations
from markupsafe import Markup, escape

from entrepot.console.words import NAMES, Language, mark
from entrepot.policy import duty_said, read_refusal, say_refusal

SENTENCES: Final = (
    # The contract (contracts).
    mark("the contract has status %(contract)s (%(end)s)"),
    mark("the contract has status %(contract)s"),
    mark("the contract has expired"),
    mark("the contract has not begun"),
    # The consumer's membership (identity, use).
    mark("the member was revoked"),
    mark("the membership is not in force at this time"),
    mark("nothing is known of the member's status"),
    mark("what is known of the %(known)s is %(age)s s old; at most %(most)s s"),
    mark("the guest is let in no longer: %(why)s"),
    mark("the guest's credential is not in force now"),
    mark("the issuer of what the guest has shown is not trusted here, or it has to show more"),
    mark("nothing is known of the consumer's membership"),
    # What is on offer, and how (use, regulation).
    mark("the product of this contract is not here"),
    mark("this door is for %(format)s"),
    mark("the product is offered for %(kinds)s, not for %(kind)s"),
    mark("%(grade)s data does not admit %(kind)s (%(article)s)"),
    mark("%(grade)s data does not admit %(kind)s"),
    mark("no rule for kinds of use is in force on %(when)s (%(article)s)"),
    mark("no rule for kinds of use is in force on %(when)s"),
    mark("the artefact is not what was offered; its owner must look"),
    # This node (use).
    mark("records have waited too long for the ledger; nothing new is opened until it has them"),
    mark("overdue since %(when)s UTC: %(duty)s"),
    mark("its owner has to accept that first"),
    mark("this node was restored from a backup of %(when)s and has not been compared with the ledger yet"),
    mark(
        "this node was restored from a backup of %(when)s; the ledger has no later batch of its records, "
        "later records may be lost unanchored"
    ),
    mark(
        "this node was restored from a backup of %(when)s; batches %(first)s to %(last)s on the ledger are "
        "of later uses, not counted here"
    ),
    # The door (use).
    mark("no door opens to this token"),
    mark("no door opens to our token any more"),
    mark("there is no agreement behind this door"),
    mark("the last use was taken by another call"),
    mark("the door answered %(status)s"),
    mark("the process is over: %(why)s"),
    mark("the process is over"),
    # How a negotiation or a transfer ended (contracts, use).
    mark("the %(party)s ended it: %(why)s"),
    mark("rejected, a person said no"),
    mark("expired, what was offered has run out"),
    mark("terms, the agreement is not what was offered"),
    mark("contract, the contract is no longer in force"),
    mark("the negotiation is gone"),
    mark("the process is gone"),
    mark("no whole answer came, and the use may have been counted: %(why)s"),
    mark("the node stopped during the call; ask again"),
    mark("a fault; see the log"),
    mark("refused"),
    # Terms that cannot be (catalogue).
    mark("the policy permits nothing"),
)
"""What the product itself gives as a reason; a test holds those of the gate against its code."""

_HOLE: Final = re.compile(r"%\((\w+)\)s")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_LATIN: Final = re.compile(r"[A-Za-z]")
_JOIN: Final = "; "
"""Between reasons where several are one text; a sentence of ours may hold one, too."""


def _pattern(sentence: str) -> re.Pattern[str]:
    words = _HOLE.split(sentence)  # text and names of holes in turn
    shapes = {"why": ".+"}  # a reason in a reason may be several
    parts = (f"(?P<{w}>{shapes.get(w, '[^;]+')})" if n % 2 else re.escape(w) for n, w in enumerate(words))
    return re.compile("".join(parts), re.DOTALL)


_PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {sentence: _pattern(sentence) for sentence in SENTENCES}


def told(text: str, language: Language, translations: Translations) -> Markup:
    """What is ours in the reader's language, each reason for itself; the rest as it stands."""
    if language is Language.ENGLISH:
        return as_written(text)
    return Markup("；").join(_told(text.split(_JOIN), translations))


def as_written(text: str) -> Markup:
    """Somebody's own words: apart from what stands around them, and in a language of their own."""
    if _HAN.search(text):
        return Markup('<bdi lang="zh-Hans">{}</bdi>').format(text)
    return Markup('<bdi lang="en">{}</bdi>').format(text) if _LATIN.search(text) else escape(text)


def _told(parts: list[str], translations: Translations) -> Iterator[Markup]:
    while parts:
        runs = ((n, _ours(_JOIN.join(parts[:n]), translations)) for n in (1, 2))
        taken, said = next(((n, found) for n, found in runs if found is not None), (1, as_written(parts[0])))
        yield said
        parts = parts[taken:]


def _ours(text: str, translations: Translations) -> Markup | None:
    """A text of the product's own in Chinese; None for any other."""
    if refusal := read_refusal(text):
        return escape(say_refusal(refusal, Language.CHINESE))
    for sentence, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(text):
            values = {name: _value(name, value, translations) for name, value in match.groupdict().items()}
            return escape(translations.ugettext(sentence)) % values
    return None


def _value(name: str, value: str, translations: Translations) -> str:
    """What stands in a hole: reasons as such, a name of ours in the reader's words, all else as it is."""
    match name:
        case "why":
            return told(value, Language.CHINESE, translations)
        case "duty":
            return duty_said(value)
        case _:
            names = NAMES.get({"kinds": "kind"}.get(name, name), {})
            return "、".join(translations.ugettext(names[v]) if v in names else v for v in value.split(", "))
