"""What a service party is asked to sign: no order of messages leaves a forbidden state."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot import contracts
from entrepot.contracts import (
    SERVICE_LIFE,
    Agreement,
    EndReason,
    ServiceState,
    Signatory,
    Signature,
    contract_payload,
    seal_envelope,
)
from entrepot.journal import Journal, Transaction
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.values import AgreementId, ContractId, Did, EntrepotError, KeyId, ProductId, sha256

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
ALICE, BOB, CAROL, EVE = (Did(f"did:web:{name}.example") for name in ("alice", "bob", "carol", "eve"))
CONTRACT = ContractId("1491310000MA1FL0000N31012026112508010854RZ32S1A")
NAMED = Atom(OPERANDS["serviceParty"], Operator.HAS_PART, str(CAROL))
AGREEMENT = Agreement(
    AgreementId(CONTRACT), ProductId("6P"), Policy((Rule("use", (NAMED,)),)), ALICE, BOB, NOW
)
PAYLOAD = contract_payload(AGREEMENT, CONTRACT, sha256(b"product"))
OF = contracts.request_id(PAYLOAD)


def signature(did: Did, role: Signatory, said: bytes = b"said") -> Signature:
    return Signature.of(KeyId(f"{did}#evidence-1"), role, said)


BOTH = [signature(ALICE, Signatory.PROVIDER), signature(BOB, Signatory.CONSUMER)]
OURS = signature(CAROL, Signatory.SERVICE_PARTY)
AGAIN = signature(CAROL, Signatory.SERVICE_PARTY, b"again")
ASKED, WHOLE = seal_envelope(PAYLOAD, BOTH), seal_envelope(PAYLOAD, [*BOTH, OURS])
FORGED = seal_envelope(PAYLOAD, [*BOTH, signature(CAROL, Signatory.SERVICE_PARTY, b"other")])
UNTIL = NOW + timedelta(hours=1)


DEEDS: dict[str, Callable[[Transaction], object]] = {
    "ask": lambda tx: contracts.take_request(tx, CAROL, ALICE, ASKED, UNTIL),
    "ask as another": lambda tx: contracts.take_request(tx, CAROL, EVE, ASKED, UNTIL),
    "sign": lambda tx: contracts.sign_request(tx, OF, OURS),
    "sign again": lambda tx: contracts.sign_request(tx, OF, AGAIN),
    "refuse": lambda tx: contracts.refuse_request(tx, OF, "no"),
    "withdraw": lambda tx: contracts.withdraw_request(tx, OF, ALICE),
    "withdraw as another": lambda tx: contracts.withdraw_request(tx, OF, EVE),
    "file": lambda tx: contracts.service_filed(tx, OF, WHOLE, b"receipt"),
    "file forged": lambda tx: contracts.service_filed(tx, OF, FORGED, b"receipt"),
    "end": lambda tx: contracts.end_service(tx, CONTRACT, EndReason.ORDER),
    "late": lambda _tx: None,
}
"""Messages and words, each of which may come whether it is its turn or not."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deeds=st.lists(st.sampled_from(sorted(DEEDS)), min_size=1, max_size=12))
def test_no_order_of_messages_leaves_a_forbidden_state(deeds: list[str]) -> None:
    """A refusal could become a signature, a late word count, or a filing stand that we did not sign."""
    now = NOW
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(f"sqlite:///{Path(folder) / 'node.db'}", lambda: now)
        journal.create_schema()
        before = None
        for deed in deeds:
            now = UNTIL if deed == "late" else now
            with suppress(EntrepotError):
                journal.write_now(DEEDS[deed])
            found = journal.read_now(lambda c: contracts.service_contract(c, OF))
            if before is None:
                assert found is None or (deed, found.state) == ("ask", ServiceState.WAITING)
            else:
                assert found is not None
                assert found.state is before.state or found.state in SERVICE_LIFE[before.state]
                assert before.signature is None or found.signature == before.signature
                if found.signature is not None and before.signature is None:
                    assert now < UNTIL
                    assert before.state is ServiceState.WAITING
                if found.receipt:
                    assert found.signature in contracts.open_envelope(found.envelope).signatures
                    assert found.state in {ServiceState.FILED, ServiceState.ENDED}
            before = found
        journal.close()
