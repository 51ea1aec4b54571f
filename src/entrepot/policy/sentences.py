"""A policy, a decision, and what an environment does about it as sentences, in English and Chinese.

For the person who signs or is refused. The words are in `phrases.py`.
"""

from collections.abc import Iterable
from datetime import timedelta

from entrepot.policy.assurance import Assured, assurance
from entrepot.policy.compare import Verdict
from entrepot.policy.duties import duty_name
from entrepot.policy.evaluate import Decision, Line
from entrepot.policy.literals import render_money, show_value
from entrepot.policy.model import (
    Atom,
    Constraint,
    Duty,
    Group,
    Junction,
    Moment,
    Operator,
    Policy,
    Rule,
    Source,
)
from entrepot.policy.phrases import (
    ASSURED,
    DUTIES,
    GROUP,
    GROUPS,
    JOIN,
    OBLIGATIONS,
    OUTCOMES,
    SOURCES,
    VERDICTS,
    Language,
    length,
    phrase,
)
from entrepot.policy.reasons import condition, duty_said, place_said, seen
from entrepot.policy.vocabulary import ACTIONS, OPERANDS
from entrepot.values import KindOfUse

_EN = Language.ENGLISH


def sentences(policy: Policy, language: str) -> tuple[str, ...]:
    """Write each rule as one sentence; `language` is `en` or `zh`."""
    words = Language(language)
    lines = [_sentence(r, words, allowed=True) for r in policy.permissions]
    lines += [_sentence(r, words, allowed=False) for r in policy.prohibitions]
    lines += [OBLIGATIONS[words][d.moment].format(_duty(d, words)) for d in policy.obligations]
    if not policy.permissions:
        lines.append("Nothing is permitted." if words is _EN else "不允许任何使用。")
    return tuple(lines)


def explain(decision: Decision, language: str) -> tuple[str, ...]:
    """Write a decision as one sentence, and one for each rule, group and comparison of its report.

    **Repeats what the caller claimed**: for the owner of the node, not for logs or strangers.
    """
    words = Language(language)
    due = ", ".join(_duty(d, words) for d in decision.due)
    head = OUTCOMES[words][decision.outcome].format(decision.relied_on + 1, due)
    return head, *(_explained(line, words) for line in decision.report())


def assured(policy: Policy, kind: KindOfUse, language: str) -> tuple[str, ...]:
    """Say of each thing in a policy whether this kind of use enforces, detects or only records it."""
    words = Language(language)
    return tuple(_assured(a, words) for a in assurance(policy, kind))


def say_duty(duty: Duty, language: str) -> str:
    """A duty in words: what, how much, within what time."""
    return _duty(duty, Language(language))


def _assured(found: Assured, language: Language) -> str:
    match found.what:
        case Atom():
            what = _condition(found.what, language)
        case Duty():
            what = _duty(found.what, language)
        case Rule(action, _, _):
            name = _action(action, language)
            what = f"no {name}" if language is _EN else f"禁止{name}"
    return ASSURED[language][found.degree].format(what)


def _explained(line: Line, language: Language) -> str:
    operand = OPERANDS.get(line.operand) if line.source else None
    if language is _EN:
        if operand is None:
            return f"{line.path}: {_action(line.operand, _EN) or line.operator}: {line.verdict}"
        asked = phrase(operand.type, Operator(line.operator), _EN).format(operand.english, line.expected)
        return f"{line.path}: asked that {asked}; found {line.found} ({line.source}): {line.verdict}"
    where, verdict = place_said(line.path), VERDICTS[Verdict(line.verdict)]
    if operand is None:
        what = _action(line.operand, language) or GROUPS[Junction(line.operator)]
        return f"{where}：{what}：{verdict}"
    asked = condition(operand, Operator(line.operator), line.expected)
    found = seen(line.found, operand)
    return f"{where}：要求{asked}；实际为{found}（{SOURCES[Source(line.source)]}）：{verdict}"


def _sentence(rule: Rule, language: Language, *, allowed: bool) -> str:
    conditions = _conditions(rule.constraints, Junction.AND, language)
    action = _action(rule.action, language)
    tail = _duties(rule.duties, language)
    if language is _EN:
        head = f"{'Permitted' if allowed else 'Forbidden'}: {action}"
        return f"{head}, if {conditions}{tail}." if conditions else f"{head}{tail}."
    head = f"{'允许' if allowed else '禁止'}{action}"
    return f"{head}，条件：{conditions}{tail}。" if conditions else f"{head}{tail}。"


def _duties(duties: Iterable[Duty], language: Language) -> str:
    said = [(m, [_duty(d, language) for d in duties if d.moment is m]) for m in Moment]
    return "".join(DUTIES[language][moment].format(", ".join(names)) for moment, names in said if names)


def _duty(duty: Duty, language: Language) -> str:
    if language is not _EN:
        return duty_said(duty_name(duty))
    amount = "" if duty.amount is None else f" {render_money(duty.amount)}"
    within = "" if duty.within is None else f" within {length(duty.within, _EN)}"
    return f"{_action(duty.action, _EN)}{amount}{within}"


def _conditions(constraints: tuple[Constraint, ...], junction: Junction, language: Language) -> str:
    return JOIN[language][junction].join(_condition(c, language) for c in constraints)


def _condition(constraint: Constraint, language: Language) -> str:
    match constraint:
        case Group(junction, members):
            return GROUP[language][junction].format(_conditions(members, junction, language))
        case Atom(operand, operator, value) if language is _EN:
            shown = length(value, _EN) if isinstance(value, timedelta) else show_value(value)
            return phrase(operand.type, operator, _EN).format(operand.english, shown)
        case Atom(operand, operator, value):
            return condition(operand, operator, show_value(value))


def _action(name: str, language: Language) -> str:
    known = ACTIONS.get(name)
    if known is None:
        return name
    return known.english if language is _EN else f"“{known.chinese}”"
