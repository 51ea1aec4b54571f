"""How pages call things: their own addresses, and parties and ids as a person reads them."""

from typing import Final
from urllib.parse import quote, unquote

from entrepot.console.words import Language

ROOT: Final = "/console"
_NAME_LENGTH: Final = 200


def address(language: Language, *parts: str) -> str:
    """The address of a page; ids are quoted whole, since a DID holds percent signs of its own."""
    return "/".join([ROOT, language, *(quote(p, safe="") for p in parts)])


def party(did: str) -> str:
    """A DID as a person reads it: the web name behind it."""
    return unquote(did.removeprefix("did:web:"))[:_NAME_LENGTH]


def short(identifier: str) -> str:
    """The end of a long identifier; the whole of it stands beside, for those who need it."""
    bare = identifier.removeprefix("urn:uuid:").removeprefix("sha256:")
    return bare if len(bare) <= 14 else f"…{bare[-10:]}"
