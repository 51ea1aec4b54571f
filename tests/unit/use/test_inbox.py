"""The inbox: what is pushed to us comes in whole, once, and from whoever has the token for it."""

import asyncio
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from entrepot.contracts import Agreement, Party, hold_insecure_unsigned
from entrepot.identity import Receiver
from entrepot.journal import Journal, Transaction
from entrepot.policy import parse_policy
from entrepot.use import Acquisition, AcquisitionState, Inbox, acquisition_store
from entrepot.use import acquisition as acquisitions
from entrepot.use.inbox import RECEIVED_HEADER
from entrepot.use.sealed import read_sealed, seal_for, sealed_size
from entrepot.values import AgreementId, Did, KeyId, ProcessId, ProductId, sha256

ME, PROVIDER = Did("did:web:us.example"), Did("did:web:provider.example")
PROCESS: Final = ProcessId("urn:uuid:ours")
DATA: Final = sha256(b"x") * 5_000
KEY: Final = Receiver(KeyId("k"), bytes(31) + b"\x41")
NOW: Final = datetime(2026, 11, 25, 8, tzinfo=UTC)
CIPHER: Final = {
    "leftOperand": "https://w3id.org/entrepot/v1/encryption",
    "operator": "eq",
    "rightOperand": "cipher",
}


class Receiving:
    """A consumer that waits for one push."""

    def __init__(self, folder: Path, *constraints: object) -> None:
        self.target = folder / "data.bin"
        self.part = folder / "data.bin.part"
        self.journal = Journal.open(f"sqlite:///{folder / 'node.db'}", clock=lambda: NOW)
        self.journal.create_schema()
        permission: dict[str, Any] = {"action": "use"}
        policy = parse_policy(
            {"permission": [permission | ({"constraint": [*constraints]} if constraints else {})]}
        )
        agreement = Agreement(AgreementId("a"), ProductId("urn:product:x"), policy, PROVIDER, ME, NOW)
        waiting = Acquisition(
            "one",
            ProductId("urn:product:x"),
            None,
            self.target,
            "HttpData-PUSH",
            state=AcquisitionState.OPENING,
            artefact=sha256(DATA),
            size=len(DATA),
            agreement_id=AgreementId("a"),
            process_id=PROCESS,
        )

        def fill(tx: Transaction) -> None:
            hold_insecure_unsigned(tx, agreement, Party.CONSUMER, PROVIDER)
            acquisition_store.create(tx, waiting)

        with pytest.warns(UserWarning, match="without signatures"):
            self.journal.write_now(fill)
        self.inbox = Inbox(self.journal, lambda pid: f"token of {pid}", KEY)

    def call(
        self,
        method: str,
        pieces: Sequence[bytes | None] = (b"",),
        token: str = f"Bearer token of {PROCESS}",
        process: ProcessId = PROCESS,
        **headers: str | None,
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        """One request; a piece that is None is a connection that broke there."""
        sent: list[Any] = []
        events = [
            {"type": "http.disconnect"}
            if piece is None
            else {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
            for number, piece in enumerate(pieces)
        ]
        known = {"authorization": token, "entrepot-use": "urn:use:1"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        known = {name: value for name, value in known.items() if value is not None}

        async def receive() -> Any:
            return events.pop(0)

        async def send(event: Any) -> None:
            sent.append(event)

        scope = {"method": method, "headers": [(k.encode(), v.encode()) for k, v in known.items()]}
        asyncio.run(self.inbox(scope, receive, send, {"process": process}))
        if not sent:
            return 0, {}, {}
        told = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return sent[0]["status"], told, json.loads(sent[1]["body"] or b"{}")

    def acquisition(self) -> Acquisition:
        return self.journal.read_now(lambda c: acquisitions.read(c, "one"))


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Receiving]:
    made = Receiving(tmp_path)
    yield made
    made.journal.close()


def test_what_is_pushed_gets_its_name_when_it_is_whole(consumer: Receiving) -> None:
    """And is written down under the use that the provider named, before the provider hears of it."""
    status, told, _ = consumer.call("POST", [DATA[:1000], DATA[1000:]])

    assert (status, told[RECEIVED_HEADER]) == (201, str(len(DATA)))
    assert consumer.target.read_bytes() == DATA
    assert consumer.acquisition().use_id == "urn:use:1"
    assert not consumer.part.exists()


def test_a_push_goes_on_where_it_broke_off(consumer: Receiving) -> None:
    """The sender asks what is here, and sends the rest."""
    assert consumer.call("POST", [DATA[:70_000], None]) == (0, {}, {})
    status, told, _ = consumer.call("HEAD")
    assert (status, told[RECEIVED_HEADER]) == (200, "70000")
    rest = f"bytes 70000-{len(DATA) - 1}/{len(DATA)}"

    assert consumer.call("POST", [DATA[70_000:]], content_range=rest)[0] == 201
    assert consumer.target.read_bytes() == DATA


def test_a_sender_may_begin_again(consumer: Receiving) -> None:
    """A connector that knows nothing of resuming sends everything once more."""
    consumer.call("POST", [DATA[:70_000], None])

    assert consumer.call("POST", [DATA])[0] == 201
    assert consumer.target.read_bytes() == DATA


def test_a_repeat_of_what_is_here_is_answered_so(consumer: Receiving) -> None:
    """The answer was lost: nothing is written twice, and the use stays the one it was."""
    consumer.call("POST", [DATA])
    again = consumer.call("POST", [b"other"], entrepot_use="urn:use:2")
    ended = consumer.call("POST", [b""], content_range=f"bytes */{len(DATA)}")

    assert (again[0], ended[0], consumer.call("HEAD")[1][RECEIVED_HEADER]) == (200, 200, str(len(DATA)))
    assert consumer.target.read_bytes() == DATA
    assert consumer.acquisition().use_id == "urn:use:1"


@pytest.mark.parametrize(
    "change",
    [
        {"token": ""},
        {"token": "Bearer guess"},
        {"token": "token of another"},
        {"process": ProcessId("urn:other")},
    ],
    ids=["none", "guess", "another's", "another process"],
)
@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_nobody_else_gets_in(consumer: Receiving, method: str, change: dict[str, Any]) -> None:
    """To a stranger there is no inbox: nothing is said, and nothing is written."""
    status, told, _ = consumer.call(method, [DATA], **change)

    assert status == 404
    assert RECEIVED_HEADER not in told
    assert not consumer.part.exists()


def test_a_token_opens_nothing_that_is_not_waited_for(consumer: Receiving) -> None:
    """A process that was requested for a pull has no inbox."""
    pull = "UPDATE acquisition SET format = 'HttpData-PULL'"
    consumer.journal.write_now(lambda tx: tx.connection.exec_driver_sql(pull))

    assert consumer.call("POST", [DATA])[0] == 404


def test_a_gap_is_refused_and_the_sender_told_where_to_go_on(consumer: Receiving) -> None:
    """A file with a hole in it would be found out only at its end."""
    consumer.call("POST", [DATA[:1000], None])
    status, told, _ = consumer.call(
        "POST", [DATA[5000:]], content_range=f"bytes 5000-{len(DATA) - 1}/{len(DATA)}"
    )

    assert (status, told[RECEIVED_HEADER]) == (409, "1000")


@pytest.mark.parametrize("said", ["bytes 0-5/7", "bytes x", "items 0-1/160000", "bytes -5/160000"])
def test_a_range_that_cannot_be_meant_is_refused(consumer: Receiving, said: str) -> None:
    """Of another size, in another unit, or not readable."""
    assert consumer.call("POST", [DATA], content_range=said)[0] == 400


def test_another_connectors_push_names_no_use(consumer: Receiving) -> None:
    """It has no such header; what comes is still what the contract names."""
    assert consumer.call("POST", [DATA], entrepot_use=None)[0] == 201
    assert consumer.acquisition().use_id == ""


@pytest.mark.parametrize("use_id", ["", "x" * 201, "with space", "ünicode"])
def test_a_use_without_a_name_cannot_be_acknowledged(consumer: Receiving, use_id: str) -> None:
    """The receipt must name it, and it is a stranger's text."""
    assert consumer.call("POST", [DATA], entrepot_use=use_id)[0] == 400


@pytest.mark.parametrize(
    "wrong", [DATA[:-1] + b"\xff", DATA + b"!", DATA * 2], ids=["other", "longer", "twice"]
)
def test_what_is_not_the_artefact_is_not_kept(consumer: Receiving, wrong: bytes) -> None:
    """The digest decides, and no more is taken in than was promised; the owner is told."""
    status, _, said = consumer.call("POST", [wrong[:9000], wrong[9000:]])

    assert status == 422
    assert said["reasons"]
    assert not consumer.target.exists()
    assert not consumer.part.exists()
    assert consumer.acquisition().state is AcquisitionState.FAILED
    assert consumer.call("POST", [DATA])[0] == 410


def test_less_than_all_of_it_waits_for_the_rest(consumer: Receiving) -> None:
    """A sender that ends early is told how much came."""
    status, told, _ = consumer.call("POST", [DATA[:10]])

    assert (status, told[RECEIVED_HEADER]) == (202, "10")
    assert consumer.acquisition().use_id is None


class TestSealed:
    """An inbox whose contract says that what comes is encrypted."""

    @pytest.fixture
    def consumer(self, tmp_path: Path) -> Iterator[Receiving]:
        made = Receiving(tmp_path, CIPHER)
        yield made
        made.journal.close()

    def sealed(self, receiver: Receiver = KEY, process: ProcessId = PROCESS) -> bytes:
        seal = seal_for(receiver.public, sha256(b"secret"), process, sha256(DATA), len(DATA))
        return read_sealed(seal, io.BytesIO(DATA), 0, sealed_size(len(DATA)))

    def test_it_is_opened_and_kept_as_the_artefact(self, consumer: Receiving) -> None:
        """In two halves, cut in the middle of a chunk."""
        raw = self.sealed()
        consumer.call("POST", [raw[:70_001], None])
        rest = f"bytes 70001-{len(raw) - 1}/{len(raw)}"

        assert consumer.call("POST", [raw[70_001:]], content_range=rest)[0] == 201
        assert consumer.target.read_bytes() == DATA
        assert [p.name for p in consumer.target.parent.glob("data*")] == ["data.bin"]

    @pytest.mark.parametrize("place", [0, 40, 70, 100, 70_000, -1])
    def test_a_changed_byte_is_refused(self, consumer: Receiving, place: int) -> None:
        """Whoever changed it on its way; nothing in the clear is left behind."""
        raw = bytearray(self.sealed())
        raw[place] ^= 1

        assert consumer.call("POST", [bytes(raw)])[0] == 422
        assert [p.name for p in consumer.target.parent.glob("data*")] == []

    def test_a_wrong_key_is_named(self, consumer: Receiving) -> None:
        """Both owners read what is wrong."""
        status, _, said = consumer.call("POST", [self.sealed(Receiver(KeyId("other"), bytes(31) + b"\x42"))])

        assert (status, said["reasons"]) == (422, ["it was sealed to a key that is not ours"])
        assert consumer.acquisition().problem == "it was sealed to a key that is not ours"

    def test_the_artefact_in_the_clear_is_not_what_was_promised(self, consumer: Receiving) -> None:
        """A provider that forgets to encrypt has broken the contract, whatever the digest says."""
        padded = DATA + bytes(sealed_size(len(DATA)) - len(DATA))

        assert consumer.call("POST", [DATA])[0] == 202
        assert consumer.call("POST", [padded])[2]["reasons"] == [
            "what came is not sealed as the contract says"
        ]
