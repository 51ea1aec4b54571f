"""The settings of one node: a TOML file, read once, unknown keys refused.

Times are seconds. Paths are relative to the settings file. Nothing secret is written here.
"""

import ipaddress
import json
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

import msgspec

from entrepot.identity import CredentialForm
from entrepot.protocols.dcp import InsecureIdentity, ProfileName
from entrepot.values import Did, EntrepotError

SETTINGS: Final = "entrepot.toml"
OWNER_TOKEN: Final = "owner.token"  # noqa: S105 (the name of a file)
"""Files in a node's folder."""
_SHORTEST_TOKEN: Final = 16
SQLITE: Final = "sqlite:///node.db"
"""A database in the node's folder."""


class SettingsError(EntrepotError):
    """The settings file does not say what it must."""

    def remedy(self) -> str:
        return "Correct the settings file; docs/reference/settings.md lists every key."


class Role(StrEnum):
    CONNECTOR = "connector"
    PLATFORM = "platform"
    LEDGER = "ledger"
    OBSERVER = "observer"


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Listen(_Section, frozen=True):
    """Where the node listens, and how strangers reach it."""

    public: str
    """Host and port for other nodes."""
    owner: str
    """Host and port for the owner; loopback."""
    url: str
    """The public address as others write it, without a slash at the end."""
    tls_certificate: str = ""
    tls_key: str = ""
    insecure_http_beyond_loopback: bool = False


class Outgoing(_Section, frozen=True):
    """What this node may call."""

    allow_private: tuple[str, ...] = ()
    """Origins (scheme, host, port) on loopback or private ranges that may be called."""
    seconds: float = 10.0
    """How long one call may take."""
    trusted_certificates: str = ""
    """File (PEM) of authorities that are trusted beside the system's: those of the space, of a company."""


class Space(_Section, frozen=True):
    """The space that this node takes part in."""

    name: str
    platform: Did
    platform_url: str
    ledger_url: str
    ledger_origin: str
    """The origin line of the ledger's checkpoints."""
    ledger_key: str
    """The ledger's verifier key, as C2SP signed-note writes it."""
    witnesses: tuple[str, ...] = ()
    """Verifier keys of the witnesses whose cosignatures count."""
    quorum: int = 0
    """How many of them make a checkpoint witnessed."""


class Status(_Section, frozen=True):
    """Ages of what a node knows of others (design: Reach)."""

    max_age: float = 60.0
    resign: float = 30.0
    poll: float = 10.0


class Messages(_Section, frozen=True):
    """When messages are sent again, and given up; how many are taken that nobody asked for."""

    follow_up: float = 0.2
    too_early: float = 10.0
    deadline: float = 86_400.0
    deadline_waiting: float = 600.0
    unasked_offers: int = 20
    """How many offers of one party that we have not asked for may wait here, or have come within a day."""

    def check(self) -> None:
        """Refuse a number that is none."""
        if self.unasked_offers < 0:
            raise SettingsError("messages.unasked_offers: expected how many are taken; 0 takes none")


class Records(_Section, frozen=True):
    """When records are sealed, and when unanchored ones close the gate."""

    seal: float = 1.0
    oldest_unanchored: float = 3_600.0
    resume_window: float = 3_600.0


class Query(_Section, frozen=True):
    """What one query in place may take, and what must keep it in."""

    least_tier: Literal["bwrap", "landlock", "uid", "limits"] = "limits"
    """The weakest sandbox that will do; where the machine has none, no product is offered for queries."""
    seconds: float = 20.0
    megabytes: int = 1_024
    rows: int = 10_000
    """Most rows of one answer."""
    at_once: int = 2
    """Children that run at the same time; each may take so much memory."""


class Party(_Section, frozen=True):
    """What the applicant says of itself; checked at admission."""

    name: str
    subject_code: str = ""
    region: str = ""
    roles: tuple[str, ...] = ()


class SpaceRules(_Section, frozen=True):
    """What the operator has decided for the space."""

    one_sided_up_to: str = ""
    """Highest grade for which a one-sided contract is allowed; empty refuses all."""
    one_sided_unregistered: bool = False
    """Whether one is allowed over products of those who are no members, which nobody has graded."""
    contract_type: str = "1"
    place: str = "0000"
    """Four digits: a region of GB/T 2260, or `00` and two digits of an industry of GB/T 4754."""
    membership_days: int = 365


class Guests(_Section, frozen=True):
    """Who may call a connector without being a member of the space (DCP 1.0)."""

    issuers: tuple[Did, ...] = ()
    """Whose credentials let somebody in as guest; with none there are no guests."""
    scopes: tuple[str, ...] = ("org.eclipse.dspace.dcp.vc.type:MembershipCredential:read",)
    """What a guest has to show, all of it."""
    forms: tuple[CredentialForm, ...] = ()
    """In which forms whoever is not known as a member is shown ours; none named means as anybody is."""

    def check(self, roles: tuple[Role, ...]) -> None:
        """Refuse guests where members alone have business, and scopes that nobody can show."""
        if self.issuers and {*roles} != {Role.CONNECTOR}:
            raise SettingsError("guests.issuers: only a connector has guests")
        if not all(scope.startswith("org.eclipse.dspace.dcp.vc.") for scope in self.scopes):
            raise SettingsError("guests.scopes: expected org.eclipse.dspace.dcp.vc.type:TYPE or ...vc.id:ID")
        if not self.scopes:
            raise SettingsError("guests.scopes: a guest shows at least one credential")


class Wallet(_Section, frozen=True):
    """The credentials of this node (DCP 1.0)."""

    shown: tuple[str, ...] = ("org.eclipse.dspace.dcp.vc.type:MembershipCredential:read",)
    """What everybody whom we call may see of them."""
    issuers: tuple[Did, ...] = ()
    """Who, beside the platform, may bring credentials that we have not asked for."""
    forms: tuple[CredentialForm, ...] = (CredentialForm.VC20, CredentialForm.VC11)
    """In which forms they are shown, of those that they are held in."""
    follow_offers: bool = False
    """Whether what these offer is asked for at once."""

    def check(self) -> None:
        """Refuse what grants nothing."""
        if not all(scope.startswith("org.eclipse.dspace.dcp.vc.") for scope in self.shown):
            raise SettingsError("wallet.shown: expected org.eclipse.dspace.dcp.vc.type:TYPE or ...vc.id:ID")


class LedgerSettings(_Section, frozen=True):
    """The embedded ledger."""

    witness_urls: tuple[str, ...] = ()
    """Where the witnesses of `space.witnesses` are asked to cosign."""
    block_seconds: float = 0.05


class InsecurePeer(_Section, frozen=True):
    """A party that is let in without a proof."""

    did: Did
    base: str
    """The base address of its Dataspace Protocol 2025-1."""
    origins: tuple[str, ...] = ()
    """Where else it may want callbacks and data."""
    token: str = ""
    """For `static-token`: what both sides send. No secret: the settings are not kept as one."""


class IdentitySettings(_Section, frozen=True):
    """How others prove who they are; test identities, without which every party does."""

    profile: ProfileName = ProfileName.STRICT
    """How strictly they are held to DCP 1.0: `identity-hub` takes what Eclipse's wallet writes beside it."""
    insecure_test: InsecureIdentity | None = None
    """`edc-mock` or `static-token`: believe the parties listed at their word. Loopback only."""
    insecure_peers: tuple[InsecurePeer, ...] = ()
    """Who they are."""

    def check(self, listen: Listen) -> None:
        """Refuse a test identity that more than this machine could use, or that names nobody exactly."""
        if self.insecure_test is None:
            if self.insecure_peers:
                raise SettingsError("identity.insecure_peers are listed, but insecure_test names no identity")
            return
        if not is_loopback(host_of(listen.public)):
            raise SettingsError("identity.insecure_test is for nodes that listen on loopback only")
        dids = [peer.did for peer in self.insecure_peers]
        if len({*dids}) != len(dids) or not all(did.startswith("did:") for did in dids):
            raise SettingsError("identity.insecure_peers are told apart by their DIDs (did:...)")
        tokens = [peer.token for peer in self.insecure_peers]
        if self.insecure_test is InsecureIdentity.STATIC_TOKEN and (
            len({*tokens}) != len(tokens) or any(len(token) < _SHORTEST_TOKEN for token in tokens)
        ):
            raise SettingsError(
                f"static-token needs for each peer a token of its own, {_SHORTEST_TOKEN} characters or more"
            )


class Settings(_Section, frozen=True):
    did: Did
    roles: tuple[Role, ...]
    listen: Listen
    space: Space
    party: Party
    database: str = SQLITE
    workers: int = 1
    """How many processes serve this node; more than one on PostgreSQL, without ledger and observer."""
    passphrase_file: str = ""
    """File with the passphrase of the keys; else the variable ENTREPOT_PASSPHRASE is read."""
    outgoing: Outgoing = Outgoing()
    status: Status = Status()
    messages: Messages = Messages()
    records: Records = Records()
    query: Query = Query()
    rules: SpaceRules = SpaceRules()
    ledger: LedgerSettings = LedgerSettings()
    guests: Guests = Guests()
    identity: IdentitySettings = IdentitySettings()
    wallet: Wallet = Wallet()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a settings file."""
        try:
            return cls.decode(path.read_text("utf-8"), str(path))
        except FileNotFoundError as error:
            raise SettingsError(f"there is no settings file {path}; `entrepot init` makes one") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{path}: {error}") from error

    @classmethod
    def decode(cls, text: str, name: str) -> Self:
        """Read and check the text of a settings file of this name."""
        try:
            settings = msgspec.convert(tomllib.loads(text), cls)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise SettingsError(f"{name}: {error}") from error
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse what would weaken the node without saying so."""
        if not self.roles:
            raise SettingsError("a node needs at least one role")
        if not is_loopback(host_of(self.listen.owner)):
            raise SettingsError("listen.owner must be a loopback address")
        beyond = not is_loopback(host_of(self.listen.public))
        if beyond and not self.listen.tls_certificate and not self.listen.insecure_http_beyond_loopback:
            raise SettingsError("listening beyond loopback needs TLS or insecure_http_beyond_loopback = true")
        if urlsplit(self.listen.url).scheme not in {"http", "https"} or self.listen.url.endswith("/"):
            raise SettingsError("listen.url must be an http(s) address without a slash at the end")
        if bool(self.listen.tls_certificate) != bool(self.listen.tls_key):
            raise SettingsError("listen.tls_certificate and listen.tls_key go together")
        self.identity.check(self.listen)
        if self.space.quorum > len(self.space.witnesses):
            raise SettingsError("space.quorum asks for more witnesses than are listed")
        self.guests.check(self.roles)
        self.wallet.check()
        self.messages.check()
        if self.query.seconds <= 0 or min(self.query.megabytes, self.query.rows, self.query.at_once) < 1:
            raise SettingsError("the limits of query must be larger than nothing")
        if self.workers < 1:
            raise SettingsError("a node needs at least one worker")
        if self.workers > 1 and (
            self.database.startswith("sqlite:") or {Role.LEDGER, Role.OBSERVER} & {*self.roles}
        ):
            raise SettingsError(
                "several workers need PostgreSQL, and a node that is neither ledger nor observer"
            )
        check_database(self.database)


def check_database(address: str) -> None:
    """Refuse an address that would write a secret into the settings."""
    if urlsplit(address).password:
        raise SettingsError("database must hold no password: PostgreSQL reads it from its password file")


_LOOPBACK_NAMES: Final = frozenset({"localhost"})


def host_of(address: str) -> str:
    """The host of `host:port`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"expected host:port, got {address!r}")
    return host.strip("[]")


def port_of(address: str) -> int:
    """The port of `host:port`."""
    return int(address.rpartition(":")[2])


def is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def write_settings(settings: Settings, path: Path) -> None:
    """Write a settings file that `Settings.read` reads again, in place of an older one."""
    document = msgspec.to_builtins(settings)
    plain = {k: v for k, v in document.items() if not isinstance(v, dict)}
    lines = ["# Settings of an Entrepot node; docs/reference/settings.md explains every key.", ""]
    lines += [f"{k} = {_toml(v)}" for k, v in plain.items()]
    for name, table in document.items():
        if isinstance(table, dict):
            said = {k: v for k, v in table.items() if v is not None}
            lines += ["", f"[{name}]", *(f"{k} = {_toml(v)}" for k, v in said.items())]
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(lines) + "\n", "utf-8")
    fresh.replace(path)


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return "[" + ", ".join(_toml(v) for v in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
        case _:
            # JSON escapes all that TOML wants escaped but the delete character.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
