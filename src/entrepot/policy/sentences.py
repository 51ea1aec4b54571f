"""A policy and a decision as sentences, in English and Chinese, for the person who signs or is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from entrepot.policy.evaluate import Decision, Line, Outcome, Verdict, show_value
from entrepot.policy.model import (
    OPERANDS,
    Atom,
    Constraint,
    Group,
    Junction,
    OperandType,
    Operator,
    Policy,
    Rule,
    Source,
)


class Language(StrEnum):
    ENGLISH = "en"
    CHINESE = "zh"


_EN: Final = Language.ENGLISH
_ZH: Final = Language.CHINESE

_PHRASES: Final[Mapping[Language, Mapping[Operator, str]]] = {
    _EN: {
        Operator.EQ: "{0} is {1}",
        Operator.NEQ: "{0} is not {1}",
        Operator.LT: "{0} is less than {1}",
        Operator.LTEQ: "{0} is at most {1}",
        Operator.GT: "{0} is more than {1}",
        Operator.GTEQ: "{0} is at least {1}",
        Operator.IS_PART_OF: "{0} lies in {1}",
        Operator.IS_ANY_OF: "{0} is one of {1}",
        Operator.IS_NONE_OF: "{0} is none of {1}",
    },
    _ZH: {
        Operator.EQ: "{0}为{1}",
        Operator.NEQ: "{0}不为{1}",
        Operator.LT: "{0}小于{1}",
        Operator.LTEQ: "{0}不超过{1}",
        Operator.GT: "{0}大于{1}",
        Operator.GTEQ: "{0}不少于{1}",
        Operator.IS_PART_OF: "{0}在{1}之内",
        Operator.IS_ANY_OF: "{0}属于{1}之一",
        Operator.IS_NONE_OF: "{0}不属于{1}",
    },
}
_OF_TIME: Final[Mapping[Language, Mapping[Operator, str]]] = {
    _EN: {
        Operator.LT: "{0} is before {1}",
        Operator.LTEQ: "{0} is not after {1}",
        Operator.GT: "{0} is after {1}",
        Operator.GTEQ: "{0} is not before {1}",
    },
    _ZH: {
        Operator.LT: "{0}早于{1}",
        Operator.LTEQ: "{0}不晚于{1}",
        Operator.GT: "{0}晚于{1}",
        Operator.GTEQ: "{0}不早于{1}",
    },
}
_JOIN: Final[Mapping[Language, Mapping[Junction, str]]] = {
    _EN: {Junction.AND: " and ", Junction.OR: " or ", Junction.XONE: " or "},
    _ZH: {Junction.AND: "，且", Junction.OR: "，或", Junction.XONE: "，或"},
}
_GROUP: Final[Mapping[Language, Mapping[Junction, str]]] = {
    _EN: {Junction.AND: "({0})", Junction.OR: "({0})", Junction.XONE: "(exactly one of: {0})"},
    _ZH: {Junction.AND: "（{0}）", Junction.OR: "（{0}）", Junction.XONE: "（恰有一项成立：{0}）"},
}
ACTION_NAMES: Final[Mapping[str, str]] = {
    "use": "使用",
    "read": "读取",
    "reproduce": "复制",
    "transform": "转换",
    "anonymize": "匿名化",
    "distribute": "分发",
    "grantUse": "授权使用",
    "sell": "交易",
    "delete": "删除",
    "inform": "通知",
    "compensate": "补偿",
}
"""The actions in the words of the national contract (table 4)."""

_SOURCES: Final[Mapping[Source, str]] = {
    Source.CREDENTIAL: "凭证",
    Source.AGREEMENT: "合约",
    Source.OBSERVED: "本节点观测",
    Source.CLAIMED: "调用方声明",
}
_VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.SATISFIED: "满足",
    Verdict.UNSATISFIED: "不满足",
    Verdict.UNKNOWN: "未知",
}
_OUTCOMES: Final[Mapping[Language, Mapping[Outcome, str]]] = {
    _EN: {
        Outcome.PERMIT: "Permitted, by permission {0}.",
        Outcome.CONDITIONAL: "Permitted by permission {0}, once this is done: {1}.",
        Outcome.DENY: "Denied.",
    },
    _ZH: {
        Outcome.PERMIT: "允许，依据第{0}条许可。",
        Outcome.CONDITIONAL: "有条件允许，依据第{0}条许可，须先完成：{1}。",
        Outcome.DENY: "拒绝。",
    },
}


def sentences(policy: Policy, language: str) -> tuple[str, ...]:
    """Write each rule as one sentence; `language` is `en` or `zh`."""
    words = Language(language)
    lines = [_sentence(r, words, allowed=True) for r in policy.permissions]
    lines += [_sentence(r, words, allowed=False) for r in policy.prohibitions]
    for duty in policy.obligations:
        action = _action(duty.action, words)
        lines.append(f"Before every use: {action}." if words is _EN else f"每次使用前须完成：{action}。")
    if not policy.permissions:
        lines.append("Nothing is permitted." if words is _EN else "不允许任何使用。")
    return tuple(lines)


def explain(decision: Decision, language: str) -> tuple[str, ...]:
    """Write a decision as one sentence, and one for each rule, group and comparison of its report.

    **Repeats what the caller claimed**: for the owner of the node, not for logs or strangers.
    """
    words = Language(language)
    due = ", ".join(_action(d.action, words) for d in decision.due)
    head = _OUTCOMES[words][decision.outcome].format(decision.relied_on + 1, due)
    return head, *(_explained(line, words) for line in decision.report())


def _explained(line: Line, language: Language) -> str:
    verdict = line.verdict if language is _EN else _VERDICTS[Verdict(line.verdict)]
    operand = OPERANDS.get(line.operand)
    if operand is None or not line.source:
        name = _action(line.operand, language) if line.operand else line.operator
        return f"{line.path}: {name}: {verdict}"
    asked = _phrase(operand.type, Operator(line.operator), language).format(
        operand.english if language is _EN else operand.chinese, line.expected
    )
    if language is _EN:
        return f"{line.path}: asked that {asked}; found {line.found} ({line.source}): {verdict}"
    found = "无" if line.found == "nothing" else line.found
    return f"{line.path}：要求{asked}；实际为{found}（{_SOURCES[Source(line.source)]}）：{verdict}"


def _sentence(rule: Rule, language: Language, *, allowed: bool) -> str:
    conditions = _conditions(rule.constraints, Junction.AND, language)
    action = _action(rule.action, language)
    duties = ", ".join(_action(d.action, language) for d in rule.duties)
    if language is _ZH:
        head = f"{'允许' if allowed else '禁止'}{action}"
        tail = f"；须先完成：{duties}" if duties else ""
        return f"{head}，条件：{conditions}{tail}。" if conditions else f"{head}{tail}。"
    head = f"{'Permitted' if allowed else 'Forbidden'}: {action}"
    tail = f", after {duties}" if duties else ""
    return f"{head}, if {conditions}{tail}." if conditions else f"{head}{tail}."


def _conditions(constraints: tuple[Constraint, ...], junction: Junction, language: Language) -> str:
    return _JOIN[language][junction].join(_condition(c, language) for c in constraints)


def _condition(constraint: Constraint, language: Language) -> str:
    match constraint:
        case Group(junction, members):
            return _GROUP[language][junction].format(_conditions(members, junction, language))
        case Atom(operand, operator, value):
            name = operand.english if language is _EN else operand.chinese
            return _phrase(operand.type, operator, language).format(name, show_value(value))


def _phrase(kind: OperandType, operator: Operator, language: Language) -> str:
    if kind is OperandType.TIME and operator in _OF_TIME[language]:
        return _OF_TIME[language][operator]
    return _PHRASES[language][operator]


def _action(name: str, language: Language) -> str:
    return name if language is _EN else f"“{ACTION_NAMES.get(name, name)}”"
