"""A prepared statement does what the same statement does without being prepared, on either database."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError, OperationalError

from entrepot.journal import Journal, Prepared, Transaction, UtcTimeColumn
from entrepot.values import UnavailableError

THING = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("at", UtcTimeColumn),
    sa.Column("body", sa.LargeBinary),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sqlite_autoincrement=True,
)
ADD = Prepared(sa.insert(THING))
ALL = Prepared(sa.select(THING).order_by(THING.c.row))
NAMED = Prepared(sa.select(THING.c.row, THING.c.at).where(THING.c.name == sa.bindparam("of")))
AMONG = Prepared(sa.select(THING.c.name).where(THING.c.name.in_(("a", "c"))).order_by(THING.c.name))
TURN = Prepared(
    sa.update(THING)
    .where(THING.c.row >= sa.bindparam("least"), THING.c.is_open == sa.true())
    .values(is_open=sa.bindparam("to_open"), name=THING.c.name + sa.bindparam("more"))
)
NOW = datetime(2026, 11, 25, 8, 30, 1, 5, UTC)


def thing(name: str, **values: object) -> dict[str, Any]:
    return {"name": name, "at": NOW, "body": b"\x00\xff", "is_open": True, **values}


class PreparedContract:
    """What every prepared statement promises. Subclasses provide `journal`."""

    @pytest.fixture(autouse=True)
    def _table(self, journal: Journal) -> None:
        journal.write_now(lambda tx: THING.metadata.create_all(tx.connection))

    def test_a_row_comes_back_as_it_went_in(self, journal: Journal) -> None:
        """Times, bytes and truth values keep their types; columns have their names."""
        journal.write_now(lambda tx: ADD.change(tx.connection, thing("a")))

        row = journal.read_now(lambda c: ALL.first(c, {}))
        assert (row.row, row.name, row.at, row.body, row.is_open) == (1, "a", NOW, b"\x00\xff", True)
        assert row.is_open is True
        assert journal.read_now(lambda c: NAMED.first(c, {"of": "b"})) is None

    def test_it_finds_what_the_plain_statement_finds(self, journal: Journal) -> None:
        """No row more, no row less, in the same order, with lists of fixed values too."""
        for name in "cab":
            journal.write_now(lambda tx, n=name: ADD.change(tx.connection, thing(n, at=None)))  # type: ignore[misc]  # bound in the loop

        for prepared in (ALL, AMONG):
            found = journal.read_now(lambda c, p=prepared: [tuple(row) for row in p.all(c, {})])  # type: ignore[misc]  # bound in the loop
            plain = journal.read_now(lambda c, p=prepared: [tuple(row) for row in c.execute(p.statement)])  # type: ignore[misc]  # bound in the loop
            assert found == plain
        assert [row.name for row in journal.read_now(lambda c: AMONG.all(c, {}))] == ["a", "c"]

    def test_it_says_how_much_it_changed_and_which_number_it_gave(self, journal: Journal) -> None:
        """A guarded update decides by its count, an opening belongs to the number of its record."""
        numbers = [journal.write_now(lambda tx, n=n: ADD.add(tx.connection, thing(n))) for n in "abc"]  # type: ignore[misc]  # bound in the loop

        assert numbers == [1, 2, 3]
        turn = {"least": 2, "to_open": False, "more": "!"}
        assert journal.write_now(lambda tx: TURN.change(tx.connection, turn)) == 2
        assert journal.write_now(lambda tx: TURN.change(tx.connection, turn)) == 0
        assert [r.name for r in journal.read_now(lambda c: ALL.all(c, {}))] == ["a", "b!", "c!"]

    @pytest.mark.parametrize("values", [{}, {"or": "a"}])
    def test_a_value_that_lacks_is_no_null(self, journal: Journal, values: dict[str, object]) -> None:
        """What was forgotten is told, not guessed."""
        journal.read_now(lambda c: NAMED.first(c, {"of": "a"}))

        with pytest.raises((TypeError, sa.exc.StatementError)):
            journal.read_now(lambda c: NAMED.first(c, values))

    def test_a_row_that_is_there_already_is_told_as_everywhere(self, journal: Journal) -> None:
        """Callers who look for a conflict find it, and what they do next happens."""

        def twice(tx: Transaction) -> None:
            ADD.change(tx.connection, thing("a"))
            with pytest.raises(IntegrityError), tx.connection.begin_nested():
                ADD.change(tx.connection, thing("a"))
            ADD.change(tx.connection, thing("b"))

        journal.write_now(twice)
        assert [r.name for r in journal.read_now(lambda c: ALL.all(c, {}))] == ["a", "b"]

    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(
        name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50),
        at=st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (hypothesis adds the zone)
        body=st.none() | st.binary(max_size=50),
        is_open=st.booleans(),
    )
    def test_any_value_survives(
        self, journal: Journal, name: str, at: datetime | None, body: bytes | None, *, is_open: bool
    ) -> None:
        """What is written is what the plain statement writes and reads."""
        values = {"name": name, "at": at, "body": body, "is_open": is_open}

        def both_ways(tx: Transaction) -> list[dict[str, Any]]:
            tx.connection.execute(sa.delete(THING))
            ADD.change(tx.connection, values)
            found = ALL.first(tx.connection, {})
            plain = tx.connection.execute(ALL.statement).one()
            return [{key: getattr(row, key) for key in values} for row in (found, plain)]

        assert journal.write_now(both_ways) == [values, values]


class TestSqlitePrepared(PreparedContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal

    def test_a_value_that_the_statement_does_not_know_is_refused(self, journal: Journal) -> None:
        """It was meant for something; an insert must not lose a column."""
        add = Prepared(sa.insert(THING))
        journal.write_now(lambda tx: add.change(tx.connection, {"name": "a", "is_open": True}))

        with pytest.raises(TypeError):
            journal.write_now(lambda tx: add.change(tx.connection, thing("b")))

    def test_after_a_full_disk_nothing_more_happens_in_its_transaction(self, journal: Journal) -> None:
        """SQLite has rolled back: what a use case did next would stand alone, outside any transaction."""

        def swallow(tx: Transaction) -> None:
            pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            ADD.change(tx.connection, thing("before"))
            with pytest.raises(OperationalError):
                ADD.change(tx.connection, thing("big", body=bytes(1 << 20)))
            with pytest.raises(sa.exc.InvalidRequestError):
                ADD.change(tx.connection, thing("after"))

        with pytest.raises(UnavailableError):
            journal.write_now(swallow)
        assert journal.read_now(lambda c: ALL.all(c, {})) == []
        assert journal.write_now(lambda tx: ADD.add(tx.connection, thing("later"))) == 1

    def test_an_error_tells_no_values(self, journal: Journal) -> None:
        """An error is logged; what was to be written may be a secret."""
        journal.write_now(lambda tx: ADD.change(tx.connection, thing("secret")))

        with pytest.raises(IntegrityError) as told:
            journal.write_now(lambda tx: ADD.change(tx.connection, thing("secret")))
        assert "secret" not in str(told.value)


class TestPostgresqlPrepared(PreparedContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
