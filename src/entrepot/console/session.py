"""Who sits at the console: signing in with the owner's token, a session cookie, a token in each form.

A session is a cookie of this node's making: when it ends, a random name, and an HMAC of both under a key
of the vault. Nothing is kept of it until somebody signs out; then its name is kept until it would have
ended. A form carries an HMAC of the cookie, so no other site can post it. Guesses at the owner's token
are bounded in number, right or wrong.
"""

import hmac
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Final, TypeAlias

from entrepot.values import Clock, UtcTime

LASTS: Final = timedelta(hours=8)
"""A working day."""
GUESSES: Final = 5
GUESSES_WITHIN: Final = timedelta(minutes=1)

Derive: TypeAlias = Callable[[str, bytes], bytes]
"""Makes 32 bytes that only this node can make (`Vault.derive`)."""

_GUEST: Final = "guest"
_OWNER: Final = "owner"


class Sessions:
    """The sessions of one node. Says who a cookie belongs to; signing out is remembered by the caller."""

    def __init__(self, derive: Derive, owner_token: bytes, clock: Clock) -> None:
        self._derive = derive
        self._owner_token = owner_token
        self._clock = clock
        self._wrong: deque[UtcTime] = deque(maxlen=GUESSES)
        # Cookies know no ports: two nodes of one machine must not write over each other's.
        self.cookie = f"entrepot-{derive('console cookie', b'')[:4].hex()}"

    def guest(self) -> str:
        """A cookie for somebody who has not signed in yet; it ties the form to the browser."""
        return self._seal(_GUEST)

    def sign_in(self, token: str) -> str | None:
        """The cookie of a new session, or None where the token is not the owner's."""
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._owner_token):
            self._wrong.append(self._clock())
            return None
        return self._seal(_OWNER)

    def wait(self) -> timedelta:
        """How long nobody may try to sign in, after too many wrong tokens."""
        if len(self._wrong) < GUESSES:
            return timedelta(0)
        return max(self._wrong[0] + GUESSES_WITHIN - self._clock(), timedelta(0))

    def is_owner(self, value: str) -> bool:
        """Whether this cookie is of a session that has not ended. **The caller asks who has signed out.**"""
        return self._is_sealed(value, _OWNER)

    def is_guest(self, value: str) -> bool:
        return self._is_sealed(value, _GUEST)

    def ends_at(self, value: str) -> UtcTime:
        """When a session ends that `is_owner`."""
        return datetime.fromtimestamp(int(value.split(".")[1]), self._clock().tzinfo)

    def form_token(self, value: str) -> str:
        """What each form of this session carries."""
        return self._derive("console form", value.encode()).hex()

    def is_form_token(self, value: str, token: str) -> bool:
        return hmac.compare_digest(self.form_token(value).encode(), token.encode("utf-8", "replace"))

    def read(self, headers: Mapping[str, str]) -> str:
        """Our cookie in a request's headers, or nothing."""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return "" if found is None else found.value

    def written(self, value: str) -> dict[str, str]:
        """The header that sets our cookie; it ends with the browser at the latest."""
        return {"set-cookie": f"{self.cookie}={value}; Path=/console; HttpOnly; SameSite=Strict"}

    def taken_back(self) -> dict[str, str]:
        return {"set-cookie": f"{self.cookie}=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict"}

    def _seal(self, who: str) -> str:
        ends = int((self._clock() + LASTS).timestamp())
        said = f"{who}.{ends}.{secrets.token_hex(16)}"
        return f"{said}.{self._mac(said)}"

    def _is_sealed(self, value: str, who: str) -> bool:
        said, _, mac = value.rpartition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(said).encode()):
            return False
        kind, ends, _ = said.split(".")
        return kind == who and int(ends) > self._clock().timestamp()

    def _mac(self, said: str) -> str:
        return self._derive("console session", said.encode("utf-8", "replace")).hex()
