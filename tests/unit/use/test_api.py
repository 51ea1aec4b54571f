"""Open API: each call is one use and shows what the contract lets it; a wrong one is refused uncounted."""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

_SPEC = importlib.util.spec_from_file_location("api_world", Path(__file__).with_name("api_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
api_world = sys.modules.setdefault("api_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(api_world)

from entrepot.ledger import RecordKind  # noqa: E402 (after the world is loaded)
from entrepot.policy import Terms  # noqa: E402
from entrepot.use import Denied, Door  # noqa: E402
from entrepot.use.api_ask import parse_ask, table_under  # noqa: E402
from entrepot.use.api_live import Answered  # noqa: E402
from entrepot.use.process import token_digest  # noqa: E402
from entrepot.use.store import open_door  # noqa: E402
from entrepot.values import (  # noqa: E402
    Did,
    KindOfUse,
    MalformedError,
    ProcessId,
    UnavailableError,
    render_digest,
    sha256,
)

ENTREPOT = "https://w3id.org/entrepot/v1/"
COUNT = ("odrl:count", "lteq", "3")
OTHER, CONSUMER = ProcessId("urn:uuid:another"), Did("did:web:consumer")
ALL = ["date", "place", "rain", "note"]
WET = quote("note = 'wet'")
XIAMEN = quote("城市 = '厦门'")
Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a world; it is closed afterwards."""
    made = []

    def one(*constraints: tuple[str, str, object], **options: Any) -> Any:
        made.append(api_world.ApiWorld(tmp_path, *constraints, **options))
        return made[-1]

    yield one
    for world in made:
        world.close()


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A table under a contract of three uses, for calls that use nothing."""
    world = api_world.ApiWorld(tmp_path_factory.mktemp("counted"), COUNT)
    yield world
    world.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A live service, for calls that use nothing."""
    world = api_world.ApiWorld(tmp_path_factory.mktemp("served"), service=True)
    yield world
    world.close()


@pytest.fixture(scope="module")
def weather(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A table whose contract asks for nothing."""
    world = api_world.ApiWorld(tmp_path_factory.mktemp("weather"))
    yield world
    world.close()


def test_a_call_is_one_use_with_its_rows_bytes_and_digest(make: Make) -> None:
    """What was answered is on record before the caller has it, exactly as it was answered."""
    world = make()

    reply = world.get("items")

    opened, closed = world.records(world.use_of(reply))
    assert reply.status == 200
    assert [row["date"] for row in reply.json["items"]] == [f"2012-01-0{d}" for d in range(1, 6)]
    assert (opened.kind, opened.units.uses) == (RecordKind.OPENED, 1)
    assert (closed.kind, closed.outcome) == (RecordKind.CLOSED, "answered")
    assert (closed.units.rows, closed.units.bytes, closed.size) == (5, len(reply.body), len(reply.body))
    assert closed.artefact == render_digest(sha256(reply.body))


def test_pages_follow_each_other_until_there_are_no_more(make: Make) -> None:
    """Whoever follows the links has every row once, in order; each page is a use."""
    world = make()
    following, rows = "items?limit=2", []
    while following:
        reply = world.get(following)
        rows += reply.json["items"]
        following = reply.json["next"]
        assert reply.headers.get("link", "") == (f'<{following}>; rel="next"' if following else "")

    assert [row["rain"] for row in rows] == [0.0, 10.9, 0.8, 20.3, None]
    assert len(world.used()) == 3


@settings(max_examples=30, deadline=None)
@given(
    limit=st.integers(1, 7),
    fields=st.lists(st.sampled_from(ALL), min_size=1, unique=True),
    place=st.sampled_from([31, 44, 99]),
    rain=st.floats(0, 25).map(lambda x: round(x, 1)),
)
def test_a_filtered_page_has_the_rows_that_satisfy_it_and_no_other(
    weather: Any, limit: int, fields: list[str], place: int, rain: float
) -> None:
    """The same question asked of the rows by hand has the same answer, whatever the page size."""
    every = weather.get("items").json["items"]
    asked = f"place = {place} and rain >= {rain}"
    following = f"items?limit={limit}&fields={','.join(fields)}&filter={quote(asked)}"
    rows: list[dict[str, Any]] = []
    while following:
        reply = weather.get(following)
        assert len(reply.json["items"]) <= limit
        rows += reply.json["items"]
        following = reply.json["next"]

    wanted = [r for r in every if r["place"] == place and r["rain"] is not None and r["rain"] >= rain]
    assert rows == [{f: r[f] for f in fields} for r in wanted]


@pytest.mark.parametrize(
    ("asked", "dates"),
    [
        ("date >= '2012-01-04'", [4, 5]),
        ("date < '2012-01-02'", [1]),
        ("note = 'wet'", [2, 4]),
        ("note != 'wet'", [1, 5]),
        ("place in (44, 45)", [3, 4]),
        ("rain > 0.8 and rain < 15", [2]),
        ("note in ('dry', 'broken') and place = 31", [1, 5]),
    ],
)
def test_every_comparison_means_what_it_says(weather: Any, asked: str, dates: list[int]) -> None:
    """A missing value satisfies none of them, not even *unequal*."""
    found = weather.get(f"items?filter={quote(asked)}").json["items"]

    assert [int(row["date"][-2:]) for row in found] == dates


@pytest.mark.parametrize(
    "below",
    [
        "items?rows=5", "items?limit=0", "items?limit=1001", "items?limit=-1", "items?limit=١",
        "items?limit=1&limit=2",
        "items?limit", "items?cursor=0", f"items?cursor={'A' * 48}", "items?fields=",
        "items?fields=date,wages", "items?fields=date,date", "items?filter=wages+=+1",
        "items?filter=date+=+1",
        "items?filter=place+=+'31'", "items?filter=1=1", "items?filter=note+like+'x'",
        "items?filter=place+=+1.5",
        "items?filter=date+>+'yesterday'", "items?%ff=1", "things", "items/1", "service/days",
    ],
)  # fmt: skip
def test_a_call_that_nobody_could_mean_is_refused_before_it_counts(counted: Any, below: str) -> None:
    """A misspelt parameter must not cost the last of three uses, nor give back what was sent."""
    reply = counted.get(below)

    assert reply.status == 400, reply.body
    assert reply.json["reasons"]
    assert "openapi.json" in reply.json["remedy"]
    assert b"wages" not in reply.body
    assert b"yesterday" not in reply.body
    assert counted.used() == []


@pytest.mark.parametrize("below", ["items", "items?rows=5", "", "openapi.json", "things"])
def test_to_a_caller_without_the_token_there_is_nothing(counted: Any, below: str) -> None:
    """Otherwise the columns of a table could be guessed from the refusals, one by one."""
    reply = counted.get(below, token="another")

    assert (reply.status, "reasons" in reply.json) == (404, False)
    assert counted.used() == []


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
def test_an_open_api_is_only_read(counted: Any, method: str) -> None:
    """A HEAD would be a use without an answer."""
    assert counted.get("items", method=method).status == 404
    assert counted.used() == []


def test_the_description_is_no_use(counted: Any) -> None:
    """Whoever builds a client against it must not spend what the contract allows."""
    assert counted.get("").json["paths"] == ["/door/urn:uuid:api/items"]
    assert counted.get("openapi.json").json["info"]["title"] == "Weather"
    assert counted.used() == []


def test_uses_end_where_the_contract_says_so(make: Make) -> None:
    """The fourth of three uses is refused with its reason."""
    world = make(COUNT)

    assert [world.get("items").status for _ in range(4)] == [200, 200, 200, 403]
    assert "count" in world.get("items").json["reasons"][0]


def test_a_rate_of_the_contract_is_kept(make: Make) -> None:
    """Two calls a minute are two, and the next minute brings two more; a caller is told when that is."""
    world = make((ENTREPOT + "rate", "lteq", "2/minute"))
    world.now = world.now.replace(second=15)

    answers = [world.get("items") for _ in range(3)]
    world.now = world.now.replace(minute=1)
    world.learn_status()

    assert [*(a.status for a in answers), world.get("items").status] == [200, 200, 429, 200]
    assert answers[2].headers["retry-after"] == "45"
    assert "rate" in answers[2].json["reasons"][0]


def test_only_the_fields_of_the_contract_are_shown_and_only_they_can_be_asked_about(make: Make) -> None:
    """A filter on a hidden column would tell its values one comparison at a time."""
    world = make((ENTREPOT + "fields", "isPartOf", ["date", "rain"]))

    assert set(world.get("items").json["items"][0]) == {"date", "rain"}
    assert world.get("items?fields=note").status == 403
    assert world.get(f"items?fields=date&filter={WET}").status == 403
    assert "note" not in str(world.get("openapi.json").json)
    assert len(world.used()) == 1


def test_the_row_filter_of_the_contract_is_applied_whatever_the_call_asks(make: Make) -> None:
    """A consumer who bought one province must not page through the next."""
    world = make((ENTREPOT + "rowFilter", "isPartOf", "place = 31"))

    assert {row["place"] for row in world.get("items").json["items"]} == {31}
    assert world.get(f"items?filter={quote('place = 44')}").json["items"] == []
    assert len(world.get(f"items?filter={quote('rain > 1')}").json["items"]) == 1


def test_a_page_has_at_most_the_rows_of_the_contract(make: Make) -> None:
    """More is refused before it counts; less is asked for where the call does not say."""
    world = make((ENTREPOT + "rowsPerUse", "lteq", "2"))

    assert len(world.get("items").json["items"]) == 2
    assert world.get("items?limit=3").status == 400
    assert world.get("openapi.json").json["paths"]["/items"]["get"]["parameters"][0]["schema"]["maximum"] == 2


def test_data_that_changed_on_disk_is_not_shown_and_the_use_is_taken_back(make: Make) -> None:
    """The contract names a digest; other bytes are another product, kept pages or not."""
    world = make(COUNT)
    assert world.get("items").status == 200
    found = world.resource.path.stat()
    os.utime(world.resource.path, ns=(found.st_mtime_ns + 1, found.st_mtime_ns + 1))

    reply = world.get("items")

    assert (reply.status, reply.json["reasons"]) == (
        403,
        ["the data is not what was offered; its owner must look"],
    )
    assert [use.outcome for use in world.used()] == ["answered", "refused"]
    assert world.records(world.used()[1].id)[-1].units.uses == -1


def test_columns_in_any_script_are_described_shown_and_asked_about(make: Make) -> None:
    """Tables of Chinese offices have Chinese columns."""
    world = make(text="城市,气温\n厦门,21.5\n北京,3\n")

    assert world.get(f"items?fields={quote('气温')}&filter={XIAMEN}").json["items"] == [{"气温": 21.5}]
    assert set(world.get("openapi.json").json["components"]["schemas"]["Item"]["properties"]) == {
        "城市",
        "气温",
    }


def test_a_live_service_is_asked_at_its_own_address_with_its_own_key(make: Make) -> None:
    """The consumer chooses among what the owner allows; the key stays here."""
    world = make(service=True)

    reply = world.get("service/days?from=2012-01-01&to=a%26b%2F..")

    assert (reply.status, reply.json) == (200, {"warm": True})
    assert reply.headers["content-type"] == "application/json"
    assert world.upstream.asked == [
        (
            "https://api.example/v1/days?from=2012-01-01&to=a%26b%2F..",
            {"accept": "application/json", "authorization": api_world.SECRET},
        )
    ]
    assert world.records(world.use_of(reply))[-1].units.bytes == len(reply.body)
    assert "geheim" not in str(reply)


@pytest.mark.parametrize(
    "below",
    [
        "service/admin", "service/days/..", "service//evil.example/", "service/days?key=1",
        "service/days?from=1&from=2",
        "service/places/32", "service", "items",
    ],
)  # fmt: skip
def test_a_live_service_is_asked_for_nothing_else(served: Any, below: str) -> None:
    """Paths and parameters that the owner did not name lead to what was never offered."""
    assert served.get(below).status == 400
    assert served.upstream.asked == []
    assert served.used() == []


@pytest.mark.parametrize(
    "answered",
    [
        UnavailableError("https://api.example:443 did not answer: geheim"),
        Answered(500, "application/json", b'{"trace":"geheim"}'),
        Answered(302, "text/html", b"geheim"),
        Answered(200, "text/html", b"<p>geheim</p>"),
        Answered(404, "application/json", b"{}"),
    ],
    ids=["silent", "broken", "elsewhere", "html", "missing"],
)
def test_a_service_that_does_not_answer_costs_nothing_and_tells_nothing(
    make: Make, answered: Answered | Exception
) -> None:
    """Its faults are its owner's business, and name addresses within."""
    world = make(COUNT, service=True)
    world.upstream.answered = answered

    reply = world.get("service/days")

    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert b"geheim" not in reply.body
    assert b"api.example" not in reply.body
    assert [use.outcome for use in world.used()] == ["refused"]
    assert world.records(world.used()[0].id)[-1].units.uses == -1


def test_a_stop_while_the_answer_is_made_keeps_it_back(make: Make) -> None:
    """A supervisor's order that comes in mid-call is obeyed: the use is closed, and nothing leaves."""
    world = make(service=True)
    world.upstream.before = lambda: world.streams.stop_agreement(api_world.AGREEMENT)

    reply = world.get("service/days")

    closed = world.records(world.used()[0].id)[-1]
    assert (reply.status, reply.body) == (0, b"")
    assert (closed.kind, closed.outcome, closed.units.bytes) == (RecordKind.CLOSED, "interrupted", 0)


def test_a_fault_while_the_answer_is_made_leaves_no_use_open(make: Make) -> None:
    """What went wrong after data may have been touched counts, and is closed as failed."""
    world = make(COUNT, service=True)
    world.upstream.answered = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        world.get("service/days")

    closed = world.records(world.used()[0].id)[-1]
    assert (closed.outcome, closed.units.uses) == ("failed", 0)


def test_a_budget_of_rows_is_spent_by_what_was_answered(make: Make) -> None:
    """A page reserves what it may take at most, and gives back what it did not come to."""
    world = make((ENTREPOT + "rows", "lteq", "7"))

    answers = [world.get(f"items?limit={limit}") for limit in (7, 3, 2, 1)]

    assert [(a.status, len(a.json.get("items", []))) for a in answers] == [
        (200, 5),
        (403, 0),
        (200, 2),
        (403, 0),
    ]


def test_a_product_is_used_by_no_kind_that_it_is_not_offered_for(make: Make) -> None:
    """Whoever offers questions, or pages, has not offered the file, though its grade would admit that."""
    world = make()
    door = Door(OTHER, api_world.AGREEMENT, CONSUMER, "HttpData-PULL", 1)
    world.journal.write_now(lambda tx: open_door(tx, door, token_digest(api_world.TOKEN)))

    found = world.knock(OTHER, token=api_world.TOKEN, kind=KindOfUse.DELIVERY)

    assert found == Denied(("the product is offered for api, not for delivery",))


PIECES = st.sampled_from(
    ["limit", "cursor", "fields", "filter", "=", "&", "%", "%27", "rain", "date", ",", "1", "'", "+", "<"]
)  # fmt: skip


@given(raw=st.binary(max_size=60) | st.lists(PIECES, max_size=14).map(lambda p: "".join(p).encode()))
def test_any_query_is_an_ask_or_malformed(weather: Any, raw: bytes) -> None:
    """Whatever stands in an address, the answer is a page or a refusal, never a fault."""
    with contextlib.suppress(MalformedError):
        asked = parse_ask(raw, table_under(weather.resource, Terms(), bytes(32)))
        assert set(asked.ask.fields) <= set(ALL)
        assert 1 <= asked.ask.most <= 1_000
