"""A large delivery goes on where it was, whichever side was killed in the middle; memory stays flat."""

from collections import Counter
from random import Random
from typing import Final

import pytest
from strace import followed

from entrepot.use.cargo import PIECE as CHUNK
from space import Space, records, settled, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900), pytest.mark.usefixtures("strace")]
PIECE: Final = 256 << 10
FLAT: Final = 24 << 20
IN_BUFFERS: Final = 16 << 20


def test_a_large_delivery_survives_a_death_on_either_side(
    space: Space, request: pytest.FixtureRequest
) -> None:
    """Both nodes are killed in mid-stream; all bytes arrive, as one use, in memory that does not grow."""
    size = (200 << 20 if request.config.getoption("--all-points") else 80 << 20) + 12_345
    file, random = space.root / "large.bin", Random(6)  # noqa: S311 (content, no secret)
    with file.open("wb") as out:
        for start in range(0, size, PIECE):
            out.write(random.randbytes(min(PIECE, size - start)))
    product = space.offer(file, uses=5)
    provider, consumer = space.provider, space.consumer
    sends, writes = size // CHUNK, size // PIECE

    with (
        followed(provider.pid, "-o", "/dev/null", "-e", _kill("write", sends * 5 // 8), threads=False),
        followed(consumer.pid, "-o", "/dev/null", "-e", _kill("write", writes // 2), threads=False),
    ):
        acquiring = space.begin(product)
        part = acquiring.target.with_name(acquiring.target.name + ".part")
        provider.killed()
        kept = [part.stat().st_size]
        provider.start()
        wait_for("the provider", provider.is_up)
        starts = {provider: provider.begin_measuring()}
        consumer.killed()
        kept.append(part.stat().st_size)
        consumer.start()
        wait_for("the consumer", consumer.is_up)
        starts[consumer] = consumer.begin_measuring()
    ended = acquiring.received()

    assert 0 < kept[0] < kept[1] < size
    settled(space, ended.agreement, file, [acquiring])
    told = Counter(r["kind"] for r in records(provider, ended.use))
    assert told == {"opened": 1, "interrupted": 2, "resumed": 2, "closed": 1}
    (sent,) = provider.rows("SELECT sent FROM use WHERE id = ?", ended.use)[0]
    assert size - kept[0] <= sent < size + IN_BUFFERS
    grown = [peak - start for node, start in starts.items() for peak in node.memory()[1:]]
    assert max(grown) < FLAT
    print(
        f"{size >> 20} MB: {kept[0] >> 20} MB were there when the provider died, {kept[1] >> 20} MB when the"
        f" consumer did; memory grew by {grown[0] >> 10} kB there, {grown[1] >> 10} kB here"
    )


def _kill(call: str, number: int) -> str:
    return f"inject={call}:signal=KILL:when={number}"
