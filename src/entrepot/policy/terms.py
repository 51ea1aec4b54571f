"""Terms: what a door must apply before it asks whether a use may happen.

A policy is judged by what is seen; a door that knows the terms can do what they ask and then be seen to
have done it: narrow the rows, drop the columns, raise the group size, encrypt. Applying them decides
nothing: whether the use may happen is still the gate's answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import and_
from typing import Final

from entrepot.policy.compare import Verdict, test_of
from entrepot.policy.duties import owed, treatments
from entrepot.policy.filters import RowFilter
from entrepot.policy.model import (
    Atom,
    Constraint,
    Duty,
    Fact,
    Junction,
    Moment,
    OperandType,
    Operator,
    Policy,
    Rate,
    Rule,
    Source,
)
from entrepot.policy.vocabulary import ACTIONS
from entrepot.values import KindOfUse

HANDS_OVER: Final = frozenset({KindOfUse.API, KindOfUse.DELIVERY})
"""The kinds of use after which the consumer holds data."""

_CHOICE: Final = frozenset({Operator.EQ, Operator.IS_ANY_OF})
_LIMITING: Final = {
    OperandType.WORD: _CHOICE,
    OperandType.NAMES: frozenset({Operator.IS_PART_OF}),
}
_PROTECTIONS: Final = ("fields", "rowFilter", "minimumGroupSize", "encryption")


@dataclass(frozen=True, slots=True)
class Terms:
    """What must be applied under one permission. None, or empty, where it asks for nothing."""

    fields: frozenset[str] | None = None
    """The only columns that may be used."""
    hidden: frozenset[str] = frozenset()
    """Columns that may not be used."""
    row_filter: RowFilter | None = None
    minimum_group_size: int | None = None
    max_rows: int | None = None
    """Of one use."""
    max_bytes: int | None = None
    max_seconds: int | None = None
    rates: frozenset[Rate] = frozenset()
    delivery_methods: frozenset[str] | None = None
    is_encrypted: bool = False
    """What leaves is encrypted to the consumer's key."""
    treatments: frozenset[str] = frozenset()
    retention: timedelta | None = None
    """How long the consumer may keep what was handed over."""


def terms_of(policy: Policy, kind: KindOfUse) -> Terms:
    """The terms for a kind of use: of all the permissions that let it in, the strictest.

    Before the gate has decided nobody knows on which permission it will rely; what satisfies the strictest
    satisfies each. Constraints under `or` and `xone` are left to the decision: nobody could say which of
    them to apply.
    """
    rules = [r for r in policy.permissions if _lets_in(r, kind)]
    hidden = [
        _names(prohibition.constraints[0])
        for prohibition in policy.prohibitions
        if kind in ACTIONS[prohibition.action].part_of and len(prohibition.constraints) == 1
    ]
    atoms = tuple(a for r in rules for a in conjunction(r.constraints))
    duties = (*(d for r in rules for d in r.duties), *policy.obligations)
    return _terms(atoms, duties, frozenset().union(*hidden))


def kinds_let_in(policy: Policy) -> tuple[KindOfUse, ...]:
    """The kinds of use that some permission may let in."""
    return tuple(k for k in KindOfUse if any(_lets_in(r, k) for r in policy.permissions))


def after_use(policy: Policy, permission: int, kind: KindOfUse) -> tuple[Duty, ...]:
    """What falls due when a use under a permission is closed.

    A storage period is a deletion owed within it, where the kind of use hands something over.
    """
    duties = owed(policy, permission, Moment.AFTER)
    kept = [
        a.value
        for a in conjunction(policy.permissions[permission].constraints)
        if a.operand.name == "retention" and isinstance(a.value, timedelta)
    ]
    if not kept or kind not in HANDS_OVER:
        return duties
    kept += [d.within for d in duties if d.action == "delete" and d.within is not None]
    others = tuple(d for d in duties if d.action != "delete")
    return (*others, Duty("delete", Moment.AFTER, min(kept)))


def protections(rule: Rule) -> frozenset[str]:
    """The operands by which a permission holds back part of the data."""
    return frozenset(a.operand.name for a in conjunction(rule.constraints) if a.operand.name in _PROTECTIONS)


def _terms(atoms: tuple[Atom, ...], duties: Iterable[Duty], hidden: frozenset[str]) -> Terms:
    done = frozenset(str(a.value) for a in treatments(duties))
    filters = [a.value for a in atoms if isinstance(a.value, RowFilter)]
    kept = [a.value for a in atoms if a.operand.name == "retention" and isinstance(a.value, timedelta)]
    kept += [d.within for d in duties if d.action == "delete" and d.within is not None]
    encrypted = "encrypt" in done or _only(atoms, "encryption") == frozenset({"cipher"})
    return Terms(
        fields=_only(atoms, "fields"),
        hidden=hidden.union(*(_names(a) for a in atoms if a.operator is Operator.IS_NONE_OF)),
        row_filter=reduce(and_, filters) if filters else None,
        minimum_group_size=max(_numbers(atoms, "minimumGroupSize"), default=None),
        max_rows=min(_numbers(atoms, "rowsPerUse"), default=None),
        max_bytes=min(_numbers(atoms, "bytesPerUse"), default=None),
        max_seconds=min(_numbers(atoms, "secondsPerUse"), default=None),
        rates=frozenset(a.value for a in atoms if isinstance(a.value, Rate)),
        delivery_methods=_only(atoms, "deliveryMethod"),
        is_encrypted=encrypted,
        treatments=done,
        retention=min(kept, default=None),
    )


def conjunction(constraints: Iterable[Constraint]) -> tuple[Atom, ...]:
    """The comparisons that must all hold, whatever else does."""
    atoms: list[Atom] = []
    for constraint in constraints:
        if isinstance(constraint, Atom):
            atoms.append(constraint)
        elif constraint.junction is Junction.AND or len(constraint.members) == 1:
            atoms += conjunction(constraint.members)
    return tuple(atoms)


def _numbers(atoms: Iterable[Atom], name: str) -> list[int]:
    return [a.value for a in atoms if a.operand.name == name and isinstance(a.value, int)]


def _names(constraint: Constraint) -> frozenset[str]:
    """The columns that a comparison names which must not be among those in use."""
    if not isinstance(constraint, Atom) or constraint.operand.name != "fields":
        return frozenset()
    return constraint.value if isinstance(constraint.value, frozenset) else frozenset({str(constraint.value)})


def _only(atoms: Iterable[Atom], name: str) -> frozenset[str] | None:
    """What is left of an operand's values after all that limits it to some."""
    limits = [
        a.value if isinstance(a.value, frozenset) else frozenset({str(a.value)})
        for a in atoms
        if a.operand.name == name and a.operator in _LIMITING[a.operand.type]
    ]
    return frozenset.intersection(*limits) if limits else None


def _lets_in(rule: Rule, kind: KindOfUse) -> bool:
    """Whether a permission may let this kind of use in."""
    if kind not in ACTIONS[rule.action].permits:
        return False
    seen = Fact(str(kind), Source.OBSERVED)
    asked = [a for a in conjunction(rule.constraints) if a.operand.name == "kind"]
    return all(test_of(a)(seen) is Verdict.SATISFIED for a in asked)
