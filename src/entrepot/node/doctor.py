"""What is wrong with a node: each finding says what was looked at, and what to do."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

from entrepot.identity import Vault
from entrepot.journal import Journal, SchemaState, schema_state
from entrepot.ledger import lost_batches
from entrepot.node.making import database_url, passphrase_of
from entrepot.node.node import VAULT, trust_of
from entrepot.node.outgoing import HttpClient
from entrepot.node.settings import SETTINGS, Role, Settings, host_of, port_of
from entrepot.protocols import Reply
from entrepot.use import newest_restore
from entrepot.use.query import Sandbox, Tier, at_least
from entrepot.values import EntrepotError, UnavailableError, system_clock

_SKEW_SECONDS = 30
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


def examine(folder: Path) -> list[Finding]:
    """Look at everything, whatever else is wrong."""
    try:
        settings = Settings.read(folder / SETTINGS)
    except EntrepotError as error:
        return [Finding("settings", False, str(error), error.remedy())]
    trusted = partial(trust_of, settings, folder)
    looks: dict[str, Callable[[], Finding]] = {
        "keys": lambda: _keys(settings, folder),
        "schema": lambda: _schema(settings, folder),
        "records": lambda: _records(settings, folder),
        **({"queries": lambda: _queries(settings)} if Role.CONNECTOR in settings.roles else {}),
        "ports": lambda: _ports(settings),
        "platform": lambda: _peer("platform", settings.space.platform_url + "/health", trusted()),
        "ledger": lambda: _peer("ledger", settings.space.ledger_url + "/standing", trusted()),
    }
    findings = [Finding("settings", True, str(folder / SETTINGS)), _identity(settings)]
    for what, look in looks.items():
        try:
            findings.append(look())
        except EntrepotError as error:
            findings.append(Finding(what, False, str(error), error.remedy()))
    return findings


def _identity(settings: Settings) -> Finding:
    insecure = settings.identity.insecure_test
    if insecure is None:
        return Finding("identity", True, "every party proves who it is")
    believed = ", ".join(peer.did for peer in settings.identity.insecure_peers) or "nobody"
    detail = f"insecure test identity {insecure}: {believed} believed at their word"
    return Finding("identity", False, detail, "Take insecure_test out of the settings after the test.")


def _keys(settings: Settings, folder: Path) -> Finding:
    vault = Vault.open(folder / VAULT, passphrase_of(settings, folder))
    if vault.did != settings.did:
        return Finding("keys", False, f"they are those of {vault.did}", "Restore the vault of this node.")
    return Finding("keys", True, ", ".join(str(s.key_id) for s in vault.signers.values()))


def _schema(settings: Settings, folder: Path) -> Finding:
    state = schema_state(database_url(settings, folder))
    current = state is SchemaState.CURRENT
    remedy = "" if current else "Run `entrepot database migrate` after a backup."
    return Finding("schema", current, str(state), remedy)


def _records(settings: Settings, folder: Path) -> Finding:
    """A restored node says for ever what it has forgotten: its counters may be too low."""
    url = database_url(settings, folder)
    if schema_state(url) is not SchemaState.CURRENT:
        return Finding("records", False, "they cannot be read", "Bring the schema to this version first.")
    with Journal.open(url) as journal:
        lost, restored = journal.read_now(lambda c: (lost_batches(c), newest_restore(c)))
    if restored is not None and restored.accepted_at is None:
        remedy = "Read it, then run `entrepot restored accept`; until then nothing here is used."
        return Finding("records", False, restored.gap, remedy)
    if lost is None:
        return Finding("records", True, "every batch on the ledger is here too")
    forgotten = f"batches {lost[0]} to {lost[1]} were made after the backup that this node was restored from"
    return Finding("records", True, f"{forgotten}; uses of that time are not counted here")


def _queries(settings: Settings) -> Finding:
    """How well the machine keeps in a query, found out by starting a child."""
    least = settings.query.least_tier
    sandbox = Sandbox(at_least(Tier(least)))
    try:
        better = f"; no better, for {sandbox.hindrance}" if sandbox.hindrance else ""
        return Finding(
            "queries", True, f"kept in by {sandbox.tier}{better}; the least that will do is {least}"
        )
    except UnavailableError as error:
        remedy = "Install the extra `query` and bubblewrap, or ask for less in query.least_tier."
        return Finding("queries", False, str(error), remedy)
    finally:
        sandbox.close()


def _ports(settings: Settings) -> Finding:
    """A port that is taken is fine where our own node has it."""
    for address in (settings.listen.public, settings.listen.owner):
        with contextlib.closing(socket.socket()) as probe:
            probe.settimeout(2)
            if probe.connect_ex((host_of(address), port_of(address))) == 0:
                return Finding("ports", True, f"something answers at {address}; this node, if it runs")
    return Finding("ports", True, "free; the node does not run")


def _peer(what: str, url: str, trusted: ssl.SSLContext) -> Finding:
    try:
        reply = asyncio.run(_asked(url, trusted))
    except EntrepotError as error:
        return Finding(what, False, str(error), "Ask its operator.")
    stated = reply.headers.get("date", "")
    with contextlib.suppress(ValueError, TypeError):
        skew = abs((parsedate_to_datetime(stated) - system_clock()).total_seconds())
        if skew > _SKEW_SECONDS:
            return Finding(what, False, f"its clock and ours differ by {skew:.0f} s", "Set the clock by NTP.")
    return Finding(what, reply.status == 200, f"{url} answers {reply.status}")


async def _asked(url: str, trusted: ssl.SSLContext) -> Reply:
    client = HttpClient((url,), _PATIENCE, trusted)
    try:
        return await client("GET", url)
    finally:
        await client.close()
