"""The console of one node: who may see its pages, what goes wrong there, and what each page has around it."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode

from entrepot.console.model import NegotiationPage, SignatureRequest, Turned
from entrepot.console.naming import ROOT, address
from entrepot.console.owner import WAITS, Owner
from entrepot.console.page import Answer, Moved, Shown, respond
from entrepot.console.session import Sessions
from entrepot.console.words import DONE, REMEDIES, Language
from entrepot.journal import AuditEvent, audit, first_seen, was_seen
from entrepot.node.node import Node
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.values import (
    EntrepotError,
    Log,
    MalformedError,
    NotFoundError,
    RefusedError,
    TrustError,
)

_log: Final = Log()
_SIGNED_OUT: Final = "console signed out"
_HOST: Final = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")
FORM: Final = "form"
"""The field that carries a form's token."""


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the navigation; its title is looked up where it is shown."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page, its reader known to be who may see it."""

    language: Language
    cookie: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]

    def to(self, *parts: str) -> str:
        return address(self.language, *parts)

    @property
    def place(self) -> dict[str, str]:
        """Which page of a list is asked for, of everything or of what is under one agreement."""
        return {name: self.query[name] for name in ("after", "agreement") if self.query.get(name)}

    def around(self, section: str, page: Turned[Any]) -> dict[str, str]:
        """Where the pages before and after this one are."""
        earlier = self._turned(section, self.place, page.previous_after)
        return {"earlier": earlier, "later": self.onward(section, page, self.place)}

    def onward(self, section: str, page: Turned[Any], query: Mapping[str, str]) -> str:
        """Where the rest of a list is; empty where there is none."""
        return self._turned(section, query, page.next_after)

    def _turned(self, section: str, query: Mapping[str, str], after: str | None) -> str:
        return "" if after is None else f"{self.to(section)}?{urlencode({**query, 'after': after})}"


View: TypeAlias = Callable[[Visit], Awaitable[Answer]]
"""Gives one page, or does one thing and says where to look next."""

Pages: TypeAlias = Mapping[tuple[str, str], View]
"""Views by method and path below the language."""


class House:
    """What the pages of one node share."""

    def __init__(
        self, node: Node, sessions: Sessions, sections: Sequence[Section], desk: Owner | None
    ) -> None:
        self.node = node
        self.sessions = sessions
        self._sections = sections
        self._desk = desk

    def routes(self, pages: Pages) -> list[Route]:
        """These pages behind the door: for the owner only, and a form only from a page of ours."""
        return [
            Route(method, f"{ROOT}/{{language}}{path}", Proof.SESSION, self._guarded(path, view))
            for (method, path), view in pages.items()
        ]

    def open_routes(self, pages: Pages) -> list[Route]:
        """These pages before the door."""
        return [
            Route(method, f"{ROOT}/{{language}}{path}", Proof.NONE, self._before_the_door(path, view))
            for (method, path), view in pages.items()
        ]

    async def is_signed_in(self, cookie: str) -> bool:
        if not self.sessions.is_owner(cookie):
            return False
        return not await self.node.journal.read(lambda c: was_seen(c, _SIGNED_OUT, cookie))

    async def sign_out(self, cookie: str) -> None:
        """End a session; nobody gets in with its cookie any more, wherever it was copied to."""
        until = self.sessions.ends_at(cookie) + timedelta(minutes=1)
        await self.node.journal.write(lambda tx: first_seen(tx, _SIGNED_OUT, cookie, until))

    async def write_down(self, event: str) -> None:
        """Audit that somebody came or went."""
        await self.node.journal.write(lambda tx: audit(tx, AuditEvent(event, {})))

    def _guarded(self, path: str, view: View) -> Callable[[Call], Awaitable[Response]]:
        async def handle(call: Call) -> Response:
            if (language := _language_of(call)) is None:
                return await self._not_here(call)
            cookie = self.sessions.read(call.headers)
            if not await self.is_signed_in(cookie):
                asked = quote(_place(path, call, language), safe="/")
                return await respond(Moved(f"{address(language, 'sign-in')}?next={asked}"), language, {})
            around = await self._around(path, call, language, cookie)
            return await self._answer(view, call, language, cookie, around)

        return handle

    def _before_the_door(self, path: str, view: View) -> Callable[[Call], Awaitable[Response]]:
        async def handle(call: Call) -> Response:
            if (language := _language_of(call)) is None:
                return await self._not_here(call)
            cookie = self.sessions.read(call.headers)
            if await self.is_signed_in(cookie):
                return await respond(Moved(address(language)), language, {})
            fresh = {}
            if not self.sessions.is_guest(cookie):
                cookie = self.sessions.guest()
                fresh = self.sessions.written(cookie)
            around = self._bare(path, call, language, cookie)
            response = await self._answer(view, call, language, cookie, around)
            return Response(
                response.status, response.body, response.media_type, {**fresh, **response.headers}
            )

        return handle

    async def _answer(
        self, view: View, call: Call, language: Language, cookie: str, around: Mapping[str, Any]
    ) -> Response:
        try:
            visit = Visit(language, cookie, call.path, call.query, self._form(call, cookie))
            answer = await view(visit)
        except EntrepotError as error:
            answer = _problem(error, call.request_id)
        except Exception:  # noqa: BLE001 (the edge: a fault becomes a page, and the log has its traceback)
            _log.exception("fault", page=call.path, request_id=call.request_id)
            answer = _problem(EntrepotError(""), call.request_id)
        return await respond(answer, language, around)

    def _form(self, call: Call, cookie: str) -> Mapping[str, str]:
        """What was posted, if it was posted from a page that we gave to this browser."""
        if "content-type" not in call.headers and not call.body:
            return {}
        text = call.body.decode("utf-8", "replace")
        try:
            fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=500))
        except ValueError as error:
            raise MalformedError("a form of at most 500 fields was expected") from error
        if not self.sessions.is_form_token(cookie, fields.pop(FORM, "")):
            raise TrustError("the form does not come from a page of this session")
        if call.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise TrustError("the form comes from another site")
        return fields

    async def _around(self, path: str, call: Call, language: Language, cookie: str) -> dict[str, Any]:
        waiting = 0
        if self._desk is not None:
            rows = await self._desk.every(NegotiationPage, "/owner/negotiations", WAITS)
            asked = await self._desk.read(list[SignatureRequest], "/owner/requests")
            waiting = len(rows) + sum(row.waits_for_you for row in asked)
        return self._bare(path, call, language, cookie) | {
            "sections": self._sections,
            "waiting": waiting,
            "signed_in": True,
        }

    def _bare(self, path: str, call: Call, language: Language, cookie: str) -> dict[str, Any]:
        """What stands around every page."""
        return {
            "organisation": self.node.settings.party.name,
            "did": self.node.me,
            "here": path,
            "elsewhere": {other: _place(path, call, other) for other in Language},
            "form_token": self.sessions.form_token(cookie),
            "done": DONE.get(call.query.get("done", ""), ""),
            "now": self.node.clock(),
            "sections": (),
            "waiting": 0,
            "signed_in": False,
            "language": language,
        }

    async def _not_here(self, call: Call) -> Response:
        """For whoever asks in no language of ours, or under a name that is not this machine's own.

        A page of another site can give its own name our address; to such a name nothing answers.
        """
        answer = _problem(NotFoundError(""), call.request_id)
        return await respond(answer, Language.ENGLISH, self._bare("", call, Language.ENGLISH, ""))


def _problem(error: EntrepotError, request_id: str) -> Shown:
    """What went wrong, what to do about it, and under which id the log has it."""
    kind = next(c.__name__ for c in type(error).__mro__ if c.__name__ in REMEDIES)
    _log.info("refused", page=True, error=type(error).__name__, request_id=request_id)
    title, remedy = REMEDIES[kind]
    reasons = error.reasons if isinstance(error, RefusedError) else (str(error),)
    values = {
        "title": title,
        "remedy": remedy,
        "reasons": [r for r in reasons if r],
        "request_id": request_id,
    }
    return Shown("problem.html", values, error.status)


def is_for_this_machine(call: Call) -> bool:
    """Whether the request names this machine as loopback addresses do."""
    return _HOST.fullmatch(call.headers.get("host", "")) is not None


def _language_of(call: Call) -> Language | None:
    found = call.path.get("language", "")
    return Language(found) if found in tuple(Language) and is_for_this_machine(call) else None


def _place(path: str, call: Call, language: Language) -> str:
    """The address of the page that was asked for, in a language."""
    for name, value in call.path.items():
        for hole in (f"{{{name}}}", f"{{{name}:path}}"):
            path = path.replace(hole, quote(value, safe=""))
    kept = {k: v for k, v in call.query.items() if k != "done"}
    return f"{ROOT}/{language}{path}" + (f"?{urlencode(kept)}" if kept else "")
