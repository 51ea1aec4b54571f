"""Who is a member: invitations, applications, the ledger's word, the status list."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from entrepot_space_world import ALICE, BOB, EVE, OPERATOR, START, World
from hypothesis import given
from hypothesis import strategies as st

from entrepot import space
from entrepot.identity import StandingState, standing, verify_membership, verify_status_list
from entrepot.journal import claim, settle
from entrepot.ledger import RevocationReason
from entrepot.space import LIFE, SHUT, InvitationError, MemberRole, MemberState, Step, membership
from entrepot.values import (
    ConflictError,
    Did,
    EntrepotError,
    MalformedError,
    RefusedError,
    TransitionError,
    TrustError,
    canonical,
    is_checked,
)

FINAL = {MemberState.REVOKED, MemberState.DECLINED}


def test_an_applicant_becomes_a_member_when_the_ledger_has_it(world: World) -> None:
    """A credential would be handed out before the ledger has decided."""
    world.apply(ALICE, ALICE.application(world.invite()))
    world.journal.write_now(lambda tx: space.admit(tx, ALICE.did))
    world.clerk_works()
    assert (world.member(ALICE).state, world.member(ALICE).credential) == (MemberState.ADMITTING, "")

    world.ledger_orders()
    world.clerk_works()

    member = world.member(ALICE)
    found = verify_membership(member.credential, ALICE.did, OPERATOR.did, OPERATOR.identity.public, START)
    assert (found.connector_code, found.status_index, found.roles) == (
        member.connector_code,
        0,
        ("provider",),
    )
    assert is_checked(member.connector_code)
    assert len(member.connector_code) == 32


def test_every_member_has_a_place_of_its_own_on_the_status_list(world: World) -> None:
    """Revoking one member would revoke another."""
    assert [world.join(p).status_index for p in (ALICE, BOB, EVE)] == [0, 1, 2]


def test_an_invitation_admits_one_applicant(world: World) -> None:
    """A code that leaked after its use would admit a stranger."""
    code = world.invite()
    world.apply(ALICE, ALICE.application(code))

    with pytest.raises(InvitationError, match="used"):
        world.apply(EVE, EVE.application(code))


def test_a_repeated_application_is_told_where_it_stands(world: World) -> None:
    """An applicant whose answer was lost would have burnt its invitation."""
    raw = ALICE.application(world.invite())
    assert world.apply(ALICE, raw) == world.apply(ALICE, raw)

    world.journal.write_now(lambda tx: space.admit(tx, ALICE.did))
    world.settle()
    world.later(days=30)

    assert world.apply(ALICE, raw).credential == world.member(ALICE).credential != ""


def test_an_expired_invitation_admits_nobody(world: World) -> None:
    """A code from an old letter would still open the space."""
    code = world.invite(lasts=timedelta(days=1))
    world.later(days=1, seconds=1)

    with pytest.raises(InvitationError, match="expired"):
        world.apply(ALICE, ALICE.application(code))


def test_an_unknown_invitation_admits_nobody(world: World) -> None:
    """Anybody could apply with a code made up."""
    with pytest.raises(InvitationError, match="no such"):
        world.apply(ALICE, ALICE.application("guessed"))


def test_an_invitation_is_for_its_roles_only(world: World) -> None:
    """A provider could make itself the supervisor."""
    code = world.invite(MemberRole.PROVIDER)

    with pytest.raises(RefusedError, match="invitation is for provider"):
        world.apply(EVE, EVE.application(code, (MemberRole.PROVIDER, MemberRole.REGULATOR)))


def test_the_code_of_an_invitation_is_not_kept(world: World) -> None:
    """A copy of the database would admit its thief."""
    code = world.invite()
    world.apply(ALICE, ALICE.application(code))
    world.close()

    assert not any(code.encode() in f.read_bytes() for f in world.folder.iterdir())


def test_nobody_applies_with_anothers_keys(world: World) -> None:
    """A party could be admitted under keys that it does not hold, or that are somebody else's."""
    code = world.invite()
    stolen = space.make_application(
        code,
        EVE.identity,
        EVE.evidence,
        did=EVE.did,
        name="eve",
        subject_code="91350211M000100Y46",
        region="3502",
        roles=(MemberRole.PROVIDER,),
        origins=("https://eve.example",),
    )
    application = space.read_application(stolen)
    body = replace_body(application, evidence_key=ALICE.evidence.public.raw.hex())

    with pytest.raises(TrustError):
        space.verify_application(body, EVE.document)
    with pytest.raises(TrustError):
        space.verify_application(application, ALICE.document)
    with pytest.raises(TrustError, match="does not list"):
        space.verify_application(application, replace(EVE.document, relations={}))
    with pytest.raises(MalformedError, match="evidence_key_id"):
        space.read_application(
            space.make_application(
                code,
                EVE.identity,
                ALICE.evidence,
                did=EVE.did,
                name="eve",
                subject_code="91350211M000100Y46",
                region="3502",
                roles=(MemberRole.PROVIDER,),
                origins=("https://eve.example",),
            )
        )


def replace_body(application: space.Application, **changed: object) -> space.Application:
    body = msgspec.structs.replace(application.body, **changed)
    return replace(application, body=body, payload=canonical.encode_struct(body))


def test_an_application_is_bound_to_its_invitation(world: World) -> None:
    """Whoever saw an application could send it again with an invitation of its own."""
    raw = ALICE.application(world.invite())
    other = ALICE.application(world.invite())
    mixed = raw.replace(invitation_of(raw), invitation_of(other))

    with pytest.raises(TrustError, match="another invitation"):
        space.read_application(mixed)


def invitation_of(raw: bytes) -> bytes:
    return json.loads(raw)["invitation"].encode()


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("subject_code", "91350211M000100Y43", "subject_code"),
        ("region", "35", "region"),
        ("origins", ("https://alice.example/path",), "origins"),
        ("origins", ("ftp://alice.example",), "origins"),
        ("origins", ("https://user:pw@alice.example",), "origins"),
        ("origins", ("https://alice.example:port",), "origins"),
    ],
)
def test_an_application_names_codes_and_origins_that_can_be_right(
    field: str, value: object, why: str
) -> None:
    """A wrong code would be found by a function node, long after admission."""
    with pytest.raises(MalformedError, match=why):
        space.read_application(ALICE.application("code", **{field: value}))


@given(st.data())
def test_an_application_with_a_changed_byte_is_refused(data: st.DataObject) -> None:
    """What the keys have signed could be changed on its way."""
    raw = bytearray(ALICE.application("code"))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(EntrepotError):
        space.verify_application(space.read_application(bytes(raw)), ALICE.document)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_application_are_refused(raw: bytes) -> None:
    """A stranger's bytes would become a fault of the platform."""
    with pytest.raises(EntrepotError):
        space.read_application(raw)


def test_a_member_does_not_apply_twice(world: World) -> None:
    """A second application would put other keys behind a member's name."""
    world.join(ALICE)

    with pytest.raises(ConflictError, match="has applied already"):
        world.apply(ALICE, ALICE.application(world.invite()))


def test_a_declined_applicant_may_come_again(world: World) -> None:
    """A wrong paper would keep an organisation out for ever."""
    world.apply(ALICE, ALICE.application(world.invite()))
    world.journal.write_now(lambda tx: space.decline(tx, ALICE.did, "the extract is too old"))

    assert world.join(ALICE).in_force


def test_an_application_that_was_declined_does_not_come_back(world: World) -> None:
    """Who kept an old application could put its old keys in the place of its new ones."""
    old = ALICE.application(world.invite())
    world.apply(ALICE, old)
    world.journal.write_now(lambda tx: space.decline(tx, ALICE.did, "a lost key"))
    world.join(ALICE)

    with pytest.raises(InvitationError, match="used"):
        world.apply(ALICE, old)


def test_an_invitation_for_nothing_is_none(world: World) -> None:
    """An operator's slip would make a code that can never be used."""
    with pytest.raises(RefusedError, match="names the roles"):
        world.journal.write_now(lambda tx: space.invite(tx, "code", (), timedelta(days=1)))


def test_a_full_status_list_admits_nobody(world: World) -> None:
    """A member beyond the list's end would count as revoked everywhere."""
    world.join(ALICE)
    world.journal.write_now(
        lambda tx: tx.connection.exec_driver_sql("UPDATE space_member SET status_index = 131071")
    )
    world.apply(BOB, BOB.application(world.invite()))
    world.journal.write_now(lambda tx: space.admit(tx, BOB.did))
    world.clerk_works()

    with pytest.raises(RefusedError, match="list is full"):
        world.ledger_orders()


def test_members_are_listed_by_name(world: World) -> None:
    """An operator could not see who takes part."""
    for party in (BOB, ALICE):
        world.apply(party, party.application(world.invite()))

    assert [m.did for m in world.journal.read_now(space.members)] == [ALICE.did, BOB.did]


def test_nobody_is_certified_who_is_no_member_in_force(world: World) -> None:
    """A credential could be signed for somebody whom the ledger does not have."""
    member = world.apply(ALICE, ALICE.application(world.invite()))

    with pytest.raises(RefusedError, match="no member in force"):
        membership.sign_credential(member, world.rules, OPERATOR.identity)


def test_a_revoked_member_is_never_admitted_again(world: World) -> None:
    """Revocation would be a matter of a new application."""
    world.join(ALICE)
    world.journal.write_now(lambda tx: space.revoke(tx, ALICE.did, RevocationReason.BREACH))
    world.settle()

    assert world.member(ALICE).state is MemberState.REVOKED
    with pytest.raises(ConflictError):
        world.apply(ALICE, ALICE.application(world.invite()))


def test_a_member_that_the_ledger_refuses_is_none(world: World) -> None:
    """The platform would call a member what the ledger does not know."""
    world.apply(ALICE, ALICE.application(world.invite()))
    world.journal.write_now(lambda tx: space.admit(tx, ALICE.did))
    world.clerk_works()
    name = world.journal.write_now(claimed)

    world.journal.write_now(lambda tx: space.ledger_refused(tx, name, "exists"))

    assert (world.member(ALICE).state, world.member(ALICE).status_index) == (MemberState.DECLINED, None)


def claimed(tx: object) -> str:
    return claim(tx, "test", (space.LEDGER,), 0)[0].id


def test_the_clerk_signs_the_list_as_soon_as_somebody_is_shut_out(world: World) -> None:
    """A revocation would wait for the list's next turn."""
    index = world.join(ALICE).status_index
    world.journal.write_now(lambda tx: space.suspend(tx, ALICE.did, ""))

    world.clerk_works()

    raw = world.journal.read_now(lambda c: space.published_status_list(c, world.rules))
    later = world.now + timedelta(seconds=1)
    assert verify_status_list(raw, OPERATOR.did, OPERATOR.identity.public, later).is_revoked(index)
    assert world.clerk_works() == 0


@pytest.mark.parametrize("shut", ["suspend", "revoke"])
def test_a_member_that_is_shut_out_is_on_the_next_status_list(world: World, shut: str) -> None:
    """A member would go on using data while the ledger is being asked."""
    index = world.join(ALICE).status_index
    act = (
        (lambda tx: space.suspend(tx, ALICE.did, "asked for papers"))
        if shut == "suspend"
        else (lambda tx: space.revoke(tx, ALICE.did, RevocationReason.ORDER))
    )
    assert not status(world).is_revoked(index)

    world.journal.write_now(act)

    assert status(world).is_revoked(index)
    if shut == "revoke":
        world.settle()
        assert status(world).is_revoked(index)


def test_a_member_that_comes_back_has_a_new_place_on_the_status_list(world: World) -> None:
    """Nodes that saw its old place shut would keep it out for ever, as they must."""
    before = world.join(ALICE)
    world.journal.write_now(lambda tx: space.suspend(tx, ALICE.did, "asked for papers"))

    world.journal.write_now(lambda tx: space.resume(tx, ALICE.did))
    world.settle()

    after = world.member(ALICE)
    found = verify_membership(after.credential, ALICE.did, OPERATOR.did, OPERATOR.identity.public, START)
    assert (before.status_index, found.status_index) == (0, 1)
    assert [status(world).is_revoked(i) for i in (0, 1)] == [True, False]
    assert world.join(BOB).status_index == 2


def status(world: World) -> object:
    raw = asyncio.run(world.clerk.sign_status_list())
    found = world.journal.read_now(lambda c: space.published_status_list(c, world.rules))
    assert found == raw
    later = world.now + timedelta(seconds=1)
    return verify_status_list(raw, OPERATOR.did, OPERATOR.identity.public, later)


def test_the_status_list_is_always_newer_than_the_one_before(world: World) -> None:
    """A list signed after the clock was set back would lose against an older one with fewer revocations."""
    times = []
    for step in (0, 0, -5, 30, 0.0004):
        world.later(seconds=step)
        times.append(status(world).signed_at)

    assert times == sorted(set(times))


def test_the_platform_itself_goes_by_its_list_at_once(world: World) -> None:
    """A member that was shut out could still file contracts until the platform had fetched its own list."""
    credential = world.join(ALICE).credential
    asyncio.run(world.clerk.sign_status_list())
    key = OPERATOR.identity.public
    membership = verify_membership(credential, ALICE.did, OPERATOR.did, key, START)
    world.later(seconds=1)
    world.journal.write_now(lambda tx: space.suspend(tx, ALICE.did, ""))

    world.clerk_works()

    found = world.journal.read_now(lambda c: standing(c, membership, world.now))
    assert (found.state, found.age) == (StandingState.REVOKED, timedelta(0))


def test_a_list_that_was_overtaken_is_not_published(world: World) -> None:
    """A slow signer could take a revocation back."""
    early = world.journal.read_now(
        lambda c: space.sign_status_list(c, world.rules, OPERATOR.identity, world.now)
    )
    world.later(seconds=30)
    newer = asyncio.run(world.clerk.sign_status_list())

    kept = world.journal.write_now(lambda tx: space.keep_status_list(tx, *early))

    assert not kept
    assert world.journal.read_now(lambda c: space.published_status_list(c, world.rules)) == newer


def test_a_revocation_by_the_regulator_on_the_ledger_is_followed(world: World) -> None:
    """The platform would go on calling a member whom the ledger has ended."""
    world.join(ALICE)

    world.journal.write_now(lambda tx: space.revoked_on_ledger(tx, ALICE.did, "order"))
    world.journal.write_now(lambda tx: space.revoked_on_ledger(tx, ALICE.did, "order"))

    assert world.member(ALICE).state is MemberState.REVOKED
    assert status(world).is_revoked(0)


def test_a_new_evidence_key_gives_a_new_credential(world: World) -> None:
    """A credential would go on naming a key that signs no more."""
    before = world.join(ALICE).credential
    new = replace(ALICE, epoch=2)

    world.journal.write_now(
        lambda tx: space.keys_changed(tx, ALICE.did, 2, new.evidence.key_id, new.evidence.public)
    )
    world.settle()

    member = world.member(ALICE)
    found = verify_membership(member.credential, ALICE.did, OPERATOR.did, OPERATOR.identity.public, START)
    assert member.credential != before
    assert (found.evidence_key_id, found.evidence_key) == (new.evidence.key_id, new.evidence.public)


@pytest.mark.parametrize("killed_after", ["the decision", "the signature", "the commit", "the certificate"])
def test_an_admission_survives_a_kill(world: World, killed_after: str) -> None:
    """An applicant would be admitted by half, and nobody could say how to go on."""
    world.apply(ALICE, ALICE.application(world.invite()))
    world.journal.write_now(lambda tx: space.admit(tx, ALICE.did))
    steps = {
        "the decision": (),
        "the signature": (world.clerk_works,),
        "the commit": (world.clerk_works, world.ledger_orders),
        "the certificate": (world.clerk_works, world.ledger_orders, world.clerk_works),
    }
    for step in steps[killed_after]:
        step()

    world.close()
    world.open()
    world.settle()

    assert world.member(ALICE).in_force
    assert world.member(ALICE).credential


def test_the_ledgers_answer_counts_once(world: World) -> None:
    """An answer that came twice would move a member twice."""
    world.apply(ALICE, ALICE.application(world.invite()))
    world.journal.write_now(lambda tx: space.admit(tx, ALICE.did))
    world.clerk_works()
    name = world.journal.write_now(claimed)

    answers = [world.journal.write_now(lambda tx: space.ledger_committed(tx, name)) for _ in range(2)]
    answers.append(world.journal.write_now(lambda tx: space.ledger_refused(tx, name, "exists")))

    assert answers == [True, False, False]
    assert world.member(ALICE).in_force


def test_a_transaction_that_was_lost_is_signed_anew(world: World) -> None:
    """An admission would hang for ever when the ledger lost its transaction."""
    world.apply(ALICE, ALICE.application(world.invite()))
    world.journal.write_now(lambda tx: space.admit(tx, ALICE.did))
    world.clerk_works()
    lost = world.journal.write_now(claimed)
    world.journal.write_now(lambda tx: settle(tx, lost))
    world.head = replace(world.head, height=world.head.height + 1)

    assert world.journal.write_now(lambda tx: space.ledger_lost(tx, lost))
    world.settle()

    assert world.member(ALICE).in_force


@given(st.lists(st.sampled_from(Step), max_size=12))
def test_no_step_leads_back_into_a_space_that_was_left(steps: list[Step]) -> None:
    """A final state would be left again, or a member be open that the ledger never committed."""
    state, committed = MemberState.APPLIED, False
    for step in steps:
        try:
            after = space.advance(state, step)
        except TransitionError:
            continue
        committed |= step is Step.COMMIT
        assert state not in FINAL
        assert after is not MemberState.IN_FORCE or committed
        assert after not in SHUT or state in SHUT | {MemberState.IN_FORCE}
        state = after


def test_every_state_but_the_first_is_reached() -> None:
    """A state of the table would be there for show."""
    assert set(LIFE.values()) | {MemberState.APPLIED} == set(MemberState)


def test_rules_of_a_space_are_checked_when_they_are_read(world: World) -> None:
    """Contract ids with a wrong operator's code would be found out by others."""
    for wrong in ({"subject_code": "1"}, {"place": "x"}, {"contract_type": "ab"}):
        with pytest.raises(MalformedError):
            replace(world.rules, **wrong)


def test_who_is_no_member_cannot_be_moved(world: World) -> None:
    """A typing error of the operator would pass without a word."""
    with pytest.raises(EntrepotError):
        world.journal.write_now(lambda tx: space.suspend(tx, Did("did:web:nobody.example"), ""))
