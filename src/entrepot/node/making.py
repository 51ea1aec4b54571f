"""Making a node from nothing: its folder, settings, keys, database and, for an operator, its ledger."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from entrepot.identity import KeyJob, Vault, did_web
from entrepot.journal import SchemaState, migrate, schema_state
from entrepot.ledger import Genesis, NoteKey, SignatureType, render_note_key
from entrepot.node.node import LEDGER_PATH, VAULT, WITNESS_PATH
from entrepot.node.settings import (
    OWNER_TOKEN,
    SETTINGS,
    SQLITE,
    LedgerSettings,
    Listen,
    Outgoing,
    Party,
    Role,
    Settings,
    SettingsError,
    Space,
    SpaceRules,
    check_database,
    is_loopback,
    write_settings,
)
from entrepot.space import MemberRole
from entrepot.values import Clock, MalformedError, canonical, is_social_credit_code

GENESIS: Final = "genesis.json"
INVITATION: Final = "invitation.json"
PASSPHRASE: Final = "ENTREPOT_PASSPHRASE"  # noqa: S105 (the name of a variable)


class InvitationFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator hands to somebody who is to join: the space, and a code that works once."""

    code: str
    roles: tuple[MemberRole, ...]
    space: Space
    origins: tuple[str, ...] = ()
    """Origins on loopback or private ranges that a member of this space must be able to call."""


@dataclass(frozen=True, slots=True)
class Made:
    """A node that was made."""

    folder: Path
    settings: Settings
    witness_key: str = ""
    witness_url: str = ""


def make_operator(
    folder: Path,
    *,
    name: str,
    party: Party,
    listen: Listen,
    place: str,
    passphrase: str,
    clock: Clock,
    database: str = SQLITE,
) -> Made:
    """Make the node of an operator: platform and ledger."""
    _check(party)
    did = did_web(listen.url)
    _prepare(folder, database)
    vault = Vault.create(
        folder / VAULT, passphrase, did, (KeyJob.IDENTITY, KeyJob.EVIDENCE, KeyJob.CHECKPOINT)
    )
    origin = did.removeprefix("did:web:").replace("%3A", ":").lower() + LEDGER_PATH
    key = NoteKey(origin, SignatureType.ED25519, vault.signer(KeyJob.CHECKPOINT).public.raw)
    evidence = vault.signer(KeyJob.EVIDENCE)
    genesis = Genesis(
        chain=origin,
        code=party.subject_code,
        key=evidence.key_id,
        operator=did,
        public=evidence.public.raw.hex(),
        time=int(clock().timestamp() * 1_000_000),
    )
    (folder / GENESIS).write_bytes(canonical.encode_struct(genesis))
    space = Space(
        name=name,
        platform=did,
        platform_url=listen.url,
        ledger_url=listen.url + LEDGER_PATH,
        ledger_origin=origin,
        ledger_key=render_note_key(key),
    )
    settings = Settings(
        did=did,
        roles=(Role.PLATFORM, Role.LEDGER),
        listen=listen,
        space=space,
        party=party,
        database=database,
        outgoing=Outgoing(allow_private=_private(listen.url)),
        rules=SpaceRules(place=place),
    )
    return _finish(folder, settings)


def make_member(
    folder: Path,
    *,
    role: Role,
    invitation: InvitationFile,
    party: Party,
    listen: Listen,
    passphrase: str,
    database: str = SQLITE,
) -> Made:
    """Make the node of somebody who was invited; it applies for membership when it runs."""
    _check(party)
    did = did_web(listen.url)
    _prepare(folder, database)
    jobs = [KeyJob.IDENTITY, KeyJob.EVIDENCE, *([KeyJob.WITNESS] if role is Role.OBSERVER else [])]
    vault = Vault.create(folder / VAULT, passphrase, did, jobs)
    allowed = {*_private(listen.url), *invitation.origins}
    settings = Settings(
        did=did,
        roles=(role,),
        listen=listen,
        space=invitation.space,
        party=party,
        database=database,
        outgoing=Outgoing(allow_private=tuple(sorted(allowed))),
    )
    _write_secret(folder / INVITATION, msgspec.json.encode(invitation))
    made = _finish(folder, settings)
    if role is not Role.OBSERVER:
        return made
    name = did.removeprefix("did:web:")
    key = NoteKey(name, SignatureType.COSIGNATURE, vault.signer(KeyJob.WITNESS).public.raw)
    return Made(folder, settings, render_note_key(key), listen.url + WITNESS_PATH)


def add_witness(settings: Settings, key: str, url: str) -> Settings:
    """Let a witness's cosignature count; every witness is needed until the operator says otherwise."""
    if key in settings.space.witnesses:
        return settings
    witnesses = (*settings.space.witnesses, key)
    space = msgspec.structs.replace(settings.space, witnesses=witnesses, quorum=len(witnesses))
    ledger: LedgerSettings = msgspec.structs.replace(
        settings.ledger, witness_urls=(*settings.ledger.witness_urls, url)
    )
    outgoing = allow(settings.outgoing, _private(url))
    return msgspec.structs.replace(settings, space=space, ledger=ledger, outgoing=outgoing)


def allow(outgoing: Outgoing, origins: Sequence[str]) -> Outgoing:
    """Let this node call these origins, though they lie on loopback or private ranges."""
    merged = tuple(sorted({*outgoing.allow_private, *origins}))
    return msgspec.structs.replace(outgoing, allow_private=merged)


def read_invitation(path: Path) -> InvitationFile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=InvitationFile)
    except FileNotFoundError as error:
        raise SettingsError(f"there is no invitation {path}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path} is no invitation: {error}") from error


def passphrase_of(settings: Settings, folder: Path) -> str:
    """The passphrase of the keys: from the file that the settings name, else from the environment."""
    if settings.passphrase_file:
        path = folder / settings.passphrase_file
        if path.resolve().parent == folder.resolve():
            raise SettingsError("the passphrase must not lie beside the keys")
        try:
            return path.read_text("utf-8").strip()
        except OSError as error:
            raise SettingsError(f"the passphrase file cannot be read: {error.strerror}") from error
    found = os.environ.get(PASSPHRASE, "")
    if not found:
        raise SettingsError(f"no passphrase: set {PASSPHRASE}, or passphrase_file in the settings")
    return found


def _check(party: Party) -> None:
    if not is_social_credit_code(party.subject_code):
        raise MalformedError("expected a unified social credit code of 18 characters that checks")


def _prepare(folder: Path, database: str) -> None:
    if (folder / SETTINGS).exists():
        raise SettingsError(f"there is a node in {folder} already; choose another folder")
    check_database(database)
    if database != SQLITE and schema_state(place_of(database, folder)) is not SchemaState.ABSENT:
        raise SettingsError("the database holds something already; give an empty one")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _finish(folder: Path, settings: Settings) -> Made:
    settings.check()
    _write_secret(folder / OWNER_TOKEN, secrets.token_urlsafe(32).encode())
    migrate(database_url(settings, folder))
    write_settings(settings, folder / SETTINGS)
    return Made(folder, settings)


def database_url(settings: Settings, folder: Path) -> str:
    """The node's database; a relative SQLite file lies in the node's folder."""
    return place_of(settings.database, folder)


def place_of(database: str, folder: Path) -> str:
    """Where a database is that the settings of a node in `folder` name."""
    prefix = "sqlite:///"
    if database.startswith(prefix) and not database.startswith(prefix + "/"):
        return prefix + str((folder / database.removeprefix(prefix)).resolve())
    return database


def _write_secret(path: Path, raw: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)


def _private(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    return (f"{parts.scheme}://{parts.netloc}",) if is_loopback(parts.hostname or "") else ()
