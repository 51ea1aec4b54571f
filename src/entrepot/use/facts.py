"""The facts of one use, each from its one declared source (design: Facts and their sources).

    credential   what the platform says of the consumer
    agreement    what was agreed
    observed     what the gate itself knows, what was counted and done, what the door saw of the call
    claimed      what the caller says

A door gives what it saw by `seen`, under one set of names. What cannot be known is left out, and is
unknown to the policy.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.contracts import Contract
from entrepot.identity import Membership
from entrepot.policy import (
    ASSURANCES,
    OPERANDS,
    SERVICE_ALGORITHM,
    SERVICE_PARTY,
    Assurance,
    Atom,
    Fact,
    Facts,
    Group,
    Operator,
    Plan,
    Policy,
    RowFilter,
    Source,
    counted,
    service_algorithms,
    terms_of,
)
from entrepot.use.duties import facts_of_duties
from entrepot.use.model import Knock
from entrepot.values import KindOfUse, UtcTime

CLAIM_HEADER: Final = "entrepot-claim-"
MAX_CLAIM: Final = 500
_METHODS: Final = MappingProxyType(
    {KindOfUse.API: "api", KindOfUse.DELIVERY: "file", KindOfUse.QUERY: "other"}
)
_OF_A_TABLE: Final = frozenset({"fields", "rowsPerUse"})


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
    agreement = contract.agreement
    facts: dict[str, Fact] = {
        "dateTime": Fact(now, Source.OBSERVED),
        "timeWindow": Fact(now, Source.OBSERVED),
        "elapsedTime": Fact(now - agreement.timestamp, Source.OBSERVED),
        "kind": Fact(str(knock.kind), Source.OBSERVED),
        "consumer": Fact(agreement.assignee, Source.CREDENTIAL),
    }
    if membership is not None:
        facts |= _of_membership(membership)
    if knock.purpose is not None:
        facts["purpose"] = Fact(knock.purpose, Source.CLAIMED)
    elif (agreed := agreed_purpose(agreement.policy)) is not None:
        facts["purpose"] = Fact(agreed, Source.AGREEMENT)
    if SERVICE_PARTY in plan.names:
        facts |= _of_services(contract)
    facts |= _of_kind(knock.kind)
    facts |= knock.observed
    if knock.kind is KindOfUse.DELIVERY:
        facts |= _of_artefact(connection, contract, plan)
    facts |= facts_of_duties(connection, agreement.id, plan, now)
    facts |= counted(connection, agreement.id, plan, now, reserved=reserved, asked=facts)
    return facts


def seen(
    *,
    fields: frozenset[str] | None = None,
    row_filter: RowFilter | None = None,
    rows: int | None = None,
    size: int | None = None,
    seconds: int | None = None,
    group_size: int | None = None,
    algorithm: str | None = None,
    environment: str | None = None,
    is_encrypted: bool = False,
) -> dict[str, Fact]:
    """What a door saw of a call: what it touches, the most it may come to, and what is done to it.

    `rows`, `size` and `seconds` are the most that this call may give or take, and **the door stops there**.
    """
    found: dict[str, object] = {
        "fields": fields,
        "rowFilter": None if row_filter is None else row_filter.texts,
        "rowsPerUse": rows,
        "bytesPerUse": size,
        "secondsPerUse": seconds,
        "minimumGroupSize": group_size,
        "algorithm": algorithm,
        "environment": environment,
    }
    if is_encrypted:
        found |= {"encryption": "cipher", "treatment": frozenset({"encrypt"})}
    return {name: _observed(value) for name, value in found.items() if value is not None}


def claims_of(headers: Mapping[str, str], kind: KindOfUse) -> dict[str, Fact]:
    """What the caller says of itself, in headers such as `entrepot-claim-application`.

    Only of what nobody here sees in this kind of use: a claim never stands in for an observation.
    """
    found = {}
    for name, operand in OPERANDS.items():
        said = headers.get(CLAIM_HEADER + name.lower(), "").strip()
        if (
            said
            and name != "purpose"  # it has a header of its own
            and len(said) <= MAX_CLAIM
            and Source.CLAIMED in operand.sources
            and ASSURANCES.get((name, kind)) is Assurance.RECORDS
        ):
            found[name] = Fact(said, Source.CLAIMED)
    return found


def caller_of(scope: Mapping[str, Any]) -> dict[str, Fact]:
    """From which network address a call came. Behind a proxy that is the proxy's."""
    client = scope.get("client")
    return {} if client is None else {"networkAddress": _observed(str(client[0]))}


def foreseen(policy: Policy, kind: KindOfUse) -> dict[str, Fact]:
    """What a door would see of a call that stays within the terms: for "may I?", where there is no call."""
    terms = terms_of(policy, kind)
    found = seen(
        fields=terms.fields or frozenset(),
        row_filter=terms.row_filter or RowFilter(()),
        rows=0,
        size=0,
        seconds=0,
        group_size=terms.minimum_group_size,
        is_encrypted=terms.is_encrypted,
    )
    return {name: fact for name, fact in found.items() if (name, kind) in ASSURANCES}


def agreed_purpose(policy: Policy) -> str | None:
    """The one purpose that an agreement has, where its permissions name exactly one."""
    found = {
        atom.value
        for rule in policy.permissions
        for atom in _atoms(rule.constraints)
        if atom.operand.name == "purpose" and atom.operator is Operator.EQ
    }
    return str(found.pop()) if len(found) == 1 else None


def _of_membership(membership: Membership) -> dict[str, Fact]:
    found: dict[str, str | frozenset[str]] = {
        "connector": membership.connector_code,
        "region": membership.region,
        "role": frozenset(membership.roles),
    }
    return {name: Fact(value, Source.CREDENTIAL) for name, value in found.items() if value}


def _of_services(contract: Contract) -> dict[str, Fact]:
    """Who has signed as service party, and what the contract that it signed says it brings."""
    return {
        SERVICE_PARTY: Fact(frozenset[str](contract.service_parties), Source.AGREEMENT),
        SERVICE_ALGORITHM: Fact(service_algorithms(contract.agreement.policy), Source.AGREEMENT),
    }


def _of_kind(kind: KindOfUse) -> dict[str, Fact]:
    """What holds of every call of a kind, until its door says otherwise."""
    if kind not in _METHODS:
        return {}
    return {
        "deliveryMethod": _observed(_METHODS[kind]),
        "encryption": _observed("clear"),
        "treatment": _observed(frozenset()),
    }


def _of_artefact(connection: Connection, contract: Contract, plan: Plan) -> dict[str, Fact]:
    """What a delivery comes to: the whole artefact. Looked up only where the policy asks."""
    asks = plan.names & {*_OF_A_TABLE, "bytesPerUse"} or any(
        c.counter.is_budget for charges in plan.charges for c in charges
    )
    product = (
        catalogue.product_under(connection, contract.agreement.target, contract.product_digest)
        if asks
        else None
    )
    if product is None:
        return {}
    resource = catalogue.resource(connection, product.resource_id)
    if resource is None or not resource.columns:
        return seen(size=product.size)
    columns = frozenset(c.name for c in resource.columns)
    return seen(size=product.size, rows=resource.rows, fields=columns)


def _observed(value: Any) -> Fact:  # noqa: ANN401 (any value that a fact may have)
    return Fact(value, Source.OBSERVED)


def _atoms(constraints: Sequence[Atom | Group]) -> list[Atom]:
    atoms: list[Atom] = []
    for constraint in constraints:
        atoms += [constraint] if isinstance(constraint, Atom) else _atoms(constraint.members)
    return atoms
