"""Credentials that are held, asked for and offered, and software that may have tokens made."""

from typing import NotRequired, TypedDict


class CredentialRow(TypedDict):
    """A credential that is held here; the one of the platform's admission has no name to drop it by."""

    credential: str
    types: list[str]
    issuer: str
    form: str
    id: str
    validFrom: str | None
    validUntil: str | None
    heldSince: str | None
    holds: bool
    """Whether it is in its time, and shut in no status list that is known here."""


class KindRow(TypedDict):
    """What an issuer issues; of an offer perhaps its id alone."""

    id: str
    type: str
    form: str


class CredentialRequestRow(TypedDict):
    request: str
    issuer: str
    credentials: list[KindRow]
    state: str
    reason: str
    madeAt: str


class CredentialOfferRow(TypedDict):
    offer: str
    issuer: str
    credentials: list[KindRow]
    receivedAt: str


class TokenClientRow(TypedDict):
    """A client of the token service; its secret is in the answer that made it, and nowhere else."""

    name: str
    scopes: list[str]
    madeAt: NotRequired[str]
    secret: NotRequired[str]


class GoneRow(TypedDict):
    """What is here no longer."""

    ended: str
