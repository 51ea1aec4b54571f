"""What is delivered, as the bytes that travel: the artefact itself, or sealed to its receiver.

Where the contract asks for it, an artefact leaves sealed and no other way. Whether that is enough is the
gate's to say: it is told what was seen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.catalogue import Resource
from entrepot.contracts import Contract, agreement_of
from entrepot.identity import PublicKey
from entrepot.policy import Fact, terms_of
from entrepot.use import steps
from entrepot.use.facts import seen
from entrepot.use.model import Goods, TransferProcess
from entrepot.use.sealed import MEDIA_TYPE, Seal, read_sealed, seal_for, sealed_size
from entrepot.values import Did, KindOfUse, ProcessId, RefusedError, render_digest

PIECE: Final = 1 << 20
"""Bytes read and sent at a time; a stream that nobody reads holds no more than two of them."""


@dataclass(frozen=True, slots=True)
class Cargo:
    """An artefact ready to travel."""

    path: Path
    size: int
    """Of what travels."""
    media_type: str
    etag: str
    seal: Seal | None = None

    async def pieces(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to and without `end`, a piece at a time; fewer of a shorter file."""
        file = await asyncio.to_thread(self.path.open, "rb")
        try:
            while start < end:
                piece = await asyncio.to_thread(self._read, file, start, min(PIECE, end - start))
                if not piece:
                    return
                yield piece
                start += len(piece)
        finally:
            file.close()

    def _read(self, file: BinaryIO, start: int, length: int) -> bytes:
        if self.seal is not None:
            return read_sealed(self.seal, file, start, length)
        file.seek(start)
        return file.read(length)


@dataclass(frozen=True, slots=True)
class Consignment:
    """What lies behind a process for delivery."""

    contract: Contract
    goods: Goods
    resource: Resource

    @property
    def is_encrypted(self) -> bool:
        """Whether the contract lets it leave sealed only."""
        return terms_of(self.contract.agreement.policy, KindOfUse.DELIVERY).is_encrypted

    def cargo(self, seal: Seal | None) -> Cargo:
        digest = render_digest(self.goods.artefact)
        if seal is None:
            return Cargo(self.resource.path, self.goods.size, self.resource.media_type, f'"{digest}"')
        tag = f'"{digest}-{seal.header[-64:-32].hex()[:16]}"'
        return Cargo(self.resource.path, sealed_size(self.goods.size), MEDIA_TYPE, tag, seal)


def consignment(connection: Connection, process: TransferProcess) -> Consignment | None:
    """What a process delivers; None where it is no longer here."""
    contract = agreement_of(connection, process.agreement_id)
    goods = None if contract is None else steps.goods_of(connection, contract)
    resource = None if goods is None else catalogue.resource(connection, goods.resource_id)
    if contract is None or goods is None or resource is None:
        return None
    return Consignment(contract, goods, resource)


@dataclass(frozen=True, slots=True)
class Sealer:
    """What it takes to seal for others."""

    receiving_key: Callable[[Did], Awaitable[PublicKey | None]]
    """The key that a party has published to be encrypted to."""
    secret: Callable[[bytes], bytes]
    """32 bytes of ours for a name; the same every time."""

    async def seal(self, process: TransferProcess, found: Consignment) -> Seal | None:
        """The seal of a process's artefact, where its contract asks for one; the same each time."""
        if not found.is_encrypted:
            return None
        consumer = found.contract.counterparty
        key = await self.receiving_key(consumer)
        if key is None:
            raise RefusedError("the consumer has published no key to encrypt to")
        secret = self.secret(process.exchange.id.encode() + b"\n" + key.raw)
        consumer_pid = process.exchange.peer_pid or ProcessId("")
        return seal_for(key, secret, consumer_pid, found.goods.artefact, found.goods.size)


def seen_of(seal: Seal | None) -> Mapping[str, Fact]:
    """What the door has seen done to what leaves."""
    return {} if seal is None else seen(is_encrypted=True)
