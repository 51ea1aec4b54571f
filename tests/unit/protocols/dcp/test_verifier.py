"""Guests: who is no member is let in on the word of a trusted issuer, if all of it holds (DCP 1.0, 5.4.3)."""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from entrepot_dcp_web import MAX_AGE, Web
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

from entrepot.identity import (
    Credential,
    CredentialForm,
    Guest,
    Schema,
    StatusEntry,
    issue_credential,
    issue_presentation,
    issue_status_list,
    known_guest,
    known_member,
    parse_token,
    to_base64url,
)
from entrepot.protocols import Reply
from entrepot.protocols.dcp import IDENTITY_HUB, INSECURE_RC6
from entrepot.protocols.dcp.codec import render_presentations
from entrepot.values import Did, TrustError, UnavailableError, render_time

VC20, VC11 = CredentialForm.VC20, CredentialForm.VC11
CHAMBER = Party("chamber")
QUERY = "https://alice.example/dcp/presentations/query"
LIST = "https://chamber.example/status/1"
SCHEMA = "https://chamber.example/schema/member"
PASSPORT = "org.eclipse.dspace.dcp.vc.type:PassportCredential"
FORMS = pytest.mark.parametrize("form", CredentialForm)


def said(form: CredentialForm, **changes: Any) -> Credential:
    """What the chamber says of Alice."""
    return replace(
        Credential(
            form=form,
            issuer=CHAMBER.did,
            subject=ALICE.did,
            types=("MembershipCredential",),
            claims={"level": "gold"},
            valid_from=START - timedelta(days=1),
            valid_until=START + timedelta(days=1),
            status=(StatusEntry(LIST, 7),),
            schemas=(Schema(SCHEMA),),
            id="urn:uuid:1",
        ),
        **changes,
    )


class Harbour:
    """Alice is no member of Bob's space; Bob trusts the chamber of commerce, which vouches for her."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.platform, self.chamber = web.node("platform"), web.node("chamber")
        self.alice, self.bob, self.eve = web.node("alice"), web.node("bob"), web.node("eve")
        self.bob.issuers = frozenset({CHAMBER.did})
        self.bob.meet()
        self.publish(LIST, self.status_list())
        self.publish(SCHEMA, msgspec.json.encode({"required": ["credentialSubject"]}))

    def status_list(self, *revoked: int, signer: Any = None, issuer: Party = CHAMBER) -> bytes:
        made = issue_status_list(signer or issuer.identity, issuer.did, LIST, revoked, self.web.now)
        return made.encode()

    def publish(self, url: str, body: bytes, status: int = 200) -> None:
        self.web.instead[url] = Reply(status, body, {})

    def show(self, *credentials: str | Credential, form: CredentialForm = VC20) -> None:
        """What Alice's credential service shows, whoever asks it."""
        raws = tuple(c if isinstance(c, str) else issue_credential(CHAMBER.identity, c) for c in credentials)
        self.shown = raws
        shown = issue_presentation(ALICE.identity, ALICE.did, BOB.did, raws, self.web.now, "vp", form)
        self.publish(QUERY, render_presentations((shown,)))

    def kept(self) -> Guest:
        """What Bob has written down of Alice."""
        found = asyncio.run(self.bob.journal.read(lambda c: known_guest(c, ALICE.did)))
        assert found is not None
        return found

    def look_again(self) -> None:
        asyncio.run(self.bob.acquaintance.look_again(ALICE.did))

    async def call(self) -> Did:
        header = await self.alice.acquaintance.authorization(BOB.did)
        return await self.bob.acquaintance.authenticate(header)

    def comes_in(self) -> bool:
        try:
            return asyncio.run(self.call()) == ALICE.did
        except TrustError:
            return False

    def refused(self, match: str) -> None:
        with pytest.raises(TrustError, match=match):
            asyncio.run(self.call())


@pytest.fixture
def harbour(web: Web) -> Harbour:
    return Harbour(web)


@FORMS
def test_a_guest_is_let_in_on_a_trusted_issuers_word(harbour: Harbour, form: CredentialForm) -> None:
    """A connector of another space, with credentials of either form, browses here without admission."""
    harbour.show(said(form), form=form)

    assert harbour.comes_in()


def test_a_guest_is_let_in_by_the_older_kind_of_status_list(harbour: Harbour) -> None:
    """StatusList2021 (profile vc11-sl2021): bare base64, in a credential of the older form."""
    claims: Any = dict(parse_token(harbour.status_list().decode()).claims)
    newer = claims["credentialSubject"]
    body = {
        "@context": [VC11.context],
        "id": LIST,
        "type": ["VerifiableCredential", "StatusList2021Credential"],
        "issuer": CHAMBER.did,
        "issuanceDate": "2026-11-25T08:00:00Z",
        "credentialSubject": {**newer, "type": "StatusList2021", "encodedList": newer["encodedList"][1:]},
    }
    raw = write_token(CHAMBER.identity, {"iss": CHAMBER.did, "nbf": seconds(START), "vc": body})
    harbour.publish(LIST, raw.encode())
    harbour.show(said(VC11), form=VC11)

    assert harbour.comes_in()


def test_without_trusted_issuers_there_are_no_guests(harbour: Harbour) -> None:
    harbour.bob.issuers = frozenset()
    harbour.bob.meet()
    harbour.show(said(VC20))

    harbour.refused("shows no membership.*not trusted here")


@FORMS
def test_what_was_revoked_or_suspended_lets_nobody_in(harbour: Harbour, form: CredentialForm) -> None:
    """5.4.3, 6: read from the issuer's own signed list."""
    harbour.publish(LIST, harbour.status_list(7))
    harbour.show(said(form), form=form)

    harbour.refused("under revocation")


def test_every_list_that_a_credential_names_is_asked(harbour: Harbour) -> None:
    """Not revoked is not enough where it may be suspended, too."""
    other = "https://chamber.example/status/2"
    claims: Any = msgspec.json.decode(
        msgspec.json.encode(parse_token(harbour.status_list(3).decode()).claims)
    )
    claims["credentialSubject"]["statusPurpose"] = "suspension"
    harbour.publish(other, write_token(CHAMBER.identity, claims).encode())
    harbour.show(said(VC20, status=(StatusEntry(LIST, 3), StatusEntry(other, 3, "suspension"))))

    harbour.refused("under suspension")


LISTS: list[tuple[str, str, Callable[[Harbour], bytes]]] = [
    ("unsigned", "not signed", lambda _: b'{"credentialSubject": {"encodedList": "uH4sI"}}'),
    ("another's", "not the issuer's|another issuer", lambda h: h.status_list(issuer=EVE)),
    (
        "forged",
        "does not hold",
        lambda h: h.status_list(signer=signer_of("eve identity", "es256", CHAMBER.identity.key_id)),
    ),
    ("a credential", "statusPurpose", lambda _: issue_credential(CHAMBER.identity, said(VC20)).encode()),
    ("nothing", "three parts", lambda _: b""),
    ("binary", "three parts|base64url", lambda _: bytes(range(256))),
]


@pytest.mark.parametrize(("match", "made"), [(m, f) for _, m, f in LISTS], ids=[n for n, _, _ in LISTS])
def test_a_status_list_that_its_issuer_did_not_sign_lets_nobody_in(
    harbour: Harbour, match: str, made: Callable[[Harbour], bytes]
) -> None:
    """Who serves a file on the way must not bring the revoked back."""
    harbour.publish(LIST, made(harbour))
    harbour.show(said(VC20))

    harbour.refused(match)


@pytest.mark.parametrize("status", [204, 302, 404, 500, 503])
def test_a_list_that_cannot_be_had_lets_nobody_in(harbour: Harbour, status: int) -> None:
    harbour.publish(LIST, b"", status)
    harbour.show(said(VC20))

    harbour.refused("cannot")


@pytest.mark.parametrize(
    "url",
    [
        "https://eve.example/status/1",
        "http://chamber.example/status/1",
        "https://chamber.example:8443/status/1",
        "https://chamber.example@eve.example/status/1",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[::1/status",
        "status/1",
    ],
)
def test_a_credential_makes_us_call_its_issuer_and_nobody_else(harbour: Harbour, url: str) -> None:
    """Design, Reach: an address that a stranger names lies on an origin of its issuer's DID."""
    for changes in ({"status": (StatusEntry(url, 7),)}, {"schemas": (Schema(url),)}):
        harbour.web.asked.clear()
        harbour.show(said(VC20, **changes))

        harbour.refused("address")
        assert url not in harbour.web.asked


def test_claims_that_break_their_schema_let_nobody_in(harbour: Harbour) -> None:
    schema = {"properties": {"credentialSubject": {"properties": {"level": {"enum": ["silver"]}}}}}
    harbour.publish(SCHEMA, msgspec.json.encode(schema))
    harbour.show(said(VC20))

    harbour.refused("breaks the schema")


@pytest.mark.parametrize("body", [b"", b"7", b'{"$ref": "https://eve.example/s"}', b'{"type": 7}'])
def test_a_schema_that_cannot_be_read_lets_nobody_in(harbour: Harbour, body: bytes) -> None:
    harbour.publish(SCHEMA, body)
    harbour.show(said(VC20))

    harbour.refused("schema")


FALSE: list[tuple[str, str, Callable[[], str]]] = [
    ("of an issuer nobody trusts", "not trusted", lambda: _by(EVE, issuer=EVE.did)),
    ("in a trusted issuer's name", "not its issuer's", lambda: _by(EVE)),
    ("under a trusted issuer's key", "does not hold", lambda: _by(_Impostor("eve"))),
    ("without signature", "does not hold", lambda: _unsigned("ES256")),
    ("unsigned", "its key is for ES256", lambda: _unsigned("none")),
    ("of another holder", "another holder", lambda: _by(CHAMBER, subject=EVE.did)),
    ("expired", "expired", lambda: _by(CHAMBER, valid_until=START - 6 * SECOND)),
    ("of tomorrow", "not valid yet", lambda: _by(CHAMBER, valid_from=START + timedelta(days=1))),
    ("of another type", "nothing was shown", lambda: _by(CHAMBER, types=("PassportCredential",))),
    ("of the other form", "another form", lambda: _by(CHAMBER, form=VC11)),
    ("the platform's, but no membership", "lacks roles", lambda: _by(PLATFORM, issuer=PLATFORM.did)),
    ("no token", "three parts", lambda: "nonsense"),
]


class _Impostor(Party):
    @property
    def identity(self) -> Any:
        return signer_of("eve identity", "es256", CHAMBER.identity.key_id)


def _by(signer: Party, form: CredentialForm = VC20, **changes: Any) -> str:
    return issue_credential(signer.identity, said(form, **changes))


def _unsigned(algorithm: str) -> str:
    claims = parse_token(_by(CHAMBER)).claims
    return write_token(None, claims, {"alg": algorithm, "kid": CHAMBER.identity.key_id})


@pytest.mark.parametrize(("match", "made"), [(m, f) for _, m, f in FALSE], ids=[n for n, _, _ in FALSE])
def test_a_false_credential_makes_no_guest(harbour: Harbour, match: str, made: Callable[[], str]) -> None:
    """Each alone is enough to refuse, though everything else is in order."""
    harbour.show(made())

    harbour.refused(f"shows no membership.*{match}")


def test_more_than_was_asked_for_does_no_harm(harbour: Harbour) -> None:
    """5.4.2.2: what was not asked for is neither believed nor a reason to refuse."""
    harbour.show(_by(CHAMBER, types=("PassportCredential",)), "nonsense", _by(EVE), said(VC20))

    assert harbour.comes_in()


def test_a_guest_shows_all_that_is_asked_for(harbour: Harbour) -> None:
    """Settings `guests.scopes`: one credential of two is not enough."""
    harbour.bob.scopes = ("org.eclipse.dspace.dcp.vc.type:MembershipCredential:read", PASSPORT)
    harbour.bob.meet()
    harbour.show(said(VC20))
    harbour.refused("nothing holds of .*PassportCredential")

    harbour.show(said(VC20), said(VC20, types=("PassportCredential",)))
    assert harbour.comes_in()


def test_a_credential_is_asked_for_by_its_id(harbour: Harbour) -> None:
    harbour.bob.scopes = ("org.eclipse.dspace.dcp.vc.id:urn:uuid:1",)
    harbour.bob.meet()
    harbour.show(said(VC20))
    assert harbour.comes_in()

    harbour.bob.meet()
    harbour.show(said(VC20, id="urn:uuid:2"))
    harbour.refused("nothing holds of")


def test_a_guest_is_asked_again_when_news_of_it_is_old(harbour: Harbour) -> None:
    """Nobody sends us news of guests, so a revocation counts as soon as news of a member would be old."""
    harbour.show(said(VC20))
    assert harbour.comes_in()
    harbour.web.asked.clear()
    assert harbour.comes_in()
    assert harbour.web.asked == []

    harbour.web.now += MAX_AGE
    harbour.publish(LIST, harbour.status_list(7))
    harbour.show(said(VC20))
    harbour.refused("under revocation")


def test_a_guest_is_no_member(harbour: Harbour) -> None:
    """What it has shown is kept for the gate, beside the members and not among them."""
    harbour.show(said(VC20))
    assert harbour.comes_in()

    assert asyncio.run(harbour.bob.journal.read(lambda c: known_member(c, ALICE.did))) is None
    assert harbour.kept() == Guest(ALICE.did, harbour.shown, START)


def test_the_issuers_of_a_guest_are_asked_again_without_it(harbour: Harbour) -> None:
    """It may never call again, and use data through a door all the same: so nobody waits for its call."""
    harbour.show(said(VC20))
    assert harbour.comes_in()
    harbour.web.now += 30 * SECOND
    harbour.web.asked.clear()

    harbour.look_again()

    assert harbour.kept() == Guest(ALICE.did, harbour.shown, START + 30 * SECOND)
    assert QUERY not in harbour.web.asked
    harbour.publish(LIST, harbour.status_list(7))
    harbour.web.now += 10 * SECOND
    harbour.look_again()
    assert "under revocation" in harbour.kept().against


def test_what_was_revoked_lets_nobody_in_again_whatever_a_list_says_later(harbour: Harbour) -> None:
    """A revocation once known never expires; another credential of the same issuer is another matter."""
    harbour.show(said(VC20))
    assert harbour.comes_in()
    harbour.publish(LIST, harbour.status_list(7))
    harbour.web.now += 10 * SECOND
    harbour.look_again()
    harbour.publish(LIST, harbour.status_list())
    harbour.web.now += 10 * SECOND

    harbour.refused("was revoked")

    harbour.show(said(VC20, id="urn:uuid:2"))
    harbour.web.now += 10 * SECOND
    assert harbour.comes_in()
    assert harbour.kept().against == ""


def test_a_revocation_that_a_guest_brings_itself_counts_at_its_door_at_once(harbour: Harbour) -> None:
    """It calls for something else while its door stands open: what we learn then is known everywhere."""
    harbour.show(said(VC20))
    assert harbour.comes_in()
    harbour.web.now += MAX_AGE
    harbour.publish(LIST, harbour.status_list(7))
    harbour.show(said(VC20))

    harbour.refused("under revocation")

    assert "under revocation" in harbour.kept().against


def test_an_issuer_that_cannot_be_reached_says_nothing_against_a_guest(harbour: Harbour) -> None:
    """What is known of the guest grows old instead, and the gate judges by its age."""
    harbour.show(said(VC20))
    assert harbour.comes_in()
    harbour.web.now += 30 * SECOND
    harbour.publish(LIST, b"", 503)

    with pytest.raises(UnavailableError):
        harbour.look_again()

    assert harbour.kept() == Guest(ALICE.did, harbour.shown, START)


def test_a_key_that_its_issuer_has_withdrawn_vouches_for_nobody(harbour: Harbour) -> None:
    """A stolen key is taken out of the issuer's document: what it had signed counts no longer."""
    harbour.show(said(VC20))
    assert harbour.comes_in()
    document: Any = msgspec.json.decode(harbour.chamber.raw_document)
    harbour.chamber.raw_document = msgspec.json.encode({**document, "assertionMethod": []})
    harbour.web.now += 30 * SECOND

    harbour.look_again()

    assert "not its issuer's" in harbour.kept().against
    harbour.refused("not its issuer's")


def test_an_issuer_that_is_away_takes_nothing_from_what_others_say(harbour: Harbour) -> None:
    """Of two trusted issuers one cannot be reached: the other's word is enough; alone, it is no final no."""
    other = Party("guild")
    harbour.bob.issuers = frozenset({CHAMBER.did, other.did})
    harbour.bob.meet()
    absent = issue_credential(other.identity, said(VC20, issuer=other.did, status=(), schemas=()))
    harbour.show(absent)
    harbour.refused("guild.example cannot be reached")

    harbour.show(absent, said(VC20))
    assert harbour.comes_in()


def test_a_member_that_was_shut_out_does_not_come_back_as_guest(harbour: Harbour) -> None:
    """A revocation once known never expires, whoever else vouches."""

    async def news(*revoked: int) -> None:
        await harbour.bob.acquaintance.take_in_status_list(harbour.web.status_list(*revoked))

    asyncio.run(news())
    harbour.show(credential_of(ALICE))
    assert harbour.comes_in()
    harbour.web.now += 10 * SECOND
    asyncio.run(news(7))
    harbour.show(said(VC20))

    for _ in range(3):
        harbour.refused("revoked")
        harbour.web.now += 10 * SECOND


def _without_relations(party: Party) -> bytes:
    document: Any = msgspec.json.decode(party.raw_document)
    for relation in ("authentication", "capabilityInvocation", "assertionMethod"):
        del document[relation]
    return msgspec.json.encode(document)


def test_keys_without_relations_are_for_nothing_but_in_the_old_suites_profile(harbour: Harbour) -> None:
    """Strict is what nodes are; the insecure profile is for the release of the suite that it names."""
    harbour.show(said(VC20))
    for node in (harbour.alice, harbour.chamber):
        document: Any = msgspec.json.decode(_without_relations(node.party))
        document["service"] = msgspec.json.decode(node.raw_document)["service"]
        node.raw_document = msgspec.json.encode(document)
    harbour.refused("does not list it|not list")

    harbour.bob.profile = INSECURE_RC6
    harbour.bob.meet()
    assert harbour.comes_in()


def _as_identity_hub_writes(harbour: Harbour) -> None:
    """Documents without relations, two envelopes, `sub` for the subject's id, a short list that is no VC."""
    for node in (harbour.alice, harbour.chamber):
        document: Any = msgspec.json.decode(_without_relations(node.party))
        document["service"] = msgspec.json.decode(node.raw_document)["service"]
        node.raw_document = msgspec.json.encode({**document, "authentication": []})
    _as_issuer_service_lists(harbour)
    newer = parse_token(issue_credential(CHAMBER.identity, said(VC20, schemas=()))).claims
    credential = write_token(CHAMBER.identity, {**newer, "credentialStatus": _NUMBERED})
    envelope = {"id": f"data:application/vc+jwt,{credential}", "type": "EnvelopedVerifiableCredential"}
    inner = {"type": "VerifiablePresentation", "holder": ALICE.did, "verifiableCredential": [envelope]}
    where = f"data:application/vp+jwt,{write_token(ALICE.identity, inner)}"
    outer = write_token(ALICE.identity, {"type": "EnvelopedVerifiablePresentation", "id": where})
    harbour.publish(QUERY, render_presentations((outer,)))


_NUMBERED: Any = {
    "id": "7c1d",
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListCredential": LIST,
    "statusListIndex": 7,
}


def _as_issuer_service_lists(harbour: Harbour, *revoked: int) -> None:
    bits = bytearray(2048)
    for index in revoked:
        bits[index // 8] |= 1 << (7 - index % 8)
    at = seconds(harbour.web.now)
    encoded = "u" + to_base64url(gzip.compress(bytes(bits)))
    subject = {"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": encoded}
    body = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "id": "5b2f",
        "type": ["BitstringStatusListCredential"],
        "issuer": CHAMBER.did,
        "issuanceDate": render_time(harbour.web.now),
        "credentialSubject": subject,
    }
    claims = {"iss": CHAMBER.did, "sub": "0d1e", "iat": at, "nbf": at, "jti": "1", "vc": body}
    harbour.publish(LIST, write_token(CHAMBER.identity, claims).encode())


def test_a_guest_of_identity_hub_is_let_in_where_the_owner_lets_it(harbour: Harbour) -> None:
    """No release of it lists what its keys are for, so a strict verifier believes nobody who uses it."""
    _as_identity_hub_writes(harbour)
    harbour.refused("not list")

    harbour.bob.profile = IDENTITY_HUB
    harbour.bob.meet()
    assert harbour.comes_in()

    _as_issuer_service_lists(harbour, 7)
    harbour.web.now += 10 * SECOND
    harbour.look_again()
    harbour.refused("revoc")


def test_identity_hub_changes_nothing_for_whoever_keeps_to_the_standards(harbour: Harbour) -> None:
    """A document that says what its keys are for is taken at its word."""
    harbour.bob.profile = IDENTITY_HUB
    harbour.bob.meet()
    harbour.show(said(VC20))
    assert harbour.comes_in()

    document: Any = msgspec.json.decode(harbour.alice.raw_document)
    harbour.alice.raw_document = msgspec.json.encode({**document, "capabilityInvocation": []})
    harbour.bob.meet()
    harbour.refused("not list")


def test_who_sends_no_access_token_is_asked_for_nothing(harbour: Harbour) -> None:
    """DCP 1.0, 4.3.1: without it no credential service need answer, so none is called."""
    harbour.show(said(VC20))
    token = write_token(ALICE.identity, id_claims(token=None))

    with pytest.raises(TrustError, match="no access token"):
        asyncio.run(harbour.bob.acquaintance.authenticate(f"Bearer {token}"))
    assert QUERY not in harbour.web.asked


def test_a_token_may_leave_out_the_key_where_there_is_one(harbour: Harbour) -> None:
    """DCP 1.0, 4.3.3, 3: no `kid` means the only verification method; of several, none."""
    harbour.show(said(VC20))
    header = {"alg": "ES256", "typ": "JWT"}

    def call(jti: str) -> Did:
        token = write_token(ALICE.identity, id_claims(jti=jti), header)
        return asyncio.run(harbour.bob.acquaintance.authenticate(f"Bearer {token}"))

    with pytest.raises(TrustError):
        call("one")
    document: Any = msgspec.json.decode(harbour.alice.raw_document)
    document["verificationMethod"] = document["verificationMethod"][:1]
    harbour.alice.raw_document = msgspec.json.encode(document)
    harbour.bob.meet()
    assert call("two") == ALICE.did
