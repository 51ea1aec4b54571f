"""What the edge says before any handler is asked, whatever the route."""

import asyncio
import contextlib
import importlib.util
import json
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot.journal import Journal  # noqa: E402 (after the house is loaded)
from entrepot.node.api import read_body  # noqa: E402 (after the house is loaded)
from entrepot.node.http import Application, Gatekeeper, RawRoute, Receive, Scope, Send  # noqa: E402
from entrepot.protocols import Call, Content, Proof, Reply, Response, Route, Shape  # noqa: E402
from entrepot.values import FACTS, Did, TrustError, UnavailableError  # noqa: E402

MOST = 100


async def nobody(_authorization: str) -> Did:
    raise TrustError("nobody is known here")


async def echo(call: Call) -> Response:
    return Response(200, call.body)


class Body(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    anything: Any = None


async def read(call: Call) -> Response:
    read_body(call, Body)
    return Response(200)


async def not_now(_call: Call) -> Response:
    raise UnavailableError("the journal could not be reached: disk I/O error, near 'secret'")


async def stream(_scope: Scope, _receive: Receive, send: Send, path: Mapping[str, str]) -> None:
    assert "\x00" not in "".join(path.values())
    await whole(send)


async def whole(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a stream"})


async def no_stream(scope: Scope, _receive: Receive, _send: Send, _path: Mapping[str, str]) -> None:
    await not_now(Call({}, b"", {}, {}, None, scope["path"]))


async def fault(_scope: Scope, _receive: Receive, _send: Send, _path: Mapping[str, str]) -> None:
    raise ZeroDivisionError("a secret")


async def half(_scope: Scope, _receive: Receive, send: Send, _path: Mapping[str, str]) -> None:
    headers = [(b"content-length", b"10")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"a half", "more_body": True})
    raise UnavailableError("the journal was lost at COMMIT")


APPLICATION = Application(
    [
        Route("GET", "/fixed", Proof.NONE, echo),
        Route("POST", "/fixed", Proof.NONE, echo, max_bytes=MOST),
        Route("GET", "/named/{id}", Proof.NONE, echo),
        Route("POST", "/json", Proof.NONE, read, shape=Shape({200: ()}, Content(Body))),
        Route("GET", "/busy", Proof.NONE, not_now),
        RawRoute("GET", "/door/{process}", Proof.DOOR_TOKEN, stream),
        RawRoute("GET", "/door/{process}/{below:path}", Proof.DOOR_TOKEN, stream),
        RawRoute("GET", "/busy/stream", Proof.DOOR_TOKEN, no_stream),
        RawRoute("GET", "/fault", Proof.DOOR_TOKEN, fault),
        RawRoute("GET", "/half", Proof.DOOR_TOKEN, half),
        Route("POST", "/members", Proof.MEMBERSHIP, echo),
        Route("POST", "/dsp/members", Proof.MEMBERSHIP, echo),
    ],
    Gatekeeper(nobody),
)


def call(
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    query: str = "",
    application: Application = APPLICATION,
) -> Reply:
    reply: Reply = asyncio.run(the_house.call(application, method, path, body, headers, query))
    return reply


def problem(reply: Reply) -> Any:
    assert reply.headers["content-type"] == "application/problem+json"
    return json.loads(reply.body)


@pytest.mark.parametrize(
    ("path", "allowed"), [("/fixed", "GET, HEAD, OPTIONS, POST"), ("/named/x", "GET, HEAD, OPTIONS")]
)
def test_another_method_is_told_which_there_are(path: str, allowed: str) -> None:
    """RFC 9110, 15.5.6 wants the list; without it a client cannot tell a wrong method from a wrong path."""
    reply, asked = call("DELETE", path), call("OPTIONS", path)

    assert (reply.status, reply.headers["allow"], problem(reply)["status"]) == (405, allowed, 405)
    assert (asked.status, asked.headers["allow"], asked.body) == (204, allowed, b"")


def test_head_is_answered_as_get_is() -> None:
    """A monitor that only looks must not be told that a page is not there."""
    assert call("HEAD", "/fixed").status == call("HEAD", "/named/x").status == 200


def test_where_nothing_is_every_method_says_so() -> None:
    """Also OPTIONS: there is nothing that could be allowed."""
    assert {call(method, "/nowhere").status for method in ("GET", "POST", "OPTIONS", "BREW")} == {404}


def test_a_large_body_is_refused_before_and_while_it_is_read() -> None:
    """By what it says of itself, so that nobody waits for it; and by what comes, whatever it said."""
    said = call("POST", "/fixed", b"short", {"content-length": str(10**30)})
    came = call("POST", "/fixed", b"x" * (MOST + 1), {"content-length": "1"})

    assert (said.status, came.status) == (413, 413)
    assert call("POST", "/fixed", b"x" * MOST, {"content-length": str(MOST)}).status == 200


@pytest.mark.parametrize("query", ["a=1&" * 60, "a=%00", "%00=a"])
def test_a_query_that_cannot_be_meant_is_malformed(query: str) -> None:
    """Too many names, or a zero byte that no database keeps: never a fault of ours."""
    assert problem(call("GET", "/fixed", query=query))["title"] == "MalformedError"


def test_a_path_with_a_zero_byte_is_malformed() -> None:
    """PostgreSQL keeps no such text, so the question would end as a fault."""
    assert call("GET", "/named/%00").status == 400


@pytest.mark.parametrize("path", ["/door/%00", "/door/x%00", "/door/x/%00", "/door/x/a%00b"])
def test_there_is_no_door_with_a_zero_byte_in_its_name(path: str) -> None:
    """On PostgreSQL every such call, which takes no token, was a fault with a traceback in the log."""
    assert call("GET", "/door/x").body == call("GET", "/door/x/y").body == b"a stream"
    assert {**problem(call("GET", path)), "requestId": ""} == {
        **problem(call("GET", "/nowhere")),
        "requestId": "",
    }


def test_whoever_is_not_known_is_asked_for_a_token_or_told_nothing() -> None:
    """The Dataspace Protocol wants 404; elsewhere RFC 9110 wants to be told which proof is asked for."""
    asked, hidden = call("POST", "/members"), call("POST", "/dsp/members")

    assert (asked.status, asked.headers["www-authenticate"]) == (401, "Bearer")
    assert hidden.status == 404
    assert {**problem(hidden), "requestId": ""} == {**problem(call("GET", "/nowhere")), "requestId": ""}


@pytest.mark.parametrize("path", ["/busy", "/busy/stream"])
def test_whoever_comes_too_early_is_told_when_to_come_and_the_operator_why(
    caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """A 503 that nobody can explain afterwards cannot be mended; routes that stream are no exception."""
    reply = call("GET", path)

    assert (reply.status, reply.headers["retry-after"], problem(reply)["status"]) == (503, "1", 503)
    (told,) = caplog.records
    facts = vars(told)[FACTS]
    assert (told.levelname, told.message, facts["route"]) == ("WARNING", "not now", path)
    assert "disk I/O error" in facts["because"]
    assert "secret" not in facts["because"]


def test_a_fault_of_a_route_that_streams_is_told_as_any_other(caplog: pytest.LogCaptureFixture) -> None:
    """A bare 500 has no request id that the operator could look for, and the log no route."""
    reply = call("GET", "/fault")

    assert (reply.status, problem(reply)["title"]) == (500, "EntrepotError")
    assert b"secret" not in reply.body
    (told,) = caplog.records
    assert vars(told)[FACTS] == {"route": "/fault", "request_id": problem(reply)["requestId"]}


def test_an_answer_that_broke_off_is_not_finished_with_a_problem() -> None:
    """The server closes the connection; a problem document inside would be taken for data."""
    with pytest.raises(UnavailableError):
        call("GET", "/half")


def test_a_database_that_is_locked_is_no_fault_of_ours(tmp_path: Path) -> None:
    """Whatever route meets it: a door, too, says when to come again, and answers when the lock is gone."""
    file = tmp_path / "node.db"
    with Journal.open(f"sqlite:///{file}?timeout=0.05") as journal:
        journal.create_schema()

        async def write(_scope: Scope, _receive: Receive, send: Send, _path: Mapping[str, str]) -> None:
            await journal.write(lambda tx: tx.now)
            await whole(send)

        door = RawRoute("GET", "/door", Proof.DOOR_TOKEN, write)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = call("GET", "/door", application=Application([door], Gatekeeper(nobody)))
            other.execute("ROLLBACK")
        served = call("GET", "/door", application=Application([door], Gatekeeper(nobody)))

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert problem(refused)["title"] == "UnavailableError"
    assert served.status == 200


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/ld+json", 200),
        ("", 200),
        ("text/xml", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
def test_json_is_read_where_json_is_said(media_type: str, status: int) -> None:
    """A page of another site can post a form without asking; it can post no JSON."""
    assert call("POST", "/json", b'{"text":"a"}', {"content-type": media_type}).status == status


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"text":"a","anything":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"text":"a","anything":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}",
        b'{"text":"\\ud800"}',
        b'{"text":"\xff"}',
        b'{"text":"\\u0000"}',
        b'{"text":NaN}',
        b'{"text":"a","anything":1e999}',
        b'{"text":"a","other":1}',
    ],
    ids=["open", "lists", "objects", "surrogate", "no utf-8", "zero", "nan", "infinite", "unknown"],
)
def test_json_that_cannot_be_meant_is_malformed(body: bytes) -> None:
    """Nesting bombs, text that no database keeps, numbers that are none: 400, and the node lives on."""
    assert problem(call("POST", "/json", body))["status"] == 400


def test_a_zero_that_is_only_written_about_is_text() -> None:
    """The check looks for the character, not for its spelling."""
    assert call("POST", "/json", rb'{"text":"\\u0000"}').status == 200
