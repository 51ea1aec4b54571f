"""Pushing: what the provider's node does when the receiver answers, breaks off, lies, or is not there."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).with_name("gate_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
gate_world = sys.modules.setdefault("gate_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(gate_world)

from entrepot.contracts import Exchange, Move, Party, Pending, State  # noqa: E402 (after the world is loaded)
from entrepot.identity import PublicKey, Receiver  # noqa: E402
from entrepot.journal import OutboxMessage, claim  # noqa: E402
from entrepot.ledger import RecordKind  # noqa: E402
from entrepot.policy import parse_policy  # noqa: E402
from entrepot.use import Door, Pusher, Sealer, Streams, TransferProcess, store, uses  # noqa: E402
from entrepot.use import process as transfers  # noqa: E402
from entrepot.use.inbox import RECEIVED_HEADER  # noqa: E402
from entrepot.use.process import PUSH, PUSHING, Rail, token_digest  # noqa: E402
from entrepot.use.sealed import sealed_size, unseal  # noqa: E402
from entrepot.values import Did, KeyId, MessageId, ProcessId, UnavailableError, canonical, sha256  # noqa: E402

World = gate_world.World
PUSHED: Final = ProcessId("urn:uuid:pushed")
THEIRS: Final = ProcessId("urn:uuid:theirs")
DATA: Final = b"a,b\n1,2\n"
KEY: Final = Receiver(KeyId("k"), bytes(31) + b"\x41")
CIPHER: Final = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {
                        "leftOperand": "https://w3id.org/entrepot/v1/encryption",
                        "operator": "eq",
                        "rightOperand": "cipher",
                    }
                ],
            }
        ]
    }
)


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Taker:
    """Whoever is pushed to: keeps what comes, and answers as the test says."""

    def __init__(self) -> None:
        self.got = b""
        self.posts: list[dict[str, str]] = []
        self.tells = True
        self.status = 201
        self.body = b""
        self.breaks_after: int | None = None
        self.absent = False
        self.claims: str | None = None
        self.hears_out = True
        self.before: Callable[[], None] = lambda: None
        self.meanwhile: Callable[[], None] = lambda: None

    async def ask(self, _url: str, headers: Mapping[str, str]) -> Reply:
        if self.absent:
            raise UnavailableError("nobody there")
        assert headers["authorization"] == "Bearer their token"
        said = str(len(self.got)) if self.claims is None else self.claims
        return Reply(200, {RECEIVED_HEADER: said}) if self.tells else Reply(405)

    async def pour(
        self, url: str, headers: Mapping[str, str], content: AsyncIterator[bytes], _connected: object
    ) -> Reply:
        assert url == "https://consumer/inbox/x"
        self.posts.append(dict(headers))
        self.before()
        start = 0
        if "content-range" in headers:
            span = headers["content-range"].removeprefix("bytes ").partition("/")[0]
            start = len(self.got) if span == "*" else int(span.partition("-")[0])
        self.got = self.got[:start]
        async for piece in content:
            self.meanwhile()
            await asyncio.sleep(0)
            self.got += piece if self.breaks_after is None else piece[: self.breaks_after]
            if self.breaks_after is not None:
                self.breaks_after = None
                raise UnavailableError("broke off")
            if not self.hears_out:
                break
        return Reply(self.status, {}, self.body)


class Pushing:
    """A provider with a started process that pushes, and its receiver."""

    def __init__(self, folder: Path, terms: Any = None) -> None:
        self.world = World(folder) if terms is None else World(folder, terms)
        self.receiver = Taker()
        self.key: PublicKey | None = KEY.public
        self.streams = Streams()
        self.rail = Rail(
            render=lambda _message, base: (base, b"{}"),
            respond=lambda *_: None,
            door_token=lambda _pid, _epoch: gate_world.TOKEN,
            door_endpoint=str,
        )
        process = TransferProcess(
            Exchange(PUSHED, Party.PROVIDER, State.STARTED, peer_pid=THEIRS),
            gate_world.CONSUMER,
            "https://consumer/dsp",
            gate_world.AGREEMENT,
            PUSH,
            "https://consumer/inbox/x",
            b"their token",
            1,
        )

        def fill(tx: Any) -> None:
            store.create(tx, process)
            door = Door(PUSHED, gate_world.AGREEMENT, gate_world.CONSUMER, PUSH, 1)
            store.open_door(tx, door, token_digest(gate_world.TOKEN))
            follow_up, deadline = self.rail.follow_up, self.rail.deadline
            transfers.begin_push(tx, PUSHED, process.endpoint, process.epoch, follow_up, deadline)

        self.world.journal.write_now(fill)
        self.world.now += timedelta(seconds=1)

    async def receiving_key(self, _did: Did) -> PublicKey | None:
        return self.key

    def pusher(self) -> Pusher:
        return Pusher(
            self.world.journal,
            self.world.house,
            self.streams,
            self.rail,
            Sealer(self.receiving_key, sha256),
            bytes,
            self.receiver.ask,
            self.receiver.pour,
        )

    def due(self) -> list[OutboxMessage]:
        return self.world.journal.write_now(lambda tx: claim(tx, "test", (PUSHING,), 0.001))

    def push(self) -> None:
        """Send the one message that is due."""
        (message,) = self.due()
        asyncio.run(self.pusher().send(message, self.world.now))

    def later(self, **by: float) -> None:
        self.world.now += timedelta(**by)
        self.world.learn_status()

    def use(self) -> Any:
        (found,) = self.world.journal.read_now(lambda c: uses(c, 10))
        return found

    def save(self, process: TransferProcess) -> None:
        before = process.exchange.version - 1
        self.world.journal.write_now(lambda tx: store.save(tx, process, expected_version=before))

    def process(self) -> TransferProcess:
        return self.world.journal.read_now(lambda c: transfers.existing(c, PUSHED))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Pushing]:
    made = Pushing(tmp_path)
    yield made
    made.world.close()


def test_a_push_is_one_use_that_waits_for_its_receipt(provider: Pushing) -> None:
    """Opened before a byte leaves, settled with what was sent, closed by nobody but the consumer's word."""
    provider.push()

    use = provider.use()
    assert provider.receiver.got == DATA
    assert (use.sent, use.outcome, provider.world.kinds(use.id)) == (len(DATA), "sent", [RecordKind.OPENED])
    assert provider.receiver.posts[0]["entrepot-use"] == use.id
    assert provider.receiver.posts[0]["content-length"] == str(len(DATA))
    assert provider.due() == []


@pytest.mark.parametrize("before", [State.REQUESTED, State.SUSPENDED])
def test_a_push_waits_until_its_start_is_answered(provider: Pushing, before: State) -> None:
    """Else it is over before its process can be completed; and one that was resumed was dropped."""
    started = provider.process()
    pending = replace(
        started.exchange, state=before, pending=Pending(Move.START, MessageId("urn:start")), version=1
    )
    provider.save(replace(started, exchange=pending))
    provider.push()
    assert provider.receiver.posts == []

    provider.save(replace(started, exchange=replace(started.exchange, version=2)))
    provider.later(seconds=1)
    provider.push()

    assert provider.receiver.got == DATA


def test_nothing_leaves_before_the_use_is_durable(provider: Pushing) -> None:
    """What the receiver sees first must be in the records already."""
    seen = []
    provider.receiver.meanwhile = lambda: seen.append(provider.use().state)
    provider.push()

    assert seen == ["open"]


def test_a_push_longer_than_the_resume_window_is_no_lapse(provider: Pushing) -> None:
    """Ten gigabytes over a thin line: its use must not be closed while bytes still move."""
    provider.world.house = replace(provider.world.house, resume_window=timedelta(0))  # said at each piece
    waited = []

    def note() -> None:
        waited.append(provider.world.now - provider.use().touched_at)

    provider.receiver.meanwhile = note
    provider.receiver.before = lambda: provider.later(hours=2)
    provider.push()

    assert waited == [timedelta(0)]


def test_only_what_is_missing_is_sent_again(provider: Pushing) -> None:
    """The line broke: the receiver says how far it came; it stays one use, and costs nothing further."""
    provider.receiver.breaks_after = 3
    provider.push()
    assert provider.use().outcome == "interrupted"
    provider.later(seconds=10)
    provider.push()

    use = provider.use()
    assert provider.receiver.got == DATA
    assert provider.receiver.posts[1]["content-range"] == "bytes 3-7/8"
    kinds = [RecordKind.OPENED, RecordKind.INTERRUPTED, RecordKind.RESUMED]
    assert (use.outcome, provider.world.kinds(use.id)) == ("sent", kinds)


def test_a_lost_answer_is_asked_for_again_and_nothing_sent(provider: Pushing) -> None:
    """The receiver has everything: an empty post brings its answer once more."""
    provider.receiver.got = DATA
    provider.push()

    assert provider.receiver.posts[0]["content-range"] == "bytes */8"
    assert provider.receiver.posts[0]["content-length"] == "0"
    assert (provider.use().sent, provider.use().outcome) == (0, "sent")


def test_a_receiver_that_knows_nothing_of_resuming_gets_everything(provider: Pushing) -> None:
    """Any HTTP server can be pushed to."""
    provider.receiver.tells = False
    provider.push()

    assert provider.receiver.got == DATA
    assert "content-range" not in provider.receiver.posts[0]


def test_a_receiver_that_is_not_there_costs_no_use(provider: Pushing) -> None:
    """It is asked before the gate is; the push stays, with growing pauses, until its deadline."""
    provider.receiver.absent = True
    provider.push()

    assert provider.world.journal.read_now(lambda c: uses(c, 10)) == []
    assert provider.due() == []
    provider.later(seconds=10)
    provider.receiver.absent = False
    provider.push()
    assert provider.receiver.got == DATA


def test_past_its_deadline_a_push_is_given_up(provider: Pushing) -> None:
    """The consumer is told, and the door is shut."""
    provider.receiver.absent = True
    provider.push()
    provider.later(hours=25)
    provider.push()

    assert provider.process().exchange.pending is not None
    assert provider.due() == []
    assert not provider.world.journal.read_now(lambda c: transfers.has_door(c, PUSHED))


@pytest.mark.parametrize("status", [401, 404, 410, 422])
def test_a_refusal_ends_the_process_with_the_receivers_words(provider: Pushing, status: int) -> None:
    """What the receiver does not take is not sent for ever."""
    provider.receiver.status = status
    provider.receiver.body = canonical.encode({"reasons": ["it is not what the contract names"]})
    provider.push()

    assert provider.due() == []
    assert provider.process().exchange.pending is not None
    assert provider.use().outcome == "interrupted"  # bytes had left: it counts


@pytest.mark.parametrize("status", [202, 409, 423, 429, 500, 503])
def test_what_may_be_mended_is_tried_again(provider: Pushing, status: int) -> None:
    """Busy, out of step, out of order: the push goes on later."""
    provider.receiver.status = status
    provider.push()
    assert provider.use().outcome == "interrupted"
    provider.receiver.status = 201
    provider.later(seconds=10)
    provider.push()

    assert provider.use().outcome == "sent"


def test_a_receiver_that_claims_too_much_is_not_believed(provider: Pushing) -> None:
    """A file longer than the artefact is not the artefact."""
    provider.receiver.got = DATA + b"!"
    provider.push()

    assert provider.receiver.posts == []
    assert provider.due() == []


@pytest.mark.parametrize("claims", ["9", "0" * 19 + "9" * 9, "0" * 9000, "9" * 9000])
def test_a_claim_that_is_no_length_of_ours_ends_the_push(provider: Pushing, claims: str) -> None:
    """The sender counted on with a number of nine thousand digits, or sent a body of less than no bytes."""
    provider.receiver.claims = claims
    provider.push()

    assert provider.receiver.posts == []
    assert provider.due() == []
    assert provider.process().exchange.pending is not None


@pytest.mark.parametrize("claims", ["", "-1", "+1", " 1", "1_0", "١", "0x1", "1.0", "all of it", "\n"])
def test_a_claim_that_is_no_number_is_none(provider: Pushing, claims: str) -> None:
    """Whoever does not say how much it has gets everything."""
    provider.receiver.claims = claims
    provider.push()

    assert provider.receiver.got == DATA
    assert provider.use().outcome == "sent"


@pytest.mark.parametrize("status", [301, 307, 400, 404, 422])
def test_a_receiver_that_takes_the_data_and_says_no_has_used_it(provider: Pushing, status: int) -> None:
    """It read the first piece, which was all, and refused before that was noted: its use was given back."""
    provider.receiver.hears_out, provider.receiver.status = False, status
    provider.push()

    assert provider.receiver.got == DATA
    assert (provider.use().outcome, provider.use().sent) == ("interrupted", len(DATA))


def test_the_gate_decides_each_time(provider: Pushing) -> None:
    """The last use is taken: the push is refused as a pull would be, and the process ends."""
    for process in (gate_world.PROCESS, gate_world.OTHER):
        provider.world.knock(process)
    provider.push()

    assert provider.receiver.posts == []
    assert provider.process().exchange.pending is not None


def test_a_changed_artefact_is_not_pushed_and_its_use_is_taken_back(provider: Pushing) -> None:
    """What its owner overwrote is not what was offered."""
    (provider.world.folder / "data.csv").write_text("something else")
    provider.push()

    assert provider.receiver.got == b""
    assert provider.use().outcome == "refused"


def test_a_suspended_process_pushes_nothing(provider: Pushing) -> None:
    """Its door is shut; another start of it stands for itself."""
    provider.world.journal.write_now(lambda tx: store.shut_door(tx, PUSHED))
    provider.push()

    assert provider.receiver.posts == []
    assert provider.due() == []


def test_an_older_start_pushes_nothing(provider: Pushing) -> None:
    """Suspended and started again: two messages, of which one holds."""
    (message,) = provider.due()
    stale = replace(message, body=canonical.encode({"epoch": 0, "process": PUSHED}), id=MessageId("old"))
    asyncio.run(provider.pusher().send(stale, provider.world.now))

    assert provider.receiver.posts == []


def test_a_stop_cuts_a_push_at_once(provider: Pushing) -> None:
    """Between two pieces: what was not sent is not sent, and what was is counted."""
    provider.receiver.meanwhile = lambda: provider.streams.stop_agreement(gate_world.AGREEMENT)
    provider.push()

    assert provider.receiver.got == b""
    assert provider.use().outcome == "interrupted"


class TestSealed:
    """A contract that lets it leave sealed only."""

    @pytest.fixture
    def provider(self, tmp_path: Path) -> Iterator[Pushing]:
        made = Pushing(tmp_path, CIPHER)
        yield made
        made.world.close()

    def test_only_its_consumer_can_read_what_left(self, provider: Pushing, tmp_path: Path) -> None:
        """And it is the artefact, in the process as the consumer names it."""
        provider.push()

        got = provider.receiver.got
        assert len(got) == sealed_size(len(DATA))
        assert DATA not in got
        (tmp_path / "in").write_bytes(got)
        unseal(tmp_path / "in", tmp_path / "out", KEY.key_from, KEY.public, THEIRS, sha256(DATA))
        assert (tmp_path / "out").read_bytes() == DATA

    def test_a_resume_goes_on_with_the_same_bytes(self, provider: Pushing, tmp_path: Path) -> None:
        """Sealed anew after a crash, it is sealed the same."""
        provider.receiver.breaks_after = 50
        provider.push()
        provider.later(seconds=10)
        provider.push()

        (tmp_path / "in").write_bytes(provider.receiver.got)
        unseal(tmp_path / "in", tmp_path / "out", KEY.key_from, KEY.public, THEIRS, sha256(DATA))

    def test_without_a_key_nothing_leaves(self, provider: Pushing) -> None:
        """The consumer is told what is missing; the gate was not asked, and nothing counted."""
        provider.key = None
        provider.push()

        assert provider.receiver.posts == []
        assert provider.world.journal.read_now(lambda c: uses(c, 10)) == []
        assert provider.process().exchange.pending is not None
