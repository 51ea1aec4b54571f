"""A policy and a decision in words: whole sentences, in both languages, of everything that is there."""

from datetime import timedelta

import pytest
from entrepot_policy_samples import CASES, EXAMPLES, example
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    ACTIONS,
    OPERANDS,
    Duty,
    Fact,
    Moment,
    Policy,
    Rule,
    Source,
    decide,
    explain,
    parse_policy,
    sentences,
)
from entrepot.policy.phrases import WORDS
from entrepot.values import KindOfUse, Money

STREET = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"},
                    {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"},
                    {"leftOperand": "count", "operator": "lteq", "rightOperand": "5"},
                ],
                "duty": [{"action": "inform"}],
            }
        ],
        "prohibition": [
            {
                "action": "distribute",
                "constraint": [
                    {
                        "xone": [
                            {"leftOperand": "region", "operator": "isPartOf", "rightOperand": r}
                            for r in ("31", "33")
                        ]
                    }
                ],
            }
        ],
    }
)


def test_a_policy_reads_as_sentences() -> None:
    """Who signs can read what they sign."""
    permitted, forbidden = sentences(STREET, "en")
    assert permitted == (
        "Permitted: use, if the purpose of use is research and the time of use is before "
        "2027-01-01T00:00:00.000000Z and the number of uses is at most 5, after inform."
    )
    assert forbidden == (
        "Forbidden: distribute, if (exactly one of: the consumer's region lies in 31 or "
        "the consumer's region lies in 33)."
    )
    permitted, forbidden = sentences(STREET, "zh")
    assert permitted == (
        "允许“使用”，条件：使用目的为research，且使用时间早于2027-01-01T00:00:00.000000Z，"
        "且使用次数不超过5；须先完成：“通知”。"
    )
    assert forbidden == "禁止“分发”，条件：（恰有一项成立：使用方地域在31之内，或使用方地域在33之内）。"


def test_nothing_permitted_is_said_too() -> None:
    """Silence could be read as consent."""
    assert sentences(Policy(), "en") == ("Nothing is permitted.",)
    assert sentences(Policy(), "zh") == ("不允许任何使用。",)


def test_a_decision_is_explained_line_by_line() -> None:
    """What was asked, what was found, who said so, and what follows."""
    policy = parse_policy(
        {
            "permission": [
                {
                    "action": "use",
                    "constraint": [
                        {"leftOperand": "purpose", "operator": "eq", "rightOperand": "a"},
                        {"leftOperand": "region", "operator": "isPartOf", "rightOperand": "31"},
                    ],
                }
            ]
        }
    )
    decision = decide(policy, {"purpose": Fact("b", Source.CLAIMED)})

    assert "\n".join(explain(decision, "en")) == (
        "Denied.\n"
        "permission[0]: use: unsatisfied\n"
        "permission[0].constraint[0]: asked that the purpose of use is a; found b (claimed): unsatisfied\n"
        "permission[0].constraint[1]: asked that the consumer's region lies in 31; "
        "found nothing (credential): unknown"
    )
    assert explain(decision, "zh") == (
        "拒绝。",
        "第1条许可：“使用”：不满足",
        "第1条许可·第1项条件：要求使用目的为a；实际为b（调用方声明）：不满足",
        "第1条许可·第2项条件：要求使用方地域在31之内；实际为无（凭证）：未知",
    )


@settings(max_examples=30)
@given(case=CASES, language=st.sampled_from(["en", "zh"]))
def test_whatever_can_be_said_can_be_put_in_words(
    case: tuple[Policy, dict[str, Fact]], language: str
) -> None:
    """No operand, operator or junction lacks its phrase in either language."""
    policy, facts = case
    decision = decide(policy, facts)

    assert len(explain(decision, language)) == 1 + len(decision.report())
    assert len(sentences(policy, language)) >= len(policy.permissions) + len(policy.prohibitions)


def test_every_action_operand_and_word_has_a_chinese_name() -> None:
    """A table that grows in one language only is found here."""
    words = {word for o in OPERANDS.values() for word, _ in o.words} | {*KindOfUse}

    assert words == set(WORDS)
    assert all(x.chinese and x.english and x.national for x in (*OPERANDS.values(), *ACTIONS.values()))
    assert (
        len({o.chinese for o in OPERANDS.values()})
        == len({o.english for o in OPERANDS.values()})
        == len(OPERANDS)
    )


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_operand_has_its_sentence_in_both_languages(name: str) -> None:
    """Who signs reads each condition in words, with its value, in the language they read."""
    policy = parse_policy(example(name))
    (english,), (chinese,) = sentences(policy, "en"), sentences(policy, "zh")
    expected = SAID[name]

    assert (english, chinese) == (f"Permitted: use, if {expected[0]}.", f"允许“使用”，条件：{expected[1]}。")


SAID = {
    "purpose": ("the purpose of use is research", "使用目的为research"),
    "consumer": ("the consumer is did:web:a", "使用方为did:web:a"),
    "role": ("the consumer's roles in the space include consumer", "使用方角色包含数据使用方（consumer）"),
    "connector": ("the consumer's connector is C", "使用方连接器为C"),
    "serviceParty": (
        "the service parties that have signed include did:web:s",
        "已签署的数据服务方包含did:web:s",
    ),
    "serviceAlgorithm": (
        f"the algorithms that they bring include tide@1#sha256:{'5' * 64}",
        f"数据服务方提供的算法包含tide@1#sha256:{'5' * 64}",
    ),
    "recipient": (
        "the recipient of what is passed on is one of [did:web:a, did:web:b]",
        "转移接收方属于[did:web:a, did:web:b]之一",
    ),
    "dateTime": (
        "the time of use is not after 2026-11-26T00:00:00.000000Z",
        "使用时间不晚于2026-11-26T00:00:00.000000Z",
    ),
    "timeWindow": ("the time of day lies in 08:00-18:00 UTC+08:00", "每日时段在08:00-18:00 UTC+08:00之内"),
    "elapsedTime": ("the time since the agreement is at most 90 days", "签约后时长不超过90天"),
    "retention": ("the time for which what was handed over is kept is at most 30 days", "存储期限不超过30天"),
    "region": ("the consumer's region lies in 31", "使用方地域在31之内"),
    "networkAddress": ("the network address of the call lies in 192.0.2.0/24", "网络地址在192.0.2.0/24之内"),
    "physicalAddress": ("the hardware identity is tpm:1", "物理地址为tpm:1"),
    "count": ("the number of uses is at most 100", "使用次数不超过100"),
    "rate": ("the number of uses in a period is at most 10/day", "使用频次不超过每天10次"),
    "rows": ("the number of rows in all is at most 1000", "累计记录数不超过1000"),
    "bytes": ("the number of bytes in all is at most 1000000", "累计数据规模（字节）不超过1000000"),
    "seconds": ("the number of seconds of work in all is at most 3600", "累计运行时长（秒）不超过3600"),
    "rowsPerUse": ("the number of rows of one use is at most 50", "单次记录数不超过50"),
    "bytesPerUse": ("the number of bytes of one use is at most 50", "单次数据规模（字节）不超过50"),
    "secondsPerUse": ("the number of seconds of work of one use is at most 10", "单次运行时长（秒）不超过10"),
    "payAmount": (
        "what has been paid under the agreement is at least 100.00 CNY",
        "已付金额不少于100.00 CNY",
    ),
    "fields": ("the fields in use are all among [age, arm]", "使用字段均在[age, arm]之列"),
    "rowFilter": ("the rows in use all satisfy year >= 2020", "使用记录均满足 year >= 2020 "),
    "minimumGroupSize": (
        "the number of subjects in each group of an answer is at least 10",
        "结果最小分组人数不少于10",
    ),
    "kind": ("the kind of use is query", "使用方式为就地查询（query）"),
    "deliveryMethod": ("the delivery method is file", "交付方式为文件（file）"),
    "encryption": ("the encryption to the consumer's key is cipher", "加密方式为密文（cipher）"),
    "treatment": ("the treatments of what leaves include encrypt", "交付处理包含加密（encrypt）"),
    "environment": (
        "the environment in which data is worked on is one of [sandbox, trustedExecution]",
        "执行环境属于[沙箱（sandbox）, 可信执行环境（trustedExecution）]之一",
    ),
    "application": ("the application is sha256:1", "应用为sha256:1"),
    "algorithm": ("the algorithm is sha256:2", "算法为sha256:2"),
    "model": ("the machine-learning model is sha256:3", "机器学习模型为sha256:3"),
}


def test_duties_are_said_with_their_time_and_amount() -> None:
    """Before, with and after a use are three sentences' parts, and nobody mistakes one for another."""
    policy = Policy(
        (
            Rule(
                "use",
                (),
                (
                    Duty("compensate", amount=Money(10_000, "CNY")),
                    Duty("encrypt", Moment.ALONGSIDE),
                    Duty("delete", Moment.AFTER, timedelta(days=30, hours=1)),
                ),
            ),
        ),
        obligations=(
            Duty("logRecordSend", Moment.ALONGSIDE),
            Duty("inform", Moment.AFTER, timedelta(days=1)),
        ),
    )

    assert sentences(policy, "en") == (
        (
            "Permitted: use, after compensate 100.00 CNY, with each use: encrypt, "
            "after each use: delete within 30 days 1 hour."
        ),
        "With each use: send the record of use.",
        "After each use: inform within 1 day.",
    )
    assert sentences(policy, "zh") == (
        (
            "允许“使用”；须先完成：“补偿” 100.00 CNY；每次使用时须：“加密”；"
            "每次使用后须：“删除”（30天1小时内）。"
        ),
        "每次使用时须：“行为记录发送”。",
        "每次使用后须：“通知”（1天内）。",
    )


def test_no_third_language_is_guessed() -> None:
    """A language that is not there is an error, not English."""
    with pytest.raises(ValueError, match="fr"):
        sentences(Policy(), "fr")
