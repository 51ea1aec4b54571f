"""How texts and queries become tokens: both the same way, or nothing would be found."""

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.catalogue.grams import grams, stem
from entrepot.catalogue.search_store import POSTGRESQL, SQLITE
from entrepot.catalogue.synonyms import words_of

GLOSSARY = Path(__file__).parents[3] / "docs" / "glossary.md"
TOKEN = re.compile(r"""[^\s\x00-\x2f:-@\[-`{-\x7f]+""")
"""No space and no mark of ASCII, among them every one that either query language knows."""


@given(text=st.text(max_size=200))
def test_a_token_has_no_mark_of_a_query_language(text: str) -> None:
    """Tokens are put between the quotes of a query language: a quote inside one would end them."""
    tokens = grams(text) + [t for word in words_of(text) for wording in word for t in wording]

    assert all(TOKEN.fullmatch(t) for t in tokens)


@given(text=st.text(st.characters(categories=["Lo", "Ll", "Lu", "Nd", "Zs"]), min_size=1, max_size=60))
def test_every_text_is_found_by_itself(text: str) -> None:
    """What somebody copies out of a title and looks for is there."""
    tokens = set(grams(text))

    assert all(any(set(wording) <= tokens for wording in word) for word in words_of(text))


def test_chinese_is_cut_in_ones_and_twos() -> None:
    """A word of two characters, and one alone, are tokens wherever they stand."""
    assert grams("天气预报") == ["天", "气", "预", "报", "天气", "气预", "预报"]
    assert grams("ＰＭ2.5 Ｗｅａｔｈｅｒ") == ["pm2", "5", "weather"]


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("house", "houses"),
        ("city", "cities"),
        ("class", "classes"),
        ("tax", "taxes"),
        ("crop", "crops"),
        ("branch", "branches"),
    ],
)
def test_one_and_many_are_the_same_word(one: str, many: str) -> None:
    """Nobody should have to guess whether a title was written in the plural."""
    assert stem(one) == stem(many)


@pytest.mark.parametrize("word", ["gas", "bus", "analysis", "class", "天气s", "is"])
def test_what_only_looks_like_a_plural_is_left_alone(word: str) -> None:
    """A stem that eats letters makes different words equal."""
    assert stem(word) == word


def test_a_known_term_is_cut_out_of_a_run() -> None:
    """Otherwise the pair across its edge, which no text has, would have to be found too."""
    words = words_of("上海天气数据")

    assert [w[0] for w in words] == [("上海",), ("天气",), ("数据",)]
    assert ("weather",) in words[1]


def test_the_longest_term_is_taken() -> None:
    """空气质量 is not 空气 and then 质量; neither is air quality two words."""
    assert ("air", "quality") in words_of("空气质量")[0]
    assert ("空气", "气质", "质量") in words_of("Air Quality")[0]


def test_words_that_say_nothing_are_left_out() -> None:
    """Nobody leaves a product out because its title has no `the` in it."""
    assert [w[0] for w in words_of("the price of pork in 上海的超市")] == [
        ("price",),
        ("pork",),
        ("上海",),
        ("超市",),
    ]


def test_a_query_has_an_end() -> None:
    """However long the text, the database is asked for so many words."""
    assert len(words_of(" ".join(f"w{n}" for n in range(500)))) == 24


def test_each_database_is_asked_in_its_own_language() -> None:
    """The same question, twice."""
    words = words_of("空气质量 x")

    assert SQLITE.every(words).startswith('(("空气" AND "气质" AND "质量") OR ')
    assert POSTGRESQL.every(words).endswith(" & (('x'))")
    assert SQLITE.any(words_of("x y")) == '"x" OR "y"'


def test_every_pair_of_the_glossary_is_a_pair_of_the_search() -> None:
    """The glossary is what people read; a word of it must find its other language. Add what is missing.

    Rows of one word in each language; of a row of several, nobody could tell which belongs to which.
    """
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", GLOSSARY.read_text("utf-8"), re.MULTILINE)
    pairs = {(e, c) for e, c in rows[2:] if not re.search("[,，、–]", e + c)}
    text = resources.files("entrepot.catalogue").joinpath("synonyms.toml").read_text("utf-8")
    known = tomllib.loads(text)["glossary"]

    assert {p for p in pairs if not any(set(p) <= {*group} for group in known)} == set()
    assert len(pairs) > 15
