"""What a person reads before signing: of each condition what the own node does about it."""

import pytest

from entrepot.console.model import Text
from entrepot.console.page import _pages
from entrepot.console.words import Language
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
    template = _pages(language).from_string(
        '{% import "parts.html" as parts %}{{ parts.assured({"delivery": text}) }}'
    )
    page = template.render(text=text)

    assert [words for words in expected if words not in page] == []
