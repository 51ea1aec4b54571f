"""One running node: what its roles share, and the parts that they bring."""

import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from entrepot.identity import (
    ACCESS_LIFETIME,
    Access,
    KeyJob,
    Vault,
    did_url,
    issue_id_token,
    verify_access_token,
    write_access_token,
)
from entrepot.journal import Journal, OutboxMessage, new_uuid
from entrepot.ledger import NoteKey, SignedTransaction, Status, parse_note_key
from entrepot.node.http import RawRoute
from entrepot.node.outgoing import HttpClient, trusting
from entrepot.node.settings import Settings, SettingsError
from entrepot.protocols import Route
from entrepot.protocols.dcp import (
    PROFILES,
    Acquaintance,
    DcpProfile,
    InsecureAcquaintance,
    InsecurePeer,
    Trust,
)
from entrepot.protocols.tlog import LedgerClient
from entrepot.values import Clock, Did, UtcTime, origin_of

VAULT: Final = "vault"
LEDGER_PATH: Final = "/ledger"
WITNESS_PATH: Final = "/witness"
COPY_PATH: Final = "/log"
"""Where, under its witness's address, an observer serves its copy of the ledger."""

Send = Callable[[OutboxMessage, UtcTime], Awaitable[object]]
"""Brings one outbox message to its receiver and takes in what the answer means."""


Settled = Callable[[SignedTransaction, Status], Awaitable[object]]
"""Takes in how far a transaction has come: committed, witnessed or refused."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Work that a node does again and again: every so often, and sooner when something was written."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[object]]
    """Does what is to be done. `True`: there is more, come again at once. A float: in so many seconds."""
    wakes: bool = False
    """Whether a commit wakes it."""
    alone: bool = False
    """Whether one worker at a time does it, where several share a database."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a role brings to its node."""

    public: Sequence[Route | RawRoute] = ()
    owner: Sequence[Route] = ()
    loops: Sequence[Loop] = ()
    settled: Mapping[str, Settled] = field(default_factory=dict)
    """Who wants to know how far a ledger transaction has come, by operation."""
    senders: dict[str, Send] = field(default_factory=dict)
    """Who sends which kind of outbox message."""
    services: dict[str, str] = field(default_factory=dict)
    """Entries of the DID document."""
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Node:
    """What the roles of a node share."""

    settings: Settings
    folder: Path
    vault: Vault
    journal: Journal
    outgoing: HttpClient
    acquaintance: Acquaintance
    clock: Clock
    boot: str

    @property
    def me(self) -> Did:
        return self.settings.did

    @property
    def log_key(self) -> NoteKey:
        """The key of the ledger's checkpoints, as the settings give it."""
        return parse_note_key(self.settings.space.ledger_key)

    @property
    def ledger(self) -> LedgerClient:
        return LedgerClient(self.outgoing, self.settings.space.ledger_url, self.log_key)

    @property
    def status_url(self) -> str:
        """Where the space's status list lies."""
        return self.settings.space.platform_url + "/tds/statusList"

    def access_token(self, peer: Did) -> str:
        """The token with which this party, and no other, may ask for what we show to all whom we call."""
        return access_token(self.settings, self.vault, self.clock, peer)

    def grant(self, access: Access) -> str:
        """Write an access token of ours."""
        return write_access_token(access_key(self.vault), access)

    def access(self, raw: str, reader: Did) -> Access:
        """What an access token of ours grants to this party, or `TrustError`."""
        return verify_access_token(access_key(self.vault), raw, reader, self.clock())

    def id_token(self, audience: Did, access_token: str) -> str:
        """A fresh token that says who we are, with this access token in it."""
        signer = self.vault.signer(KeyJob.IDENTITY)
        return issue_id_token(signer, self.me, audience, self.clock(), new_uuid(), access_token)

    def authorization(self, peer: Did, access_token: str) -> str:
        """The `Authorization` header for a call that brings this access token, or none."""
        return f"Bearer {self.id_token(peer, access_token)}"

    @property
    def profile(self) -> DcpProfile:
        """How strictly others are held to DCP 1.0."""
        return PROFILES[self.settings.identity.profile]

    def believes(self, issuer: Did) -> bool:
        """Whether this issuer may bring us credentials that we have not asked for."""
        return issuer == self.settings.space.platform or issuer in self.settings.wallet.issuers


def access_token(settings: Settings, vault: Vault, clock: Clock, peer: Did) -> str:
    access = Access(peer, settings.wallet.shown, clock() + ACCESS_LIFETIME)
    return write_access_token(access_key(vault), access)


def access_key(vault: Vault) -> bytes:
    return vault.derive("access-token", b"")


def open_node(settings: Settings, folder: Path, vault: Vault, journal: Journal, clock: Clock) -> Node:
    """Put together what the roles share."""
    allowed = tuple(settings.outgoing.allow_private)
    outgoing = HttpClient(allowed, settings.outgoing.seconds, trust_of(settings, folder))
    origins = frozenset(origin_of(o) for o in allowed)
    trust = Trust(
        me=settings.did,
        platform=settings.space.platform,
        status_max_age=timedelta(seconds=settings.status.max_age),
        allows_http=lambda did: origin_of(_http_origin(did)) in origins,
        issuers=frozenset(settings.guests.issuers),
        scopes=settings.guests.scopes,
        profile=PROFILES[settings.identity.profile],
    )
    acquaintance = _acquaintance(settings, vault, journal, outgoing, trust, clock)
    return Node(settings, folder, vault, journal, outgoing, acquaintance, clock, secrets.token_hex(8))


def trust_of(settings: Settings, folder: Path) -> ssl.SSLContext:
    """Who may vouch for the servers that a node calls."""
    named = settings.outgoing.trusted_certificates
    try:
        return trusting(folder / named if named else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"outgoing.trusted_certificates cannot be read: {error.strerror}") from error


def _acquaintance(
    settings: Settings, vault: Vault, journal: Journal, outgoing: HttpClient, trust: Trust, clock: Clock
) -> Acquaintance:
    signer, insecure = vault.signer(KeyJob.IDENTITY), settings.identity.insecure_test

    def token_for(peer: Did) -> str:
        return access_token(settings, vault, clock, peer)

    if insecure is None:
        return Acquaintance(journal, outgoing, trust, signer, clock, token_for)
    peers = [InsecurePeer(p.did, p.base, p.origins, p.token) for p in settings.identity.insecure_peers]
    return InsecureAcquaintance(journal, outgoing, trust, signer, clock, token_for, insecure, peers)


def _http_origin(did: Did) -> str:
    return did_url(did, scheme="http")
