"""Text as tokens that two databases find alike: Latin words as they are, Chinese in ones and twos.

Neither database knows where a Chinese word ends, so a run of Han characters is written as each of its
characters and each pair of neighbours: 天气预报 becomes 天 气 预 报 天气 气预 预报. A word of two characters,
the usual length, is then one token. The databases get tokens and no text, and cut nothing themselves.
"""

import re
import unicodedata
from itertools import pairwise
from typing import Final

_RUN: Final = re.compile(
    r"(?P<han>[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3040-\u30ff\uac00-\ud7af]+)|(?P<word>[^\W_]+)"
)
_HAN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3040-\u30ff\uac00-\ud7af]")
_LONGEST_WORD: Final = 60
SILENT: Final = frozenset(
    ["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"]
)
"""English words that say nothing about a product."""
SILENT_HAN: Final = re.compile("[的和与及或在之]")


def folded(text: str) -> str:
    """Text in the one form in which it is compared: full and half width, upper and lower case alike."""
    return unicodedata.normalize("NFKC", text).casefold()


def is_han(text: str) -> bool:
    """Whether this is written without spaces between words."""
    return _HAN.match(text) is not None


def runs(text: str) -> list[str]:
    """The runs of folded text, in order: Han characters together, every other word by itself."""
    return [m.group() for m in _RUN.finditer(folded(text))]


def grams(text: str) -> list[str]:
    """Every token under which a text is found."""
    found: list[str] = []
    for run in runs(text):
        if is_han(run):
            found += run
            found += pairs(run)
        else:
            found.append(stem(run))
    return found


def pairs(run: str) -> list[str]:
    """The pairs of neighbours in a run of Han characters."""
    return [a + b for a, b in pairwise(run)]


def stem(word: str) -> str:
    """An English word without the ending of its plural; cut the same way in texts and in queries."""
    word = word[:_LONGEST_WORD]
    if not word.isascii() or len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word if word.endswith(("ss", "us", "is")) else word[:-1]
