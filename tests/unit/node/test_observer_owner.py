"""What a supervisor's node makes of the answers of those whom it supervises."""

import asyncio
import io
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nacl.signing import SigningKey

from entrepot.journal import Journal
from entrepot.node.roles.observer_owner import supervision_routes
from entrepot.oversight import pack, requests
from entrepot.protocols import Call, Response
from entrepot.values import MalformedError

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
USES = {
    "contract": "C",
    "uses": [{"begun": "b", "last": "closed", "outcome": "received", "use": "urn:uuid:1"}],
}


class Signer:
    """The supervisor's evidence key."""

    key_id = "did:web:regulator.example#evidence-1"

    @staticmethod
    def sign(data: bytes) -> bytes:
        return SigningKey(bytes(32)).sign(data).signature


class Party:
    """Whom is asked; answers as the test says."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    async def openings(self, _party: str, _statement: bytes) -> bytes:
        return self.answer


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    ids = iter(range(1_000))
    one = Journal.open(f"sqlite:///{tmp_path / 'n.db'}", lambda: NOON, lambda: f"urn:uuid:{next(ids)}")
    one.create_schema()
    yield one
    one.close()


def ask(journal: Journal, answer: bytes, use: str = "") -> Response:
    node: Any = SimpleNamespace(
        journal=journal, clock=lambda: NOON, vault=SimpleNamespace(signer=lambda _job: Signer)
    )
    party: Any = Party(answer)
    (route,) = [
        r for r in supervision_routes(node, party) if (r.method, r.path) == ("POST", "/owner/openings")
    ]
    body = {"contract": "C", "party": "did:web:clinic.example", "why": "complaint 17", "use": use}
    return asyncio.run(route.handle(Call({}, json.dumps(body).encode(), {}, {}, None)))


def test_what_a_party_gives_is_handed_on(journal: Journal) -> None:
    """Its list of uses, or a package of files that a package has."""
    packed = pack({"receipt.json": b"{}"})
    assert json.loads(ask(journal, json.dumps(USES).encode()).body) == USES
    assert ask(journal, packed, "urn:uuid:1").body == packed


def outside() -> bytes:
    """An archive whose one file lies elsewhere."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("../../.profile"))
    return buffer.getvalue()


@pytest.mark.parametrize("use", ["", "urn:uuid:1"])
@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"\xff", b"[" * 9000, b'{"uses":1}', b'{"contract":"C","uses":[{}]}', outside()]
)
def test_a_party_that_answers_otherwise_is_refused_and_the_request_stays_written(
    journal: Journal, use: str, answer: bytes
) -> None:
    """It chose where a file was written on the supervisor's disk, or ended the command with a fault."""
    with pytest.raises(MalformedError):
        ask(journal, answer, use)
    assert len(journal.read_now(requests)) == 1
