"""Every page of every role: who may see it, what stands around it, and what a browser is told of it."""

import asyncio
import dataclasses
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

import entrepot.console
from entrepot import console, contracts
from entrepot.console.house import FORM
from entrepot.console.session import GUESSES
from entrepot.console.words import Language
from entrepot.contracts import Agreement, Party
from entrepot.journal import Transaction
from entrepot.node.http import Application, Gatekeeper
from entrepot.node.settings import OWNER_TOKEN
from entrepot.policy import Policy, Rule
from entrepot.protocols import Proof, Reply, Route
from entrepot.values import AgreementId, Did, ProductId

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).parents[1] / "node" / "house.py")
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

HOME = Path(entrepot.console.__file__).parent
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "console.md"
ROLES = ("operator", "observer", "provider")


@dataclasses.dataclass
class Desk:
    """The console of one node, and somebody who sits at it."""

    routes: list[Route]
    application: Application
    token: str
    cookie: str = ""

    async def get(self, path: str, **headers: str) -> Reply:
        sent = {"host": "127.0.0.1:9002", "cookie": self.cookie, **headers}
        found, _, query = path.partition("?")
        return await the_house.call(self.application, "GET", found, b"", sent, query)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Reply:
        sent = {
            "host": "127.0.0.1:9002",
            "cookie": self.cookie,
            "content-type": "application/x-www-form-urlencoded",
            **headers,
        }
        return await the_house.call(self.application, "POST", path, urlencode(fields).encode(), sent)

    async def sign_in(self, token: str | None = None) -> Reply:
        asked = await self.get("/console/en/sign-in")
        if "set-cookie" in asked.headers:
            self.cookie = cookie_of(asked)
        fields = {"token": self.token if token is None else token, FORM: form_token(asked.body)}
        reply = await self.post("/console/en/sign-in", fields)
        if reply.status == 303:
            self.cookie = cookie_of(reply)
        return reply


def cookie_of(reply: Reply) -> str:
    return reply.headers["set-cookie"].partition(";")[0]


def form_token(body: bytes) -> str:
    found = re.search(rf'name="{FORM}" value="(\w+)"', body.decode())
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[the_house.House]:
    made = the_house.House(tmp_path_factory.mktemp("console"))
    asyncio.run(made.admit("provider", "consumer", "observer"))
    yield made
    made.close()


@pytest.fixture
def desks(nodes: the_house.House) -> dict[str, Desk]:
    """A desk for each role, with nobody signed in and no guess made."""
    return {name: desk_of(nodes.homes[name]) for name in ROLES}


def desk_of(home: Any) -> Desk:
    routes = console.routes(home.node, home.parts)
    keeper = Gatekeeper(home.node.acquaintance.authenticate)
    return Desk(routes, Application(routes, keeper), (home.node.folder / OWNER_TOKEN).read_text())


def pages_of(desk: Desk, method: str, proof: Proof) -> list[str]:
    """Addresses of this desk's pages, with something in the place of every name."""
    paths = [
        r.path for r in desk.routes if r.method == method and r.proof is proof and "{language}" in r.path
    ]
    return [re.sub(r"\{\w+(:path)?\}", "x", path.replace("{language}", "en")) for path in paths]


@pytest.mark.parametrize("role", ROLES)
def test_nobody_sees_a_page_without_signing_in(desks: dict[str, Desk], role: str) -> None:
    """No cookie, a made-up one, and a guest's: each is sent to the sign-in page, and told to come back."""
    desk = desks[role]

    async def walk() -> list[tuple[str, int]]:
        guest = cookie_of(await desk.get("/console/en/sign-in"))
        name = guest.partition("=")[0]
        wrong = []
        for cookie in ("", guest, f"{name}=owner.9999999999.00.00"):
            desk.cookie = cookie
            for path in pages_of(desk, "GET", Proof.SESSION):
                reply = await desk.get(path)
                if reply.headers.get("location") != f"/console/en/sign-in?next={quote(path, safe='/')}":
                    wrong.append((path, reply.status))
            for path in pages_of(desk, "POST", Proof.SESSION):
                reply = await desk.post(path, {})
                if not reply.headers.get("location", "").startswith("/console/en/sign-in"):
                    wrong.append((path, reply.status))
        return wrong

    assert asyncio.run(walk()) == []


@pytest.mark.parametrize("role", ROLES)
def test_no_form_of_another_page_does_anything(desks: dict[str, Desk], role: str) -> None:
    """A site that makes the owner's browser post would act as the owner."""
    desk = desks[role]

    async def walk() -> list[tuple[str, int]]:
        await desk.sign_in()
        right = form_token((await desk.get("/console/en")).body)
        wrong = []
        for path in pages_of(desk, "POST", Proof.SESSION):
            for fields, headers in (
                ({}, {}),
                ({FORM: "0" * 64}, {}),
                ({FORM: right}, {"sec-fetch-site": "cross-site"}),
                ({FORM: right}, {"sec-fetch-site": "same-site"}),
            ):
                reply = await desk.post(path, fields, **headers)
                wrong += [(path, reply.status)] if reply.status != 401 else []
        return wrong

    assert asyncio.run(walk()) == []


def test_a_wrong_token_is_refused_in_words_and_guesses_are_bounded(desks: dict[str, Desk]) -> None:
    """The owner learns what was wrong; a program that guesses is stopped, even when it then guesses right."""
    desk = desks["provider"]

    async def guess() -> tuple[list[int], Reply, Reply]:
        statuses = [(await desk.sign_in("guess")).status for _ in range(GUESSES - 1)]
        wrong = await desk.sign_in("guess")
        return statuses, wrong, await desk.sign_in()

    statuses, last, right = asyncio.run(guess())
    assert statuses == [401] * (GUESSES - 1)
    assert last.status == right.status == 429
    assert int(right.headers["retry-after"]) > 0
    assert "too many wrong tokens" in right.body.decode()


def test_who_signs_out_is_out_with_every_copy_of_the_cookie(desks: dict[str, Desk]) -> None:
    """A cookie that was copied before would go on for the rest of the day."""
    desk = desks["provider"]

    async def leave() -> tuple[int, int, str]:
        await desk.sign_in()
        page = await desk.get("/console/en")
        copied = desk.cookie
        left = await desk.post("/console/en/sign-out", {FORM: form_token(page.body)})
        assert "Max-Age=0" in left.headers["set-cookie"]
        desk.cookie = copied
        after = await desk.get("/console/en")
        return page.status, after.status, after.headers.get("location", "")

    assert asyncio.run(leave()) == (200, 303, "/console/en/sign-in?next=/console/en")


@pytest.mark.parametrize("name", ["evil.example", "evil.example:9002", "127.0.0.1.evil.example", ""])
def test_a_foreign_name_for_this_machine_is_answered_by_nothing(desks: dict[str, Desk], name: str) -> None:
    """A site may point its own name at a loopback address; its pages would then count as ours."""
    desk = desks["provider"]

    async def ask() -> set[int]:
        await desk.sign_in()
        paths = ("/", "/console", "/console/en", "/console/en/sign-in", "/console/en/contracts")
        return {(await desk.get(path, host=name)).status for path in paths}

    assert asyncio.run(ask()) == {404}


@pytest.mark.parametrize(
    "following", ["https://evil.example/", "//evil.example", "/console/\\evil", "/owner/uses"]
)
def test_signing_in_leads_to_our_own_pages_only(desks: dict[str, Desk], following: str) -> None:
    """A link to the sign-in page would carry the owner to somebody else's page that looks like ours."""
    desk = desks["provider"]

    async def go() -> str:
        asked = await desk.get("/console/zh/sign-in")
        desk.cookie = cookie_of(asked)
        fields = {"token": desk.token, FORM: form_token(asked.body), "next": following}
        return (await desk.post("/console/zh/sign-in", fields)).headers["location"]

    assert asyncio.run(go()) == "/console/zh?done=signed-in"


class _Outline(HTMLParser):
    """What a page says of itself, as far as a program can tell."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.language = ""
        self.headings: list[int] = []
        self.labels: set[str] = set()
        self.fields: list[str] = []
        self.ids: list[str] = []
        self.faults: list[str] = []
        self.feed(body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "html":
            self.language = found.get("lang") or ""
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "label":
            self.labels.add(found.get("for") or "")
        if (
            tag in {"input", "select", "textarea"}
            and found.get("type") != "hidden"
            and not found.get("aria-hidden")
        ):
            self.fields.append(found.get("id") or "")
        if "id" in found:
            self.ids.append(found["id"] or "")
        if tag == "script" and not (found.get("src") or "").startswith("/console/static/"):
            self.faults.append("a script in the page")
        if "style" in found or tag == "style" or any(name.startswith("on") for name in found):
            self.faults.append(f"{tag}: style or script in an attribute")
        if tag == "img" and "alt" not in found:
            self.faults.append("an image without words")
        if tag == "th" and "scope" not in found:
            self.faults.append("a heading of a table that does not say of what")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("language", Language)
def test_every_page_is_whole_in_both_languages(desks: dict[str, Desk], role: str, language: Language) -> None:
    """A page that cannot be filled in, has no heading, no label or two, or lets something foreign run."""
    desk = desks[role]

    async def walk() -> list[tuple[str, object]]:
        await desk.sign_in()
        wrong: list[tuple[str, object]] = []
        for path in pages_of(desk, "GET", Proof.SESSION):
            address = path.replace("/console/en", f"/console/{language}")
            reply = await desk.get(address)
            # What "x" names does not exist, and this observer is no regulator: words, all the same.
            if reply.status not in {200, 403, 404}:
                wrong.append((address, reply.status))
            wrong += [(address, fault) for fault in faults_of(reply, language)]
        desk.cookie = ""
        wrong += [("sign in", f) for f in faults_of(await desk.get(f"/console/{language}/sign-in"), language)]
        return wrong

    assert asyncio.run(walk()) == []


def faults_of(reply: Reply, language: Language) -> list[object]:
    outline = _Outline(reply.body)
    faults: list[object] = list(outline.faults)
    if outline.language.partition("-")[0] != language:
        faults.append(outline.language)
    if outline.headings.count(1) != 1 or any(
        b - a > 1 for a, b in zip(outline.headings, outline.headings[1:], strict=False)
    ):
        faults.append(outline.headings)
    if unlabelled := set(outline.fields) - outline.labels:
        faults.append(unlabelled)
    if len(outline.ids) != len(set(outline.ids)):
        faults.append(outline.ids)
    policy = reply.headers.get("content-security-policy", "")
    if "default-src 'none'" not in policy or "frame-ancestors 'none'" not in policy or "unsafe" in policy:
        faults.append(policy)
    if (
        reply.headers.get("cache-control") != "no-store"
        or reply.headers.get("x-content-type-options") != "nosniff"
    ):
        faults.append("it may be kept or taken for something else")
    return faults


def test_what_a_stranger_wrote_is_words_and_never_a_page(desks: dict[str, Desk]) -> None:
    """Titles, purposes and reasons come from others; as markup they would be that other's page."""
    desk = desks["provider"]

    async def ask() -> str:
        await desk.sign_in()
        evil = quote('<script src="https://evil.example"></script>')
        return (await desk.get(f"/console/en/contracts?purpose={evil}&done={evil}")).body.decode()

    assert "evil.example" not in re.sub(r'href="[^"]*"', "", asyncio.run(ask()))


NASTY = (
    "x",
    "did:web:a",
    "urn:uuid:é",
    "0",
    "-1",
    "1" * 400,
    "\x00",
    "\ud800",
    "../..",
    "' OR 1",
    "🙂" * 900,
    "{{7*7}}",
)


def fields_of_forms() -> set[str]:
    """Every name under which a page sends something."""
    templates = [page.read_text("utf-8") for page in (HOME / "templates").rglob("*.html")]
    return {name for text in templates for name in re.findall(r'name="([a-z_A-Z-]+)"', text)} - {FORM}


@pytest.mark.parametrize("role", ROLES)
def test_whatever_is_asked_no_page_is_a_fault(desks: dict[str, Desk], role: str) -> None:
    """In every address, query and field of a form; a person who mistypes must not meet an error of ours."""
    desk, names = desks[role], fields_of_forms()

    async def walk() -> list[tuple[str, str, int]]:
        await desk.sign_in()
        wrong = []
        for route in (r for r in desk.routes if r.proof is Proof.SESSION and "sign-out" not in r.path):
            for word in NASTY:
                written = word.encode("utf-8", "replace").decode()
                path = re.sub(
                    r"\{\w+(:path)?\}", lambda _, w=written: w, route.path.replace("{language}", "en")
                )
                fields = dict.fromkeys(names, written) | {
                    FORM: form_token((await desk.get("/console/en")).body)
                }
                if route.method == "GET":
                    reply = await desk.get(f"{quote(path)}?{urlencode(dict.fromkeys(names, written))}")
                else:
                    reply = await desk.post(quote(path), fields)
                wrong += [(route.path, word[:10], reply.status)] if reply.status == 500 else []
        return wrong

    assert len(names) > 10
    assert asyncio.run(walk()) == []


def test_the_guide_lists_every_page(nodes: the_house.House) -> None:
    """An address that nobody wrote down is a door that nobody watches."""
    row = re.compile(r"\| (GET|POST) \| `([^`]+)` \| (none|session) \|")
    written = {m.groups() for m in map(row.match, GUIDE.read_text("utf-8").splitlines()) if m}
    found = {
        (route.method, route.path, str(route.proof))
        for home in nodes.homes.values()
        for route in console.routes(home.node, home.parts)
    }

    assert written == found


def test_the_first_page_is_in_the_browsers_language(desks: dict[str, Desk]) -> None:
    """Whoever opens the owner's port alone is led to words that he can read."""
    desk = desks["operator"]

    async def ask(accepted: str) -> str:
        return (await desk.get("/", **{"accept-language": accepted})).headers["location"]

    assert asyncio.run(ask("zh-CN,en;q=0.5")) == "/console/zh"
    assert asyncio.run(ask("en")) == "/console/en"


def keep_many(tx: Transaction) -> None:
    for number in range(130):
        agreement = Agreement(
            AgreementId(f"turned {number}"), ProductId("6P"), Policy((Rule("use"),)), Did("did:web:us"),
            Did("did:web:them"), tx.now,
        )  # fmt: skip
        with warnings.catch_warnings(action="ignore"):
            contracts.hold_insecure_unsigned(tx, agreement, Party.PROVIDER, agreement.assignee)


def test_a_long_list_is_turned_in_both_languages(nodes: the_house.House) -> None:
    """A contract on no page cannot be stopped by its owner."""
    home = nodes.homes["consumer"]
    home.node.journal.write_now(keep_many)
    desk = desk_of(home)
    asyncio.run(desk.sign_in())
    for language, back in (("en", "Earlier ones"), ("zh", "上一页")):
        first = asyncio.run(desk.get(f"/console/{language}/contracts")).body.decode()
        (onward,) = re.findall(r'href="([^"]+)" rel="next"', first)
        second = asyncio.run(desk.get(onward)).body.decode()
        seen = re.findall(r"/contracts/turned%20(\d+)\"", first + second)

        assert sorted(map(int, seen)) == list(range(130))
        assert ('rel="next"' in second, back in second) == (False, True)
