"""Why something was refused or ended, as it was written down in English, told in the reader's language.

What a policy says is read back by `policy`, what the gate and the other services of this product say by their
sentences (`causes.py`). All else was written by somebody: it stands as it is, in a language of its own.
"""

import re
from collections.abc import Mapping
from typing import Final

from babel.support import Translations
from markupsafe import Markup, escape

from entrepot.console.causes import SENTENCES
from entrepot.console.words import NAMES, Language
from entrepot.policy import OPERANDS, duty_said, place_said, read_refusal, say_refusal

_HOLE: Final = re.compile(r"%\((\w+)\)s")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_LATIN: Final = re.compile(r"[A-Za-z]")
_JOIN: Final = "; "
"""Between reasons where several are one text; a sentence of ours may hold one, too."""


_SHAPES: Final[Mapping[str, str]] = {
    "why": ".+",  # reasons in a reason may be several
    "rest": ".+",
    "place": r"(?:permission|prohibition|obligation)[\w.\[\]]*",
}
_DEEPEST: Final = 5
"""Reasons in reasons; nobody of ours writes more, and a stranger could go on for ever."""


def _pattern(sentence: str) -> re.Pattern[str]:
    words = _HOLE.split(sentence)  # text and names of holes in turn
    parts = (f"(?P<{w}>{_SHAPES.get(w, '[^;]+')})" if n % 2 else re.escape(w) for n, w in enumerate(words))
    return re.compile("".join(parts), re.DOTALL)


_PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    sentence: _pattern(sentence)
    for sentence in sorted(SENTENCES, key=lambda s: len(_HOLE.sub("", s)), reverse=True)
}
"""The one with the most words of its own first, since a hole takes any."""


def told(text: str, language: Language, translations: Translations) -> Markup:
    """What is ours in the reader's language, each reason for itself; the rest as it stands."""
    return as_written(text) if language is Language.ENGLISH else _told(text, translations, 0)


def as_written(text: str) -> Markup:
    """Somebody's own words: apart from what stands around them, and in a language of their own."""
    if _HAN.search(text):
        return Markup('<bdi lang="zh-Hans">{}</bdi>').format(text)
    return Markup('<bdi lang="en">{}</bdi>').format(text) if _LATIN.search(text) else escape(text)


def _told(text: str, translations: Translations, level: int) -> Markup:
    parts, said = text.split(_JOIN), []
    while parts:
        runs = ((n, _ours(_JOIN.join(parts[:n]), translations, level)) for n in (2, 1))
        found = [(n, words) for n, words in runs if words is not None]
        # Whatever is ours to its end: a sentence may have been cut in two, or be followed by a stranger's.
        taken, words = min(found, key=lambda f: "<bdi" in f[1], default=(1, as_written(parts[0])))
        said.append(words)
        parts = parts[taken:]
    return Markup("；").join(said)


def _ours(text: str, translations: Translations, level: int) -> Markup | None:
    """A text of the product's own in Chinese; None for any other."""
    if refusal := read_refusal(text):
        return escape(say_refusal(refusal, Language.CHINESE))
    matches = ((sentence, pattern.fullmatch(text)) for sentence, pattern in _PATTERNS.items())
    for sentence, match in matches if level < _DEEPEST else ():
        if match:
            values = {n: _value(n, value, translations, level) for n, value in match.groupdict().items()}
            return escape(translations.ugettext(sentence)) % values
    return None


def _value(hole: str, value: str, translations: Translations, level: int) -> str:
    """What stands in a hole: reasons as such, a name of ours in the reader's words, all else as it is."""
    match hole:
        case "why":
            return _told(value, translations, level + 1)
        case "place":
            return place_said(value) or value
        case "duty" | "duties":
            return "、".join(map(duty_said, value.split(", ")))
        case "operand":
            return OPERANDS[value].chinese if value in OPERANDS else value
        case _:
            names = NAMES.get({"kinds": "kind", "operators": "operator"}.get(hole, hole), {})
            return "、".join(translations.ugettext(names[v]) if v in names else v for v in value.split(", "))
