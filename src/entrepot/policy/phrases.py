"""The words of sentences about policies, in English and Chinese: one table a part of speech."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from entrepot.policy.assurance import Assurance
from entrepot.policy.compare import Verdict
from entrepot.policy.model import Junction, Moment, OperandType, Operator, Source
from entrepot.policy.refusal import NOT_UTC, NOTHING, OTHERWISE, Outcome, Reason


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
    "query": "就地查询",
    "job": "沙箱代码",
    "joint": "联合计算",
    "other": "其他",
}
"""The words of operands with a fixed list, in Chinese."""

ROLES: Final[Mapping[str, str]] = {
    "provider": "数据提供方",
    "consumer": "数据使用方",
    "service": "数据服务方",
    "regulator": "监管方",
}
"""The roles of a space, in Chinese."""

PERIODS: Final[Mapping[str, str]] = {"minute": "每分钟{0}次", "hour": "每小时{0}次", "day": "每天{0}次"}
FOUND: Final[Mapping[str, str]] = {NOTHING: "无", OTHERWISE: "其他值", NOT_UTC: "非UTC时间"}
"""What is said instead of a value, in Chinese."""

PLACES: Final[Mapping[str, str]] = {
    "permission": "第{0}条许可",
    "prohibition": "第{0}条禁止",
    "obligation": "第{0}项总义务",
    "constraint": "第{0}项条件",
    "implied": "第{0}项隐含条件",
    "duty": "第{0}项义务",
    "and": "并列第{0}项",
    "or": "任选第{0}项",
    "xone": "择一第{0}项",
}
"""A step of a path through a policy, counted from one, in Chinese."""
GROUPS: Final[Mapping[Junction, str]] = {
    Junction.AND: "须全部成立",
    Junction.OR: "须至少一项成立",
    Junction.XONE: "须恰有一项成立",
}
REFUSALS: Final[Mapping[Language, Mapping[Reason, str]]] = {
    _EN: {
        Reason.UNCOVERED: "no permission covers this action",
        Reason.FORBIDDEN: "{path} applies",
        Reason.MAYBE_FORBIDDEN: "{path} may apply: a fact is missing",
        Reason.UNMET: "{path}: asked {about}, found {found}",
        Reason.NOT_ONE: "{path}: exactly one of these must hold",
        Reason.OWED_FIRST: "do first: {about}",
        Reason.NO_VALUE: "{path}: no value satisfies all of its {about} constraints",
        Reason.NO_FACTS: "{path}: no facts satisfy all of its constraints together",
        Reason.TAKEN_BACK: "{path}: {about} forbids all that it permits",
        Reason.TAKEN_BACK_TOGETHER: "{path}: the prohibitions together forbid all that it permits",
        Reason.DUTY_FORBIDDEN: "{path}: {about} forbids what is owed",
        Reason.UNKEPT: "{path}: no kind of use offered here can satisfy it",
        Reason.UNSEEN: "{path}: no kind of use offered here can satisfy it: nobody sees or does {about}",
        Reason.UNPERMITTED: "{path}: nothing permits {about}, which the product is offered for",
        Reason.GIVEN_AWAY: "{path}: it permits what {about} of the other forbids",
        Reason.UNPROTECTED: "{path}: it has no {about}, with which the other protects the same data",
    },
    _ZH: {
        Reason.UNCOVERED: "没有许可涵盖这一行为",
        Reason.FORBIDDEN: "{path}适用",
        Reason.MAYBE_FORBIDDEN: "{path}可能适用：缺少事实",
        Reason.UNMET: "{path}：要求{about}；实际为{found}",
        Reason.NOT_ONE: "{path}：其中须恰有一项成立",
        Reason.OWED_FIRST: "须先完成：{about}",
        Reason.NO_VALUE: "{path}：没有任何值能同时满足其对{about}的各项条件",
        Reason.NO_FACTS: "{path}：没有任何情形能同时满足其全部条件",
        Reason.TAKEN_BACK: "{path}：其允许的一切均被{about}禁止",
        Reason.TAKEN_BACK_TOGETHER: "{path}：其允许的一切均被各条禁止共同禁止",
        Reason.DUTY_FORBIDDEN: "{path}：须履行的行为被{about}禁止",
        Reason.UNKEPT: "{path}：所提供的使用方式均无法满足",
        Reason.UNSEEN: "{path}：所提供的使用方式均无法满足：无从得知或无法执行{about}",
        Reason.UNPERMITTED: "没有许可允许{about}，而产品以此方式提供",
        Reason.GIVEN_AWAY: "{path}：其允许的行为被另一策略的{about}禁止",
        Reason.UNPROTECTED: "{path}：缺少{about}，而另一策略以此保护同一数据",
    },
}
"""Why a policy says no: its place, what it is about, what was found. The English is on the wire and kept."""

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


def length(amount: timedelta, language: Language) -> str:
    """How long, in days, hours, minutes and seconds."""
    hours, seconds = divmod(amount.seconds, 3_600)
    amounts = zip((amount.days, hours, *divmod(seconds, 60)), UNITS[language], strict=True)
    space = " " if language is _EN else ""
    return space.join(f"{n}{space}{one if n == 1 else many}" for n, (one, many) in amounts if n) or "0"
