"""Claim: knowing who sent a control message costs less than 1 ms of a core, for a caller known already.

Counted is all that stands before a handler: the self-issued token (ES256), its one use made durable, the
kept membership, and how the member stands by the newest status list. The rival is joserfc at the one part
that everybody has: verifying the token.

    python bench/control_messages.py [--calls 2000] [--folder FOLDER]
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import import_key

from entrepot.identity import (
    SUITES,
    KeyJob,
    Membership,
    PublicKey,
    Signer,
    claimed_did,
    issue_id_token,
    issue_membership,
    issue_status_list,
    verify_id_token,
    write_did_document,
)
from entrepot.journal import Journal
from entrepot.protocols import Call, Reply
from entrepot.protocols.dcp import Acquaintance, Services, Trust, routes
from entrepot.values import Did, KeyId, UnavailableError, system_clock
from machine import described

CALLERS = (1, 50)
GOAL_MS = 1.0
CALLER, READER, PLATFORM = (Did(f"did:web:{n}.example") for n in ("caller", "reader", "platform"))
STATUS_URL = "https://platform.example/status/1"


def signer_of(did: Did) -> Signer:
    return Signer(KeyId(f"{did}#identity-1"), "es256", SUITES["es256"].generate())


class Bench:
    """A caller and a platform that answer in this process, and the reader that is measured."""

    def __init__(self, folder: Path) -> None:
        self.signers = {did: signer_of(did) for did in (CALLER, READER, PLATFORM)}
        self.journals = {did: self._journal(folder, did) for did in (CALLER, READER)}
        self.nodes = {did: self._node(did) for did in (CALLER, READER)}
        self.credential = issue_membership(self.signers[PLATFORM], self._membership())
        services = Services(
            CALLER,
            self.signers[CALLER],
            lambda: self._document(CALLER),
            self._credential,
            self.nodes[CALLER].identify,
            str,
            system_clock,
        )
        self.query = next(r for r in routes(services) if r.method == "POST")

    async def outgoing(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        if method == "POST":
            response = await self.query.handle(Call({}, body, headers or {}))
            return Reply(response.status, response.body, response.headers)
        for did in self.signers:
            if did.removeprefix("did:web:") in url:
                return Reply(200, self._document(did)[:max_bytes], {})
        raise UnavailableError(url)

    async def tokens(self, count: int) -> list[str]:
        return [await self.nodes[CALLER].authorization(READER) for _ in range(count)]

    async def renew(self) -> None:
        raw = issue_status_list(self.signers[PLATFORM], PLATFORM, STATUS_URL, (), system_clock())
        await self.nodes[READER].take_in_status_list(raw)

    def close(self) -> None:
        for journal in self.journals.values():
            journal.close()

    def _node(self, did: Did) -> Acquaintance:
        trust = Trust(did, PLATFORM, timedelta(minutes=1), lambda _did: False)
        return Acquaintance(self.journals[did], self.outgoing, trust, self.signers[did], system_clock, str)

    def _document(self, did: Did) -> bytes:
        services = {"CredentialService": f"https://{did.removeprefix('did:web:')}/dcp"}
        return write_did_document(did, {KeyJob.IDENTITY: self.signers[did]}, services)

    async def _credential(self) -> str | None:
        return self.credential

    @staticmethod
    def _journal(folder: Path, did: Did) -> Journal:
        journal = Journal.open(f"sqlite:///{folder}/{did.removeprefix('did:web:')}.db")
        journal.create_schema()
        return journal

    def _membership(self) -> Membership:
        now = system_clock()
        key = PublicKey("ed25519", SUITES["ed25519"].generate().public())
        return Membership(
            CALLER, PLATFORM, "C", "S", "350200", ("consumer",), KeyId(f"{CALLER}#evidence-1"), key,
            STATUS_URL, 7, now - timedelta(hours=1), now + timedelta(days=1),
        )  # fmt: skip


async def measure(bench: Bench, calls: int, callers: int) -> tuple[float, float]:
    """Milliseconds a call, of a core and by the clock on the wall."""
    await bench.renew()
    tokens = iter(await bench.tokens(calls))

    async def caller() -> None:
        for token in tokens:
            assert await bench.nodes[READER].authenticate(token) == CALLER

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return (time.process_time() - cpu) / calls * 1e3, (time.perf_counter() - wall) / calls * 1e3


async def run(folder: Path, calls: int) -> int:
    bench = Bench(folder)
    await measure(bench, 10, 1)
    print(described())
    print(f"input: {calls:,} calls of a member that is known, each with a token of its own")
    for callers in CALLERS:
        cpu, wall = await measure(bench, calls, callers)
        print(f"  ours, {callers:>2} callers: {cpu:.3f} ms of a core, {wall:.3f} ms by the clock, a call")
    signer, now = bench.signers[CALLER], system_clock()
    raws = [issue_id_token(signer, CALLER, READER, now, str(n)) for n in range(calls)]
    document, key = await bench.nodes[READER].document(CALLER), import_key({**signer.public.jwk()})
    start = time.process_time()
    for raw in raws:
        verify_id_token(claimed_did(raw)[0], document, READER, now)
    alone = (time.process_time() - start) / calls * 1e3
    start = time.process_time()
    for raw in raws:
        jwt.decode(raw, key, algorithms=["ES256"])
    rival = (time.process_time() - start) / calls * 1e3
    print(
        f"  the token alone: ours {alone:.3f} ms, joserfc {rival:.3f} ms of a core; ratio {alone / rival:.2f}"
    )
    print(f"  goal {GOAL_MS} ms, many callers: {'reached' if cpu < GOAL_MS else 'missed'} ({cpu:.3f})")
    bench.close()
    return 0 if cpu < GOAL_MS else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="where the databases lie while measuring")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        return asyncio.run(run(Path(folder), given.calls))


if __name__ == "__main__":
    sys.exit(main())
