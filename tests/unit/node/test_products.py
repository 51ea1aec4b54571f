"""The owner's products: a page at a time, one by its id, and questions that are no page."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot import catalogue  # noqa: E402 (after the house is loaded)
from entrepot.journal import Transaction  # noqa: E402
from entrepot.policy import Policy, Rule  # noqa: E402
from entrepot.protocols import Reply  # noqa: E402
from entrepot.values import Grade, KindOfUse, ProductId  # noqa: E402

NAMES = [f"6P{n:04d}" for n in range(230)]
Ask = Callable[..., Reply]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks the owner's port of a connector that offers 230 products."""
    folder = tmp_path_factory.mktemp("house")
    house = the_house.House(folder)
    home = house.homes["provider"]
    file = folder / "data.csv"
    file.write_text("a,b\n1,2\n")
    resource = catalogue.measure(file, "text/csv", "resource-1")
    kinds = frozenset({KindOfUse.DELIVERY})

    def offer(tx: Transaction) -> None:
        catalogue.attach_resource(tx, resource)
        for name in reversed(NAMES):  # the newest is shown first
            said = catalogue.Description(f"Data {name}", "", "none", Grade.L1, kinds, Policy((Rule("use"),)))
            catalogue.offer_product(tx, ProductId(name), home.node.me, resource.id, said)

    home.node.journal.write_now(offer)
    token = (home.node.folder / "owner.token").read_text()

    def get(path: str, query: str = "") -> Reply:
        headers = {"authorization": f"Bearer {token}"}
        return asyncio.run(the_house.call(home.owner, "GET", path, b"", headers, query))

    yield get
    house.close()


def page(ask: Ask, query: str = "") -> Any:
    reply = ask("/owner/products", query)
    assert reply.status == 200
    return json.loads(reply.body)


def test_following_the_pages_gives_every_product_once(ask: Ask) -> None:
    """What stands on no page is on offer, and its owner cannot see it."""
    found, after, sizes = [], 0, []
    while after is not None:
        one = page(ask, f"after={after}")
        found += [p["id"] for p in one["products"]]
        sizes.append(len(one["products"]))
        after = one["nextAfter"]

    assert found == NAMES
    assert sizes == [100, 100, 30]
    assert one["total"] == 230
    assert page(ask, f"after={one['previousAfter']}")["products"][0]["id"] == NAMES[100]


def test_a_page_is_as_long_as_it_is_asked_to_be(ask: Ask) -> None:
    """A program that shows ten would have to throw ninety away."""
    assert [p["id"] for p in page(ask, "limit=3")["products"]] == NAMES[:3]
    assert page(ask, "after=1")["products"] == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "after=-1", "after=1e3", f"after={2**63}", "limit=٣"],
)
def test_what_is_no_page_is_refused_by_its_name(ask: Ask, query: str) -> None:
    """A mistyped number would give another page than was meant, or a fault of ours."""
    reply = ask("/owner/products", query)

    assert reply.status == 400
    assert query.partition("=")[0] in json.loads(reply.body)["detail"]


def test_one_product_is_read_by_its_id(ask: Ask) -> None:
    """Who wants one would have to turn every page."""
    assert json.loads(ask(f"/owner/products/{NAMES[7]}").body)["title"] == f"Data {NAMES[7]}"
    assert ask("/owner/products/6NONE").status == 404
