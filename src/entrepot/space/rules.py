"""Pure decisions of a space: the life of a member, and which contract may be filed."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from entrepot.space.model import FiledContract, Member, MemberRole, MemberState, RegisteredProduct, Rules
from entrepot.values import Did, Digest, Grade, TransitionError, UtcTime


class Step(StrEnum):
    """What moves a member: a decision of the operator, or an answer of the ledger."""

    ADMIT = "admit"
    DECLINE = "decline"
    COMMIT = "commit"
    REFUSE = "refuse"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"
    ENDED_ON_LEDGER = "ended-on-ledger"
    """A regulator revoked the member on the ledger itself."""


LIFE: Final[Mapping[tuple[MemberState, Step], MemberState]] = MappingProxyType(
    {
        (MemberState.APPLIED, Step.ADMIT): MemberState.ADMITTING,
        (MemberState.APPLIED, Step.DECLINE): MemberState.DECLINED,
        (MemberState.ADMITTING, Step.COMMIT): MemberState.IN_FORCE,
        (MemberState.ADMITTING, Step.REFUSE): MemberState.DECLINED,
        (MemberState.IN_FORCE, Step.SUSPEND): MemberState.SUSPENDED,
        (MemberState.IN_FORCE, Step.REVOKE): MemberState.REVOKING,
        (MemberState.SUSPENDED, Step.RESUME): MemberState.IN_FORCE,
        (MemberState.SUSPENDED, Step.REVOKE): MemberState.REVOKING,
        (MemberState.REVOKING, Step.COMMIT): MemberState.REVOKED,
        (MemberState.REVOKING, Step.REFUSE): MemberState.SUSPENDED,
        (MemberState.IN_FORCE, Step.ENDED_ON_LEDGER): MemberState.REVOKED,
        (MemberState.SUSPENDED, Step.ENDED_ON_LEDGER): MemberState.REVOKED,
        (MemberState.REVOKING, Step.ENDED_ON_LEDGER): MemberState.REVOKED,
    }
)
"""The life of a member. It opens only after the ledger has said so; it closes at the decision."""

SHUT: Final = frozenset({MemberState.SUSPENDED, MemberState.REVOKING, MemberState.REVOKED})
"""States whose bit is set on the status list."""


def advance(state: MemberState, step: Step) -> MemberState:
    """Move a member along one arrow of `LIFE`, or refuse."""
    after = LIFE.get((state, step))
    if after is None:
        raise TransitionError(state, f"to {step}", "operator")
    return after


def filing_reasons(
    rules: Rules,
    given: FiledContract,
    sender: Did,
    signers: Mapping[Did, Member | None],
    product: RegisteredProduct | None,
    *,
    parties: tuple[Did, Did],
    services: tuple[Did, ...],
    product_digest: Digest,
    ends_at: UtcTime | None,
    now: UtcTime,
) -> tuple[str, ...]:
    """Say why a contract may not be filed; nothing where it may. Its signatures hold already.

    `parties` are provider and consumer, `services` the service parties that the contract names; `signers`
    those who signed, with what is known of them.
    """
    provider = parties[0]
    if product is None and rules.one_sided_unregistered and provider not in signers:
        products: Iterable[tuple[bool, str]] = ()
        is_enough = True
    else:
        products = _product_faults(product, provider, product_digest)
        is_enough = one_sided_allowed(rules, product)
    return tuple(
        _found(
            (given.holder != sender, "the contract id was given to another member"),
            (sender not in parties, "only a party files its contract"),
            (set(given.parties) != set(parties), "the contract id was given for other parties"),
            *((m is None or not m.in_force, f"{did} is no member in force") for did, m in signers.items()),
            (sender not in signers, "the party that files has not signed"),
            *products,
            *_service_faults(signers, services),
            (
                not signers.keys() >= set(parties) and not is_enough,
                f"a signature is missing, and {_one_sided_rule(rules)}",
            ),
            (ends_at is not None and now > ends_at, "the contract has expired"),
        )
    )


def one_sided_allowed(rules: Rules, product: RegisteredProduct | None) -> bool:
    """Whether one signature is enough for a contract over this product; of an unknown one it never is."""
    return (
        rules.one_sided_up_to is not None
        and product is not None
        and product.grade is not Grade.CORE
        and product.grade.order <= rules.one_sided_up_to.order
    )


def _service_faults(
    signers: Mapping[Did, Member | None], services: Iterable[Did]
) -> Iterable[tuple[bool, str]]:
    """A service party is a member in that role, and signs, whatever the space says of one-sided contracts."""
    for did in services:
        member = signers.get(did)
        yield did not in signers, f"the service party {did} has not signed"
        no_service = member is not None and MemberRole.SERVICE not in member.roles
        yield no_service, f"{did} is no service party of this space"


def _product_faults(
    product: RegisteredProduct | None, provider: Did, digest: Digest
) -> Iterable[tuple[bool, str]]:
    if product is None or not product.registered:
        return [(True, "the product is not registered in this space")]
    return [
        (product.owner != provider, "the product is registered by another provider"),
        (product.digest != digest, "the contract names another description than the registered one"),
    ]


def _one_sided_rule(rules: Rules) -> str:
    if rules.one_sided_up_to is None:
        return "this space refuses one-sided contracts"
    return f"this space allows one-sided contracts up to {rules.one_sided_up_to}"


def _found(*faults: tuple[bool, str]) -> Iterable[str]:
    return (reason for is_fault, reason in faults if is_fault)
