"""Addresses on the web, as far as anything is decided by them: the origin that an address lies on."""

from typing import Final
from urllib.parse import urlsplit

from entrepot.values.errors import MalformedError

_PORTS: Final = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """Scheme, host and port of an http(s) address, written in one way; **compare these, never prefixes.**"""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError as error:
        raise MalformedError("that is no address") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
        raise MalformedError("expected an http(s) address without a password in it")
    return f"{parts.scheme}://{parts.hostname}:{port}"
