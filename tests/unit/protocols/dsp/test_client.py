"""Sending: what each answer means for the message, and for the process that it belongs to."""

import json
from datetime import timedelta
from typing import Any

import pytest
from entrepot_dsp_node import AGREEMENT, ME, OFFER, PEER, PEER_BASE, START, Node
from hypothesis import given
from hypothesis import strategies as st

from entrepot import contracts
from entrepot.contracts import Content, DoorAddress, Message, Move, Next, Party, Reason, State
from entrepot.journal import OutboxMessage, Transaction, enqueue, next_due
from entrepot.protocols import Reply
from entrepot.protocols.dsp import Meaning, judge, pause, render_negotiation, render_transfer
from entrepot.use import process as transfers
from entrepot.values import MessageId, ProcessId, RefusedError, TrustError, UnavailableError

SECONDS = st.floats(0, 100_000).map(lambda s: timedelta(seconds=s))
TOO_EARLY = timedelta(seconds=10)
THEIRS = "urn:uuid:theirs"


def answered(status: int, **document: Any) -> Reply:
    return Reply(status, json.dumps(document).encode() if document else b"", {})


def open_process(node: Node) -> None:
    """Ask for a transfer process under an agreement in which we are the consumer."""
    node.hold_agreement(Party.CONSUMER)

    def request(tx: Transaction) -> None:
        contract = contracts.agreement_of(tx.connection, AGREEMENT)
        assert contract is not None
        transfers.request_transfer(tx, node.rail, contract, PEER_BASE, "HttpData-PULL")

    node.journal.write_now(request)


class TestJudging:
    @given(status=st.integers(200, 299), age=SECONDS, expired=st.booleans())
    def test_2xx_means_that_the_peer_has_it(self, status: int, age: timedelta, expired: bool) -> None:  # noqa: FBT001 (drawn)
        """200 where the specification says 201 as well: the official suite and Eclipse connectors do it."""
        assert judge(status, age, TOO_EARLY, expired=expired) is Meaning.DELIVERED

    @given(status=st.none() | st.integers(500, 599) | st.sampled_from([408, 425, 429]), age=SECONDS)
    def test_silence_and_5xx_are_repeated_until_the_deadline(
        self, status: int | None, age: timedelta
    ) -> None:
        """A peer that is down or overloaded has refused nothing."""
        assert judge(status, age, TOO_EARLY, expired=False) is Meaning.AGAIN
        assert judge(status, age, TOO_EARLY, expired=True) is Meaning.REFUSED

    @given(status=st.sampled_from([404, 409]), age=SECONDS)
    def test_404_and_409_are_too_early_for_a_while(self, status: int, age: timedelta) -> None:
        """The peer may not have stored what our message follows; after ten seconds it means what it says."""
        wanted = Meaning.AGAIN if age < TOO_EARLY else Meaning.REFUSED

        assert judge(status, age, TOO_EARLY, expired=False) is wanted

    @given(status=st.sampled_from([300, 301, 302, 400, 401, 403, 405, 410, 413, 415, 422]), age=SECONDS)
    def test_any_other_answer_is_final(self, status: int, age: timedelta) -> None:
        """Redirects included: the address that was checked is the one that is called."""
        assert judge(status, age, TOO_EARLY, expired=False) is Meaning.REFUSED

    @given(attempts=st.integers(0, 10_000))
    def test_pauses_grow_and_are_bounded(self, attempts: int) -> None:
        """Quick at first, for a peer that is about to be ready; never more than a minute apart."""
        assert timedelta(0) < pause(attempts) <= pause(attempts + 1) <= timedelta(seconds=60)


class TestSending:
    def test_a_delivered_request_moves_us_and_tells_us_their_id(self, node: Node) -> None:
        """The state moves when the peer has answered, not when we have sent."""
        node.request_contract()
        assert node.negotiation().exchange.state is State.INITIAL
        node.outside.answers.append(answered(201, providerPid=THEIRS))

        assert node.send_due() is Meaning.DELIVERED
        assert node.negotiation().exchange.state is State.REQUESTED
        assert node.negotiation().exchange.peer_pid == THEIRS
        assert node.due() == []

    def test_it_goes_where_the_peer_is(self, node: Node) -> None:
        """To the base address that its DID document names, with the bytes that were queued."""
        node.request_contract()
        node.outside.answers.append(answered(200))
        node.send_due()
        method, url, body = node.outside.asked[0]

        assert (method, url) == ("POST", PEER_BASE + "/negotiations/request")
        assert json.loads(body)["callbackAddress"] == node.desk.callback

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"[" * 10_000, b'{"a":' * 50 + b"1" + b"}" * 50, b'{"providerPid":7}'], ids=len
    )
    def test_whatever_a_peer_answers_2xx_with_it_has_the_message(self, node: Node, body: bytes) -> None:
        """A hostile or empty body must not make us send for ever what has arrived."""
        node.request_contract()
        node.outside.answers.append(Reply(200, body, {}))

        assert node.send_due() is Meaning.DELIVERED
        assert node.negotiation().exchange.state is State.REQUESTED

    @pytest.mark.parametrize(
        "trouble",
        [
            answered(503),
            answered(404),
            answered(409),
            UnavailableError("closed"),
            RefusedError("an address on a private network"),
            TrustError("its DID document does not resolve"),
        ],
        ids=repr,
    )
    def test_trouble_on_the_way_is_waited_out(self, node: Node, trouble: Reply | Exception) -> None:
        """The same bytes go out again after a pause, and nothing has moved meanwhile."""
        node.request_contract()
        node.outside.answers += [trouble, answered(201, providerPid=THEIRS)]

        assert node.send_due() is Meaning.AGAIN
        assert node.due() == []
        assert node.negotiation().exchange.state is State.INITIAL
        node.later(seconds=1)
        assert node.send_due() is Meaning.DELIVERED
        first, second = node.outside.asked
        assert first == second

    def test_without_a_token_nothing_is_sent(self, node: Node) -> None:
        """And the message waits: what stands between us and a token may be mended before its deadline."""
        node.request_contract()
        node.authorization = TrustError("its DID document does not resolve")

        assert node.send_due() is Meaning.AGAIN
        assert node.outside.asked == []

    def test_silence_ends_at_the_deadline(self, node: Node) -> None:
        """A process whose peer is gone must not stay open for ever."""
        node.request_contract()
        node.later(hours=25)

        assert node.send_due() is Meaning.REFUSED
        assert node.negotiation().exchange.state is State.TERMINATED
        assert "deadline" in node.negotiation().problem

    def test_a_refused_first_request_is_over(self, node: Node) -> None:
        """There is nothing at the peer to come back to."""
        node.request_contract()
        node.outside.answers.append(answered(400))

        assert node.send_due() is Meaning.REFUSED
        assert node.negotiation().exchange.state is State.TERMINATED
        assert "400" in node.negotiation().problem
        node.later(days=2)
        assert node.due() == []

    def test_too_early_is_over_after_ten_seconds(self, node: Node) -> None:
        """A 404 that stays is a 404."""
        node.request_contract()
        node.outside.answers += [answered(404)] * 20
        meanings = [node.send_due()]
        while meanings[-1] is Meaning.AGAIN:
            node.now = node.journal.read_now(lambda c: next_due(c, (contracts.DSP,))) or node.now
            meanings.append(node.send_due())

        assert meanings[-1] is Meaning.REFUSED
        assert set(meanings[:-1]) == {Meaning.AGAIN}
        assert timedelta(seconds=5) < node.now - START < timedelta(seconds=30)


class TestReadingTheirState:
    @pytest.fixture
    def open_node(self, node: Node) -> Node:
        """A negotiation that both sides know, and a counter-offer of ours on its way."""
        node.request_contract()
        node.outside.answers.append(answered(201, providerPid=THEIRS))
        node.send_due()
        pid = node.negotiation().exchange.id
        node.journal.write_now(
            lambda tx: contracts.move(tx, node.desk, pid, Next(Move.TERMINATE, Reason("1")))
        )
        node.later(seconds=1)
        return node

    def test_on_a_refusal_the_peer_is_asked_where_it_stands(self, open_node: Node) -> None:
        """It may have ended the process meanwhile, and its message to us was lost."""
        open_node.outside.answers += [answered(400), answered(200, state="TERMINATED")]

        assert open_node.send_due() is Meaning.REFUSED
        assert open_node.outside.asked[-1][:2] == ("GET", f"{PEER_BASE}/negotiations/{THEIRS}")
        assert open_node.negotiation().exchange.state is State.TERMINATED

    @pytest.mark.parametrize("state", ["AGREED", "FINALIZED", "OFFERED"])
    def test_what_carries_content_is_never_taken_from_a_state(self, open_node: Node, state: str) -> None:
        """An agreement that nobody sent us is none, whatever state the peer shows."""
        open_node.outside.answers += [answered(400), answered(200, state=state)]
        open_node.send_due()

        assert open_node.negotiation().agreement is None
        assert open_node.negotiation().exchange.state is State.TERMINATED

    @pytest.mark.parametrize("trouble", [answered(500), UnavailableError("gone")], ids=repr)
    def test_nothing_is_concluded_before_their_state_is_known(
        self, open_node: Node, trouble: Reply | Exception
    ) -> None:
        """The refusal may be that of a process which they have ended; the repeat is refused again."""
        open_node.outside.answers += [answered(400), trouble, answered(400), answered(404)]

        assert open_node.send_due() is Meaning.AGAIN
        assert open_node.negotiation().exchange.pending is not None
        open_node.later(seconds=1)
        assert open_node.send_due() is Meaning.REFUSED

    def test_at_the_deadline_the_refusal_alone_decides(self, open_node: Node) -> None:
        """A peer that refuses and shows nothing cannot keep a process open."""
        open_node.later(hours=25)
        open_node.outside.answers += [answered(400), answered(500)]

        assert open_node.send_due() is Meaning.REFUSED
        assert open_node.negotiation().exchange.state is State.TERMINATED

    def test_a_peers_id_cannot_lead_us_elsewhere(self, node: Node) -> None:
        """It chose the id; a path in it must stay one step of ours."""
        node.request_contract()
        node.outside.answers.append(answered(201, providerPid="../../admin?x=1#"))
        node.send_due()
        pid = node.negotiation().exchange.id
        node.journal.write_now(lambda tx: contracts.move(tx, node.desk, pid, Next(Move.TERMINATE)))
        node.later(seconds=1)
        node.outside.answers += [answered(400), answered(200)]
        node.send_due()

        for _, url, _ in node.outside.asked[1:]:
            assert url.startswith(f"{PEER_BASE}/negotiations/..%2F..%2Fadmin%3Fx=1%23")


def test_a_message_of_no_process_is_dropped(node: Node) -> None:
    """It has no one to answer for it, so it would stay for ever."""
    message = OutboxMessage(
        id=MessageId("urn:m"),
        kind=contracts.DSP,
        lane="urn:uuid:nothing",
        address=PEER_BASE,
        body=b"{}",
        not_before=START,
        deadline=START,
    )
    node.journal.write_now(lambda tx: enqueue(tx, message))

    assert node.send_due() is Meaning.DELIVERED
    node.later(days=2)
    assert node.due() == []
    assert node.outside.asked == []


class TestCrossing:
    """Their message comes while ours is on its way, and proves that ours has arrived."""

    @pytest.fixture
    def accepting(self, node: Node) -> Node:
        """They have offered, our acceptance is due, and their agreement comes before its answer."""
        ours = node.request_contract().exchange.id
        node.outside.answers.append(answered(201, providerPid=THEIRS))
        node.send_due()

        def message(move: Move, content: Content) -> tuple[str, bytes]:
            theirs = Message(
                MessageId(f"urn:m:{move}"), move, ours, ProcessId(THEIRS), content, addressed_to=ours
            )
            return render_negotiation(theirs, "")

        node.call("POST", *message(Move.OFFER, OFFER))
        node.journal.write_now(lambda tx: contracts.move(tx, node.desk, ours, Next(Move.ACCEPT)))
        node.later(seconds=1)
        agreement = contracts.Agreement(AGREEMENT, OFFER.target, OFFER.policy, PEER, ME, START)
        node.outside.meanwhile.append(node.called("POST", *message(Move.AGREE, agreement)))
        return node

    def test_a_negotiation_that_they_have_ended_since_is_ended_here(self, accepting: Node) -> None:
        """Our answer came after their next message; where the process stands is read, not guessed."""
        accepting.outside.answers += [answered(200), answered(200, state="TERMINATED")]

        assert accepting.send_due() is Meaning.DELIVERED
        assert accepting.negotiation().exchange.state is State.TERMINATED

    def test_where_their_state_cannot_be_read_ours_stays(self, accepting: Node) -> None:
        """Their next message will show it; nothing is concluded from silence."""
        accepting.outside.answers += [answered(200), UnavailableError("gone")]

        assert accepting.send_due() is Meaning.DELIVERED
        assert accepting.negotiation().exchange.state is State.AGREED

    def test_a_transfer_that_they_have_ended_since_is_ended_here(self, node: Node) -> None:
        """Their start came before their answer to our request, and told us their id."""
        open_process(node)
        ours = node.process().exchange.id
        door = DoorAddress("https://them.example/door", "token")
        start = render_transfer(
            Message(MessageId("urn:m"), Move.START, ours, ProcessId(THEIRS), door, addressed_to=ours), ""
        )
        node.outside.meanwhile.append(node.called("POST", *start))
        node.outside.answers += [answered(200), answered(200, state="TERMINATED")]

        assert node.send_due() is Meaning.DELIVERED
        assert node.outside.asked[-1][:2] == ("GET", f"{PEER_BASE}/transfers/{THEIRS}")
        assert node.process().exchange.state is State.TERMINATED


class TestTransfers:
    @pytest.fixture
    def opening(self, node: Node) -> Node:
        """A transfer process that we have asked for."""
        open_process(node)
        return node

    def test_a_delivered_request_moves_the_process(self, opening: Node) -> None:
        """As in a negotiation, by the other machine."""
        opening.outside.answers.append(answered(200, providerPid=THEIRS))

        assert opening.send_due() is Meaning.DELIVERED
        assert opening.process().exchange.state is State.REQUESTED
        assert opening.process().exchange.peer_pid == THEIRS

    def test_a_refused_request_ends_the_process(self, opening: Node) -> None:
        """Whoever waits for the data must hear that none will come, and why."""
        opening.outside.answers.append(answered(400))

        assert opening.send_due() is Meaning.REFUSED
        assert opening.process().exchange.state is State.TERMINATED
        assert "400" in opening.process().problem
        opening.later(days=2)
        assert opening.due() == []

    def test_their_state_is_read_at_the_place_of_transfers(self, opening: Node) -> None:
        """A process that they have completed is completed here, though their message was lost."""
        opening.outside.answers.append(answered(200, providerPid=THEIRS))
        opening.send_due()
        pid = opening.process().exchange.id
        opening.journal.write_now(lambda tx: transfers.move(tx, opening.rail, pid, Next(Move.TERMINATE)))
        opening.later(seconds=1)
        opening.outside.answers += [answered(400), answered(200, state="TERMINATED")]
        opening.send_due()

        assert opening.outside.asked[-1][:2] == ("GET", f"{PEER_BASE}/transfers/{THEIRS}")
        assert opening.process().exchange.state is State.TERMINATED
