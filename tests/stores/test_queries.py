"""What is kept of earlier questions, on whichever database: by reader and artefact, each once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from entrepot.journal import Journal
from entrepot.use import Use, UseState
from entrepot.use.query import history
from entrepot.use.query.cage.model import Cells
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    Digest,
    KindOfUse,
    ProcessId,
    ProductId,
    UseId,
    sha256,
)

READER, OTHER = Did("did:web:reader"), Did("did:web:other")
TABLE = sha256(b"a table")
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)


def use_of(name: str, reader: Did = READER, artefact: Digest = TABLE, agreement: str = "one") -> Use:
    return Use(
        UseId(name), ProcessId("p"), AgreementId(agreement), ContractId("c"), reader, ProductId("6P"),
        artefact, KindOfUse.QUERY, UseState.OPEN, "boot", 0, NOW, NOW, 0,
    )  # fmt: skip


def cells(name: str) -> tuple[Cells, ...]:
    return (
        Cells(members=f"SELECT {name}", labels=("",), rows=f"SELECT {name}"),
        Cells(members="SELECT 1", labels=("x",), rows="SELECT 1", missing="x"),
    )


class HistoryContract:
    """What the history of queries promises. Subclasses provide `journal`."""

    def test_what_was_asked_by_the_same_reader_of_the_same_artefact_comes_back(
        self, journal: Journal
    ) -> None:
        """Two agreements are one reader: an answer under one is known when the other is used."""
        journal.write_now(lambda tx: history.remember(tx, use_of("u1"), cells("a")))
        journal.write_now(lambda tx: history.remember(tx, use_of("u2", agreement="two"), cells("b")))

        found = journal.read_now(lambda c: history.earlier(c, use_of("u3", agreement="two")))
        assert found == (*cells("a"), *cells("b"))

    def test_a_question_is_not_earlier_than_itself(self, journal: Journal) -> None:
        """Else each answer would be compared with itself only, or refused for it."""
        journal.write_now(lambda tx: history.remember(tx, use_of("u1"), cells("a")))

        assert journal.read_now(lambda c: history.earlier(c, use_of("u1"))) == ()

    def test_another_readers_questions_and_other_artefacts_do_not_count(self, journal: Journal) -> None:
        """One reader must not be refused, and so told, what another has asked."""
        journal.write_now(lambda tx: history.remember(tx, use_of("u1", OTHER), cells("a")))
        journal.write_now(lambda tx: history.remember(tx, use_of("u2", artefact=sha256(b"b")), cells("a")))

        assert journal.read_now(lambda c: history.earlier(c, use_of("u3"))) == ()

    def test_what_was_not_answered_is_forgotten(self, journal: Journal) -> None:
        """A question that told nothing must not stand in the way of the next."""
        journal.write_now(lambda tx: history.remember(tx, use_of("u1"), cells("a")))
        journal.write_now(lambda tx: history.forget(tx, UseId("u1")))

        assert journal.read_now(lambda c: history.earlier(c, use_of("u2"))) == ()

    def test_the_same_question_is_kept_once(self, journal: Journal) -> None:
        """A history that grows by repetition would make each answer slower for nothing."""
        for name in ("u1", "u2", "u3"):
            journal.write_now(lambda tx, name=name: history.remember(tx, use_of(name), cells("a")))

        assert journal.read_now(lambda c: history.earlier(c, use_of("u4"))) == cells("a")

    def test_of_questions_asked_at_once_every_pair_knows_of_each_other(self, journal: Journal) -> None:
        """Each is written down before it looks: of two halves of a difference one at least sees the other."""

        def asked(n: int) -> set[str]:
            journal.write_now(lambda tx: history.remember(tx, use_of(f"u{n}"), cells(str(n))))
            return {c.members for c in journal.read_now(lambda c: history.earlier(c, use_of(f"u{n}")))}

        with ThreadPoolExecutor(8) as pool:
            seen = list(pool.map(asked, range(8)))

        for a in range(8):
            for b in range(a):
                assert f"SELECT {b}" in seen[a] or f"SELECT {a}" in seen[b]


class TestSqliteHistory(HistoryContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestPostgresqlHistory(HistoryContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
