"""The facts of one use, each from its one declared source (design: Facts and their sources)."""

from collections.abc import Sequence

from sqlalchemy import Connection

from entrepot.contracts import Contract
from entrepot.identity import Membership
from entrepot.policy import Atom, Fact, Facts, Group, Operator, Plan, Policy, Source, counted
from entrepot.use.model import Knock
from entrepot.values import UtcTime


def facts_of(
    connection: Connection,
    contract: Contract,
    plan: Plan,
    membership: Membership | None,
    knock: Knock,
    now: UtcTime,
    *,
    reserved: bool,
) -> Facts:
    """Gather what can be known; what cannot is left out, and is unknown to the policy."""
    facts: dict[str, Fact] = {
        "dateTime": Fact(now, Source.OBSERVED),
        "timeWindow": Fact(now, Source.OBSERVED),
        "kind": Fact(str(knock.kind), Source.OBSERVED),
        "consumer": Fact(contract.agreement.assignee, Source.CREDENTIAL),
    }
    if membership is not None:
        if membership.connector_code:
            facts["connector"] = Fact(membership.connector_code, Source.CREDENTIAL)
        if membership.region:
            facts["region"] = Fact(membership.region, Source.CREDENTIAL)
    if knock.purpose is not None:
        facts["purpose"] = Fact(knock.purpose, Source.CLAIMED)
    elif (agreed := agreed_purpose(contract.agreement.policy)) is not None:
        facts["purpose"] = Fact(agreed, Source.AGREEMENT)
    facts |= knock.observed
    facts |= counted(connection, contract.agreement.id, plan, now, reserved=reserved)
    return facts


def agreed_purpose(policy: Policy) -> str | None:
    """The one purpose that an agreement has, where its permissions name exactly one."""
    found = {
        atom.value
        for rule in policy.permissions
        for atom in _atoms(rule.constraints)
        if atom.operand.name == "purpose" and atom.operator is Operator.EQ
    }
    return str(found.pop()) if len(found) == 1 else None


def _atoms(constraints: Sequence[Atom | Group]) -> list[Atom]:
    atoms: list[Atom] = []
    for constraint in constraints:
        atoms += [constraint] if isinstance(constraint, Atom) else _atoms(constraint.members)
    return atoms
