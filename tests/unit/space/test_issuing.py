"""Who is issued a membership credential on request, in which forms, and what its status list says."""

from datetime import timedelta

import jsonschema_rs
import pytest
from entrepot_space_world import ALICE, BOB, OPERATOR, START, World

from entrepot import space
from entrepot.identity import (
    Credential,
    CredentialForm,
    Rejection,
    issue_credential,
    membership_in,
    newest_status_list,
    verify_credential,
    verify_status_list,
)
from entrepot.ledger import RevocationReason
from entrepot.space.membership import membership_of
from entrepot.values import RefusedError, UtcTime


def decided(world: World, now: UtcTime = START) -> tuple[Credential, ...] | Rejection:
    return world.journal.read_now(
        lambda c: space.decide_membership(c, world.rules, ALICE.did, space.KINDS, now)
    )


def test_a_member_in_force_is_issued_both_forms(world: World) -> None:
    """What is said in both is the same, save the status list, which is one of the form's own data model."""
    world.join(ALICE)
    found = decided(world)
    assert isinstance(found, tuple)
    memberships = []
    for credential in found:
        raw = issue_credential(OPERATOR.identity, credential)
        read = verify_credential(raw, ALICE.did, OPERATOR.did, OPERATOR.identity.public, START)
        memberships.append(membership_in(read))
        said = {"credentialSubject": {"id": read.subject, **read.claims}}
        assert jsonschema_rs.validator_for(space.SCHEMAS["MembershipCredential"]).is_valid(said)

    assert memberships == [membership_of(world.member(ALICE), world.rules)] * 2
    assert [c.form for c in found] == [CredentialForm.VC20, CredentialForm.VC11]
    assert [c.status[0].url for c in found] == [world.rules.status_url, world.rules.status_url_2021]


def test_who_never_applied_is_refused(world: World) -> None:
    """Nothing is written down for a stranger."""
    with pytest.raises(RefusedError, match="members of this space"):
        decided(world)


def test_who_is_no_member_in_force_is_told_why(world: World) -> None:
    """An applicant, a suspended and a revoked member, and one whose year is over."""
    world.apply(ALICE, ALICE.application(world.invite()))
    assert decided(world) == Rejection("the membership is applied")
    world.journal.write_now(lambda tx: space.admit(tx, ALICE.did))
    world.settle()
    assert decided(world, START + timedelta(days=366)) == Rejection("the membership's time is over")
    world.journal.write_now(lambda tx: space.suspend(tx, ALICE.did, "audit"))
    assert decided(world) == Rejection("the membership is suspended")
    world.journal.write_now(lambda tx: space.resume(tx, ALICE.did))
    assert isinstance(decided(world), tuple)
    world.journal.write_now(lambda tx: space.revoke(tx, ALICE.did, RevocationReason.BREACH))
    assert isinstance(decided(world), Rejection)


def test_the_older_list_says_what_the_newest_says(world: World) -> None:
    """A verifier of VC 1.1 would let in whom all others shut out; and each list is signed once."""
    for party in (ALICE, BOB):
        world.join(party)
    world.journal.write_now(lambda tx: space.suspend(tx, BOB.did, "audit"))
    world.clerk_works()
    newest = world.journal.read_now(lambda c: newest_status_list(c, world.rules.status_url))
    assert newest is not None
    older = space.OlderList(world.rules, OPERATOR.identity)
    raw = older.of(newest[0])
    read = verify_status_list(raw, OPERATOR.did, OPERATOR.identity.public, world.now)

    assert read.url == world.rules.status_url_2021
    for party in (ALICE, BOB):
        index = world.member(party).status_index
        assert index is not None
        assert read.is_revoked(index) is (party is BOB)
    assert older.of(newest[0]) is raw
