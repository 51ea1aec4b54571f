"""Facts: each operand has a source in each kind of use that claims to do something about it, and no other."""

import importlib.util
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str, path: Path) -> ModuleType:
    """Test folders are no packages; what several tests share is loaded by its path, once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


gate_world = _load("gate_world", Path(__file__).with_name("gate_world.py"))
admitted, denied = gate_world.admitted, gate_world.denied
_samples = _load("entrepot_policy_samples", Path(__file__).parents[1] / "policy/samples.py")

from entrepot.catalogue import Column, ColumnRole, ColumnType, Product, Protection, Resource  # noqa: E402
from entrepot.policy import (  # noqa: E402
    ASSURANCES,
    OPERANDS,
    Assurance,
    Fact,
    Policy,
    Source,
    parse_filter,
    parse_policy,
    terms_of,
)
from entrepot.use import Outcome, duties, foreseen, left_of  # noqa: E402
from entrepot.use.api_ask import parse_ask, table_under  # noqa: E402
from entrepot.use.facts import caller_of, claims_of, seen  # noqa: E402
from entrepot.use.query.cage.model import Limits, Written  # noqa: E402
from entrepot.use.query.sandbox import Tier  # noqa: E402
from entrepot.use.query.schema import askable, facts_seen  # noqa: E402
from entrepot.values import Digest, Grade, KindOfUse, Money, sha256  # noqa: E402

EXAMPLES, example = _samples.EXAMPLES, _samples.example
API, DELIVERY, QUERY = KindOfUse.API, KindOfUse.DELIVERY, KindOfUse.QUERY
PROCESSES = {API: gate_world.CALLING, DELIVERY: gate_world.PROCESS, QUERY: gate_world.ASKING}
HEADERS = {f"entrepot-claim-{name.lower()}": f"claimed:{name}" for name in OPERANDS}
SCOPE = {"client": ("192.0.2.7", 40_000)}
COLUMNS = (Column("age", ColumnType.INTEGER), Column("arm", ColumnType.INTEGER))
RESOURCE = Resource("r", Path("t.parquet"), "x", 10, Digest(sha256(b"x")), 0, 0, columns=COLUMNS, rows=3)


def product_of(policy: Policy) -> Product:
    return Product(
        id=gate_world.ProductId("6PRODUCT"), version=1, title="t", description="d", keywords=(),
        provider=gate_world.PROVIDER, grade=Grade.L2, rights="r", kinds=frozenset({QUERY}), policy=policy,
        media_type="x", size=10, artefact=RESOURCE.digest, published_at=gate_world.NOW,
        protection=Protection("trial", "", 10, (("age", ColumnRole.MEASURE), ("arm", ColumnRole.DIMENSION))),
    )  # fmt: skip


def at_the_api(policy: Policy) -> dict[str, Fact]:
    """What the door of an API sees of a call."""
    return dict(parse_ask(b"limit=2", table_under(RESOURCE, terms_of(policy, API), bytes(32))).observed)


def at_the_query(policy: Policy) -> dict[str, Fact]:
    """What the door of queries sees of a question."""
    asked = askable(product_of(policy), RESOURCE, policy, Limits())
    assert asked is not None
    written = Written(sql="SELECT 1", columns=("n",), cells=(), reads=("arm",))
    return facts_seen(asked, written, Tier.BWRAP)


DOORS: dict[KindOfUse, Callable[[Policy], dict[str, Fact]]] = {
    API: at_the_api,
    DELIVERY: lambda _: {},
    QUERY: at_the_query,
}


def facts_at(kind: KindOfUse, tmp_path: Path, policy: Policy) -> dict[str, Fact]:
    """Everything that is known of a call: by the gate, by the real door, by the caller's word."""
    folder = tmp_path / str(kind)
    folder.mkdir()
    world = gate_world.World(folder, OPEN, frozenset({kind}), Grade.L1 if kind is API else Grade.L2)
    try:
        observed = {**caller_of(SCOPE), **claims_of(HEADERS, kind), **DOORS[kind](policy)}
        return world.facts(kind, policy, observed)  # type: ignore[no-any-return]  # loaded by its path
    finally:
        world.close()


OPEN = parse_policy({"permission": [{"action": "use"}]})
ASKS_EVERYTHING = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [
                    example(name)["permission"][0]["constraint"][0]
                    for name in EXAMPLES
                    if name not in {"fields", "rowFilter"}
                ],
            }
        ]
    }
)


@pytest.mark.parametrize("kind", [API, DELIVERY, QUERY])
def test_no_operand_is_without_a_source_of_fact(kind: KindOfUse, tmp_path: Path) -> None:
    """What is done about an operand rests on a fact; what nobody can tell is nowhere among the facts."""
    facts = facts_at(kind, tmp_path, ASKS_EVERYTHING)
    names = {EXAMPLES[name][2] for name in OPERANDS if (name, kind) in ASSURANCES}
    unseen = {EXAMPLES[name][2] for name in OPERANDS if (name, kind) not in ASSURANCES}

    assert names - facts.keys() == set()
    assert unseen & facts.keys() == set()
    for name, operand in OPERANDS.items():
        if (fact := facts.get(EXAMPLES[name][2])) is not None:
            assert fact.source in operand.sources
            if ASSURANCES[name, kind] is Assurance.ENFORCES:
                assert fact.source is not Source.CLAIMED


def test_a_claim_never_stands_in_for_what_is_seen() -> None:
    """A caller who says which algorithm runs has said nothing where the door runs it."""
    said = {"recipient", "physicalAddress", "application", "model"}
    assert claims_of(HEADERS, QUERY).keys() == said
    assert claims_of(HEADERS, DELIVERY).keys() >= {"algorithm", "environment"}
    assert all(f.source is Source.CLAIMED for f in claims_of(HEADERS, DELIVERY).values())
    assert claims_of({"entrepot-claim-application": "x" * 501}, API) == {}
    assert claims_of({"entrepot-claim-count": "0"}, API) == {}


def test_what_a_door_saw_has_one_set_of_names() -> None:
    """What is not said is not known; nothing is zero by silence."""
    assert seen() == {}
    found = seen(fields=frozenset({"a"}), rows=0, row_filter=parse_filter("a = 1"), is_encrypted=True)

    assert {n: f.value for n, f in found.items()} == {
        "fields": {"a"},
        "rowsPerUse": 0,
        "rowFilter": {"a = 1"},
        "encryption": "cipher",
        "treatment": {"encrypt"},
    }
    assert {f.source for f in found.values()} == {Source.OBSERVED}
    assert caller_of({}) == {}


@pytest.mark.parametrize("name", ["fields", "rowFilter", "minimumGroupSize", "rowsPerUse", "rows"])
def test_may_i_foresees_a_call_within_the_terms(name: str) -> None:
    """Asking without spending gives the answer that a call within the terms would get."""
    found = foreseen(parse_policy(example(name)), QUERY)

    assert {"fields", "rowFilter", "rowsPerUse"} <= found.keys()
    assert found.get("minimumGroupSize") == (
        Fact(10, Source.OBSERVED) if name == "minimumGroupSize" else None
    )
    assert "bytesPerUse" not in found


def test_a_delivery_comes_to_its_whole_artefact(tmp_path: Path) -> None:
    """A budget of bytes and rows is charged with what the file has, before a byte leaves."""
    terms = parse_policy(
        {
            "permission": [
                {
                    "action": "use",
                    "constraint": [
                        {"leftOperand": "bytes", "operator": "lteq", "rightOperand": "18"},
                        {"leftOperand": "rows", "operator": "lteq", "rightOperand": "2"},
                        {"leftOperand": "fields", "operator": "isPartOf", "rightOperand": ["a", "b"]},
                    ],
                }
            ]
        }
    )
    world = gate_world.World(tmp_path, terms, frozenset({DELIVERY}))
    first = admitted(world.knock())
    world.settle(first.use.id, Outcome.SENT, first.use.size)
    world.settle(first.use.id, Outcome.RECEIVED)
    second = admitted(world.knock())
    world.settle(second.use.id, Outcome.INTERRUPTED, 3)
    resumed = admitted(world.knock())
    world.settle(resumed.use.id, Outcome.RECEIVED)

    assert second.use.id == resumed.use.id
    asked = world.facts(DELIVERY, terms, foreseen(terms, DELIVERY))
    assert (asked["bytes[0]"].value, asked["rows[0]"].value) == (19, 3)
    assert denied(world.knock()).reasons == (
        "permission[0].constraint[0]: asked bytes lteq 18, found 19",
        "permission[0].constraint[1]: asked rows lteq 2, found 3",
    )
    world.close()


def test_a_query_gives_back_what_it_did_not_come_to(tmp_path: Path) -> None:
    """Two questions of forty rows at most leave no room for a third, until the first has given 25."""
    terms = parse_policy(
        {
            "permission": [
                {
                    "action": "use",
                    "constraint": [{"leftOperand": "rows", "operator": "lteq", "rightOperand": "100"}],
                }
            ]
        }
    )
    world = gate_world.World(tmp_path, terms, frozenset({QUERY}))

    def ask() -> Any:
        return world.knock(gate_world.ASKING, kind=QUERY, observed=seen(rows=40))

    def left() -> list[int]:
        contract = world.journal.read_now(world.contract)
        return [x.left for x in world.journal.read_now(lambda c: left_of(c, contract, world.now))]

    first, second = admitted(ask()), admitted(ask())
    assert left() == [20]
    assert "found 120" in denied(ask()).reasons[0]
    assert "found nothing" in denied(world.knock(gate_world.ASKING, kind=QUERY)).reasons[0]
    world.settle(first.use.id, Outcome.ANSWERED, rows=25)
    assert left() == [35]
    world.settle(second.use.id, Outcome.FAILED, rows=1)
    assert left() == [35]
    third = world.knock(gate_world.ASKING, kind=QUERY, observed=seen(rows=35))
    world.settle(admitted(third).use.id, Outcome.REFUSED)
    assert left() == [35]
    world.close()


def test_payment_before_use_opens_the_door(tmp_path: Path) -> None:
    """Until whoever is paid has written it down, nothing leaves; one payment too small is not enough."""
    world = gate_world.World(tmp_path, parse_policy(example("payAmount")), frozenset({DELIVERY}))

    def pay(minor: int, currency: str) -> None:
        world.journal.write_now(
            lambda tx: duties.record_payment(tx, world.contract(tx.connection), Money(minor, currency))
        )

    assert "found 0" in denied(world.knock()).reasons[0]
    pay(9_999, "CNY")
    pay(100_000, "JPY")
    assert "found 9999" in denied(world.knock()).reasons[0]
    pay(1, "CNY")
    assert admitted(world.knock())
    world.close()


def test_time_since_the_agreement_runs_from_its_signature(tmp_path: Path) -> None:
    """An offer cannot know the day on which it will be agreed; ninety days later the door is shut."""
    world = gate_world.World(tmp_path, parse_policy(example("elapsedTime")), frozenset({DELIVERY}))
    world.now = gate_world.NOW + timedelta(days=90) - timedelta(hours=1)
    world.learn_status()
    first = admitted(world.knock())
    world.settle(first.use.id, Outcome.RECEIVED)
    world.now += timedelta(seconds=1)

    assert "elapsedTime" in denied(world.knock()).reasons[0]
    world.close()
