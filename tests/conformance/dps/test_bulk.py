"""Much data through our data plane: out and in, pulled and pushed, with memory that stays flat."""

import contextlib
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

peer_module = sys.modules["entrepot_dps_peer"]
call = peer_module.call

SIZE = 400 << 20
PIECE = 1 << 20
MOST_MORE = 96 << 20
"""How much a process may grow while it moves four times as much; what it grows by is not the data."""
LONG = 120.0
AUTHORIZATION = {"authorization": "Bearer cp-token"}


class Flow:
    """A flow as its control plane sees it."""

    def __init__(self, mover: Any, profile: str) -> None:
        self.mover, self.profile, self.process, self.id = mover, profile, str(uuid.uuid4()), ""

    def order(self, word: str, **address: Any) -> Any:
        message = {
            "messageId": str(uuid.uuid4()),
            "participantId": "did:web:provider",
            "counterPartyId": "did:web:counterparty",
            "dataspaceContext": "space",
            "processId": self.process,
            "agreementId": str(uuid.uuid4()),
            "datasetId": str(uuid.uuid4()),
            "profile": self.profile,
            "claims": {},
            **address,
        }
        answer = call("POST", f"{self.mover.url}/dataflows/{word}", message, AUTHORIZATION)
        assert answer.status == 200
        self.id = answer.body["dataFlowId"]
        return answer.body

    def say(self, word: str, **more: Any) -> Any:
        body = {"messageId": str(uuid.uuid4()), **more}
        answer = call("POST", f"{self.mover.url}/dataflows/{self.id}/{word}", body, AUTHORIZATION)
        assert answer.status == 200
        return answer.body

    def hears(self, word: str) -> Any:
        return self.mover.peer.wait_for(f"/transfers/{self.process}/dataflow/{word}", LONG).body


@pytest.fixture
def flow(mover: Any) -> Callable[[str], Flow]:
    mover.peer.expect(r"/transfers/[^/]+/dataflow/\w+")
    return lambda profile: Flow(mover, profile)


@contextmanager
def flat(mover: Any) -> Iterator[None]:
    """What happens here must not make the process of the data plane grow."""
    before, most, over = resident(mover.pid), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], resident(mover.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
    assert most[0] - before < MOST_MORE


def resident(pid: int) -> int:
    """Bytes of a process that lie in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def taken_in(mover: Any, flow: Flow) -> int:
    """How much was taken in; it is thrown away, for it is much."""
    file: Path = mover.folder / "flows" / flow.id.rpartition(":")[2]
    size = file.stat().st_size
    file.unlink()
    return size


def opened(address: Any) -> tuple[HTTPConnection, dict[str, str], str]:
    """A connection to an address, what lets in there, and the path."""
    parts = urlsplit(address["endpoint"])
    said = {p["name"]: p["value"] for p in address["endpointProperties"]}
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=LONG)
    return connection, {"authorization": f"Bearer {said['authorization']}"}, parts.path


def test_much_is_pulled_from_us(mover: Any, flow: Callable[[str], Flow]) -> None:
    """A provider whose memory grows with its data cannot give much of it out."""
    connection, head, path = opened(flow("http-pull").order("start")["dataAddress"])
    with flat(mover):
        connection.request("GET", path, headers=head)
        response, came = connection.getresponse(), 0
        while piece := response.read(PIECE):
            came += len(piece)
    connection.close()

    assert (response.status, came) == (200, SIZE)


def test_much_is_pushed_by_us(mover: Any, flow: Callable[[str], Flow]) -> None:
    """When all of it has gone, the control plane is told."""
    pushed = flow("http-push")
    before = mover.peer.taken
    with flat(mover):
        pushed.order("start", dataAddress={"endpoint": f"{mover.peer.url}/large"})
        assert pushed.hears("completed")["state"] == "COMPLETED"

    assert mover.peer.taken - before == SIZE


def test_much_is_fetched_by_us(mover: Any, flow: Callable[[str], Flow]) -> None:
    """When all of it is here, durably, the control plane is told."""
    fetched = flow("http-pull")
    mover.peer.gives = SIZE
    with flat(mover):
        fetched.order("prepare")
        fetched.say("started", dataAddress={"endpoint": f"{mover.peer.url}/large"})
        assert fetched.hears("completed")["state"] == "COMPLETED"

    assert taken_in(mover, fetched) == SIZE


def test_much_is_pushed_to_us(mover: Any, flow: Callable[[str], Flow]) -> None:
    """The address that we gave takes it in, and nobody without its token."""
    pushed = flow("http-push")
    connection, head, path = opened(pushed.order("prepare")["dataAddress"])
    stranger = call("POST", f"{mover.url}{path}", {}, {"authorization": "Bearer guess"})
    with flat(mover):
        connection.putrequest("POST", path)
        for name, value in {**head, "content-length": str(SIZE)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        for _ in range(SIZE // PIECE):
            connection.send(bytes(PIECE))
        response = connection.getresponse()
        response.read()
    connection.close()

    assert (stranger.status, response.status) == (404, 201)
    assert taken_in(mover, pushed) == SIZE


def test_a_suspension_cuts_what_is_under_way(mover: Any, flow: Callable[[str], Flow]) -> None:
    """A reader that is slow would else go on for hours after the pause."""
    pulled = flow("http-pull")
    connection, head, path = opened(pulled.order("start")["dataAddress"])
    connection.request("GET", path, headers=head)
    response = connection.getresponse()
    response.read(PIECE)
    pulled.say("suspend")
    came, begun = PIECE, time.monotonic()
    with contextlib.suppress(ConnectionError, IncompleteRead):
        while (piece := response.read(PIECE)) and time.monotonic() - begun < LONG:
            came += len(piece)
    connection.close()
    again, _, _ = opened(
        {"endpoint": f"{mover.url}{path}", "endpointProperties": [{"name": "authorization", "value": ""}]}
    )
    again.request("GET", path, headers=head)

    assert (again.getresponse().status, came < SIZE) == (404, True)
    again.close()
