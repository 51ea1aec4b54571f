"""The words: both catalogues whole, and a name for every value that a page can show."""

import re
from enum import StrEnum
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import entrepot.console
from entrepot import contracts, ledger, policy, space, use
from entrepot.console.words import NAMES, SHAPES, Language, wished
from entrepot.policy.phrases import ROLES
from entrepot.values import EntrepotError, Grade, KindOfUse

HOME = Path(entrepot.console.__file__).parent
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None}
HOLE = re.compile(r"%\(\w+\)s")


def said() -> set[str | tuple[str, ...]]:
    """Every sentence of code and templates."""
    found: set[str | tuple[str, ...]] = set()
    for method, pattern in (("python", "**.py"), ("jinja2", "**.html")):
        options = {pattern: {"trimmed": "true", "silent": "false"}}
        for _, _, message, _, _ in extract_from_dir(HOME, [(pattern, method)], options, KEYWORDS):
            found.add(message if isinstance(message, str) else tuple(message))
    return found


def catalogue(language: Language) -> dict[str | tuple[str, ...], Message]:
    source = resources.files("entrepot.console").joinpath("locale", f"{language}.po")
    with source.open("rb") as file:
        found = read_po(file, abort_invalid=True)
    return {m.id if isinstance(m.id, str) else tuple(m.id): m for m in found if m.id}


@pytest.mark.parametrize("language", Language)
def test_every_sentence_is_in_the_catalogue_and_no_other(language: Language) -> None:
    """A reader would meet a sentence in the other language, or a translator one that nobody reads."""
    assert set(catalogue(language)) == said()


@pytest.mark.parametrize("language", Language)
def test_every_translation_is_whole(language: Language) -> None:
    """Empty, doubtful, or without one of the values that the sentence is about."""
    faults = []
    for key, message in catalogue(language).items():
        forms = [message.string] if isinstance(message.string, str) else list(message.string)
        wanted = {frozenset(HOLE.findall(form)) for form in ([key] if isinstance(key, str) else key)}
        held = {frozenset(HOLE.findall(form)) for form in forms}
        if message.fuzzy or not all(forms) or not held <= wanted or len(forms) > 2:
            faults.append(key)

    assert faults == []


def test_chinese_is_chinese() -> None:
    """A sentence that was copied and not translated."""
    han = re.compile(r"[\u4e00-\u9fff]")
    texts = {k: m.string for k, m in catalogue(Language.CHINESE).items()}

    assert [k for k, text in texts.items() if not han.search(str(text))] == []


@pytest.mark.parametrize(
    ("subject", "values"),
    [
        ("party", contracts.Party),
        ("role", space.MemberRole),
        ("kind", KindOfUse),
        ("grade", Grade),
        ("contract", contracts.Status),
        ("end", contracts.EndReason),
        ("filing", space.FilingState),
        ("member", space.MemberState),
        ("use", use.UseState),
        ("outcome", use.Outcome),
        ("acquisition", use.AcquisitionState),
        ("record", ledger.RecordKind),
        ("comparison", ledger.Comparison),
        ("operator", policy.Operator),
        ("per", policy.CounterKind),
    ],
)
def test_every_value_has_a_name(subject: str, values: type[StrEnum]) -> None:
    """A page would show the machine's word for it."""
    assert set(NAMES[subject]) == {str(v) for v in values}


def test_everybody_who_signs_has_a_name() -> None:
    """As above; a service party has signed contracts, too."""
    assert set(NAMES["signatory"]) == {*map(str, contracts.Party), "service"}
    assert len(NAMES["signatory"]) == len(contracts.Signatory)


def test_every_step_of_a_record_has_a_name() -> None:
    """As above; before a record is sealed it is only written."""
    assert set(NAMES["anchor"]) == {"written", *map(str, ledger.BatchState)}


def test_every_role_has_a_name_in_sentences_about_policies() -> None:
    """As above; a policy names roles as the space has them."""
    assert set(ROLES) == {str(role) for role in space.MemberRole}


def test_negotiations_have_names_for_their_states() -> None:
    """As above, for the states that the protocol gives a negotiation."""
    arrows = contracts.NEGOTIATION.transitions
    reached = {str(state) for state, _, _ in arrows} | {str(state) for state in arrows.values()}

    assert reached == set(NAMES["negotiation"])


def test_every_shape_is_of_a_state_that_there_is() -> None:
    """A mark beside a word that was renamed would silently turn into the mark of something under way."""
    assert set(SHAPES) <= {value for names in NAMES.values() for value in names}


def test_every_error_has_words() -> None:
    """A new kind of error would be shown as a fault of the product."""
    from entrepot.console.words import REMEDIES

    kinds = {
        kind.__name__
        for kind in EntrepotError.__subclasses__()
        if kind.__module__ == "entrepot.values.errors"
    }

    assert kinds <= set(REMEDIES)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", Language.ENGLISH),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.CHINESE),
        ("en-GB,en;q=0.9,zh;q=0.8", Language.ENGLISH),
        ("fr, zh-Hant;q=0.3", Language.CHINESE),
        ("de;q=nonsense, en;q=x, zh;q=0.1", Language.CHINESE),
        ("*", Language.ENGLISH),
    ],
)
def test_a_browser_gets_the_language_it_asks_for(accepted: str, language: Language) -> None:
    """A reader of Chinese would have to look for the switch in a page that he cannot read."""
    assert wished(accepted) is language
