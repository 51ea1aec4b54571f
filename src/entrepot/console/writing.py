"""How pages are written: templates filled in, in the reader's language, by Jinja and Babel.

Dates, numbers and sizes follow the language. Times are those of the node's own machine; each carries its
exact UTC beside it. This module is loaded with the first page that is asked for.
"""

import io
import re
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Final

from babel import Locale
from babel.dates import format_datetime, get_timezone_gmt
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from entrepot.console.naming import address, party, short
from entrepot.console.reasons import as_written, told
from entrepot.console.words import DOMAIN, NAMES, SHAPES, Language
from entrepot.policy import duty_said

_LOCALES: Final = {Language.ENGLISH: Locale("en", "GB"), Language.CHINESE: Locale("zh", script="Hans")}
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_COMMAND: Final = re.compile(r"`([^`]+)`")
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")


@lru_cache(maxsize=len(Language))
def templates(language: Language) -> Environment:
    """The templates of the console, in a language."""
    pages = Environment(
        loader=PackageLoader("entrepot.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = catalogue(language)
    pages.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]  # by the extension
    pages.policies["ext.i18n.trimmed"] = True

    def called(subject: str, value: str) -> str:
        name = NAMES[subject].get(value)
        return value if name is None else translations.ugettext(name)

    pages.globals |= {
        "url": lambda *parts: address(language, *parts),
        "called": called,
        "language": language,
    }
    pages.filters |= {
        "zone": _zone,
        "time": lambda t: _time(t, language),
        "utc": lambda t: f"{t.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "number": lambda n: format_decimal(n, locale=_LOCALES[language]),
        "bytes": lambda n: _bytes(n, language),
        "party": party,
        "short": short,
        "exact": _exact,
        "told": lambda text: _exact(told(text, language, translations)),
        "as_written": as_written,
        "duty": duty_said if language is Language.CHINESE else str,
        "coded": _coded,
        "shape": lambda state: SHAPES.get(state, "way"),
        "said_in": getattr,
        "sentences": lambda text: getattr(text, language),
    }
    return pages


@lru_cache(maxsize=len(Language))
def catalogue(language: Language) -> Translations:
    """The compiled catalogue of a language."""
    source = resources.files(__package__).joinpath("locale", f"{language}.po")
    with source.open("rb") as file:
        catalog = read_po(file, locale=str(_LOCALES[language]), domain=DOMAIN)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)


def _zone(now: datetime) -> str:
    """The offset of the node's own machine, as people write it."""
    return get_timezone_gmt(now.astimezone(), width="long", locale="en").replace("GMT", "UTC")


def _exact(sentence: str) -> Markup:
    """A sentence of a contract, its moments as people read them: to the second, in UTC as they bind."""
    return Markup(_MOMENT.sub(r'<time datetime="\g<0>">\1 \2 UTC</time>', str(escape(sentence))))  # noqa: S704 (escaped first)


def _coded(sentence: str) -> Markup:
    """A sentence with its commands set as such."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(sentence))))  # noqa: S704 (escaped first)


def _time(moment: datetime, language: Language) -> str:
    local = moment.astimezone()
    return format_datetime(local, "medium", tzinfo=local.tzinfo, locale=_LOCALES[language])


def _bytes(size: int, language: Language) -> str:
    """A size in the largest unit that leaves a number of at least one."""
    power = 0
    amount: float = size
    while amount >= 1000 and power < len(_UNITS) - 1:
        amount /= 1000
        power += 1
    shown = format_decimal(amount, "#,##0.#" if power else "#,##0", locale=_LOCALES[language])
    return f"{shown} {_UNITS[power]}"
