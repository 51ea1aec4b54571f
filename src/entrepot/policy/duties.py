"""Duties: which can be owed when, what a plan makes of them, and what each is called.

A duty *before* a use is a fact: somebody has written down that it was done. One *alongside* is what the
door does to the data on its way out, seen as its treatment, or what the gate does by itself at each use.
One *after* falls due with a time limit; what is overdue stands against further use (`use/duties.py`).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from entrepot.policy.literals import render_duration, render_money
from entrepot.policy.model import Atom, Duty, Moment, Operator, Policy, Rule
from entrepot.policy.vocabulary import OPERANDS

MOMENTS: Final[Mapping[Moment, frozenset[str]]] = MappingProxyType(
    {
        Moment.ALONGSIDE: frozenset(
            {"inform", "logRecordSend", "alert", "encrypt", "anonymize", "desensitize", "transform"}
        ),
        Moment.AFTER: frozenset({"delete", "inform", "logRecordSend", "compensate"}),
    }
)
"""What can be owed alongside and after a use; before one, any action."""

BY_THE_GATE: Final = frozenset({"inform", "logRecordSend", "alert"})
"""Alongside a use these are done by the gate itself, in the transaction that opens or closes the use."""


def duty_name(duty: Duty) -> str:
    """What a duty is called where it is written down that it is due or done."""
    words = [duty.action]
    if duty.amount is not None:
        words.append(render_money(duty.amount))
    if duty.within is not None:
        words.append(f"within {render_duration(duty.within)}")
    return " ".join(words)


def duty_fact(duty: Duty) -> str:
    """The name of the fact that a duty before a use has been done; its value is when."""
    return f"duty:{duty_name(duty)}"


def fault_of(duty: Duty) -> str | None:
    """Why a duty cannot be owed like this; None where it can."""
    moments = MOMENTS.get(duty.moment)
    if moments is not None and duty.action not in moments:
        return f"nobody can {duty.action} {duty.moment} a use; expected one of {', '.join(sorted(moments))}"
    if (duty.moment is Moment.AFTER) != (duty.within is not None):
        return "a duty after a use, and no other, says within what time: odrl:elapsedTime lteq P30D"
    if (duty.action == "compensate") < (duty.amount is not None):
        return "an amount is owed by compensate only"
    return None


def owed(policy: Policy, permission: int, moment: Moment) -> tuple[Duty, ...]:
    """What is owed by whoever relies on a permission, its own duties first."""
    duties = (*policy.permissions[permission].duties, *policy.obligations)
    return tuple(dict.fromkeys(d for d in duties if d.moment is moment))


def treatments(duties: Iterable[Duty]) -> tuple[Atom, ...]:
    """What a door must be seen to do, so that the duties alongside hold."""
    asked = {d.action for d in duties if d.moment is Moment.ALONGSIDE and d.action not in BY_THE_GATE}
    return tuple(Atom(OPERANDS["treatment"], Operator.HAS_PART, action) for action in sorted(asked))


def with_treatments(rule: Rule, obligations: Iterable[Duty]) -> Rule:
    """A permission with its duties alongside as what they are to the door: constraints."""
    asked = treatments((*rule.duties, *obligations))
    return Rule(rule.action, (*rule.constraints, *asked), rule.duties) if asked else rule
