"""Push and encrypted delivery among real nodes: what a consumer has asked for comes to it, once and whole."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from strace import followed

from entrepot.values import DataType, data_code, sha256
from space import Acquiring, Space, made_bytes, records, settled, wait_for

CIPHER: Final = {
    "leftOperand": "https://w3id.org/entrepot/v1/encryption",
    "operator": "eq",
    "rightOperand": "cipher",
}
PUSH, PULL = "HttpData-PUSH", "HttpData-PULL"
BIG: Final = 96 << 20
KILL: Final = "inject=write,writev:signal=KILL:when=40"
IN_BUFFERS: Final = 16 << 20
FLAT: Final = 36 << 20
"""The first push after a start, which has loaded little yet, takes 15 to 27 MB: of 96 as of 240."""


def offer(space: Space, file: Path, serial: str, *constraints: dict[str, str]) -> str:
    """Offer a file under these constraints; gives the product's id."""
    attached = space.provider.ask("POST", "/owner/resources", {"path": str(file)})
    product: str = space.provider.ask(
        "POST",
        "/owner/products",
        {
            "id": data_code(DataType.PRODUCT, space.provider.code, "3101", serial),
            "resource": attached["resource"],
            "title": f"Pushed {serial}",
            "description": "Bytes made for a test",
            "rights": "use for research",
            "grade": "L2",
            "kinds": ["delivery"],
            "policy": {"permission": [{"action": "use", "constraint": [COUNT, *constraints]}]},
        },
    )["id"]
    listed = "SELECT 1 FROM product WHERE id = ?"
    wait_for("its listing", lambda: space.operator.rows(listed, product))
    return product


COUNT: Final = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "5"}


def begin(space: Space, product: str, name: str, format_name: str) -> Acquiring:
    target = space.root / name
    body = {"product": product, "target": str(target), "format": format_name}
    space.consumer.ask("POST", "/owner/uses", body)
    return space.at(str(target))


def made(space: Space, name: str, size: int) -> Path:
    file = space.root / name
    file.write_bytes(made_bytes(size, 11))
    return file


def test_a_push_brings_the_artefact_and_its_proof(space: Space) -> None:
    """What a pull leaves behind, a push does too: one use, counted once, with the consumer's receipt."""
    file = made(space, "pushed.bin", 3_000_001)
    product = offer(space, file, "P0000001")
    first = begin(space, product, "push-1", PUSH)
    first.received()
    second = begin(space, product, "push-2", PUSH)  # under the contract that holds by now

    settled(space, second.received().agreement, file, [first, second])
    for use_id in (first.received().use, second.received().use):
        assert [r["kind"] for r in records(space.provider, use_id)] == ["opened", "closed"]


@pytest.mark.parametrize("format_name", [PULL, PUSH])
def test_what_is_encrypted_comes_out_as_the_artefact(space: Space, format_name: str) -> None:
    """The contract says so, the provider does so, and the receipt names what the contract names."""
    file = made(space, f"sealed-{format_name}.bin", 700_000)
    product = offer(space, file, {PULL: "E0000001", PUSH: "E0000002"}[format_name], CIPHER)
    got = begin(space, product, f"clear-{format_name}", format_name)

    settled(space, got.received().agreement, file, [got])
    assert not list(space.root.glob(f"clear-{format_name}.*"))
    (sent,) = space.provider.rows("SELECT sent FROM use WHERE id = ?", got.received().use)[0]
    assert sent == 700_000 + 95 + 16 * 11


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "cipher"])
def test_a_push_survives_a_death_on_either_side(space: Space, *, encrypted: bool) -> None:
    """Both nodes are killed in mid-stream; it goes on where it was, as one use, in flat memory."""
    file = made(space, f"big-{encrypted}.bin", BIG + 77)
    product = offer(space, file, f"K000000{int(encrypted)}", *([CIPHER] if encrypted else []))
    first = begin(space, product, f"before-{encrypted}", PULL)
    first.received()  # so that a contract holds
    provider, consumer = space.provider, space.consumer

    with followed(provider.pid, "-o", "/dev/null", "-e", KILL, threads=False):
        got = begin(space, product, f"killed-{encrypted}", PUSH)
        part = got.target.with_name(got.target.name + ".part")
        provider.killed()
        kept = [part.stat().st_size]
        provider.start()
        wait_for("the provider", provider.is_up)
        starts = {provider: provider.begin_measuring()}
    wait_for("more of it", lambda: part.stat().st_size > kept[0] + (1 << 20), pause=0.001)
    consumer.kill()
    kept.append(part.stat().st_size)
    consumer.start()
    wait_for("the consumer", consumer.is_up)
    starts[consumer] = consumer.begin_measuring()
    ended = got.received()

    assert 0 < kept[0] < kept[1] < BIG
    settled(space, ended.agreement, file, [first, got])
    told = Counter(r["kind"] for r in records(provider, ended.use))
    assert told == {"opened": 1, "interrupted": 2, "resumed": 2, "closed": 1}
    (sent,) = provider.rows("SELECT sent FROM use WHERE id = ?", ended.use)[0]
    assert sent < BIG + IN_BUFFERS
    assert max(node.memory()[1] - start for node, start in starts.items()) < FLAT


def test_a_stop_cuts_a_push(space: Space) -> None:
    """A contract that ends in mid-stream: nothing more leaves, and the process is over on both sides."""
    file = made(space, "stopped.bin", BIG)
    product = offer(space, file, "S0000001")
    got = begin(space, product, "stopped", PUSH)
    part = got.target.with_name("stopped.part")
    wait_for("the first bytes", lambda: part.exists() and part.stat().st_size > 0, pause=0.001)
    (agreement,) = space.provider.rows(
        "SELECT agreement_id FROM transfer_process WHERE party = 'PROVIDER' OR party = 'provider'"
        " ORDER BY created_at DESC LIMIT 1"
    )[0]
    space.provider.ask("POST", f"/owner/contracts/{agreement}/end", {"reason": "breach"})

    ended: Any = got.ended()
    assert ended.state in {"failed", "received"}
    if ended.state == "failed":
        assert not got.target.exists()
        wait_for("an empty outbox", lambda: not space.provider.rows("SELECT 1 FROM outbox LIMIT 1"))


def test_what_was_received_is_the_oracle(space: Space) -> None:
    """An empty artefact is an artefact: nothing is pushed, and it arrives."""
    file = made(space, "empty.bin", 0)
    product = offer(space, file, "Z0000001")
    got = begin(space, product, "empty", PUSH)

    settled(space, got.received().agreement, file, [got])
    assert sha256(got.target.read_bytes()) == sha256(b"")
