"""The ledger role: orders transactions over one file, and asks its witnesses to cosign."""

from typing import Final

from entrepot.identity import KeyJob
from entrepot.ledger import EmbeddedLedger, Genesis, SignatureType, parse_note_key
from entrepot.node.node import COPY_PATH, LEDGER_PATH, Loop, Node, Part
from entrepot.protocols.tlog import LedgerClient, ask_witnesses, ledger_routes, refill
from entrepot.values import EntrepotError, Log, canonical

_log: Final = Log()


def ledger_part(node: Node) -> Part:
    """Open the embedded ledger of this node."""
    settings = node.settings
    genesis = read_genesis(node)
    witnesses = [parse_note_key(k) for k in settings.space.witnesses]
    ledger = EmbeddedLedger(
        node.folder / "ledger.db",
        genesis,
        node.vault.signer(KeyJob.CHECKPOINT),
        clock=node.clock,
        witnesses=[w for w in witnesses if w.type is SignatureType.COSIGNATURE],
        quorum=settings.space.quorum,
        block_seconds=settings.ledger.block_seconds,
    )
    urls = dict(zip((w.name for w in witnesses), settings.ledger.witness_urls, strict=True))

    async def refilled(url: str) -> None:
        copy = LedgerClient(node.outgoing, url + COPY_PATH, node.log_key)
        try:
            checkpoint = await refill(ledger, copy)
        except EntrepotError as error:
            _log.info("refill", witness=url, problem=str(error))
        else:
            _log.warning("ledger refilled from a follower", size=checkpoint.size)

    async def cosign() -> None:
        if ledger.standing().behind is not None:
            for url in urls.values():
                await refilled(url)
        standing = ledger.standing()
        if urls and (standing.size > standing.witnessed or standing.waiting_for):
            problems = await ask_witnesses(ledger, node.outgoing, urls)
            for name, problem in problems.items():
                _log.info("witness", witness=name, problem=problem)

    return Part(
        public=ledger_routes(ledger, genesis, LEDGER_PATH),
        loops=[Loop("witnesses", 0.25, cosign)],
        close=ledger.close,
    )


def read_genesis(node: Node) -> Genesis:
    return canonical.decode_struct((node.folder / "genesis.json").read_bytes(), Genesis)
