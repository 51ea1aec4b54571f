"""Reasons that were written down in English, told to a reader of Chinese."""

import ast
import html
import inspect
import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import contracts, regulation
from entrepot.console import agreements, entrance, house, members, signatures, transfers, waiting, watch
from entrepot.console.reasons import SENTENCES, as_written, told
from entrepot.console.words import Language
from entrepot.console.writing import catalogue
from entrepot.identity.guests import guest_standing
from entrepot.identity.standing import Standing
from entrepot.node.acquire import check_not_held
from entrepot.policy import filters, literals, network, wire_constraint, wire_form, wire_policy
from entrepot.use.acquisition import waits_at
from entrepot.use.doors import UNKNOWN
from entrepot.use.duties import against_use
from entrepot.use.gate import admit
from entrepot.use.restored import Restored, not_accepted
from entrepot.use.steps import decide

ZH = Language.CHINESE
NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)
LATIN = re.compile(r"[A-Za-z]{2,}")
GATE = (
    decide,
    contracts.in_force,
    Standing.refusals,
    guest_standing,
    against_use,
    not_accepted,
    regulation.may_use,
    admit,
    UNKNOWN.reasons[0],
    waits_at,
    check_not_held,
)
"""Whatever says no to a use beside the policy, and what one waits for."""
SAYING = (wire_constraint, wire_form, wire_policy, literals, filters, network, house, members, waiting)
WRITTEN = (*SAYING, agreements, entrance, signatures, transfers, watch)
CODES = re.compile(
    r"CNY|DID|GB/T|JPY|PT?\d+|UTC|did:web:example\.org|\d/(minute|hour|day)|sha256|odrl:elapsedTime lteq"
    r"|in(?=[之，])|@id|@value|year(?= >)"
)
"""What is written as it is on the wire in any language."""


def in_chinese(text: str) -> str:
    return str(told(text, ZH, catalogue(ZH)))


def said_by(source: object) -> Iterator[str]:
    """The sentences in a function, something in each hole; its docstring is none."""
    if isinstance(source, str):
        yield source
        return
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(source))).body  # type: ignore[arg-type]  # functions
    assert isinstance(function, ast.FunctionDef)
    pieces = {
        id(part) for node in ast.walk(function) if isinstance(node, ast.JoinedStr) for part in node.values
    }
    for node in ast.walk(function):
        match node:
            case ast.JoinedStr():
                text = filled(node)
            case ast.Constant(str(text)) if id(node) not in pieces:
                pass
            case _:
                continue
        if " " in text and LATIN.search(text) and text != ast.get_docstring(function, clean=False):
            yield text


@pytest.mark.parametrize("source", GATE, ids=lambda s: getattr(s, "__qualname__", "the door"))
def test_whatever_the_gate_says_is_told_in_chinese(source: object) -> None:
    """A new reason in the code, or another wording, would be English in a Chinese page."""
    found = list(said_by(source))

    assert found
    assert [
        text
        for text in found
        if "<bdi" in in_chinese(text.removeprefix("7; ").replace("the 7 is", "the member is"))
    ] == []


def filled(text: ast.AST) -> str:
    match text:
        case ast.JoinedStr(values):
            return "".join(str(v.value) if isinstance(v, ast.Constant) else "7" for v in values)
        case ast.Constant(str(words)):
            return words
    return ""


def faults_in(tree: ast.AST) -> Iterator[str]:
    """What is raised, or noted as a fault, something in each hole."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Raise(exc=ast.Call(args=args))
                | ast.Call(func=ast.Attribute(attr="fault"), args=[_, *args])
            ):
                for text in args:
                    if isinstance(text, ast.JoinedStr):
                        yield "".join(
                            str(v.value) if isinstance(v, ast.Constant) else "7" for v in text.values
                        )
                    elif isinstance(text, ast.Constant) and text.value:
                        yield str(text.value)


@pytest.mark.parametrize("module", WRITTEN, ids=lambda module: module.__name__)
def test_whatever_a_person_may_be_told_on_a_page_is_told_in_chinese(module: ModuleType) -> None:
    """As above, for terms that cannot be read, and for what a page itself says no to."""
    found = [*faults_in(ast.parse(inspect.getsource(module)))]
    found = ["expected a rule" if text == "expected 7" else text for text in found]  # or a duty, a constraint

    assert [text for text in found if "<bdi" in in_chinese(text)] == []
    assert found or module not in SAYING


@pytest.mark.parametrize(("compared", "lost"), [(None, None), (NOW, None), (NOW, 3)])
def test_what_a_restored_node_lacks_is_told_in_chinese(compared: datetime | None, lost: int | None) -> None:
    """As above; that sentence is put together from two."""
    restored = Restored(1, "2026-11-26T08:00:00Z", NOW, 2, compared, lost, lost, None)

    assert LATIN.findall(in_chinese(restored.gap)) == []


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_is_told_with_what_stands_in_it(sentence: str) -> None:
    """A hole that is lost would hide which contract, which duty, since when."""
    said = in_chinese(re.sub(r"%\(\w+\)s", "77", sentence.replace("%(place)s", "permission[76]")))

    assert LATIN.findall(CODES.sub("", html.unescape(said))) == []
    assert said.count("77") == sentence.count("%(")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "permission[0]: exactly one of these must hold; overdue since 2026-11-26 08:00 UTC: inform",
            "第1条许可：其中须恰有一项成立；自2026-11-26 08:00 UTC起逾期：“通知”",
        ),
        (
            "what is known of the member is 9 s old; at most 5 s; the contract has expired",
            "所掌握的正式成员信息已有9秒；最多允许5秒；合约已到期",
        ),
        (
            "the provider ended it: rejected, a person said no",
            "提供方已终止：已拒绝，由人作出决定",
        ),
        (
            "the consumer ended it: budget, we have no money left",
            '使用方已终止：<bdi lang="en">budget, we have no money left</bdi>',
        ),
        (
            "the contract has status 06 (breach); we are sorry",
            '合约状态为已终止（因违约终止）；<bdi lang="en">we are sorry</bdi>',
        ),
        (
            "the product is offered for api, query, not for delivery",
            "产品以开放接口、就地查询方式提供，而非交付",
        ),
        ("经费不足", '<bdi lang="zh-Hans">经费不足</bdi>'),
        ("<b>no</b>", '<bdi lang="en">&lt;b&gt;no&lt;/b&gt;</bdi>'),
        ("the process is over: <b>no</b>", '传输过程已结束：<bdi lang="en">&lt;b&gt;no&lt;/b&gt;</bdi>'),
        (
            "permission[0].constraint[0]: asked purpose eq <i>, found <b>",
            "第1条许可·第1项条件：要求使用目的为&lt;i&gt;；实际为&lt;b&gt;",
        ),
    ],
)
def test_a_reason_reads_like_this(text: str, expected: str) -> None:
    """What is ours in Chinese, what is a stranger's as it is, and nothing of his as markup."""
    assert in_chinese(text) == expected


def test_a_reader_of_english_reads_what_was_written() -> None:
    """The text of the record and of the page are one."""
    text = "the contract has expired; 经费不足"

    assert told(text, Language.ENGLISH, catalogue(Language.ENGLISH)) == as_written(text)
    assert text in as_written(text)


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from([*SENTENCES, "7", "", "; ", "do first: ", "permission[0]: ", "<b>"])
        | st.text(max_size=5),
        max_size=6,
    ).map("; ".join)
)
def test_whatever_was_written_is_told(text: str) -> None:
    """A stranger's reason must neither end the page with a fault nor become a part of it."""
    assert re.sub(r"</?bdi( lang=\"(en|zh-Hans)\")?>", "", in_chinese(text)).count("<") == 0
