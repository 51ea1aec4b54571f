"""Cursors: words for places in a table, which tell nothing to whoever holds them.

The number of a row would say how many rows lie between two that a contract shows. So it is sealed with
AES-256-GCM under a key of one contract, for one artefact. The nonce is random: two cursors of one place are
not alike either, whatever filters led there.
"""

import secrets
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.catalogue.model import Resource
from entrepot.identity import from_base64url, to_base64url
from entrepot.values import MalformedError

_ROW: Final = struct.Struct(">Q")
_NONCE: Final = 12


class Cursors:
    """The cursors of one table under one contract."""

    __slots__ = ("_artefact", "_cipher")

    def __init__(self, key: bytes, resource: Resource) -> None:
        """With 32 bytes that the node makes for this contract alone, the same at each start."""
        self._cipher = AESGCM(key)
        self._artefact = resource.digest

    def cursor_of(self, row: int) -> str:
        """A word for a place in this very table; it means nothing in another version of it."""
        nonce = secrets.token_bytes(_NONCE)
        return to_base64url(nonce + self._cipher.encrypt(nonce, _ROW.pack(row), self._artefact))

    def parse_cursor(self, cursor: str) -> int:
        try:
            sealed = from_base64url(cursor)
            row: int = _ROW.unpack(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._artefact))[0]
        except (InvalidTag, MalformedError, ValueError) as error:
            raise MalformedError("this cursor is not one of this table; begin again without one") from error
        return row
