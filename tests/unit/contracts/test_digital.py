"""What is signed is the same for both sides, and nothing else passes for it."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from entrepot_policy_samples import POLICIES
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from entrepot.contracts import (
    LIFE,
    Agreement,
    Contract,
    EndReason,
    Party,
    Signatory,
    Signature,
    Status,
    contract_payload,
    digital,
    ends_at,
    in_force,
    open_envelope,
    parse_agreement,
    read_payload,
    render_agreement,
    seal_envelope,
)
from entrepot.policy import OPERANDS, Atom, Duty, Group, Junction, Moment, Operator, Policy, Rule
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    EntrepotError,
    KeyId,
    MalformedError,
    ProcessId,
    ProductId,
    TransitionError,
    canonical,
    sha256,
)

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
TEXTS = st.text("abc:/#%~é数据", min_size=1, max_size=30)
AGREEMENTS = st.builds(
    Agreement,
    TEXTS.map(AgreementId),
    TEXTS.map(ProductId),
    POLICIES.filter(lambda p: p.permissions or p.prohibitions),
    TEXTS.map(Did),
    TEXTS.map(Did),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (hypothesis adds the zone)
)
DIGESTS = st.binary(max_size=4).map(sha256)
SIGNATURES = st.lists(
    st.builds(Signature.of, TEXTS.map(KeyId), st.sampled_from(Signatory), st.binary(max_size=64)),
    min_size=1,
    max_size=4,
    unique_by=lambda s: (s.role, s.keyid),
)
CONTRACT_ID = ContractId("C" * 47)


@settings(max_examples=30)
@given(agreement=AGREEMENTS, digest=DIGESTS)
def test_both_sides_derive_the_same_bytes(agreement: Agreement, digest: bytes) -> None:
    """A consumer signs what it read from the wire; one byte apart, and no contract verifies."""
    received = parse_agreement(canonical.decode(canonical.encode(render_agreement(agreement))))

    assert contract_payload(received, CONTRACT_ID, digest) == contract_payload(agreement, CONTRACT_ID, digest)


@settings(max_examples=30)
@given(agreement=AGREEMENTS, other=AGREEMENTS, digest=DIGESTS)
def test_another_agreement_gives_other_bytes(agreement: Agreement, other: Agreement, digest: bytes) -> None:
    """One signature must never hold for two agreements."""
    assume(agreement != other)

    assert contract_payload(agreement, CONTRACT_ID, digest) != contract_payload(other, CONTRACT_ID, digest)


@settings(max_examples=30)
@given(agreement=AGREEMENTS, digest=DIGESTS)
def test_a_payload_says_what_it_was_made_from(agreement: Agreement, digest: bytes) -> None:
    """The platform and a court read the agreement from the signed bytes alone."""
    terms = read_payload(contract_payload(agreement, CONTRACT_ID, digest))

    assert (terms.agreement, terms.contract_id, terms.product_digest) == (agreement, CONTRACT_ID, digest)


@settings(max_examples=30)
@given(agreement=AGREEMENTS, digest=DIGESTS, data=st.data())
def test_a_payload_that_was_touched_is_refused_or_says_something_else(
    agreement: Agreement, digest: bytes, data: st.DataObject
) -> None:
    """National fields that say another thing than the agreement beside them would deceive a reader."""
    payload = bytearray(contract_payload(agreement, CONTRACT_ID, digest))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))

    try:
        terms = read_payload(bytes(payload))
    except EntrepotError:
        return
    assert (terms.agreement, terms.contract_id, terms.product_digest) != (agreement, CONTRACT_ID, digest)


@settings(max_examples=50)
@given(signatures=SIGNATURES, payload=st.binary(max_size=40), data=st.data())
def test_an_envelope_does_not_depend_on_who_signed_first(
    signatures: list[Signature], payload: bytes, data: st.DataObject
) -> None:
    """Its digest is what is filed; two digests of one contract would be two contracts."""
    shuffled = data.draw(st.permutations(signatures))

    assert seal_envelope(payload, shuffled) == seal_envelope(payload, signatures)
    opened = open_envelope(seal_envelope(payload, signatures))
    assert opened.raw_payload == payload
    assert seal_envelope(opened.raw_payload, opened.signatures) == seal_envelope(payload, signatures)


@given(raw=st.binary(max_size=80))
def test_anything_else_is_no_envelope(raw: bytes) -> None:
    """Strangers send these bytes."""
    with pytest.raises(EntrepotError):
        open_envelope(raw)


@settings(max_examples=50)
@given(signatures=SIGNATURES, payload=st.binary(max_size=40), data=st.data())
def test_an_envelope_has_one_form(signatures: list[Signature], payload: bytes, data: st.DataObject) -> None:
    """Bytes that decode to the same contract under another digest could be filed twice."""
    raw = seal_envelope(payload, signatures)
    touched = bytearray(raw)
    touched[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        opened = open_envelope(bytes(touched))
    except EntrepotError:
        return
    assert opened != open_envelope(raw)


PAYLOAD = base64.b64encode(b"abcd").decode()
ONE, TWO = {"keyid": "p", "role": "01", "sig": "AAAA"}, {"keyid": "c", "role": "02", "sig": "AAAA"}


@pytest.mark.parametrize(
    "document",
    [
        {"payload": PAYLOAD, "signatures": []},
        {"payload": PAYLOAD, "signatures": [TWO, ONE]},
        {"payload": PAYLOAD, "signatures": [ONE, ONE]},
        {"payload": PAYLOAD, "signatures": [ONE | {"role": "09"}]},
        {"payload": PAYLOAD, "signatures": [ONE | {"more": "1"}]},
        {"payload": PAYLOAD.rstrip("="), "signatures": [ONE, TWO]},
        {"payload": "YR==", "signatures": [ONE, TWO]},
        {"payload": PAYLOAD, "signatures": [ONE | {"sig": "A"}, TWO]},
        {"payload": PAYLOAD, "signatures": [ONE, TWO], "more": 1},
    ],
)
def test_an_envelope_is_read_strictly(document: canonical.Json) -> None:
    """Unsigned, doubled, unsorted, unknown, or written in another way: each is refused."""
    assert open_envelope(canonical.encode({"payload": PAYLOAD, "signatures": [ONE, TWO]}))
    with pytest.raises(MalformedError):
        open_envelope(canonical.encode(document))


def test_the_signed_bytes_are_these() -> None:
    """Signatures of years ago are verified against bytes derived today: they may never change."""
    policy = Policy(
        permissions=(
            Rule(
                "use",
                (Atom(OPERANDS["dateTime"], Operator.LTEQ, NOW), Atom(OPERANDS["count"], Operator.LTEQ, 3)),
            ),
        )
    )
    agreement = Agreement(
        AgreementId("a"), ProductId("p"), policy, Did("did:web:p"), Did("did:web:c"), NOW - timedelta(days=1)
    )

    payload = contract_payload(agreement, ContractId("c"), sha256(b""))

    assert canonical.decode(payload)["endTime"] == "2026-11-25T00:00:00.000000Z"
    assert sha256(payload).hex() == "26f2bc0e50168a3ceb89c01ccc65dc0e2decc0e4ab43f7804ada83efb60ea4b6"


def test_the_national_block_tells_what_comes_first_from_what_comes_later() -> None:
    """A deletion owed after use, listed as a condition of use, would let nobody in who reads only that."""
    later = Duty("delete", Moment.AFTER, timedelta(days=30))
    policy = Policy(
        (Rule("use", (), (Duty("inform"), later)),), obligations=(Duty("encrypt", Moment.ALONGSIDE),)
    )
    agreement = Agreement(
        AgreementId("a"),
        ProductId("p"),
        policy,
        Did("did:web:a"),
        Did("did:web:b"),
        datetime(2026, 11, 25, tzinfo=UTC),
    )
    payload = canonical.decode(contract_payload(agreement, CONTRACT_ID, sha256(b"x")))

    assert isinstance(payload, dict)
    assert payload["permissionPolicies"][0]["preDuties"] == ["inform"]  # type: ignore[call-overload,index]  # as written
    assert payload["obligationPolicies"] == [{"actions": ["encrypt"]}, {"actions": ["delete"]}]


def test_a_contract_lives_along_its_arrows_only() -> None:
    """A contract that leaps from negotiation into performance was never signed."""
    for status in Status:
        for to in Status:
            if (status, to) in LIFE:
                assert digital.advance(status, to) is to
            else:
                with pytest.raises(TransitionError):
                    digital.advance(status, to)


def test_every_status_can_be_reached_and_all_lead_to_the_end() -> None:
    """A contract that cannot end is one that nobody can stop."""
    reached, ending = {Status.INITIATED}, {Status.ENDED}
    for _ in Status:
        reached |= {to for at, to in LIFE if at in reached}
        ending |= {at for at, to in LIFE if to in ending}

    assert (reached, ending) == (set(Status), set(Status))


def until(moment: datetime, operator: Operator = Operator.LTEQ) -> Atom:
    return Atom(OPERANDS["dateTime"], operator, moment)


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ((Rule("use", (until(NOW),)),), NOW),
        ((Rule("use", (until(NOW, Operator.LT),)),), NOW),
        ((Rule("use", (until(NOW), until(LATER))),), NOW),
        (
            (Rule("use", (until(NOW),)), Rule("use", (until(NOW + timedelta(days=1)),))),
            NOW + timedelta(days=1),
        ),
        ((Rule("use", (Group(Junction.AND, (until(NOW),)),)),), NOW),
        ((Rule("use", (until(NOW),)), Rule("use")), None),
        ((Rule("use", (Group(Junction.OR, (until(NOW), until(NOW))),)),), None),
        ((Rule("use", (until(NOW, Operator.GT),)),), None),
    ],
)
def test_a_contract_ends_with_its_last_permission(
    permissions: tuple[Rule, ...], expected: datetime | None
) -> None:
    """Ended too early it breaks a promise, too late it goes on without one."""
    assert ends_at(Policy(permissions)) == expected


CONTRACT = Contract(
    agreement=Agreement(AgreementId("a"), ProductId("p"), Policy(), Did("did:web:p"), Did("did:web:c"), NOW),
    contract_id=CONTRACT_ID,
    negotiation_id=ProcessId("n"),
    party=Party.PROVIDER,
    counterparty=Did("did:web:c"),
    status=Status.PERFORMING,
    product_digest=sha256(b""),
    envelope=b"",
    envelope_digest=sha256(b""),
    receipt=b"",
    one_sided=False,
    ends_at=NOW + timedelta(days=1),
    end_reason=None,
    ended_at=None,
)


@pytest.mark.parametrize(
    ("contract", "now", "word"),
    [
        (CONTRACT, NOW + timedelta(days=2), "expired"),
        (CONTRACT, NOW - timedelta(hours=1), "begun"),
        (replace(CONTRACT, status=Status.SIGNED), NOW, "0301"),
        (replace(CONTRACT, status=Status.ENDED, end_reason=EndReason.BREACH), NOW, "breach"),
    ],
)
def test_a_contract_that_does_not_hold_says_why(contract: Contract, now: datetime, word: str) -> None:
    """Judged at every use: the one that asks is told the reason."""
    assert any(word in reason for reason in in_force(contract, now))


def test_a_contract_in_performance_holds() -> None:
    """Otherwise nothing could be used at all."""
    assert in_force(CONTRACT, NOW + timedelta(hours=1)) == ()
