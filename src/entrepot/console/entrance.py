"""Signing in and out, and the way to the first page."""

from datetime import timedelta
from enum import StrEnum
from importlib import resources
from typing import Final

from entrepot.console.house import House, Pages, Visit, is_for_this_machine
from entrepot.console.naming import ROOT, address
from entrepot.console.page import SECURITY, Answer, Moved, Shown
from entrepot.console.words import wished
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.values import NotFoundError

_FILES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}


class Event(StrEnum):
    BEGUN = "console:session:begin"
    ENDED = "console:session:end"
    REFUSED = "console:session:refuse"


def open_pages(house: House) -> Pages:
    entrance = _Entrance(house)
    return {("GET", "/sign-in"): entrance.ask, ("POST", "/sign-in"): entrance.sign_in}


def closed_pages(house: House) -> Pages:
    return {("POST", "/sign-out"): _Entrance(house).sign_out}


def last_pages() -> Pages:
    """Every other address: it says in words that nothing is there."""

    async def nowhere(_visit: Visit) -> Answer:
        raise NotFoundError("there is no such page")

    return {("GET", "/{elsewhere:path}"): nowhere}


def plain_routes() -> list[Route]:
    """What has no language: the way in, and the files of the look."""
    return [
        Route("GET", "/", Proof.NONE, _to_first_page),
        Route("GET", ROOT, Proof.NONE, _to_first_page),
        *(Route("GET", f"{ROOT}/static/{name}", Proof.NONE, _File(name)) for name in _FILES),
    ]


class _Entrance:
    def __init__(self, house: House) -> None:
        self._house = house

    async def ask(self, visit: Visit) -> Answer:
        return Shown("sign-in.html", {"next": _inside(visit.query.get("next", "")), "wrong": "", "wait": 0})

    async def sign_in(self, visit: Visit) -> Answer:
        """Let the owner in and nobody else; after too many guesses, nobody for a while."""
        sessions = self._house.sessions
        following = _inside(visit.form.get("next", ""))
        if wait := sessions.wait():
            return _wait(wait, following)
        cookie = sessions.sign_in(visit.form.get("token", "").strip())
        await self._house.write_down(Event.REFUSED if cookie is None else Event.BEGUN)
        if cookie is not None:
            return Moved(following or address(visit.language), "signed-in", sessions.written(cookie))
        if wait := sessions.wait():
            return _wait(wait, following)
        return Shown("sign-in.html", {"next": following, "wrong": "wrong", "wait": 0}, 401)

    async def sign_out(self, visit: Visit) -> Answer:
        await self._house.sign_out(visit.cookie)
        await self._house.write_down(Event.ENDED)
        return Moved(visit.to("sign-in"), "signed-out", self._house.sessions.taken_back())


class _File:
    """One file of the look, read once."""

    def __init__(self, name: str) -> None:
        self._body = resources.files(__package__).joinpath("static", name).read_bytes()
        self._type = _FILES[name]

    async def __call__(self, _call: Call) -> Response:
        return Response(200, self._body, self._type, {"content-security-policy": "default-src 'none'"})


async def _to_first_page(call: Call) -> Response:
    if not is_for_this_machine(call):
        return Response(404)
    first = address(wished(call.headers.get("accept-language", "")))
    return Response(303, b"", headers={**SECURITY, "location": first})


def _wait(wait: timedelta, following: str) -> Shown:
    seconds = int(wait.total_seconds()) + 1
    values = {"next": following, "wrong": "wait", "wait": seconds}
    return Shown("sign-in.html", values, 429, {"retry-after": str(seconds)})


def _inside(path: str) -> str:
    """An address to go on to, if it is a page of ours; whoever sends a link does not choose another site."""
    is_ours = path.startswith(ROOT + "/") and "\\" not in path and path.isascii() and path.isprintable()
    return path if is_ours else ""
