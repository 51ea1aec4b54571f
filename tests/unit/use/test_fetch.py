"""Fetching from a provider that lies: about lengths, ranges, the use, or without end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from entrepot.use import Answer, ArtefactError, ask, fetch
from entrepot.values import EntrepotError, MalformedError, RefusedError, UnavailableError, UseId, sha256

DATA: Final = bytes(range(256)) * 40
MOST: Final = 1 << 20
"""Bytes that no test of these should have to read."""


@dataclass
class Told:
    """One answer of the provider's; `pieces` may have no end."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Callable[[], list[bytes]] = lambda: [DATA]
    is_endless: bool = False
    breaks: bool = False


class Provider:
    """A door whose answers a test tells; counts what was read of them."""

    def __init__(self, *told: Told) -> None:
        self.told = list(told)
        self.asked: list[Mapping[str, str]] = []
        self.read = 0

    def open(self, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Answer]:
        self.asked.append(dict(headers))
        return self._answer(self.told.pop(0) if len(self.told) > 1 else self.told[0])

    @asynccontextmanager
    async def _answer(self, told: Told) -> AsyncIterator[Answer]:
        provider = self

        class Coming:
            status, headers = told.status, told.headers

            async def chunks(self) -> AsyncIterator[bytes]:
                while True:
                    for piece in told.pieces():
                        provider.read += len(piece)
                        assert provider.read < 8 * MOST, "read without a bound"
                        yield piece
                    if told.breaks:
                        raise UnavailableError("broke off")
                    if not told.is_endless:
                        return

        yield Coming()


def fetched(provider: Provider, target: Path) -> UseId:
    found = asyncio.run(fetch(provider.open, target, sha256(DATA), len(DATA), attempts=1))
    assert target.read_bytes() == DATA
    return found.use_id


def nothing_is_kept(target: Path) -> bool:
    return not target.exists() and not target.with_name(target.name + ".part").exists()


def test_what_the_contract_names_is_kept(tmp_path: Path) -> None:
    """The plain way, with the use that the provider names."""
    assert fetched(Provider(Told(headers={"entrepot-use": "urn:uuid:1"})), tmp_path / "d") == "urn:uuid:1"


@pytest.mark.parametrize("status", [301, 400, 403, 404, 416, 429, 500, 503])
def test_a_no_without_end_is_not_heard_out(tmp_path: Path, status: int) -> None:
    """A provider answered with an error as long as it liked, and all of it was kept in memory."""
    for call in (
        lambda p: asyncio.run(fetch(p.open, tmp_path / "d", sha256(DATA), len(DATA), attempts=1)),
        lambda p: asyncio.run(ask(p.open({}), tmp_path / "d")),
    ):
        provider = Provider(Told(status, pieces=lambda: [b"a" * 50_000], is_endless=True))
        with pytest.raises(EntrepotError):
            call(provider)
        assert provider.read <= 150_000
        assert not (tmp_path / "d").exists()


def test_data_without_end_is_cut_at_what_was_promised(tmp_path: Path) -> None:
    """The disk is the consumer's."""
    provider = Provider(Told(is_endless=True))
    with pytest.raises(ArtefactError, match="more came"):
        fetched(provider, tmp_path / "d")
    assert provider.read == 2 * len(DATA)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a" * 101, "urn uuid", "use\x00", "use\n", "\udcff", "../use", "Ünse", "use,use", "'--", "<b>"],
)
def test_a_use_has_a_name_that_a_receipt_can_hold(tmp_path: Path, name: str) -> None:
    """It goes into the consumer's receipt and records: a fault there came after the file was kept."""
    for call in (
        lambda p: asyncio.run(fetch(p.open, tmp_path / "d", sha256(DATA), len(DATA), attempts=1)),
        lambda p: asyncio.run(ask(p.open({}), tmp_path / "d")),
    ):
        with pytest.raises(MalformedError):
            call(Provider(Told(headers={"entrepot-use": name})))
        assert nothing_is_kept(tmp_path / "d")


LIES: dict[str, tuple[Told, ...]] = {
    "other bytes": (Told(pieces=lambda: [DATA[::-1]]),),
    "a part said to be all": (Told(pieces=lambda: [DATA[:100]]), Told(pieces=lambda: [DATA[:100]])),
    "a range from elsewhere": (Told(pieces=lambda: [DATA[:100]], breaks=True), Told(206)),
    "a range of nothing": (Told(pieces=lambda: [DATA[:100]], breaks=True), Told(206, pieces=list)),
    "a range unasked": (Told(206, {"content-range": "bytes 5-9/10"}, lambda: [DATA[5:9]]),),
    "nothing": (Told(pieces=list),),
}


@pytest.mark.parametrize("name", LIES)
def test_no_lie_gets_a_name_on_the_consumers_disk(tmp_path: Path, name: str) -> None:
    """Only what the contract names by its digest is given its name."""
    with pytest.raises((ArtefactError, UnavailableError)):
        fetched(Provider(*LIES[name]), tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 60_000, b"\xff\xfe", b'{"reasons":{"a":1}}', b'{"reasons":[[[1]],null,{"a":"b"}]}', b"null"],
)
def test_a_no_in_any_form_is_a_no(tmp_path: Path, body: bytes) -> None:
    """Reasons are a stranger's text: whatever stands there, the answer is that the door said no."""
    with pytest.raises(RefusedError):
        fetched(Provider(Told(403, pieces=lambda: [body])), tmp_path / "d")
