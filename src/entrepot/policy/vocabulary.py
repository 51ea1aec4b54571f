"""The vocabulary: every operand and every action that a policy may name.

The 18 constraints and 20 actions of the national digital contract are here (tables 5.1 and 4), what ODRL
has a word for under that word, and what neither has under a name of our own. An operand has one declared
source of fact; `use/facts.py` fills them, and a test walks this table to see that none is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from entrepot.policy.model import Operand, OperandType, Operator, Source
from entrepot.values import KindOfUse

ODRL: Final = "http://www.w3.org/ns/odrl/2/"
ENTREPOT: Final = "https://w3id.org/entrepot/v1/"
NATIONAL: Final = "https://w3id.org/entrepot/cn/"
EXPANSION: Final = "expansionItem"
"""What the national contract calls its place for everything that it does not list."""

_CHOICE: Final = frozenset({Operator.EQ, Operator.NEQ, Operator.IS_ANY_OF, Operator.IS_NONE_OF})
_TREE: Final = _CHOICE | {Operator.IS_A}
_REGION: Final = _CHOICE | {Operator.IS_PART_OF}
_SET: Final = frozenset(
    {Operator.IS_PART_OF, Operator.HAS_PART, Operator.IS_ANY_OF, Operator.IS_ALL_OF, Operator.IS_NONE_OF}
)
_NETWORK: Final = frozenset({Operator.IS_PART_OF, Operator.IS_ANY_OF, Operator.IS_NONE_OF})
_ORDER: Final = frozenset({Operator.LT, Operator.LTEQ, Operator.GT, Operator.GTEQ})
_TIME: Final = _ORDER | {Operator.EQ, Operator.NEQ}
_WITHIN: Final = frozenset({Operator.IS_PART_OF})
_SIGNED: Final = frozenset({Operator.HAS_PART})
_MOST: Final = frozenset({Operator.LTEQ})
_LEAST: Final = frozenset({Operator.GTEQ})

_T: Final = OperandType
_CREDENTIAL, _OBSERVED, _CLAIMED = Source.CREDENTIAL, Source.OBSERVED, Source.CLAIMED
_AGREED: Final = frozenset({Source.AGREEMENT})
_SAID: Final = frozenset({Source.CLAIMED})

_ENVIRONMENTS: Final = (
    ("usageControl", "01"),
    ("sandbox", "02"),
    ("multiPartyComputation", "03"),
    ("federatedLearning", "04"),
    ("trustedExecution", "05"),
    ("confidentialComputing", "06"),
    ("other", "07"),
)
_ENCRYPTION: Final = (("clear", "01"), ("cipher", "02"), ("other", "03"))
_METHODS: Final = (("file", "01"), ("stream", "02"), ("api", "03"), ("other", "04"))

_ALL: Final = (
    # Who, and for what.
    Operand(
        "purpose", ODRL + "purpose", _T.TERM, _CLAIMED, _TREE, EXPANSION,
        "the purpose of use", "使用目的", or_else=_AGREED,
    ),
    Operand(
        "consumer", ENTREPOT + "consumer", _T.PARTY, _CREDENTIAL, _CHOICE, EXPANSION,
        "the consumer", "使用方",
    ),
    Operand(
        "role", ENTREPOT + "role", _T.NAMES, _CREDENTIAL, _SET, EXPANSION,
        "the consumer's roles in the space", "使用方角色",
    ),
    Operand(
        "connector", ENTREPOT + "connector", _T.TERM, _CREDENTIAL, _CHOICE, EXPANSION,
        "the consumer's connector", "使用方连接器",
    ),
    Operand(
        "recipient", ODRL + "recipient", _T.PARTY, _CLAIMED, _CHOICE, EXPANSION,
        "the recipient of what is passed on", "转移接收方",
    ),
    Operand(
        "serviceParty", ENTREPOT + "serviceParty", _T.NAMES, Source.AGREEMENT, _SIGNED, EXPANSION,
        "the service parties that have signed", "已签署的数据服务方", everywhere=True,
    ),
    Operand(
        "serviceAlgorithm", ENTREPOT + "serviceAlgorithm", _T.NAMES, Source.AGREEMENT, _SIGNED, EXPANSION,
        "the algorithms that they bring", "数据服务方提供的算法", everywhere=True,
    ),
    # When.
    Operand(
        "dateTime", ODRL + "dateTime", _T.TIME, _OBSERVED, _TIME, "time",
        "the time of use", "使用时间",
    ),
    Operand(
        "timeWindow", ENTREPOT + "timeWindow", _T.WINDOW, _OBSERVED, _WITHIN, "timeWindow",
        "the time of day", "每日时段",
    ),
    Operand(
        "elapsedTime", ODRL + "elapsedTime", _T.DURATION, _OBSERVED, _TIME, EXPANSION,
        "the time since the agreement", "签约后时长",
    ),
    Operand(
        "retention", ENTREPOT + "retention", _T.DURATION, _OBSERVED, _MOST, EXPANSION,
        "the time for which what was handed over is kept", "存储期限", everywhere=True,
    ),
    # Where.
    Operand(
        "region", ODRL + "spatial", _T.REGION, _CREDENTIAL, _REGION, "region",
        "the consumer's region", "使用方地域",
    ),
    Operand(
        "networkAddress", ODRL + "virtualLocation", _T.NETWORK, _OBSERVED, _NETWORK, "networkAddress",
        "the network address of the call", "网络地址",
    ),
    Operand(
        "physicalAddress", NATIONAL + "physicalAddress", _T.TERM, _CLAIMED, _CHOICE, "physicalAddress",
        "the hardware identity", "物理地址",
    ),
    # How often and how much.
    Operand(
        "count", ODRL + "count", _T.USES, _OBSERVED, _MOST, "count",
        "the number of uses", "使用次数", everywhere=True,
    ),
    Operand(
        "rate", ENTREPOT + "rate", _T.RATE, _OBSERVED, _MOST, "frequency",
        "the number of uses in a period", "使用频次", everywhere=True,
    ),
    Operand(
        "rows", ENTREPOT + "rows", _T.BUDGET, _OBSERVED, _MOST, "dataRecord",
        "the number of rows in all", "累计记录数", everywhere=True,
    ),
    Operand(
        "bytes", ENTREPOT + "bytes", _T.BUDGET, _OBSERVED, _MOST, "dataSize",
        "the number of bytes in all", "累计数据规模（字节）", everywhere=True,
    ),
    Operand(
        "seconds", ENTREPOT + "seconds", _T.BUDGET, _OBSERVED, _MOST, EXPANSION,
        "the number of seconds of work in all", "累计运行时长（秒）", everywhere=True,
    ),
    Operand(
        "rowsPerUse", ENTREPOT + "rowsPerUse", _T.NUMBER, _OBSERVED, _MOST, EXPANSION,
        "the number of rows of one use", "单次记录数", everywhere=True,
    ),
    Operand(
        "bytesPerUse", ENTREPOT + "bytesPerUse", _T.NUMBER, _OBSERVED, _MOST, EXPANSION,
        "the number of bytes of one use", "单次数据规模（字节）", everywhere=True,
    ),
    Operand(
        "secondsPerUse", ENTREPOT + "secondsPerUse", _T.NUMBER, _OBSERVED, _MOST, EXPANSION,
        "the number of seconds of work of one use", "单次运行时长（秒）", everywhere=True,
    ),
    Operand(
        "payAmount", ODRL + "payAmount", _T.MONEY, _OBSERVED, _LEAST, "payAmount",
        "what has been paid under the agreement", "已付金额",
    ),
    # Which part of the data.
    Operand(
        "fields", ENTREPOT + "fields", _T.NAMES, _OBSERVED, _SET, "dataField",
        "the fields in use", "使用字段",
    ),
    Operand(
        "rowFilter", ENTREPOT + "rowFilter", _T.FILTER, _OBSERVED, _WITHIN, "valueExpression",
        "the rows in use", "使用记录", everywhere=True,
    ),
    Operand(
        "minimumGroupSize", ENTREPOT + "minimumGroupSize", _T.NUMBER, _OBSERVED, _LEAST, EXPANSION,
        "the number of subjects in each group of an answer", "结果最小分组人数", everywhere=True,
    ),
    # In which manner, and by what.
    Operand(
        "kind", ENTREPOT + "kindOfUse", _T.KIND, _OBSERVED, _CHOICE, EXPANSION,
        "the kind of use", "使用方式",
    ),
    Operand(
        "deliveryMethod", ODRL + "deliveryChannel", _T.WORD, _OBSERVED, _CHOICE, "deliveryMethod",
        "the delivery method", "交付方式", words=_METHODS,
    ),
    Operand(
        "encryption", ENTREPOT + "encryption", _T.WORD, _OBSERVED, _CHOICE, "encryptMode",
        "the encryption to the consumer's key", "加密方式", words=_ENCRYPTION,
    ),
    Operand(
        "treatment", ENTREPOT + "treatment", _T.NAMES, _OBSERVED, _SET, EXPANSION,
        "the treatments of what leaves", "交付处理",
    ),
    Operand(
        "environment", ENTREPOT + "environment", _T.WORD, _OBSERVED, _CHOICE, "executionEnv",
        "the environment in which data is worked on", "执行环境", or_else=_SAID, words=_ENVIRONMENTS,
    ),
    Operand(
        "application", NATIONAL + "application", _T.TERM, _CLAIMED, _CHOICE, "application",
        "the application", "应用",
    ),
    Operand(
        "algorithm", NATIONAL + "algorithm", _T.TERM, _OBSERVED, _CHOICE, "algorithm",
        "the algorithm", "算法", or_else=_SAID,
    ),
    Operand(
        "model", NATIONAL + "machineLearningModels", _T.TERM, _CLAIMED, _CHOICE, "machineLearningModels",
        "the machine-learning model", "机器学习模型",
    ),
)  # fmt: skip

OPERANDS: Final[Mapping[str, Operand]] = MappingProxyType({o.name: o for o in _ALL})


@dataclass(frozen=True, slots=True)
class Action:
    """What can be permitted, forbidden, or owed."""

    name: str
    iri: str
    english: str
    chinese: str
    national: str
    """Its code in the national contract (table 4), `expansionItem` where it has none."""
    part_of: frozenset[KindOfUse] = frozenset()
    """The kinds of use that do this: who forbids it forbids them."""
    permits: frozenset[KindOfUse] = frozenset()
    """The kinds of use that are no more than this: who permits it permits them."""


_EVERY: Final = frozenset(KindOfUse)
_API: Final = frozenset({KindOfUse.API})
_DELIVERY: Final = frozenset({KindOfUse.DELIVERY})
_IN_PLACE: Final = frozenset({KindOfUse.QUERY, KindOfUse.JOB, KindOfUse.JOINT})


def _of_odrl(name: str, english: str, chinese: str, part_of: frozenset[KindOfUse] = frozenset()) -> Action:
    return Action(name, ODRL + name, english, chinese, name, part_of)


def _national(
    name: str,
    english: str,
    chinese: str,
    part_of: frozenset[KindOfUse] = frozenset(),
    permits: frozenset[KindOfUse] = frozenset(),
) -> Action:
    return Action(name, NATIONAL + name, english, chinese, name, part_of, permits)


_ACTIONS: Final = (
    Action("use", ODRL + "use", "use", "使用", EXPANSION, _EVERY, _EVERY),
    Action("inform", ODRL + "inform", "inform", "通知", EXPANSION),
    Action("encrypt", ENTREPOT + "encrypt", "encrypt", "加密", EXPANSION),
    _of_odrl("transform", "transform", "转换"),
    _of_odrl("anonymize", "anonymize", "匿名化"),
    _national("desensitize", "desensitize", "脱敏"),
    _national("access", "access", "访问", _EVERY, _API),
    _of_odrl("read", "read", "读取", _EVERY),
    _of_odrl("reproduce", "reproduce", "复制", _DELIVERY),
    _national("storage", "store", "存储", _DELIVERY),
    _national("download", "download", "下载", _DELIVERY),
    _national("process", "process", "加工"),
    _national("jointDevelop", "develop jointly", "联合开发"),
    _of_odrl("distribute", "distribute", "分发"),
    _national("compute", "compute", "计算", _IN_PLACE, _IN_PLACE),
    _of_odrl("grantUse", "grant use", "授权使用"),
    _national("policyTransmit", "pass on the policy", "策略传递"),
    _national("delivery", "deliver", "交付", _API | _DELIVERY, _DELIVERY),
    _of_odrl("sell", "sell", "交易"),
    _national("logRecordSend", "send the record of use", "行为记录发送"),
    _of_odrl("delete", "delete", "删除"),
    _national("alert", "alert", "异常提醒"),
    _of_odrl("compensate", "compensate", "补偿"),
)

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType({a.name: a for a in _ACTIONS})

NOT_USE: Final = frozenset({"sell"})
"""Actions that `use` does not include: they transfer the thing itself (ODRL 2.2 vocabulary, 4.1)."""
