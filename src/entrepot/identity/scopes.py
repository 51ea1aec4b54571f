"""Scopes: which credentials a verifier asks for, or may ask for (DCP 1.0, 5.4.1.2)."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from entrepot.identity.credential import Credential
from entrepot.values import MalformedError

MEMBERSHIP: Final = "org.eclipse.dspace.dcp.vc.type:MembershipCredential:read"
_READ: Final = ":read"
_ALL: Final = "*"


class Alias(StrEnum):
    TYPE = "org.eclipse.dspace.dcp.vc.type"
    ID = "org.eclipse.dspace.dcp.vc.id"


@dataclass(frozen=True, slots=True)
class Scope:
    """Credentials by their type or id; `*` is every type."""

    alias: Alias
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a scope, with or without the word that older releases say what for."""
        name, _, value = text.removesuffix(_READ).partition(":")
        if name not in list(Alias) or not value:
            raise MalformedError(f"expected a scope such as {MEMBERSHIP}")
        return cls(Alias(name), value)

    def includes(self, other: "Scope") -> bool:
        """Whether all that the other asks for is asked for here too."""
        return other == self or (self.alias is other.alias is Alias.TYPE and self.value == _ALL)

    def covers(self, credential: Credential) -> bool:
        if self.alias is Alias.ID:
            return credential.id == self.value
        return self.value == _ALL or self.value in credential.types


def includes(granted: Iterable[str], wanted: str) -> bool:
    """Whether all that `wanted` asks for is granted by one of these scopes; what is no scope is not."""
    with suppress(MalformedError):
        scope = Scope.parse(wanted)
        return any(Scope.parse(text).includes(scope) for text in granted)
    return False


def covered(scopes: Iterable[str], credential: Credential) -> bool:
    """Whether one of these scopes asks for the credential; what is no scope asks for nothing."""
    for text in scopes:
        with suppress(MalformedError):
            if Scope.parse(text).covers(credential):
                return True
    return False
