"""What the replay cache and the remembered answers promise, on whichever database they stand."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot import journal as j
from entrepot.journal import Answer, Journal, Transaction
from entrepot.values import ConflictError, MessageId, ProcessId, sha256, system_clock

SOON = system_clock() + timedelta(hours=1)
PROCESS, MESSAGE = ProcessId("urn:uuid:p"), MessageId("urn:uuid:m")
ANSWER = Answer(sha256(b"message"), 201, b"\x00answer\xff")


def first_seen(journal: Journal, key: str, scope: str = "jti") -> bool:
    return journal.write_now(lambda tx: j.first_seen(tx, scope, key, SOON))


class ReplayContract:
    """What every replay cache promises. Subclasses provide `journal`."""

    def test_a_token_is_new_once(self, journal: Journal) -> None:
        """A stolen token is refused the second time."""
        assert [first_seen(journal, "t1"), first_seen(journal, "t1"), first_seen(journal, "t2")] == [
            True,
            False,
            True,
        ]

    def test_scopes_do_not_mix(self, journal: Journal) -> None:
        """The same id in another issuer's scope is another token."""
        assert first_seen(journal, "t1", "issuer one")
        assert first_seen(journal, "t1", "issuer two")

    def test_of_many_at_once_one_is_first(self, journal: Journal) -> None:
        """A token sent on many connections at the same time passes on one of them."""
        with ThreadPoolExecutor(8) as threads:
            firsts = list(threads.map(lambda _: first_seen(journal, "t1"), range(24)))

        assert sum(firsts) == 1

    def test_a_use_case_that_fails_has_not_seen(self, journal: Journal) -> None:
        """A caller who was told of a fault may come again with the same token."""

        def see_and_fail(tx: Transaction) -> None:
            j.first_seen(tx, "jti", "t1", SOON)
            raise ConflictError("somebody was faster")

        with pytest.raises(ConflictError):
            journal.write_now(see_and_fail)
        assert first_seen(journal, "t1")

    def test_a_token_is_remembered_until_its_end(self, journal: Journal) -> None:
        """Forgetting frees space and never reopens a token that still counts."""
        first_seen(journal, "t1")

        assert journal.write_now(j.forget_seen) == 0
        assert not first_seen(journal, "t1")
        assert journal.write_now(lambda tx: j.forget_seen(replace(tx, now=SOON))) == 0
        later = SOON + timedelta(seconds=1)
        assert journal.write_now(lambda tx: j.forget_seen(replace(tx, now=later))) == 1

    @pytest.mark.parametrize("key", ["", "x" * 100_000, "nul\0", "\ud800", "ключ"])
    def test_a_stranger_may_choose_any_key(self, journal: Journal, key: str) -> None:
        """No id that a stranger thinks of breaks the cache."""
        assert first_seen(journal, key)
        assert not first_seen(journal, key)

    def test_a_repeat_gets_the_same_answer(self, journal: Journal) -> None:
        """Status and bytes of the first answer, and the digest to tell a repeat from another message."""

        def remember(tx: Transaction) -> None:
            j.remember_answer(tx, PROCESS, MESSAGE, ANSWER.digest, ANSWER.status, ANSWER.body)

        journal.write_now(remember)

        assert journal.write_now(lambda tx: j.recall_answer(tx, PROCESS, MESSAGE)) == ANSWER
        assert journal.read_now(lambda c: j.recall_answer(c, PROCESS, MESSAGE)) == ANSWER
        assert journal.read_now(lambda c: j.recall_answer(c, ProcessId("other"), MESSAGE)) is None

    def test_old_answers_can_be_forgotten(self, journal: Journal) -> None:
        """Answers go when no repeat can come any more, and not before."""
        journal.write_now(lambda tx: j.remember_answer(tx, PROCESS, MESSAGE, ANSWER.digest, 200, b""))

        assert journal.write_now(lambda tx: j.forget_answers(tx, tx.now - timedelta(hours=1))) == 0
        assert journal.write_now(lambda tx: j.forget_answers(tx, tx.now + timedelta(hours=1))) == 1
        assert journal.read_now(lambda c: j.recall_answer(c, PROCESS, MESSAGE)) is None


class TestReplayOnSqlite(ReplayContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestReplayOnPostgresql(ReplayContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal


@given(keys=st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=3)), max_size=12))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_cache_is_a_set(sqlite_journal: Journal, keys: list[tuple[str, str]]) -> None:
    """Whatever is seen in whatever order: first means not before."""

    def see_all(tx: Transaction) -> list[bool]:
        fresh = tx.new_id()  # other examples used the same keys
        return [j.first_seen(tx, scope, fresh + key, SOON) for scope, key in keys]

    assert sqlite_journal.write_now(see_all) == [key not in keys[:i] for i, key in enumerate(keys)]
