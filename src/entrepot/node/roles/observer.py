"""The observer role: the regulator's witness and follower.

As a witness it checks signatures and consistency before it cosigns. As a follower it keeps every entry,
applies it again, compares state roots, and on request reads the ledger's stored entries again.
"""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from entrepot import space
from entrepot.identity import KeyJob
from entrepot.ledger import Follower, Genesis, Witness, decode_note
from entrepot.node import rows
from entrepot.node.api import answer, owner_route, read_body
from entrepot.node.node import COPY_PATH, WITNESS_PATH, Loop, Node, Part
from entrepot.node.roles.observer_owner import supervision_routes
from entrepot.protocols import Call, Response, tds
from entrepot.protocols.tlog import Copy, audit, follow, reading_routes, witness_routes
from entrepot.values import UnavailableError, canonical, render_digest


class ResumeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint that this witness has cosigned, as evidence packages and other nodes have it."""

    checkpoint: Annotated[str, Meta(max_length=100_000)] = ""


def witness_name(node: Node) -> str:
    """The name under which this node cosigns."""
    return node.me.removeprefix("did:web:")


def observer_part(node: Node, client: tds.Client) -> Part:
    """Open the witness of this node; its follower opens when the ledger has been reached once."""
    witness = Witness(
        node.folder / "witness.db",
        witness_name(node),
        node.vault.signer(KeyJob.WITNESS),
        [node.log_key],
        node.clock,
    )
    watch = _Watch(node)

    async def look(_call: Call) -> Response:
        return answer({**watch.state(), "heldSince": witness.held_since() or None})

    async def check(_call: Call) -> Response:
        follower = watch.follower
        if follower is None:
            raise UnavailableError("the ledger has not been reached yet")
        await follow(follower, node.ledger)
        found = await audit(follower, node.ledger)
        differences: list[rows.DifferenceRow] = [
            {
                "entry": d.number,
                "held": render_digest(d.held),
                "served": None if d.served is None else render_digest(d.served),
            }
            for d in found.differences
        ]
        return answer({"entries": found.size, "differences": differences})

    async def resume(call: Call) -> Response:
        """After a restore: cosign again, from the largest checkpoint with our cosignature that is found."""
        given = read_body(call, ResumeBody).checkpoint
        notes = [given.encode()] if given else []
        last = await node.ledger.checkpoint()
        cosigners = {signature.name for signature in decode_note(last).signatures}
        if witness.key.name in cosigners:
            notes.append(last)
        size = await asyncio.to_thread(witness.resume, notes)
        return answer({"size": size, "checkpoints": len(notes)})

    return Part(
        public=[
            *witness_routes(witness, WITNESS_PATH),
            *reading_routes(watch.copy, WITNESS_PATH + COPY_PATH),
        ],
        owner=[
            owner_route("GET", "/owner/observer", look, rows.ObserverRow),
            owner_route("POST", "/owner/observer/audit", check, rows.AuditRow),
            owner_route("POST", "/owner/observer/resume", resume, rows.ResumedRow, ResumeBody),
            *supervision_routes(node, client),
        ],
        loops=[Loop("follow", 0.5, watch.follow)],
        senders={space.TDS: tds.Notices(node.journal, client).send},
        close=watch.close,
    )


class _Watch:
    """The follower of one ledger, and the last thing that was wrong with it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.follower: Follower | None = None
        self._genesis: Genesis | None = None
        self._problem = ""

    async def follow(self) -> None:
        if self.follower is None:
            self.follower = await self._open()
        try:
            await follow(self.follower, self._node.ledger)
            self._problem = ""
        except UnavailableError:
            raise
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"
            raise

    def state(self) -> rows.FollowedRow:
        follower = self.follower
        return {
            "size": 0 if follower is None else follower.size,
            "problem": self._problem,
            "witness": witness_name(self._node),
        }

    def copy(self) -> Copy:
        """What is held of the ledger, for whoever must refill it or read it while it is away."""
        follower, genesis = self.follower, self._genesis
        if follower is None or genesis is None:
            raise UnavailableError("the ledger has not been reached yet")
        return Copy(genesis, follower.log, lambda: follower.note)

    def close(self) -> None:
        if self.follower is not None:
            self.follower.close()

    async def _open(self) -> Follower:
        """Open the file, with the genesis kept at the first contact: a later one is never believed."""
        kept = self._node.folder / "genesis.json"
        if not kept.exists():
            genesis = await self._node.ledger.genesis()
            kept.write_bytes(canonical.encode_struct(genesis))
        self._genesis = canonical.decode_struct(kept.read_bytes(), Genesis)
        path = self._node.folder / "follower.db"
        return await asyncio.to_thread(Follower, path, self._genesis, self._node.log_key)
