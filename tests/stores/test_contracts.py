"""What the tables of negotiations, contracts, transfer processes and doors promise, on either database."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from entrepot import contracts
from entrepot.contracts import (
    Agreement,
    Desk,
    EndReason,
    Exchange,
    Message,
    Move,
    Negotiation,
    Offer,
    Party,
    Pending,
    Signing,
    State,
    Status,
)
from entrepot.contracts import store as negotiations
from entrepot.journal import Journal, Transaction
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.use import Door, TransferProcess
from entrepot.use import store as processes
from entrepot.values import (
    AgreementId,
    ConflictError,
    ContractId,
    Did,
    KeyId,
    MessageId,
    OfferId,
    ProcessId,
    ProductId,
    RefusedError,
    UnavailableError,
    sha256,
)

NOW = datetime(2026, 11, 25, 8, 0, 0, 123456, tzinfo=UTC)
POLICY = Policy(permissions=(Rule("use", (Atom(OPERANDS["dateTime"], Operator.LTEQ, NOW),)),))
ME, PEER = Did("did:web:me.example"), Did("did:web:peer.example")
OFFER = Offer(OfferId("offer"), ProductId("数据 product"), POLICY, ME, PEER)
AGREEMENT = Agreement(AgreementId("agreement"), OFFER.target, POLICY, ME, PEER, NOW)
BEHIND = Pending(Move.FINALIZE, MessageId("first"))
AT = Exchange(
    ProcessId("ours"),
    Party.PROVIDER,
    State.VERIFIED,
    Pending(Move.TERMINATE, MessageId("second"), BEHIND),
    ProcessId("theirs"),
    3,
)
NEGOTIATION = Negotiation(
    AT,
    PEER,
    "https://peer.example",
    OFFER,
    replace(OFFER, assignee=None),
    AGREEMENT,
    Signing(ContractId("c"), sha256(b"p"), b"payload", b"envelope", handed_over=True, receipt=b"receipt"),
    needs_person=True,
    approved=True,
    problem="none",
)
PROCESS = TransferProcess(
    AT, PEER, "https://peer.example", AGREEMENT.id, "HttpData-PULL", "https://door", b"sealed", 2, "none"
)


class ContractsContract:
    """What every database of a party promises. Subclasses provide `journal`."""

    def test_a_negotiation_is_read_as_it_was_written(self, journal: Journal) -> None:
        """A field lost between two messages is a term that one side forgot."""
        journal.write_now(lambda tx: negotiations.create(tx, NEGOTIATION))

        read = journal.read_now(lambda c: negotiations.read(c, AT.id))

        assert read is not None
        assert replace(read, created_at=None) == NEGOTIATION

    def test_a_process_is_read_as_it_was_written(self, journal: Journal) -> None:
        """As for negotiations."""
        journal.write_now(lambda tx: processes.create(tx, PROCESS))

        assert journal.read_now(lambda c: processes.read(c, AT.id)) == PROCESS

    @pytest.mark.parametrize("message", ["first", "second"])
    def test_an_answer_finds_the_move_it_is_for(self, journal: Journal, message: str) -> None:
        """Also a move behind which a termination waits is still to be answered."""
        journal.write_now(lambda tx: negotiations.create(tx, NEGOTIATION))
        journal.write_now(lambda tx: processes.create(tx, PROCESS))

        found = journal.read_now(lambda c: negotiations.find_by_message(c, MessageId(message)))
        process = journal.read_now(lambda c: processes.find_by_message(c, MessageId(message)))

        assert found is not None
        assert process == PROCESS
        assert journal.read_now(lambda c: negotiations.find_by_message(c, MessageId("none"))) is None

    @pytest.mark.parametrize(
        "later",
        [
            replace(NEGOTIATION, exchange=replace(AT, state=State.TERMINATED, pending=None, version=4)),
            replace(NEGOTIATION, exchange=replace(AT, pending=BEHIND, peer_pid=ProcessId("another"))),
            replace(NEGOTIATION, offer=replace(OFFER, id=OfferId("other")), asked=OFFER, agreement=None),
            replace(NEGOTIATION, signing=Signing(one_sided=True), needs_person=False),
            replace(NEGOTIATION, approved=False, problem="another"),
        ],
    )
    def test_what_has_changed_of_a_negotiation_is_saved(self, journal: Journal, later: Negotiation) -> None:
        """A column passed over is a move, a signature or a term that a crash brings back."""
        journal.write_now(lambda tx: negotiations.create(tx, NEGOTIATION))

        journal.write_now(lambda tx: negotiations.save(tx, later, NEGOTIATION))

        found = journal.read_now(lambda c: negotiations.read(c, AT.id))
        assert found is not None
        assert replace(found, created_at=None) == later

    def test_a_process_id_of_a_peer_is_taken_once(self, journal: Journal) -> None:
        """One request of a consumer must not become two negotiations."""
        journal.write_now(lambda tx: negotiations.create(tx, NEGOTIATION))
        again = replace(NEGOTIATION, exchange=replace(AT, id=ProcessId("another")))

        with pytest.raises(IntegrityError):
            journal.write_now(lambda tx: negotiations.create(tx, again))

    def test_of_many_writers_one_wins(self, journal: Journal) -> None:
        """Two messages that meet in one version must not both move the negotiation."""
        journal.write_now(lambda tx: negotiations.create(tx, NEGOTIATION))
        later = replace(NEGOTIATION, exchange=replace(AT, version=4))

        def save(_: int) -> bool:
            try:
                journal.write_now(lambda tx: negotiations.save(tx, later, NEGOTIATION))
            except (ConflictError, UnavailableError):
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sorted(threads.map(save, range(8))) == [False] * 7 + [True]

    def test_every_version_of_the_terms_is_kept(self, journal: Journal) -> None:
        """In a dispute the question is who proposed what, and when."""
        for number, terms in enumerate((OFFER, OFFER, AGREEMENT), start=1):
            by = Party.CONSUMER if number == 1 else Party.PROVIDER
            journal.write_now(lambda tx, t=terms, b=by: negotiations.keep_terms(tx, AT.id, b, t))

        kept = journal.read_now(lambda c: negotiations.terms_of(c, AT.id))

        assert [(n, by) for n, by, _, _ in kept] == [
            (1, Party.CONSUMER),
            (2, Party.PROVIDER),
            (3, Party.PROVIDER),
        ]

    def test_of_many_ends_of_a_contract_one_counts(self, journal: Journal) -> None:
        """Its reason is what is told to the others."""
        journal.write_now(_hold)

        def end(reason: EndReason) -> bool:
            try:
                done: bool = journal.write_now(lambda tx: contracts.end_contract(tx, AGREEMENT.id, reason))
            except UnavailableError:
                return False
            return done

        with ThreadPoolExecutor(4) as threads:
            done = list(threads.map(end, EndReason))

        held = journal.read_now(lambda c: contracts.agreement_of(c, AGREEMENT.id))
        assert held is not None
        assert done.count(True) == 1
        assert (held.status, held.end_reason) == (Status.ENDED, list(EndReason)[done.index(True)])
        assert held.agreement == AGREEMENT

    def test_of_two_words_of_a_service_party_one_counts(self, journal: Journal) -> None:
        """A request could be both signed and refused."""
        did = Did("did:web:service.example")
        named = Atom(OPERANDS["serviceParty"], Operator.HAS_PART, str(did))
        agreement = replace(AGREEMENT, policy=Policy((Rule("use", (named,)),)))
        payload = contracts.contract_payload(agreement, ContractId("1" * 47), sha256(b"product"))
        ours = contracts.Signature.of(KeyId(f"{did}#1"), contracts.Signatory.SERVICE_PARTY, b"said")
        theirs = contracts.Signature.of(
            KeyId(f"{agreement.assigner}#1"), contracts.Signatory.PROVIDER, b"said"
        )
        asked = contracts.seal_envelope(payload, [theirs])
        of, until = contracts.request_id(payload), datetime(2036, 1, 1, tzinfo=UTC)
        journal.write_now(lambda tx: contracts.take_request(tx, did, agreement.assigner, asked, until))

        def word(signs: bool) -> bool:  # noqa: FBT001 (which of the two words)
            try:
                if signs:
                    journal.write_now(lambda tx: contracts.sign_request(tx, of, ours))
                else:
                    journal.write_now(lambda tx: contracts.refuse_request(tx, of, "no"))
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(word, [True, False]))
        found = journal.read_now(lambda c: contracts.existing_service(c, of))
        assert sum(done) == 1
        assert (found.signature is not None) == done[0]
        assert found.until == until
        assert found.agreement == agreement

    def test_of_offers_that_come_at_once_as_many_are_taken_as_may_wait(self, journal: Journal) -> None:
        """Who counts what is there before it adds one must not be passed by who counts at the same time."""
        desk = Desk(ME, lambda _message, _to: ("", b""), lambda _n, _now: None, unasked_offers=3)

        def take(number: int) -> bool:
            pid = ProcessId(f"peer-{number}")
            offer = replace(OFFER, assigner=PEER, assignee=ME)
            message = Message(
                MessageId(f"message-{number}"),
                Move.OFFER,
                provider_pid=pid,
                consumer_pid=None,
                content=offer,
                callback="https://peer.example",
            )
            try:
                journal.write_now(lambda tx: contracts.receive(tx, desk, message, PEER, lambda _c, _o: None))
            except (RefusedError, UnavailableError):
                return False
            return True

        with ThreadPoolExecutor(12) as threads:
            taken = sum(threads.map(take, range(24)))

        assert taken == 3
        assert len(journal.read_now(contracts.waiting_for_a_person).items) == 3

    def test_a_process_has_one_door(self, journal: Journal) -> None:
        """A new token shuts out the old one."""
        door = Door(AT.id, AGREEMENT.id, PEER, "HttpData-PULL", 1)
        old, new = sha256(b"old"), sha256(b"new")
        journal.write_now(lambda tx: processes.open_door(tx, door, old))
        journal.write_now(lambda tx: processes.open_door(tx, replace(door, epoch=2), new))

        assert journal.read_now(lambda c: processes.read_door(c, AT.id, old)) is None
        assert journal.read_now(lambda c: processes.read_door(c, AT.id, new)) == replace(door, epoch=2)
        journal.write_now(lambda tx: processes.shut_door(tx, AT.id))
        assert not journal.read_now(lambda c: processes.has_door(c, AT.id))

    def test_only_processes_that_are_not_over_keep_an_agreement_open(self, journal: Journal) -> None:
        """An agreement that ended is looked at until its last process is."""
        journal.write_now(
            lambda tx: processes.create(tx, replace(PROCESS, exchange=replace(AT, state=State.STARTED)))
        )
        assert journal.read_now(processes.open_agreements) == [AGREEMENT.id]

        over = replace(PROCESS, exchange=replace(AT, state=State.COMPLETED, version=4))
        journal.write_now(lambda tx: processes.save(tx, over, expected_version=3))
        assert journal.read_now(processes.open_agreements) == []


def _hold(tx: Transaction) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contracts.hold_insecure_unsigned(tx, AGREEMENT, Party.PROVIDER, PEER)


class TestOnSqlite(ContractsContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestOnPostgresql(ContractsContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
