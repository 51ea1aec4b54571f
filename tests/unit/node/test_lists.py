"""The owner's long lists: each a page at a time, and whole for whoever follows them."""

import asyncio
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot import contracts  # noqa: E402 (after the house is loaded)
from entrepot.contracts import (  # noqa: E402
    Agreement,
    Exchange,
    Negotiation,
    Offer,
    Party,
    State,
)
from entrepot.contracts import store as negotiations  # noqa: E402
from entrepot.journal import Transaction  # noqa: E402
from entrepot.policy import Policy, Rule  # noqa: E402
from entrepot.protocols import Reply  # noqa: E402
from entrepot.use import TransferProcess, Use, UseState  # noqa: E402
from entrepot.use import store as uses  # noqa: E402
from entrepot.values import (  # noqa: E402
    AgreementId,
    ContractId,
    Did,
    KindOfUse,
    OfferId,
    ProcessId,
    ProductId,
    UseId,
    sha256,
)

MANY = 130
LISTS = {"contracts": "agreement", "negotiations": "id", "processes": "id", "uses": "use"}
WAITING = ProcessId("urn:uuid:0")
POLICY = Policy((Rule("use"),))
ME, PEER, PRODUCT = Did("did:web:me"), Did("did:web:peer"), ProductId("6PRODUCT")
AGREEMENTS = [AgreementId(f"{n:04d}/a") for n in range(MANY)]
Ask = Callable[..., Reply]


def fill(tx: Transaction) -> None:
    """As many of each; the one that waits for a person is the oldest of them."""
    offer = Offer(OfferId("o"), PRODUCT, POLICY, ME, PEER)
    waiting = Exchange(WAITING, Party.PROVIDER, State.REQUESTED, None, ProcessId("theirs"), 1)
    negotiations.create(tx, Negotiation(waiting, PEER, "https://peer", offer, offer, needs_person=True))
    for agreement_id in AGREEMENTS:
        agreement = Agreement(agreement_id, PRODUCT, POLICY, ME, PEER, tx.now)
        with warnings.catch_warnings(action="ignore"):
            contracts.hold_insecure_unsigned(tx, agreement, Party.PROVIDER, PEER)
        at = Exchange(ProcessId(tx.new_id()), Party.PROVIDER, State.STARTED, None, ProcessId(tx.new_id()), 1)
        uses.create(tx, TransferProcess(at, PEER, "https://peer", agreement_id, "HttpData-PULL"))
        used = Use(
            UseId(tx.new_id()), at.id, agreement_id, ContractId(agreement_id), PEER, PRODUCT, sha256(b""),
            KindOfUse.DELIVERY, UseState.CLOSED, "boot", 0, tx.now, tx.now, 1,
        )  # fmt: skip
        uses.open_use(tx, used)
    for _ in range(MANY - 1):
        over = Exchange(
            ProcessId(tx.new_id()), Party.PROVIDER, State.TERMINATED, None, ProcessId(tx.new_id()), 1
        )
        negotiations.create(tx, Negotiation(over, PEER, "https://peer", offer, offer))


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks the owner's port of a connector that has 130 of each."""
    house = the_house.House(tmp_path_factory.mktemp("house"))
    home = house.homes["provider"]
    home.node.journal.write_now(fill)
    token = (home.node.folder / "owner.token").read_text()

    def get(path: str, query: str = "") -> Reply:
        headers = {"authorization": f"Bearer {token}"}
        return asyncio.run(the_house.call(home.owner, "GET", path, b"", headers, query))

    yield get
    house.close()


def told(reply: Reply) -> Any:
    assert reply.status == 200
    return json.loads(reply.body)


@pytest.mark.parametrize("name", LISTS)
def test_following_the_links_gives_every_row_once(ask: Ask, name: str) -> None:
    """What stands on no page is there, and its owner cannot see it."""
    seen, sizes, query = [], [], ""
    while True:
        reply = ask(f"/owner/{name}", query)
        rows = told(reply)[name]
        seen += [row[LISTS[name]] for row in rows]
        sizes.append(len(rows))
        following = [at for at in reply.headers.get("link", "").split(", ") if at.endswith('rel="next"')]
        if not following:
            break
        query = following[0].partition("<?")[2].partition(">")[0]

    assert sizes == [100, 30]
    assert len(set(seen)) == MANY
    assert told(reply)["nextAfter"] is None
    assert (
        told(ask(f"/owner/{name}", f"after={told(reply)['previousAfter']}"))[name][0]
        == told(ask(f"/owner/{name}"))[name][0]
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_list_in_one_page_has_no_link(ask: Ask, name: str) -> None:
    """A thousand may be asked for at once."""
    reply = ask(f"/owner/{name}", "limit=1000")

    assert len(told(reply)[name]) == MANY
    assert "link" not in reply.headers


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=x", "after=%ff", "after=W10"])
def test_what_is_no_page_is_refused_by_its_name(ask: Ask, name: str, query: str) -> None:
    """A mistyped place would give another page than was meant, or a fault of ours."""
    reply = ask(f"/owner/{name}", query)

    assert reply.status == 400
    assert query.partition("=")[0] in json.loads(reply.body)["detail"]


@pytest.mark.parametrize("name", ["processes", "uses"])
def test_what_is_under_one_agreement_is_asked_for(ask: Ask, name: str) -> None:
    """A page of one contract would show nothing where others have newer uses."""
    (row,) = told(ask(f"/owner/{name}", f"agreement={AGREEMENTS[3]}"))[name]

    assert row["agreement"] == AGREEMENTS[3]


def test_what_waits_for_a_person_is_asked_for(ask: Ask) -> None:
    """It is the oldest of all, and must not be forgotten for that."""
    assert [n["id"] for n in told(ask("/owner/negotiations", "waits=true"))["negotiations"]] == [WAITING]
    assert ask("/owner/negotiations", "waits=false").status == 400


def test_one_contract_is_read_by_its_id(ask: Ask) -> None:
    """Who wants one would have to turn every page; an agreement of others may be named with a slash."""
    assert told(ask(f"/owner/contracts/{AGREEMENTS[5]}"))["agreement"] == AGREEMENTS[5]
    assert told(ask(f"/owner/contracts/{AGREEMENTS[5]}/duties")) == []
    assert ask("/owner/contracts/none").status == 404
