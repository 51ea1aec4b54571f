"""The door of a delivery that must be encrypted: sealed to its consumer or not at all, in any range."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).with_name("gate_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
gate_world = sys.modules.setdefault("gate_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(gate_world)

from entrepot.contracts import Exchange, Party, State  # noqa: E402 (after the world is loaded)
from entrepot.identity import PublicKey, Receiver  # noqa: E402
from entrepot.policy import parse_policy  # noqa: E402
from entrepot.use import DeliveryDoor, Doors, Sealer, Streams, TransferProcess, store, uses  # noqa: E402
from entrepot.use.sealed import MEDIA_TYPE, sealed_size, unseal  # noqa: E402
from entrepot.values import Did, KeyId, ProcessId, UnavailableError, sha256  # noqa: E402

DATA: Final = b"a,b\n1,2\n"
THEIRS: Final = ProcessId("urn:uuid:theirs")
KEY: Final = Receiver(KeyId("k"), bytes(31) + b"\x41")
TERMS: Final = parse_policy(
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


class Provider:
    """A provider with an open door to something that leaves sealed only."""

    def __init__(self, folder: Path) -> None:
        self.world = gate_world.World(folder, TERMS)
        self.key: PublicKey | Exception | None = KEY.public
        self.asked: list[Did] = []
        process = TransferProcess(
            Exchange(gate_world.PROCESS, Party.PROVIDER, State.STARTED, peer_pid=THEIRS),
            gate_world.CONSUMER,
            "https://consumer/dsp",
            gate_world.AGREEMENT,
            "HttpData-PULL",
            epoch=1,
        )
        self.world.journal.write_now(lambda tx: store.create(tx, process))
        sealer = Sealer(self._receiving_key, sha256)
        door = DeliveryDoor(self.world.journal, self.world.house, Streams(), sealer)
        self.doors = Doors(self.world.journal, {"HttpData-PULL": door})

    async def _receiving_key(self, did: Did) -> PublicKey | None:
        self.asked.append(did)
        if isinstance(self.key, Exception):
            raise self.key
        return self.key

    def get(self, token: str = gate_world.TOKEN, **headers: str) -> tuple[int, dict[str, str], bytes]:
        sent: list[Any] = []
        known = {"authorization": token} | headers
        scope = {"method": "GET", "headers": [(k.encode(), v.encode()) for k, v in known.items()]}

        async def receive() -> Any:
            return await asyncio.Event().wait()

        async def send(event: Any) -> None:
            sent.append(event)

        asyncio.run(self.doors(scope, receive, send, {"process": gate_world.PROCESS}))
        told = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return sent[0]["status"], told, b"".join(e["body"] for e in sent[1:])

    def uses(self) -> list[Any]:
        return self.world.journal.read_now(lambda c: uses(c, 10))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    made = Provider(tmp_path)
    yield made
    made.world.close()


def test_what_leaves_is_sealed_to_the_contracts_consumer(provider: Provider, tmp_path: Path) -> None:
    """To the key of the agreement's consumer, whoever has the token."""
    status, told, body = provider.get()
    (tmp_path / "in").write_bytes(body)
    unseal(tmp_path / "in", tmp_path / "out", KEY.key_from, KEY.public, THEIRS, sha256(DATA))

    assert (status, told["content-type"]) == (200, MEDIA_TYPE)
    assert told["content-length"] == str(sealed_size(len(DATA))) == str(len(body))
    assert (tmp_path / "out").read_bytes() == DATA
    assert DATA not in body
    assert provider.asked == [gate_world.CONSUMER]


@pytest.mark.parametrize("at", [1, 40, 95, 100, sealed_size(len(DATA)) - 1])
def test_a_range_is_one_of_the_sealed_form(provider: Provider, at: int) -> None:
    """Resumed anywhere it is the same bytes, as one use; under the same `etag`."""
    _, told, whole = provider.get()
    status, of_part, rest = provider.get(range=f"bytes={at}-")

    assert (status, rest) == (206, whole[at:])
    assert of_part["content-range"] == f"bytes {at}-{len(whole) - 1}/{len(whole)}"
    assert of_part["etag"] == told["etag"]
    assert len(provider.uses()) == 1


def test_another_key_is_another_form(provider: Provider) -> None:
    """A consumer that changed its key in mid-transfer must not put two halves of two forms together."""
    _, told, whole = provider.get()
    provider.key = Receiver(KeyId("new"), bytes(31) + b"\x42").public
    status, of_part, body = provider.get(range="bytes=100-", **{"if-range": told["etag"]})

    assert (status, len(body)) == (200, len(whole))
    assert of_part["etag"] != told["etag"]


def test_without_a_key_nothing_leaves_and_nothing_counts(provider: Provider) -> None:
    """The consumer is told what to do; a moment's trouble is told apart from a missing key."""
    provider.key = None
    status, _, body = provider.get()
    assert (status, json.loads(body)["reasons"]) == (403, ["the consumer has published no key to encrypt to"])
    provider.key = UnavailableError("no answer")
    assert provider.get()[0] == 503

    assert provider.uses() == []


def test_nobody_is_asked_for_a_key_on_a_strangers_word(provider: Provider) -> None:
    """A guessed token must not make this node call anybody."""
    assert provider.get("guess")[0] == 404
    assert provider.asked == []
