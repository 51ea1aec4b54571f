"""The words of sentences about policies, in English and Chinese: one table a part of speech."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from entrepot.policy.assurance import Assurance
from entrepot.policy.compare import Verdict
from entrepot.policy.evaluate import Outcome
from entrepot.policy.model import Junction, Moment, OperandType, Operator, Source


class Language(StrEnum):
    ENGLISH = "en"
    CHINESE = "zh"


_EN: Final = Language.ENGLISH
_ZH: Final = Language.CHINESE

_Table: TypeAlias = Mapping[Language, Mapping[Operator, str]]

PHRASES: Final[_Table] = {
    _EN: {
        Operator.EQ: "{0} is {1}",
        Operator.NEQ: "{0} is not {1}",
        Operator.LT: "{0} is less than {1}",
        Operator.LTEQ: "{0} is at most {1}",
        Operator.GT: "{0} is more than {1}",
        Operator.GTEQ: "{0} is at least {1}",
        Operator.IS_A: "{0} is {1} or part of it",
        Operator.IS_PART_OF: "{0} lies in {1}",
        Operator.HAS_PART: "{0} contains {1}",
        Operator.IS_ANY_OF: "{0} is one of {1}",
        Operator.IS_ALL_OF: "{0} contains all of {1}",
        Operator.IS_NONE_OF: "{0} is none of {1}",
    },
    _ZH: {
        Operator.EQ: "{0}为{1}",
        Operator.NEQ: "{0}不为{1}",
        Operator.LT: "{0}小于{1}",
        Operator.LTEQ: "{0}不超过{1}",
        Operator.GT: "{0}大于{1}",
        Operator.GTEQ: "{0}不少于{1}",
        Operator.IS_A: "{0}为{1}或其下位类",
        Operator.IS_PART_OF: "{0}在{1}之内",
        Operator.HAS_PART: "{0}包含{1}",
        Operator.IS_ANY_OF: "{0}属于{1}之一",
        Operator.IS_ALL_OF: "{0}包含{1}全部",
        Operator.IS_NONE_OF: "{0}不属于{1}",
    },
}
_OF_TIME: Final[_Table] = {
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
_OF_NAMES: Final[_Table] = {
    _EN: {
        Operator.IS_PART_OF: "{0} are all among {1}",
        Operator.HAS_PART: "{0} include {1}",
        Operator.IS_ANY_OF: "{0} include one of {1}",
        Operator.IS_ALL_OF: "{0} include all of {1}",
        Operator.IS_NONE_OF: "{0} include none of {1}",
    },
    _ZH: {
        Operator.IS_PART_OF: "{0}均在{1}之列",
        Operator.HAS_PART: "{0}包含{1}",
        Operator.IS_ANY_OF: "{0}包含{1}之一",
        Operator.IS_ALL_OF: "{0}包含{1}全部",
        Operator.IS_NONE_OF: "{0}不包含{1}",
    },
}
_OF_FILTER: Final[_Table] = {
    _EN: {Operator.IS_PART_OF: "{0} all satisfy {1}"},
    _ZH: {Operator.IS_PART_OF: "{0}均满足 {1} "},
}
_SPECIAL: Final[Mapping[OperandType, _Table]] = {
    OperandType.TIME: _OF_TIME,
    OperandType.NAMES: _OF_NAMES,
    OperandType.FILTER: _OF_FILTER,
}
JOIN: Final[Mapping[Language, Mapping[Junction, str]]] = {
    _EN: {Junction.AND: " and ", Junction.OR: " or ", Junction.XONE: " or "},
    _ZH: {Junction.AND: "，且", Junction.OR: "，或", Junction.XONE: "，或"},
}
GROUP: Final[Mapping[Language, Mapping[Junction, str]]] = {
    _EN: {Junction.AND: "({0})", Junction.OR: "({0})", Junction.XONE: "(exactly one of: {0})"},
    _ZH: {Junction.AND: "（{0}）", Junction.OR: "（{0}）", Junction.XONE: "（恰有一项成立：{0}）"},
}
DUTIES: Final[Mapping[Language, Mapping[Moment, str]]] = {
    _EN: {
        Moment.BEFORE: ", after {0}",
        Moment.ALONGSIDE: ", with each use: {0}",
        Moment.AFTER: ", after each use: {0}",
    },
    _ZH: {
        Moment.BEFORE: "；须先完成：{0}",
        Moment.ALONGSIDE: "；每次使用时须：{0}",
        Moment.AFTER: "；每次使用后须：{0}",
    },
}
OBLIGATIONS: Final[Mapping[Language, Mapping[Moment, str]]] = {
    _EN: {
        Moment.BEFORE: "Before the first use: {0}.",
        Moment.ALONGSIDE: "With each use: {0}.",
        Moment.AFTER: "After each use: {0}.",
    },
    _ZH: {
        Moment.BEFORE: "首次使用前须完成：{0}。",
        Moment.ALONGSIDE: "每次使用时须：{0}。",
        Moment.AFTER: "每次使用后须：{0}。",
    },
}
UNITS: Final[Mapping[Language, tuple[tuple[str, str], ...]]] = {
    _EN: (("day", "days"), ("hour", "hours"), ("minute", "minutes"), ("second", "seconds")),
    _ZH: (("天", "天"), ("小时", "小时"), ("分钟", "分钟"), ("秒", "秒")),
}
WORDS: Final[Mapping[str, str]] = {
    "usageControl": "使用控制环境",
    "sandbox": "沙箱",
    "multiPartyComputation": "多方安全计算",
    "federatedLearning": "联邦学习",
    "trustedExecution": "可信执行环境",
    "confidentialComputing": "机密计算",
    "clear": "明文",
    "cipher": "密文",
    "file": "文件",
    "stream": "数据流",
    "api": "接口",
    "delivery": "交付",
    "query": "原地查询",
    "job": "沙箱作业",
    "joint": "联合计算",
    "other": "其他",
}
"""The words of operands with a fixed list, in Chinese."""

SOURCES: Final[Mapping[Source, str]] = {
    Source.CREDENTIAL: "凭证",
    Source.AGREEMENT: "合约",
    Source.OBSERVED: "本节点观测",
    Source.CLAIMED: "调用方声明",
}
VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.SATISFIED: "满足",
    Verdict.UNSATISFIED: "不满足",
    Verdict.UNKNOWN: "未知",
}
OUTCOMES: Final[Mapping[Language, Mapping[Outcome, str]]] = {
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
ASSURED: Final[Mapping[Language, Mapping[Assurance, str]]] = {
    _EN: {
        Assurance.ENFORCES: "{0}: enforced here",
        Assurance.DETECTS: "{0}: a breach is detected here",
        Assurance.RECORDS: "{0}: recorded only",
        Assurance.REFUSES: "{0}: nobody can tell here, so no use is permitted by it",
    },
    _ZH: {
        Assurance.ENFORCES: "{0}：本环境强制执行",
        Assurance.DETECTS: "{0}：本环境可发现违反",
        Assurance.RECORDS: "{0}：本环境仅作记录",
        Assurance.REFUSES: "{0}：本环境无从得知，不据此允许任何使用",
    },
}


def phrase(kind: OperandType, operator: Operator, language: Language) -> str:
    """How a comparison is said, with a place for the operand and one for the value."""
    special = _SPECIAL.get(kind, PHRASES)[language]
    return special.get(operator, PHRASES[language][operator])
