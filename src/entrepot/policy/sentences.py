"""A policy as sentences, for the person who signs it: English and Chinese, whole sentences each."""

from collections.abc import Mapping
from typing import Final

from entrepot.policy.evaluate import show_value
from entrepot.policy.model import Atom, Constraint, Group, Junction, Operator, Policy, Rule

_EN: Final[Mapping[Operator, str]] = {
    Operator.EQ: "{0} is {1}",
    Operator.NEQ: "{0} is not {1}",
    Operator.LT: "{0} is before {1}",
    Operator.LTEQ: "{0} is at most {1}",
    Operator.GT: "{0} is after {1}",
    Operator.GTEQ: "{0} is at least {1}",
    Operator.IS_PART_OF: "{0} lies in {1}",
    Operator.IS_ANY_OF: "{0} is one of {1}",
    Operator.IS_NONE_OF: "{0} is none of {1}",
}
_ZH: Final[Mapping[Operator, str]] = {
    Operator.EQ: "{0}为{1}",
    Operator.NEQ: "{0}不为{1}",
    Operator.LT: "{0}早于{1}",
    Operator.LTEQ: "{0}不超过{1}",
    Operator.GT: "{0}晚于{1}",
    Operator.GTEQ: "{0}不早于{1}",
    Operator.IS_PART_OF: "{0}在{1}之内",
    Operator.IS_ANY_OF: "{0}属于{1}",
    Operator.IS_NONE_OF: "{0}不属于{1}",
}
_JOIN: Final = {
    "en": {Junction.AND: " and ", Junction.OR: " or ", Junction.XONE: " or else, but not both, "},
    "zh": {Junction.AND: "，且", Junction.OR: "，或", Junction.XONE: "，或（仅一项）"},
}


def sentences(policy: Policy, language: str) -> tuple[str, ...]:
    """Write each rule as one sentence; `language` is `en` or `zh`."""
    lines = [_sentence(r, language, allowed=True) for r in policy.permissions]
    lines += [_sentence(r, language, allowed=False) for r in policy.prohibitions]
    if not policy.permissions:
        lines.append("Nothing is permitted." if language == "en" else "不允许任何使用。")
    return tuple(lines)


def _sentence(rule: Rule, language: str, *, allowed: bool) -> str:
    conditions = _conditions(rule.constraints, Junction.AND, language)
    duties = ", ".join(d.action for d in rule.duties)
    if language == "zh":
        head = f"{'允许' if allowed else '禁止'}“{rule.action}”"
        tail = f"；须先完成：{duties}" if duties else ""
        return f"{head}，条件：{conditions}{tail}。" if conditions else f"{head}{tail}。"
    head = f"{'Permitted' if allowed else 'Forbidden'}: {rule.action}"
    tail = f", after {duties}" if duties else ""
    return f"{head}, if {conditions}{tail}." if conditions else f"{head}{tail}."


def _conditions(constraints: tuple[Constraint, ...], junction: Junction, language: str) -> str:
    return _JOIN[language][junction].join(_condition(c, language) for c in constraints)


def _condition(constraint: Constraint, language: str) -> str:
    match constraint:
        case Group(junction, members):
            inner = _conditions(members, junction, language)
            return f"（{inner}）" if language == "zh" else f"({inner})"
        case Atom(operand, operator, value):
            if language == "zh":
                return _ZH[operator].format(operand.chinese, show_value(value))
            return _EN[operator].format(operand.english, show_value(value))
