"""Who calls, found out over the wire: members pass, everybody else is refused, and nobody costs much."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from entrepot_dcp_web import MAX_AGE, Node, Web
from entrepot_identity_world import (
    ALICE,
    BOB,
    EVE,
    PLATFORM,
    SECOND,
    START,
    Party,
    credential_of,
    id_claims,
    seconds,
    signer_of,
    write_token,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.identity import (
    Signer,
    issue_presentation,
    issue_status_list,
    parse_token,
    read_did_document,
)
from entrepot.protocols import Reply
from entrepot.protocols.dcp.codec import render_presentations
from entrepot.protocols.dcp.documents import JUST_NOW, KEPT, KEPT_UNREACHABLE, STRANGERS_A_MINUTE
from entrepot.values import Did, EntrepotError, TrustError, UnavailableError

DOCUMENT = "https://alice.example/.well-known/did.json"
QUERY = "https://alice.example/dcp/presentations/query"


class Street:
    """Alice calls Bob; both are members of the platform's space; Eve is not."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.platform = web.node("platform")
        self.alice = web.node("alice")
        self.bob = web.node("bob", status_index=8)
        self.eve = web.node("eve")
        self.eve.credential = None

    async def call(self, caller: Node | None = None) -> Did:
        header = await (caller or self.alice).acquaintance.authorization(self.bob.party.did)
        return await self.bob.acquaintance.authenticate(header)

    async def news(self, *revoked: int) -> bool:
        return await self.bob.acquaintance.take_in_status_list(self.web.status_list(*revoked))

    async def refused(self, caller: Node | None = None, match: str | None = None) -> None:
        with pytest.raises(TrustError, match=match) as caught:
            await self.call(caller)
        assert "secret" not in str(caught.value)


@pytest.fixture
def street(web: Web) -> Street:
    return Street(web)


def test_a_member_is_recognised_and_then_known(street: Street) -> None:
    """The first call asks for document and membership; a later one asks nobody."""

    async def story() -> None:
        await street.news()
        street.web.asked.clear()
        assert await street.call() == ALICE.did
        assert street.web.asked.count(DOCUMENT) == 1
        assert street.web.asked.count(QUERY) == 1

        street.web.asked.clear()
        assert await street.call() == ALICE.did
        assert street.web.asked == []

    asyncio.run(story())


def test_a_token_passes_once_also_after_a_restart(street: Street) -> None:
    """A copied control message gains nothing."""

    async def story() -> None:
        await street.news()
        header = await street.alice.acquaintance.authorization(BOB.did)
        assert await street.bob.acquaintance.authenticate(header) == ALICE.did
        for _ in range(2):
            with pytest.raises(TrustError, match="used before"):
                await street.bob.acquaintance.authenticate(header)
            street.bob.restart()

    asyncio.run(story())


def test_of_a_token_sent_many_times_at_once_one_passes(street: Street) -> None:
    async def story() -> None:
        await street.news()
        header = await street.alice.acquaintance.authorization(BOB.did)
        calls = (street.bob.acquaintance.authenticate(header) for _ in range(12))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert [f for f in found if f == ALICE.did] == [ALICE.did]
        assert all(isinstance(f, TrustError) for f in found if f != ALICE.did)

    asyncio.run(story())


def bearer(signer: Signer | None = ALICE.identity, header: Any = None, **changes: Any) -> str:
    return "Bearer " + write_token(signer, id_claims(**changes), header)


def bearer_of(did: str) -> str:
    return bearer(iss=did, sub=did)


HEADERS: list[tuple[str, Callable[[], str]]] = [
    ("nothing", lambda: ""),
    ("no Bearer", lambda: bearer().removeprefix("Bearer ")),
    ("another scheme", lambda: "Basic YTpi"),
    ("an empty token", lambda: "Bearer "),
    ("no token", lambda: "Bearer token"),
    ("a large token", lambda: "Bearer " + "a" * 100_000),
    ("unsigned", lambda: bearer(None, {"alg": "none", "kid": ALICE.identity.key_id})),
    ("for another", lambda: bearer(aud=EVE.did)),
    ("expired", lambda: bearer(exp=seconds(START) - 6)),
    ("not yet", lambda: bearer(nbf=seconds(START) + 60)),
    ("of two parties", lambda: bearer(sub=EVE.did)),
    ("in another's name", lambda: bearer(EVE.identity)),
    ("of no web DID", lambda: bearer_of("did:key:z6Mk")),
    ("of a host that lies", lambda: bearer_of("did:web:a%2Fb")),
    ("of nobody", lambda: bearer_of("did:web:gone.example")),
]


@pytest.mark.parametrize("header", [h for _, h in HEADERS], ids=[n for n, _ in HEADERS])
def test_a_header_that_proves_nothing_is_refused(street: Street, header: Callable[[], str]) -> None:
    """The route behind it never runs, and the answer is the same kind of refusal for all."""

    async def story() -> None:
        await street.news()
        raw = header()
        with pytest.raises(TrustError) as caught:
            await street.bob.acquaintance.authenticate(raw)
        assert raw.removeprefix("Bearer ") not in str(caught.value) or len(raw) < 20

    asyncio.run(story())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40), prefix=st.sampled_from(["", "Bearer ", "bearer ", "Bearer  "]))
def test_any_header_is_refused_without_a_fault(street: Street, prefix: str, text: str) -> None:
    with pytest.raises(TrustError):
        asyncio.run(street.bob.acquaintance.authenticate(prefix + text))


def test_who_is_no_member_is_refused(street: Street) -> None:
    """Eve is who she says; that does not make her a member."""

    async def story() -> None:
        await street.news()
        await street.refused(street.eve, "shows no membership")
        header = await street.eve.acquaintance.authorization(BOB.did)
        assert (await street.bob.acquaintance.identify(header)).did == EVE.did

    asyncio.run(story())


CREDENTIALS: list[tuple[str, Callable[[], str]]] = [
    ("another's", lambda: credential_of(ALICE)),
    ("self-made", lambda: credential_of(EVE, issuer=EVE)),
    ("of another space", lambda: credential_of(EVE, issuer=Party("other"))),
    ("not yet valid", lambda: credential_of(EVE, valid_from=START + timedelta(hours=1))),
    ("expired", lambda: credential_of(EVE, valid_until=START - timedelta(hours=1))),
    ("revoked", lambda: credential_of(EVE, status_index=99)),
    ("of an index beyond the list", lambda: credential_of(EVE, status_index=999_999)),
    ("of a list that nobody has", lambda: credential_of(EVE, status_url="https://eve.example/status")),
    ("unsigned", lambda: _resigned(None)),
    ("forged", lambda: _resigned(signer_of("eve", "es256", PLATFORM.identity.key_id))),
    ("nonsense", lambda: "nonsense"),
]


def _resigned(signer: Signer | None) -> str:
    """What the platform might have said of Eve, under another signature or none."""
    claims = parse_token(credential_of(EVE)).claims
    return write_token(signer, claims, {"alg": "ES256", "kid": PLATFORM.identity.key_id})


@pytest.mark.parametrize("credential", [c for _, c in CREDENTIALS], ids=[n for n, _ in CREDENTIALS])
def test_a_false_credential_makes_no_member(street: Street, credential: Callable[[], str]) -> None:
    async def story() -> None:
        await street.news(99)
        street.eve.credential = credential()
        await street.refused(street.eve)

    asyncio.run(story())


def test_a_membership_is_found_among_other_credentials(street: Street) -> None:
    """A holder may show more than was asked for (DCP 1.0, 5.4.2.2); the false ones give nothing."""

    async def story() -> None:
        await street.news()
        others = ("nonsense", credential_of(BOB), credential_of(ALICE, issuer=EVE), credential_of(ALICE))
        shown = issue_presentation(ALICE.identity, ALICE.did, BOB.did, others, START, "vp")
        street.web.instead[QUERY] = Reply(200, render_presentations((shown,)), {})
        assert await street.call() == ALICE.did

    asyncio.run(story())


def _presentation(party: Party, reader: Did, credentials: tuple[str, ...]) -> bytes:
    return render_presentations(
        (issue_presentation(party.identity, party.did, reader, credentials, START, "vp"),)
    )


REPLIES: list[tuple[str, Callable[[], Reply]]] = [
    ("no presentation", lambda: Reply(200, b'{"presentation":[]}', {})),
    ("an empty presentation", lambda: Reply(200, _presentation(ALICE, BOB.did, ()), {})),
    ("for another reader", lambda: Reply(200, _presentation(ALICE, EVE.did, (credential_of(ALICE),)), {})),
    ("by another holder", lambda: Reply(200, _presentation(EVE, BOB.did, (credential_of(ALICE),)), {})),
    ("no JSON", lambda: Reply(200, b"<html>", {})),
    ("not found", lambda: Reply(404, b"", {})),
    ("created", lambda: Reply(201, _presentation(ALICE, BOB.did, (credential_of(ALICE),)), {})),
    ("a redirect", lambda: Reply(302, b"", {"location": "https://eve.example"})),
    ("a fault", lambda: Reply(500, b"", {})),
    ("deep", lambda: Reply(200, b'{"a":' * 5000 + b"1" + b"}" * 5000, {})),
]


@pytest.mark.parametrize("reply", [r for _, r in REPLIES], ids=[n for n, _ in REPLIES])
def test_an_answer_that_shows_no_membership_is_refused(street: Street, reply: Callable[[], Reply]) -> None:
    async def story() -> None:
        await street.news()
        street.web.instead[QUERY] = reply()
        await street.refused()

    asyncio.run(story())


def test_a_document_without_credential_service_is_refused(street: Street) -> None:
    async def story() -> None:
        await street.news()
        street.alice.raw_document = ALICE.raw_document
        await street.refused(match="names no CredentialService")

    asyncio.run(story())


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, EVE.raw_document, {}),
        Reply(200, b"", {}),
        Reply(200, b" " * (65 << 10), {}),
        Reply(404, b"", {}),
        Reply(301, b"", {}),
        Reply(503, b"", {}),
    ],
)
def test_a_document_that_is_not_the_callers_is_refused(street: Street, reply: Reply) -> None:
    async def story() -> None:
        await street.news()
        street.web.instead[DOCUMENT] = reply
        await street.refused()

    asyncio.run(story())


def test_news_of_status_has_an_age(street: Street) -> None:
    """Without a fresh list nobody is let in; with a new one everybody is again."""

    async def story() -> None:
        await street.refused(match="nothing is known")
        await street.news()
        assert await street.call() == ALICE.did
        street.web.now += MAX_AGE
        assert await street.call() == ALICE.did
        street.web.now += SECOND
        with pytest.raises(UnavailableError, match="61 s old; at most 60 s"):
            await street.call()
        await street.news()
        assert await street.call() == ALICE.did

    asyncio.run(story())


def test_a_revoked_member_is_out_at_once_and_stays_out(street: Street) -> None:
    """What was kept of a member never outlives the news; a later list undoes nothing."""

    async def story() -> None:
        await street.news()
        assert await street.call() == ALICE.did
        street.web.now += SECOND
        await street.news(7)
        await street.refused(match="revoked")
        street.web.now += SECOND
        await street.news()
        street.bob.restart()
        await street.refused(match="revoked")

    asyncio.run(story())


def test_a_revoked_member_cannot_make_us_ask_at_every_call(street: Street) -> None:
    async def story() -> None:
        await street.news()
        await street.call()
        street.web.now += 10 * SECOND
        await street.news(7)
        street.web.asked.clear()
        for _ in range(10):
            await street.refused(match="revoked")
        assert street.web.asked == [QUERY]

    asyncio.run(story())


def test_a_member_admitted_again_shows_its_new_credential(street: Street) -> None:
    """With another place on the list it is a member again, at its next call."""

    async def story() -> None:
        await street.news()
        await street.call()
        street.web.now += 10 * SECOND
        await street.news(7)
        street.alice.credential = credential_of(ALICE, status_index=20)
        assert await street.call() == ALICE.did
        street.alice.credential = credential_of(ALICE)
        street.web.now += KEPT
        await street.news(7)
        await street.refused(match="revoked")

    asyncio.run(story())


def test_the_platform_needs_no_credential(street: Street) -> None:
    async def story() -> None:
        assert await street.call(street.platform) == PLATFORM.did
        claims = id_claims(PLATFORM)
        with pytest.raises(TrustError):
            await street.bob.acquaintance.authenticate(f"Bearer {write_token(EVE.identity, claims)}")

    asyncio.run(story())


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a.b.c",
        issue_status_list(EVE.identity, EVE.did, "https://platform.example/status/1", (), START),
        issue_status_list(EVE.identity, PLATFORM.did, "https://platform.example/status/1", (), START),
        issue_status_list(PLATFORM.evidence, PLATFORM.did, "u", (), START + timedelta(minutes=1)),
        credential_of(ALICE),
    ],
)
def test_a_list_that_the_platform_did_not_sign_is_refused(street: Street, raw: str) -> None:
    """Anybody may relay; what is relayed must be the platform's, and of a time that has come."""

    async def story() -> None:
        with pytest.raises(EntrepotError):
            await street.bob.acquaintance.take_in_status_list(raw)
        await street.refused()

    asyncio.run(story())


def test_an_older_list_is_not_taken_in(street: Street) -> None:
    async def story() -> None:
        older = street.web.status_list()
        street.web.now += SECOND
        assert await street.news(7)
        assert not await street.bob.acquaintance.take_in_status_list(older)
        await street.refused(match="revoked")

    asyncio.run(story())


def test_changed_keys_are_fetched_anew(street: Street) -> None:
    """A party that changes its keys is understood at once, not after some minutes."""

    async def story() -> None:
        await street.news()
        await street.call()
        _change_keys(street.alice)
        street.web.now += JUST_NOW
        street.web.asked.clear()
        assert await street.call() == ALICE.did
        assert street.web.asked == [DOCUMENT]

    asyncio.run(story())


def test_a_key_that_was_withdrawn_is_worth_nothing_after_some_minutes(street: Street) -> None:
    async def story() -> None:
        await street.news()
        old = street.alice.acquaintance
        await street.call()
        _change_keys(street.alice)
        street.web.now += KEPT
        await street.news()
        header = await old.authorization(BOB.did)
        with pytest.raises(TrustError):
            await street.bob.acquaintance.authenticate(header)

    asyncio.run(story())


def test_strangers_cannot_make_us_ask_often(street: Street) -> None:
    """Forged tokens in Alice's name cost her one request in some seconds, and cost her no access."""

    async def story() -> None:
        await street.news()
        await street.call()
        street.web.asked.clear()
        street.web.now += JUST_NOW
        for n in range(20):
            claims = id_claims(jti=str(n), exp=seconds(street.web.now) + 60)
            with pytest.raises(TrustError):
                await street.bob.acquaintance.authenticate(f"Bearer {write_token(EVE.identity, claims)}")
        assert street.web.asked == [DOCUMENT]

        street.web.down.add("alice.example")
        street.web.now += JUST_NOW
        with pytest.raises(TrustError):
            await street.bob.acquaintance.authenticate(f"Bearer {write_token(EVE.identity, id_claims())}")
        assert await street.call() == ALICE.did

    asyncio.run(story())


def test_made_up_names_make_us_call_only_so_many_hosts(street: Street) -> None:
    """Whoever makes up names would have us call the hosts that they stand for; members still get in."""

    async def story() -> None:
        await street.news()
        for n in range(STRANGERS_A_MINUTE + 20):
            claims = id_claims(iss=f"did:web:h{n}.example", sub=f"did:web:h{n}.example", jti=str(n))
            header = {"alg": "ES256", "kid": f"did:web:h{n}.example#identity-1", "typ": "JWT"}
            token = write_token(EVE.identity, claims, header)
            with pytest.raises(TrustError):
                await street.bob.acquaintance.authenticate(f"Bearer {token}")
        strangers = [url for url in street.web.asked if url.startswith("https://h")]
        assert len(strangers) == STRANGERS_A_MINUTE
        with pytest.raises(TrustError, match="too many strangers"):
            await street.call()
        street.web.now += timedelta(minutes=1, seconds=1)
        await street.news()
        assert await street.call() == ALICE.did

    asyncio.run(story())


def test_a_party_that_cannot_be_reached_is_known_for_a_day(street: Street) -> None:
    """Its keys and credential are those we know; whether it is a member still, the list says."""

    async def story() -> None:
        await street.news()
        await street.call()
        street.web.down.add("alice.example")
        for _ in range(3):
            street.web.now += KEPT
            await street.news()
            street.web.asked.clear()
            assert await street.call() == ALICE.did
            assert await street.call() == ALICE.did
            assert len(street.web.asked) == 2  # document and query, once each
        street.web.instead[DOCUMENT] = Reply(502, b"", {})
        street.web.now += KEPT
        await street.news()
        assert await street.call() == ALICE.did
        street.web.now = START + KEPT_UNREACHABLE
        await street.news()
        await street.refused(match="cannot answer")

    asyncio.run(story())


def test_a_member_that_shows_nothing_any_more_is_refused(street: Street) -> None:
    """Reached and refusing is not the same as out of reach."""

    async def story() -> None:
        await street.news()
        await street.call()
        street.alice.credential = None
        street.web.now += KEPT
        await street.news()
        await street.refused(match="shows no membership")

    asyncio.run(story())


def test_a_known_member_is_known_after_a_restart(street: Street) -> None:
    """A node that comes back serves its members while the others are still coming back."""

    async def story() -> None:
        await street.news()
        await street.call()
        street.bob.restart()
        street.web.asked.clear()
        assert await street.call() == ALICE.did
        assert street.web.asked == [DOCUMENT]

    asyncio.run(story())


def test_an_expired_credential_is_asked_for_again(street: Street) -> None:
    async def story() -> None:
        street.alice.credential = credential_of(ALICE, valid_until=START + timedelta(seconds=30))
        await street.news()
        assert await street.call() == ALICE.did
        street.web.now += 31 * SECOND
        street.alice.credential = credential_of(ALICE, valid_until=START + timedelta(seconds=90))
        assert await street.call() == ALICE.did
        street.web.now += 55 * SECOND
        street.web.down.add("alice.example")
        await street.news()
        assert await street.call() == ALICE.did
        street.web.now += 10 * SECOND
        await street.refused(match="cannot be reached")

    asyncio.run(story())


def test_many_calls_at_once_ask_once(street: Street) -> None:
    """A burst from a new member does not become a burst to it."""

    async def story() -> None:
        await street.news()
        street.web.slow = True
        street.web.asked.clear()
        assert set(await asyncio.gather(*(street.call() for _ in range(20)))) == {ALICE.did}
        assert street.web.asked.count(DOCUMENT) == 1
        assert street.web.asked.count(QUERY) == 1

    asyncio.run(story())


def test_a_call_that_is_given_up_takes_nothing_from_the_others(street: Street) -> None:
    async def story() -> None:
        await street.news()
        street.web.slow = True
        first, second = asyncio.create_task(street.call()), asyncio.create_task(street.call())
        await asyncio.sleep(0.005)
        first.cancel()
        assert await second == ALICE.did
        assert first.cancelled()

    asyncio.run(story())


def _change_keys(node: Node) -> None:
    """Give a node a new key, and let its document say so."""
    fresh = _Changed(node.party.name, services=node.party.services)
    node.raw_document = fresh.raw_document
    assert read_did_document(node.raw_document, node.party.did).keys != node.party.document.keys
    node.meet(fresh)


class _Changed(Party):
    @property
    def identity(self) -> Any:
        return signer_of("another key", "es256", f"{self.did}#identity-2")


def test_the_simulator_serves_what_the_standard_says(street: Street) -> None:
    """The web of wires has the same documents as the nodes themselves."""
    served = asyncio.run(street.web("GET", DOCUMENT))

    assert msgspec.json.decode(served.body)["id"] == ALICE.did
