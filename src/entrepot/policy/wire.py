"""Policies on the wire: the compact form of the Dataspace Protocol, read strictly and written in one way.

Read: the short, prefixed and full name of every known term; a list of one as its member. Refused, with
every fault listed: unknown keys, terms and operators, values of the wrong type, a time without a zone,
JSON null and JSON numbers, more than the bounds below. Written: a form that survives another connector
(no unit, data type or remedy; no bare operand names).
"""

from entrepot.policy.literals import render_duration, render_money, write_value
from entrepot.policy.model import (
    Atom,
    Constraint,
    Duty,
    Group,
    Moment,
    OperandType,
    Policy,
    PolicyError,
    Rule,
    Value,
)
from entrepot.policy.vocabulary import ACTIONS, ODRL
from entrepot.policy.wire_constraint import MAX_DEPTH, MAX_MEMBERS, MAX_TEXT
from entrepot.policy.wire_form import MAX_PARTS, MAX_RULES
from entrepot.policy.wire_policy import MOMENTS_BY_OPERATOR, PolicyForm
from entrepot.values.canonical import Json

__all__ = ["MAX_DEPTH", "MAX_MEMBERS", "MAX_PARTS", "MAX_RULES", "MAX_TEXT", "parse_policy", "render_policy"]


def parse_policy(document: Json) -> Policy:
    """Read the rules of an offer or agreement, or raise `PolicyError` with all the faults.

    The keys of the document that are not rules (`@id`, `target`, `assigner`, ...) are the caller's.
    """
    reading = PolicyForm()
    policy = reading.policy(document)
    if reading.faults:
        raise PolicyError(tuple(reading.faults))
    return policy


def render_policy(policy: Policy) -> dict[str, Json]:
    """Write the rules of `policy`; `parse_policy` of the result gives `policy` again."""
    document: dict[str, Json] = {}
    if policy.permissions:
        document["permission"] = [_render_rule(r) for r in policy.permissions]
    if policy.prohibitions:
        document["prohibition"] = [_render_rule(r) for r in policy.prohibitions]
    if policy.obligations:
        document["obligation"] = [_render_duty(d) for d in policy.obligations]
    return document


def _render_rule(rule: Rule) -> Json:
    document: dict[str, Json] = {"action": _render_action(rule.action)}
    if rule.constraints:
        document["constraint"] = [_render_constraint(c) for c in rule.constraints]
    if rule.duties:
        document["duty"] = [_render_duty(d) for d in rule.duties]
    return document


def _render_duty(duty: Duty) -> Json:
    said = []
    if duty.moment is not Moment.BEFORE:
        operator = next(o for o, m in MOMENTS_BY_OPERATOR.items() if m is duty.moment)
        said.append(("odrl:event", operator, "odrl:policyUsage"))
    if duty.within is not None:
        said.append(("odrl:elapsedTime", "lteq", render_duration(duty.within)))
    if duty.amount is not None:
        said.append(("odrl:payAmount", "eq", render_money(duty.amount)))
    document: dict[str, Json] = {"action": _render_action(duty.action)}
    if said:
        document["constraint"] = [
            {"leftOperand": left, "operator": operator, "rightOperand": right}
            for left, operator, right in said
        ]
    return document


def _render_action(name: str) -> str:
    # The protocol's context defines `use` alone; any other short name would be lost.
    return name if name == "use" else ACTIONS[name].iri.replace(ODRL, "odrl:")


def _render_constraint(constraint: Constraint) -> Json:
    match constraint:
        case Group(junction, members):
            return {str(junction): [_render_constraint(m) for m in members]}
        case Atom(operand, operator, value):
            return {
                "leftOperand": operand.iri.replace(ODRL, "odrl:"),
                "operator": str(operator),
                "rightOperand": _render_right(value, operand.type),
            }


def _render_right(value: Value, kind: OperandType) -> Json:
    if not isinstance(value, frozenset):
        return write_value(value, kind)
    texts = [write_value(v, kind) for v in sorted(value)]
    return texts[0] if len(texts) == 1 else [*texts]
