"""Contract ids, filing and its attacks, receipts."""

import base64
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from entrepot_space_world import (
    ALICE,
    BOB,
    CHAIN,
    EVE,
    OPERATOR,
    REGULATOR,
    START,
    Party,
    World,
    both_sign,
)
from hypothesis import given
from hypothesis import strategies as st

from entrepot import catalogue, space
from entrepot.catalogue import product_digest
from entrepot.contracts import (
    SIGNED_AS,
    Agreement,
    Signatory,
    Signature,
    contract_payload,
    open_envelope,
    seal_envelope,
)
from entrepot.journal import claim, settle
from entrepot.ledger import RevocationReason
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.space import FilingConflictError, FilingState, MemberRole
from entrepot.values import (
    AgreementId,
    ContractId,
    EntrepotError,
    Grade,
    KeyId,
    MalformedError,
    NotFoundError,
    ProductId,
    RefusedError,
    TrustError,
    is_checked,
    sha256,
)


def test_a_contract_id_is_the_national_code(members: World) -> None:
    """A contract id would be refused by every other node."""
    contract_id = members.contract_id()

    assert len(contract_id) == 47
    assert is_checked(contract_id)
    assert contract_id[0] == "1"
    assert contract_id[20:38] == "350220261125080000"


def test_a_negotiation_has_one_contract_id(members: World) -> None:
    """A repeated request would leave ids behind that nobody uses."""
    assert members.contract_id("n1") == members.contract_id("n1")
    assert len({members.contract_id(n) for n in ("n1", "n2", "n3")}) == 3
    assert members.contract_id("n1", holder=EVE, other=BOB) != members.contract_id("n1")
    with pytest.raises(FilingConflictError):
        members.contract_id("n1", other=EVE)


def test_only_members_in_force_get_contract_ids(members: World) -> None:
    """A suspended member would go on making contracts."""
    members.journal.write_now(lambda tx: space.suspend(tx, ALICE.did, ""))

    with pytest.raises(RefusedError):
        members.contract_id()


def test_a_filed_contract_has_a_receipt_once_the_ledger_has_it(members: World) -> None:
    """*Filed* would be said of what no ledger holds."""
    envelope = both_sign(members.payload(members.contract_id(), members.product()))
    assert members.file(envelope).state is FilingState.FILING
    members.clerk_works()
    assert members.file(envelope).receipt == b""

    members.settle()

    contract = members.file(envelope)
    receipt = check(contract.receipt, envelope)
    assert contract.state is FilingState.FILED
    assert receipt.contract == contract.contract_id
    assert receipt.transaction == contract.transaction
    assert receipt.parties == (ALICE.did, BOB.did)
    assert not receipt.one_sided


def check(receipt: bytes, envelope: bytes) -> space.FilingReceipt:
    return space.verify_receipt(
        receipt, OPERATOR.did, OPERATOR.evidence.key_id, OPERATOR.evidence.public, envelope
    )


def test_a_repeated_filing_gets_the_same_receipt(members: World) -> None:
    """Two receipts of one filing would look like two filings."""
    contract_id, envelope = members.filed()
    before = members.contract(contract_id)
    members.later(minutes=5)

    assert members.file(envelope) == before
    assert members.clerk_works() == 0
    assert members.ledger_orders() == 0


def test_another_envelope_under_the_same_id_is_refused(members: World) -> None:
    """A party could put other terms behind a filed contract."""
    contract_id, _ = members.filed()
    members.later(seconds=1)
    other = both_sign(members.payload(contract_id, members.product()))

    with pytest.raises(FilingConflictError):
        members.file(other)


@given(st.data())
def test_an_envelope_with_a_changed_byte_is_never_verified(data: st.DataObject) -> None:
    """Terms could be changed between the signatures and the filing."""
    raw = bytearray(ENVELOPE)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(EntrepotError):
        space.verify_filing(bytes(raw), KEYS)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_envelope_are_refused(raw: bytes) -> None:
    """A stranger's bytes would become a fault of the platform."""
    with pytest.raises(EntrepotError):
        space.verify_filing(raw, KEYS)


def _payload() -> bytes:
    agreement = Agreement(
        id=AgreementId("a"),
        target=ProductId("urn:product:weather"),
        policy=Policy(permissions=(Rule("use"),)),
        assigner=ALICE.did,
        assignee=BOB.did,
        timestamp=START,
    )
    return contract_payload(agreement, ContractId("C" * 47), sha256(b"product"))


PAYLOAD = _payload()
ENVELOPE = both_sign(PAYLOAD)
KEYS = {p.evidence.key_id: p.evidence.public for p in (ALICE, BOB)}


def test_the_envelope_that_was_signed_is_verified() -> None:
    """The attacks below would prove nothing."""
    assert set(space.verify_filing(ENVELOPE, KEYS).signers) == {ALICE.did, BOB.did}


def test_a_party_cannot_sign_in_the_role_of_the_other() -> None:
    """One party could make a two-sided contract alone."""
    for signatures in (
        [ALICE.sign(PAYLOAD, Signatory.PROVIDER), ALICE.sign(PAYLOAD, Signatory.CONSUMER)],
        [BOB.sign(PAYLOAD, Signatory.PROVIDER), ALICE.sign(PAYLOAD, Signatory.CONSUMER)],
        [ALICE.sign(PAYLOAD, Signatory.PROVIDER), EVE.sign(PAYLOAD, Signatory.CONSUMER)],
        [ALICE.sign(PAYLOAD, Signatory.PROVIDER), EVE.sign(PAYLOAD, Signatory.SERVICE_PARTY)],
    ):
        with pytest.raises(TrustError):
            space.verify_filing(
                seal_envelope(PAYLOAD, signatures), KEYS | {EVE.evidence.key_id: EVE.evidence.public}
            )


def test_a_signature_under_something_else_is_none_of_a_contract() -> None:
    """A signed receipt or transaction could be passed off as a signed contract."""
    wrong = contract_signature(BOB, b"entrepot/receipt/v1\n" + PAYLOAD)

    with pytest.raises(TrustError):
        space.verify_filing(seal_envelope(PAYLOAD, [ALICE.sign(PAYLOAD, Signatory.PROVIDER), wrong]), KEYS)


def contract_signature(party: Party, data: bytes) -> object:
    return Signature.of(party.evidence.key_id, Signatory.CONSUMER, party.evidence.sign(data))


def test_a_missing_signature_is_refused(members: World) -> None:
    """A provider could file what its consumer never agreed to."""
    payload = members.payload(members.contract_id(), members.product())
    alone = seal_envelope(payload, [ALICE.sign(payload, Signatory.PROVIDER)])

    with pytest.raises(RefusedError, match="refuses one-sided"):
        members.file(alone)


@pytest.mark.parametrize(("grade", "allowed"), [(Grade.L1, True), (Grade.L2, True), (Grade.L3, False)])
def test_one_sided_contracts_go_up_to_the_grade_that_the_space_allows(
    world: World,
    grade: Grade,
    allowed: bool,  # noqa: FBT001 (a table of cases)
) -> None:
    """Sensitive data would be used under a contract that one party has signed alone."""
    world.one_sided_up_to = Grade.L2
    world.close()
    world.open()
    world.join(ALICE)
    payload = world.payload(world.contract_id(), world.product(grade=grade))
    alone = seal_envelope(payload, [ALICE.sign(payload, Signatory.PROVIDER)])

    if not allowed:
        with pytest.raises(RefusedError, match="up to L2"):
            world.file(alone)
        return
    world.file(alone)
    world.settle()
    contract = world.file(alone)
    assert contract.one_sided
    assert check(contract.receipt, alone).one_sided


def test_a_contract_is_filed_under_the_id_of_who_files_it(members: World) -> None:
    """A member could file under an id that was given to another."""
    product = members.product()
    with pytest.raises(NotFoundError):
        members.file(both_sign(members.payload(members.contract_id(), product)), sender=EVE)
    foreign = members.contract_id("n9", holder=EVE)
    with pytest.raises(NotFoundError):
        members.file(both_sign(members.payload(foreign, product)))
    with pytest.raises(RefusedError, match="only a party"):
        members.file(both_sign(members.payload(foreign, product)), sender=EVE)
    unknown = ContractId(foreign[:-1] + "0")
    with pytest.raises(NotFoundError):
        members.file(both_sign(members.payload(unknown, product)))


def test_the_parties_are_those_that_the_id_was_given_for(members: World) -> None:
    """An id asked for one counterparty could be used with another."""
    contract_id = members.contract_id(other=EVE)

    with pytest.raises(RefusedError, match="other parties"):
        members.file(both_sign(members.payload(contract_id, members.product())))


@pytest.mark.parametrize("party", [ALICE, BOB])
@pytest.mark.parametrize("how", ["suspended", "revoked"])
def test_a_member_that_was_shut_out_signs_no_contract(members: World, party: Party, how: str) -> None:
    """A revoked member would go on making contracts."""
    envelope = both_sign(members.payload(members.contract_id(), members.product()))
    keys = members.journal.read_now(lambda c: space.keys_of(c, (ALICE.did, BOB.did)))
    filing = space.verify_filing(envelope, keys)
    members.journal.write_now(
        (lambda tx: space.suspend(tx, party.did, ""))
        if how == "suspended"
        else (lambda tx: space.revoke(tx, party.did, RevocationReason.BREACH))
    )

    with pytest.raises(TrustError):
        members.file(envelope)
    with pytest.raises(RefusedError, match="no member in force"):  # shut out after the keys were read
        members.journal.write_now(lambda tx: space.file_contract(tx, members.rules, filing, ALICE.did))


def test_a_key_that_was_changed_signs_no_more(members: World) -> None:
    """A stolen evidence key could not be replaced."""
    envelope = both_sign(members.payload(members.contract_id(), members.product()))
    keys = members.journal.read_now(lambda c: space.keys_of(c, (ALICE.did, BOB.did)))
    filing = space.verify_filing(envelope, keys)
    new = replace(BOB, epoch=2).evidence
    members.journal.write_now(lambda tx: space.keys_changed(tx, BOB.did, 2, new.key_id, new.public))

    with pytest.raises(TrustError, match="no evidence key"):
        members.file(envelope)
    with pytest.raises(RefusedError, match="no member in force"):
        members.journal.write_now(lambda tx: space.file_contract(tx, members.rules, filing, ALICE.did))


def test_the_product_is_registered_by_its_provider(members: World) -> None:
    """A contract would be filed over data that is somebody else's, or nobody's."""
    product = members.product()
    unknown = replace(product, version=2)
    with pytest.raises(RefusedError, match="not registered"):
        members.file(both_sign(members.payload(members.contract_id("n1"), unknown)))

    theirs = members.contract_id("n2", holder=EVE)
    payload = members.payload(theirs, product, provider=EVE)
    with pytest.raises(RefusedError, match="another provider"):
        members.file(both_sign(payload, provider=EVE), sender=EVE)


def test_a_contract_that_has_expired_is_not_filed(members: World) -> None:
    """Validity would be judged when a use begins, and not when it is promised."""
    ends = Atom(OPERANDS["dateTime"], Operator.LTEQ, members.now + timedelta(hours=1))
    policy = Policy(permissions=(Rule("use", (ends,)),))
    envelope = both_sign(
        members.payload(members.contract_id(), members.product(policy=policy), policy=policy)
    )
    members.later(hours=2)

    with pytest.raises(RefusedError, match="expired"):
        members.file(envelope)


def test_a_filing_that_the_ledger_refuses_can_be_tried_again(members: World) -> None:
    """A contract would be stuck, with an id that nobody can use."""
    contract_id = members.contract_id()
    envelope = both_sign(members.payload(contract_id, members.product()))
    members.file(envelope)
    members.clerk_works()
    message = members.journal.write_now(lambda tx: claim(tx, "test", (space.LEDGER,), 60))[0]
    members.journal.write_now(lambda tx: space.ledger_refused(tx, message.id, "party-not-in-force"))
    members.journal.write_now(lambda tx: settle(tx, message.id))
    assert members.contract(contract_id).state is FilingState.GIVEN
    assert "party-not-in-force" in members.contract(contract_id).problem

    members.later(seconds=1)
    members.head = replace(members.head, height=members.head.height + 1)
    members.file(envelope)
    members.settle()

    assert members.contract(contract_id).receipt


@pytest.mark.parametrize("killed_after", range(4))
def test_a_filing_survives_a_kill(members: World, killed_after: int) -> None:
    """A contract would be on the ledger without a receipt, or promised to a ledger that never heard of it."""
    contract_id = members.contract_id()
    members.file(both_sign(members.payload(contract_id, members.product())))
    for step in (members.clerk_works, members.ledger_orders, members.clerk_works)[:killed_after]:
        step()

    members.close()
    members.open()
    members.settle()

    assert members.contract(contract_id).receipt


def test_a_receipt_holds_for_its_own_envelope_only(members: World) -> None:
    """A receipt of one contract could be shown for another."""
    contract_id, envelope = members.filed()
    receipt = members.contract(contract_id).receipt
    assert check(receipt, envelope).contract == contract_id

    with pytest.raises(TrustError, match="another envelope"):
        check(receipt, ENVELOPE)
    with pytest.raises(TrustError):
        space.verify_receipt(receipt, EVE.did, EVE.evidence.key_id, EVE.evidence.public, envelope)
    with pytest.raises(TrustError):
        space.verify_receipt(receipt, OPERATOR.did, OPERATOR.evidence.key_id, EVE.evidence.public, envelope)
    changed = receipt.replace(b'"sig":"', b'"sig":"A')
    with pytest.raises(EntrepotError):
        check(changed, envelope)


def test_a_product_is_registered_by_its_providers_own_signature(members: World) -> None:
    """The platform could claim a provider's product, or a provider another's."""
    product = members.product()
    member = members.member(ALICE)

    def verify(listing: space.ProductListing, sender: Party) -> None:
        known = members.member(sender)
        space.verify_listing(listing, sender.did, known.evidence_key_id, known.evidence_key)

    signed = space.sign_registration(product, CHAIN, 0, ALICE.evidence)
    verify(space.ProductListing(product, signed), ALICE)
    with pytest.raises(RefusedError):
        verify(space.ProductListing(product, signed), EVE)
    with pytest.raises(TrustError):
        verify(space.ProductListing(replace(product, provider=EVE.did), signed), EVE)
    with pytest.raises(MalformedError):
        verify(space.ProductListing(replace(product, title="Other"), signed), ALICE)
    with pytest.raises(EntrepotError):
        verify(space.ProductListing(product, signed[:-1] + bytes([signed[-1] ^ 1])), ALICE)
    stolen = replace(product, provider=EVE.did)
    listing = space.ProductListing(stolen, space.sign_registration(stolen, CHAIN, 0, EVE.evidence))
    with pytest.raises(RefusedError, match="another provider"):
        members.journal.write_now(lambda tx: space.list_product(tx, members.rules, listing, EVE.did))
    assert member.in_force


def test_a_product_that_the_ledger_refuses_is_not_offered(members: World) -> None:
    """A product would be found on which no contract can ever be filed."""
    listed = members.product()
    product = replace(listed, id="urn:product:tides")
    listing = space.ProductListing(product, space.sign_registration(product, CHAIN, 0, ALICE.evidence))
    members.journal.write_now(lambda tx: space.list_product(tx, members.rules, listing, ALICE.did))
    message = members.journal.write_now(lambda tx: claim(tx, "test", (space.LEDGER,), 60))[0]
    assert members.journal.read_now(lambda c: len(catalogue.products(c))) == 2

    members.journal.write_now(lambda tx: space.ledger_lost(tx, message.id))

    assert [p.id for p in members.journal.read_now(catalogue.products)] == [listed.id]
    digest = product_digest(product)
    assert members.journal.read_now(lambda c: space.registered_product(c, product.id, digest)) is None


def test_a_regulator_is_a_regulator_on_the_ledger_too(world: World) -> None:
    """A supervisor could order a stop here that the ledger does not let it record."""
    world.join(REGULATOR, MemberRole.REGULATOR)

    stored = msgspec.json.decode(world.head.state.get(f"members/{REGULATOR.did}"))
    assert stored["role"] == "regulator"


def test_signatures_are_those_of_the_envelope_as_it_was_signed(members: World) -> None:
    """What was signed would be rendered again before it is kept."""
    contract_id, envelope = members.filed()

    kept = open_envelope(members.contract(contract_id).envelope)

    assert members.contract(contract_id).envelope == envelope
    assert base64.b64encode(ALICE.evidence.sign(SIGNED_AS + kept.raw_payload)).decode() in {
        s.sig for s in kept.signatures
    }
    assert {KeyId(s.keyid) for s in kept.signatures} == set(KEYS)
