"""Pages: templates filled in, in the reader's language, with headers that let nothing foreign run.

Dates, numbers and sizes follow the language. Times are those of the node's own machine; each carries its
exact UTC beside it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote

from babel.dates import format_datetime, get_timezone_gmt
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from entrepot.console.words import NAMES, SHAPES, Language, catalogue
from entrepot.protocols import Response

ROOT: Final = "/console"
HTML: Final = "text/html; charset=utf-8"
SECURITY: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
}
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_NAME_LENGTH: Final = 200
_COMMAND: Final = re.compile(r"`([^`]+)`")
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: its template and what is written in it."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """Something was done: look at this page next, which says so first."""

    path: str
    done: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Download:
    """A file to be kept."""

    name: str
    body: bytes
    media_type: str


Answer: TypeAlias = Shown | Moved | Download


def respond(answer: Answer, language: Language, around: Mapping[str, Any]) -> Response:
    """Write an answer; `around` is what every page shows about its node and its reader."""
    match answer:
        case Shown(template, values, status, headers):
            text = _pages(language).get_template(template).render({**around, **values})
            return Response(status, text.encode(), HTML, {**SECURITY, **headers})
        case Moved(path, done, headers):
            location = path + (f"?done={done}" if done else "")
            return Response(303, b"", HTML, {**SECURITY, "location": location, **headers})
        case Download(name, body, media_type):
            kept = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(200, body, media_type, {**SECURITY, **kept})


def address(language: Language, *parts: str) -> str:
    """The address of a page; ids are quoted whole, since a DID holds percent signs of its own."""
    return "/".join([ROOT, language, *(quote(p, safe="") for p in parts)])


@lru_cache(maxsize=len(Language))
def _pages(language: Language) -> Environment:
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
        "time": lambda t: _time(t, language),
        "utc": lambda t: f"{t.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "number": lambda n: format_decimal(n, locale=language.locale),
        "bytes": lambda n: _bytes(n, language),
        "party": party,
        "short": short,
        "exact": _exact,
        "coded": _coded,
        "shape": lambda state: SHAPES.get(state, "way"),
        "said_in": getattr,
        "sentences": lambda text: getattr(text, language),
    }
    return pages


def party(did: str) -> str:
    """A DID as a person reads it: the web name behind it."""
    return unquote(did.removeprefix("did:web:"))[:_NAME_LENGTH]


def short(identifier: str) -> str:
    """The end of a long identifier; the whole of it stands beside, for those who need it."""
    bare = identifier.removeprefix("urn:uuid:").removeprefix("sha256:")
    return bare if len(bare) <= 14 else f"…{bare[-10:]}"


def zone(now: datetime) -> str:
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
    return format_datetime(local, "medium", tzinfo=local.tzinfo, locale=language.locale)


def _bytes(size: int, language: Language) -> str:
    """A size in the largest unit that leaves a number of at least one."""
    power = 0
    amount: float = size
    while amount >= 1000 and power < len(_UNITS) - 1:
        amount /= 1000
        power += 1
    return (
        f"{format_decimal(amount, '#,##0.#' if power else '#,##0', locale=language.locale)} {_UNITS[power]}"
    )
