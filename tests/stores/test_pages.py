"""What every long list promises, on either database: page after page it is whole, and nothing comes twice."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from test_contracts import AGREEMENT, AT, NEGOTIATION, NOW, PEER, PROCESS

from entrepot import contracts, space, use
from entrepot.contracts import Party
from entrepot.contracts import store as negotiations
from entrepot.journal import Journal, Page, Place, Transaction
from entrepot.space import FiledContract, FilingState
from entrepot.space import filing_store as filed
from entrepot.use import Use, UseState, process
from entrepot.use import store as uses
from entrepot.values import (
    AgreementId,
    ContractId,
    KindOfUse,
    MalformedError,
    ProcessId,
    ProductId,
    UseId,
    sha256,
)

SIZES = (1, 3, 100)
USE = Use(
    UseId(""), AT.id, AGREEMENT.id, ContractId("c"), PEER, ProductId("p"), sha256(b"data"), KindOfUse.API,
    UseState.OPEN, "boot", 0, NOW, NOW, 1,
)  # fmt: skip
OTHER = AgreementId("another agreement")


def _negotiation(tx: Transaction) -> str:
    at = replace(AT, id=ProcessId(tx.new_id()), peer_pid=ProcessId(tx.new_id()))
    negotiations.create(tx, replace(NEGOTIATION, exchange=at))
    return at.id


def _process(tx: Transaction, agreement_id: AgreementId = AGREEMENT.id) -> str:
    at = replace(AT, id=ProcessId(tx.new_id()), peer_pid=ProcessId(tx.new_id()))
    uses.create(tx, replace(PROCESS, exchange=at, agreement_id=agreement_id))
    return at.id


def _use(tx: Transaction, agreement_id: AgreementId = AGREEMENT.id) -> str:
    made = replace(USE, id=UseId(tx.new_id()), agreement_id=agreement_id)
    uses.open_use(tx, made)
    return made.id


def _contract(tx: Transaction) -> str:
    of = AgreementId(tx.new_id())
    with warnings.catch_warnings(action="ignore"):
        contracts.hold_insecure_unsigned(tx, replace(AGREEMENT, id=of), Party.PROVIDER, PEER)
    return of


def _filing(tx: Transaction) -> str:
    of = ContractId(tx.new_id()[-36:])
    given = FiledContract(
        of, PEER, AGREEMENT.assigner, of, FilingState.GIVEN, tx.now, None, b"", None, False, None, None,
        None, b"", "", "",
    )  # fmt: skip
    filed.give(tx, given)
    return of


@dataclass(frozen=True)
class List:
    keep: Callable[[Transaction], str]
    page: Callable[[Any, Place], Page[Any]]
    name: Callable[[Any], str]


LISTS = {
    "negotiations": List(_negotiation, contracts.negotiation_page, lambda n: str(n.exchange.id)),
    "processes": List(_process, process.process_page, lambda p: str(p.exchange.id)),
    "uses": List(_use, use.use_page, lambda u: str(u.id)),
    "contracts": List(_contract, contracts.contract_page, lambda c: str(c.agreement.id)),
    "filings": List(_filing, space.contract_page, lambda c: str(c.contract_id)),
}


class PagesContract:
    """What every such list promises. Subclasses provide `journal`."""

    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.parametrize("size", SIZES)
    def test_what_was_there_is_found_once_whatever_comes_meanwhile(
        self, journal: Journal, name: str, size: int
    ) -> None:
        """A row written between two pages must push none out, and show none twice."""
        listed = LISTS[name]
        there = {journal.write_now(listed.keep) for _ in range(7)}
        seen: list[str] = []
        after: str | None = ""

        def at(after: str) -> Page[Any]:
            return journal.read_now(lambda c: listed.page(c, Place(after, size)))

        while after is not None:
            page = at(after)
            seen += [listed.name(item) for item in page.items]
            assert len(page.items) <= size
            journal.write_now(listed.keep)
            after = page.next_after

        assert len(set(seen)) == len(seen)
        assert there <= set(seen)

    @pytest.mark.parametrize("name", LISTS)
    def test_the_pages_back_are_those_that_were_turned(self, journal: Journal, name: str) -> None:
        """Whoever turns back sees what he saw, and ends at the newest."""
        listed = LISTS[name]
        for _ in range(7):
            journal.write_now(listed.keep)

        def at(after: str) -> Page[Any]:
            return journal.read_now(lambda c: listed.page(c, Place(after, 3)))

        first = at("")
        second = at(first.next_after or "")
        third = at(second.next_after or "")

        assert [len(p.items) for p in (first, second, third)] == [3, 3, 1]
        assert (first.previous_after, second.previous_after, third.next_after) == (None, "", None)
        assert (at(third.previous_after or ""), at(second.previous_after or "")) == (second, first)

    @pytest.mark.parametrize("keep", [_use, _process])
    def test_what_is_under_one_agreement_is_found_among_others(
        self, journal: Journal, keep: Callable[..., str]
    ) -> None:
        """A contract's page must show its own uses, however many newer ones there are of others."""
        mine = [journal.write_now(lambda tx: keep(tx, OTHER)) for _ in range(3)]
        for _ in range(4):
            journal.write_now(keep)
        page: Any = use.use_page if keep is _use else process.process_page
        name = LISTS["uses" if keep is _use else "processes"].name

        first = journal.read_now(lambda c: page(c, Place("", 2), OTHER))
        second = journal.read_now(lambda c: page(c, Place(first.next_after or "", 2), OTHER))

        assert {name(i) for i in (*first.items, *second.items)} == set(mine)
        assert (len(first.items), second.next_after) == (2, None)

    def test_what_waits_for_a_person_is_found_among_others(self, journal: Journal) -> None:
        """An offer must not be forgotten because two hundred others came after it."""
        waits = replace(
            NEGOTIATION,
            exchange=replace(AT, id=ProcessId("urn:uuid:0"), state=contracts.State.REQUESTED, pending=None),
            approved=False,
        )
        journal.write_now(lambda tx: negotiations.create(tx, waits))
        for _ in range(3):
            journal.write_now(_negotiation)

        found = journal.read_now(lambda c: contracts.waiting_for_a_person(c, Place(size=2)))

        assert [n.exchange.id for n in found.items] == [waits.exchange.id]
        assert found.next_after is None

    def test_what_was_kept_last_is_the_first_contract(self, journal: Journal) -> None:
        """Codes and agreements of others are in no order; a person looks for what is new."""
        kept = [journal.write_now(_contract) for _ in range(5)]

        found = journal.read_now(lambda c: contracts.contract_page(c, Place()))

        assert [c.agreement.id for c in found.items] == kept[::-1]

    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.parametrize(
        "after",
        ["x", "W10", "WyJhIiwiYiIsImMiXQ", "WzFd", "WyJcdTAwMDAiXQ", "WyJcdWQ4MDAiXQ", "é", "W" * 3000],
    )
    def test_what_no_page_gave_is_refused(self, journal: Journal, name: str, after: str) -> None:
        """A mistyped place is no page, and no fault of ours."""
        with pytest.raises(MalformedError, match="after: expected"):
            journal.read_now(lambda c: LISTS[name].page(c, Place(after)))


class TestOnSqlite(PagesContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestOnPostgresql(PagesContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
