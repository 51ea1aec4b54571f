"""Who sits at the console: cookies, form tokens, and guesses."""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from entrepot.console.session import GUESSES, GUESSES_WITHIN, LASTS, Sessions

TOKEN = "the owner's token"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def sessions(clock: Clock, root: bytes = b"one node") -> Sessions:
    def derive(label: str, data: bytes) -> bytes:
        return hmac.digest(root, label.encode() + b"\n" + data, sha256)

    return Sessions(derive, TOKEN.encode(), clock)


def test_the_owners_token_opens_a_session_and_no_other_does() -> None:
    """Whoever guesses, or has another node's token, would get in."""
    found = sessions(Clock())

    assert found.sign_in("guess") is None
    assert found.sign_in("") is None
    assert found.sign_in(TOKEN + " ") is None
    cookie = found.sign_in(TOKEN)
    assert cookie is not None
    assert found.is_owner(cookie)


def test_a_session_ends_by_itself() -> None:
    """A browser left open would be a door left open."""
    clock = Clock()
    found = sessions(clock)
    cookie = found.sign_in(TOKEN) or ""
    clock.now += LASTS - timedelta(seconds=1)
    assert found.is_owner(cookie)
    assert found.ends_at(cookie) == clock.now + timedelta(seconds=1)

    clock.now += timedelta(seconds=2)

    assert not found.is_owner(cookie)


def test_a_cookie_that_was_changed_in_any_place_opens_nothing() -> None:
    """Its end, its name and who it is for are all under its seal."""
    found = sessions(Clock())
    cookie = found.sign_in(TOKEN) or ""
    changed = [cookie[:n] + ("0" if cookie[n] != "0" else "1") + cookie[n + 1 :] for n in range(len(cookie))]

    assert [c for c in changed if found.is_owner(c)] == []
    assert not any(found.is_owner(c) for c in ("", ".", "owner", "owner.9.9", "é.1.2.3", cookie + "0"))


def test_a_guest_is_no_owner_and_another_nodes_cookie_is_nobodys() -> None:
    """The cookie of the sign-in form must not open what lies behind it, nor one node's cookie another."""
    clock = Clock()
    found, other = sessions(clock), sessions(clock, b"another node")

    assert found.is_guest(found.guest())
    assert not found.is_owner(found.guest())
    assert not found.is_guest(found.sign_in(TOKEN) or "")
    assert not found.is_owner(other.sign_in(TOKEN) or "")
    assert found.cookie != other.cookie


def test_a_form_belongs_to_one_session() -> None:
    """Another session's form, or none, would let a foreign page act as the owner."""
    found = sessions(Clock())
    mine, yours = found.sign_in(TOKEN) or "", found.sign_in(TOKEN) or ""

    assert found.is_form_token(mine, found.form_token(mine))
    assert not found.is_form_token(mine, found.form_token(yours))
    assert not found.is_form_token(mine, "")


def test_guesses_are_bounded_and_the_bound_passes() -> None:
    """Without a bound a program tries tokens all night; without an end the owner stays outside."""
    clock = Clock()
    found = sessions(clock)
    for _ in range(GUESSES):
        assert found.wait() == timedelta(0)
        found.sign_in("guess")
        clock.now += timedelta(seconds=1)

    assert found.wait() == GUESSES_WITHIN - timedelta(seconds=GUESSES)
    clock.now += GUESSES_WITHIN - timedelta(seconds=GUESSES)
    assert found.wait() == timedelta(0)


def test_the_cookie_is_kept_from_scripts_and_other_sites() -> None:
    """A script that reads it, or a site that sends it along, would act as the owner."""
    found = sessions(Clock())
    cookie = found.sign_in(TOKEN) or ""
    written = found.written(cookie)["set-cookie"]

    assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= set(written.split("; "))
    assert found.read({"cookie": f"other=1; {found.cookie}={cookie}"}) == cookie
    assert found.read({"cookie": "other=1"}) == found.read({}) == ""
