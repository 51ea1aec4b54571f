"""The door of queries: each question is one use, and what its end costs depends on how far it came."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

_SPEC = importlib.util.spec_from_file_location("query_world", Path(__file__).with_name("query_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
query_world = sys.modules.setdefault("query_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(query_world)

from entrepot.ledger import RecordKind  # noqa: E402 (after the world is loaded)
from entrepot.use.query import read_answer  # noqa: E402
from entrepot.values import TrustError, UseId, render_digest, sha256  # noqa: E402

COUNT = ("odrl:count", "lteq", "2")
ENTREPOT = "https://w3id.org/entrepot/v1/"
FAIR = "select arm, count(*) as visits, sum(dose) as dose from trial group by arm"
RARE = "select sum(dose) from trial where site <> 'rare'"
Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a world; it is closed afterwards."""
    made = []

    def one(*constraints: tuple[str, str, object], **options: Any) -> Any:
        made.append(query_world.QueryWorld(tmp_path, *constraints, **options))
        return made[-1]

    yield one
    for world in made:
        world.close()


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A door that may be asked any number of times."""
    world = query_world.QueryWorld(tmp_path_factory.mktemp("open"))
    yield world
    world.close()


def test_a_question_is_answered_about_groups(open_world: Any) -> None:
    """The answer is what a person would compute by hand, exact, with the digest that the record holds."""
    reply = open_world.ask_for(FAIR)

    assert reply.status == 200
    answer = read_answer(reply.body)
    assert answer.names == ("arm", "visits", "dose")
    assert answer.rows == ((0, 30, "245.5468"), (1, 30, "217.5"), (2, 30, "225.0"), (3, 30, "232.5"))
    (closed,) = [
        r for r in open_world.records(UseId(reply.headers["entrepot-use"])) if r.kind is RecordKind.CLOSED
    ]
    assert (closed.outcome, closed.artefact) == ("answered", render_digest(sha256(reply.body)))
    assert (closed.units.rows, closed.units.bytes) == (4, len(reply.body))
    assert closed.environment == answer.tier == "limits"


def test_the_same_question_has_the_same_bytes(open_world: Any) -> None:
    """The digest of an answer is evidence: whoever asks again can compare."""
    assert open_world.ask_for(FAIR).body == open_world.ask_for(FAIR).body


def test_an_answer_that_was_changed_is_noticed(open_world: Any) -> None:
    """What a proxy or a disk changed must not be taken for what was answered."""
    raw = open_world.ask_for(FAIR).body

    with pytest.raises(TrustError):
        read_answer(raw.replace(b'"217.5"', b'"218.5"'))


def test_what_would_take_too_long_to_compare_is_refused_before_it_costs(make: Make) -> None:
    """An owner's machine that ran out of time at each question would charge for answers nobody gets."""
    world = make(limits=msgspec.structs.replace(query_world.QUICK, seconds=0.0008))
    first, more, again = (world.ask_for(q) for q in (FAIR, FAIR.replace("arm", "site"), FAIR))

    assert (first.status, again.status) == (200, 200)
    assert (more.status, more.json["rule"]) == (403, "history")
    assert [u.outcome for u in world.used()] == ["answered", "refused", "answered"]


def test_a_text_that_is_refused_costs_nothing(make: Make) -> None:
    """No data was touched: the use is taken back, and the rule is named."""
    world = make(COUNT)
    replies = [world.ask_for("select * from trial") for _ in range(3)]

    assert [(r.status, r.json["rule"]) for r in replies] == [(403, "rows")] * 3
    assert [u.outcome for u in world.used()] == ["refused"] * 3
    assert world.ask_for(FAIR).status == 200


def test_an_answer_too_close_to_an_earlier_one_is_refused_and_counts(make: Make) -> None:
    """Data was touched, and even the refusal tells something: it must not be free."""
    world = make(COUNT)
    first, second = world.ask_for("select sum(dose) from trial"), world.ask_for(RARE)

    assert (first.status, second.status, second.json["rule"]) == (200, 403, "difference")
    assert [u.outcome for u in world.used()] == ["answered", "failed"]
    assert world.ask_for(FAIR).json.get("rule") is None
    assert len(world.used()) == 2


def test_what_was_refused_is_no_earlier_answer(make: Make) -> None:
    """A question that was not answered has told nothing; it must not stand in the way of the next."""
    world = make()
    assert world.ask_for("select sum(dose) from trial").status == 200
    assert world.ask_for(RARE).status == 403

    assert world.ask_for("select site, count(*) from trial where site <> 'rare' group by site").status == 403
    assert world.ask_for("select arm, sum(dose) from trial group by arm").status == 200


def test_questions_asked_at_once_are_compared_with_each_other(make: Make) -> None:
    """Two calls that cross must not slip past each other: not both halves of a difference are answered."""
    world = make()

    async def both() -> list[Any]:
        bodies = [msgspec.json.encode({"sql": q}) for q in ("select sum(dose) from trial", RARE)]
        return await asyncio.gather(*(world.acall(body) for body in bodies))

    assert [r.status for r in asyncio.run(both())].count(200) <= 1


def test_a_consumer_has_one_question_at_a_time(make: Make) -> None:
    """Who asks a hundred things at once would have every child of the node, and all others would wait."""
    world = make()

    async def three() -> list[Any]:
        body = msgspec.json.encode({"sql": FAIR})
        return await asyncio.gather(*(world.acall(body) for _ in range(3)))

    assert [r.status for r in asyncio.run(three())] == [200] * 3
    assert world.children.most == 1


def test_a_changed_file_is_not_asked(make: Make) -> None:
    """What was offered is a snapshot; another content is another product."""
    world = make()
    world.resource.path.chmod(0o600)
    world.resource.path.write_bytes(b"PAR1")

    assert world.ask_for(FAIR).json["rule"] == "engine"
    assert [u.outcome for u in world.used()] == ["failed"]


def test_rows_beyond_the_most_are_cut_and_it_is_said(make: Make) -> None:
    """An answer that is silently shorter would be taken for the whole."""
    world = make((ENTREPOT + "rowsPerUse", "lteq", "2"))
    answer = read_answer(world.ask_for(FAIR).body)

    assert (len(answer.rows), answer.cut) == (2, True)


def test_the_contract_may_ask_for_larger_groups(make: Make) -> None:
    """The stricter of product and contract holds, and is the fact that the policy judges."""
    world = make((ENTREPOT + "minimumGroupSize", "gteq", "16"))
    answer = read_answer(world.ask_for(FAIR).body)

    assert (answer.rows, answer.smallest_group) == ((), 16)


def test_the_contract_may_leave_only_some_columns(make: Make) -> None:
    """A column that the contract does not name is as if it were not there."""
    world = make((ENTREPOT + "fields", "isPartOf", ["arm", "cd4"]))

    assert world.ask_for("select arm, count(cd4) from trial group by arm").status == 200
    assert world.ask_for(FAIR).json["rule"] == "column"


def test_the_contract_may_leave_only_some_rows(make: Make) -> None:
    """Its row filter is part of the table, whatever is asked."""
    world = make((ENTREPOT + "rowFilter", "isPartOf", "arm in (1, 2)"))

    assert [row[0] for row in read_answer(world.ask_for(FAIR).body).rows] == [1, 2]


def test_a_consumer_can_ask_what_may_be_asked(open_world: Any) -> None:
    """A plain connector learns table, roles and rules from the door alone; it is no use."""
    before = len(open_world.used())
    reply = open_world.call(method="GET")

    assert (reply.json["table"], reply.json["smallestGroup"]) == ("trial", 5)
    assert {c["name"]: c["role"] for c in reply.json["columns"]} == {
        "person": "subject", "arm": "dimension", "site": "dimension", "age": "dimension",
        "cd4": "measure", "dose": "measure",
    }  # fmt: skip
    assert "rows" in reply.json["rules"]
    assert len(open_world.used()) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"select 1", 400),
        (b'{"sql": 1}', 400),
        (b'{"sql": "x", "y": 1}', 400),
        (b" " * 70_000, 413),
    ],
)
def test_what_is_no_question_is_no_use(open_world: Any, body: bytes, status: int) -> None:
    """A body that nobody could mean is answered before anything is counted."""
    before = len(open_world.used())

    assert open_world.call(body).status == status
    assert len(open_world.used()) == before


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_token_there_is_no_door(open_world: Any, method: str) -> None:
    """A stranger learns neither the table nor that there is one, and starts no child."""
    reply = open_world.call(msgspec.json.encode({"sql": FAIR}), method=method, token="another token")

    assert (reply.status, reply.json.get("reasons")) == (404, None)


def test_where_no_child_can_be_started_nothing_is_used(make: Make) -> None:
    """The extra is not installed, or the machine lets nothing start: it is said, and no use is counted."""
    world = make(is_there=False)

    assert world.ask_for(FAIR).status == 503
    assert world.used() == []


def test_a_product_without_protection_is_not_asked(make: Make) -> None:
    """Where nobody has said what may be asked, nothing may."""
    reply = make(protection=None).ask_for(FAIR)

    assert reply.status == 403
    assert reply.json["reasons"] == ["nobody has said what may be asked about this product"]


def test_a_stop_in_the_middle_leaves_nothing_to_be_read(make: Make) -> None:
    """The answer of a use that was stopped must not leave, although it is computed."""
    world = make()

    async def stopped() -> Any:
        call = asyncio.create_task(world.acall(msgspec.json.encode({"sql": FAIR})))
        while not world.used():  # noqa: ASYNC110 (what is durable is the condition, and nobody signals it)
            await asyncio.sleep(0.01)
        world.streams.stop_agreement(query_world.AGREEMENT)
        return await call

    assert asyncio.run(stopped()).body == b""
    assert [u.outcome for u in world.used()] == ["interrupted"]
