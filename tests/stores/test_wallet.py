"""What the tables of credentials promise, on whichever database they stand."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from entrepot.identity import (
    SUITES,
    AskedState,
    Credential,
    CredentialForm,
    IssuanceState,
    Kind,
    Signer,
    answer,
    ask_for,
    close_token_client,
    drop_credential,
    end_issuance,
    have_asked,
    issuance,
    issuances,
    issue_credential,
    keep_credential,
    keep_offer,
    make_token_client,
    offers,
    own_credentials,
    pending,
    receive_request,
    request_of,
    requests,
    token_clients,
    verify_token_client,
)
from entrepot.journal import Journal, Transaction
from entrepot.values import ConflictError, Did, KeyId, RefusedError, TrustError

ME, ISSUER = Did("did:web:me.example"), Did("did:web:issuer.example")
KINDS = (Kind("kind:1", "Passport", CredentialForm.VC11), Kind("kind:2"))
SECRET = "a secret of more than thirty-two characters"


def credential(journal: Journal, name: str) -> tuple[str, Credential]:
    now = journal.write_now(lambda tx: tx.now)
    made = Credential(
        CredentialForm.VC20,
        ISSUER,
        ME,
        ("护照Passport",),
        {"name": name},
        now,
        now + timedelta(days=1),
        id=name,
    )
    signer = Signer(KeyId(f"{ISSUER}#1"), "ed25519", SUITES["ed25519"].load(bytes(32)))
    return issue_credential(signer, made), made


class WalletContract:
    """What every database promises. Subclasses provide `journal`."""

    def test_credentials_are_held_once_and_dropped(self, journal: Journal) -> None:
        """Shown again as they were signed, byte by byte."""
        kept = [credential(journal, name) for name in ("one", "two")]
        for raw, made in [*kept, *kept]:
            journal.write_now(lambda tx, r=raw, m=made: keep_credential(tx, r, m))
        found = journal.read_now(lambda c: own_credentials(c, ME))
        assert {own.raw for own in found} == {raw for raw, _ in kept}
        journal.write_now(lambda tx: drop_credential(tx, found[0].digest))
        assert journal.read_now(lambda c: own_credentials(c, ME)) == found[1:]

    def test_a_request_goes_its_way_once(self, journal: Journal) -> None:
        """What is finished stays as it is, whatever comes late."""
        asked = journal.write_now(lambda tx: ask_for(tx, ISSUER, KINDS))
        pid = asked.holder_pid
        journal.write_now(lambda tx: answer(tx, pid, AskedState.RECEIVED, status_url="https://x/1"))
        journal.write_now(lambda tx: answer(tx, pid, AskedState.ISSUED))
        journal.write_now(lambda tx: answer(tx, pid, AskedState.REJECTED, reason="late"))
        journal.write_now(lambda tx: answer(tx, "unknown", AskedState.REJECTED))
        found = journal.read_now(lambda c: request_of(c, pid))

        assert found is not None
        assert (found.state, found.kinds, found.status_url) == (AskedState.ISSUED, KINDS, "https://x/1")
        assert journal.read_now(requests) == [found]
        assert journal.read_now(lambda c: have_asked(c, ISSUER))
        assert not journal.read_now(lambda c: have_asked(c, ME))

    def test_an_offer_that_comes_again_is_one_offer(self, journal: Journal) -> None:
        for _ in range(2):
            journal.write_now(lambda tx: keep_offer(tx, ISSUER, KINDS, "d" * 64))
        (found,) = journal.read_now(offers)
        assert (found.issuer, found.kinds) == (ISSUER, KINDS)

    def test_a_client_is_known_by_its_secret(self, journal: Journal) -> None:
        journal.write_now(lambda tx: make_token_client(tx, "one", SECRET, ("a", "b")))
        found = journal.read_now(lambda c: verify_token_client(c, "one", SECRET))
        assert (found.id, found.scopes) == ("one", ("a", "b"))
        for name, secret in (("one", SECRET + "!"), ("two", SECRET), ("", "")):
            with pytest.raises(TrustError):
                journal.read_now(lambda c, n=name, s=secret: verify_token_client(c, n, s))
        with pytest.raises(ConflictError):
            journal.write_now(lambda tx: make_token_client(tx, "one", SECRET, ()))
        journal.write_now(lambda tx: close_token_client(tx, "one"))
        assert journal.read_now(token_clients) == []

    def test_of_many_repeats_at_once_one_is_a_request(self, journal: Journal) -> None:
        """Each would be signed and delivered for itself."""

        def take(_number: int) -> bool:
            return journal.write_now(lambda tx: receive_request(tx, ME, "mine", ("k",))) is not None

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(take, range(8))) == 1

    def test_an_issuance_ends_once(self, journal: Journal) -> None:
        """Then the same request is a new one."""

        def receive(tx: Transaction) -> str:
            made = receive_request(tx, ME, "mine", ("k", "l"))
            assert made is not None
            return made.id

        first = journal.write_now(receive)
        assert journal.read_now(lambda c: pending(c, ME, "mine", ("k", "l"))) is not None
        assert journal.write_now(lambda tx: end_issuance(tx, first, IssuanceState.ISSUED))
        assert not journal.write_now(lambda tx: end_issuance(tx, first, IssuanceState.REJECTED, "late"))
        found = journal.read_now(lambda c: issuance(c, first))
        assert found is not None
        assert (found.state, found.kinds, found.reason) == (IssuanceState.ISSUED, ("k", "l"), "")
        assert journal.write_now(receive) != first
        assert len(journal.read_now(issuances)) == 2

    def test_only_so_many_wait_for_one_holder(self, journal: Journal) -> None:
        for number in range(16):
            journal.write_now(lambda tx, n=number: receive_request(tx, ME, f"p{n}", ("k",)))
        with pytest.raises(RefusedError):
            journal.write_now(lambda tx: receive_request(tx, ME, "more", ("k",)))
        assert journal.write_now(lambda tx: receive_request(tx, ISSUER, "more", ("k",))) is not None


class TestSqlite(WalletContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestPostgresql(WalletContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
