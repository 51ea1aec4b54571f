"""What a person reads of promises: before signing what is done about each, after a use what is owed."""

from datetime import UTC, datetime

import pytest

from entrepot.console.model import Due, Text
from entrepot.console.words import Language
from entrepot.console.writing import templates
from entrepot.policy import assured, parse_policy
from entrepot.values import KindOfUse

POLICY = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [{"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "5"}],
            }
        ],
        "prohibition": [{"action": "odrl:distribute"}],
    }
)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            Language.ENGLISH,
            ["What my node does about it", "at most 5: enforced here", "no distribute: recorded only"],
        ),
        (
            Language.CHINESE,
            ["本节点对各项条款的保障", "不超过5：本环境强制执行", "禁止“分发”：本环境仅作记录"],
        ),
    ],
)
def test_each_kind_of_use_says_what_is_enforced_and_what_is_written_down(
    language: Language, expected: list[str]
) -> None:
    """Nobody signs in the belief that a delivered file stays under control."""
    kind = KindOfUse.DELIVERY
    text = Text(en=assured(POLICY, kind, "en"), zh=assured(POLICY, kind, "zh"))
    template = templates(language).from_string(
        '{% import "parts.html" as parts %}{{ parts.assured({"delivery": text}) }}'
    )
    page = template.render(text=text)

    assert [words for words in expected if words not in page] == []


AROUND = {
    "organisation": "A",
    "did": "did:web:a",
    "elsewhere": {},
    "signed_in": False,
    "sections": (),
    "now": datetime(2026, 11, 25, tzinfo=UTC),
    "done": "",
    "form_token": "t",
}


@pytest.mark.parametrize(
    ("language", "expected"),
    [(Language.ENGLISH, ["Owed after use", "overdue"]), (Language.CHINESE, ["使用后待履行的义务", "逾期"])],
)
def test_what_is_owed_waits_for_a_person(language: Language, expected: list[str]) -> None:
    """Who looks at what waits sees which data is to be deleted, by when, and that it is late."""
    late = Due("urn:agreement", None, "delete within P30D", "overdue", datetime(2026, 11, 25, tzinfo=UTC))
    values = {
        "duties": [late],
        "waits": [],
        "others": [],
        "requests": [],
        "answered": [],
        "earlier": "",
        "later": "",
    }
    page = templates(language).get_template("waiting.html").render({**AROUND, **values})

    assert [words for words in (*expected, "delete within P30D", "urn:agreement") if words not in page] == []
