"""Pages: what a view answers, and how that goes out, with headers that let nothing foreign run."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from entrepot.console.words import Language
from entrepot.protocols import Response

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


async def respond(answer: Answer, language: Language, around: Mapping[str, Any]) -> Response:
    """Write an answer; `around` is what every page shows about its node and its reader."""
    match answer:
        case Shown(template, values, status, headers):
            text = await asyncio.to_thread(_written, template, language, {**around, **values})
            return Response(status, text.encode(), HTML, {**SECURITY, **headers})
        case Moved(path, done, headers):
            location = path + (f"?done={done}" if done else "")
            return Response(303, b"", HTML, {**SECURITY, "location": location, **headers})
        case Download(name, body, media_type):
            kept = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(200, body, media_type, {**SECURITY, **kept})


def _written(template: str, language: Language, values: Mapping[str, Any]) -> str:
    """Fill a template in. Whoever never opens the console never loads what this takes."""
    from entrepot.console.writing import templates

    return templates(language).get_template(template).render(values)
