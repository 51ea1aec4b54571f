"""The comparisons of a policy as a person reads and changes them: one value each, the rest stays.

Works on the wire form, so that a counter-offer is the offer itself with other values, whatever it says.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from entrepot.console.words import Language
from entrepot.policy import ODRL, OPERANDS, OperandType

_FRACTION = re.compile(r"\.0+Z$")
"""Of a time to the second, which is written to the microsecond on the wire."""
_MANY = frozenset({"isAnyOf", "isAllOf", "isNoneOf"})
_BY_IRI = {operand.iri: operand for operand in OPERANDS.values()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: where it stands, what is compared, how, and with what."""

    place: str
    operand: str
    operator: str
    value: str

    @property
    def subject(self) -> str:
        """Whose words its operator is read in: times come before and after, numbers are more or less."""
        operand = _BY_IRI.get(_full(self.operand))
        return "moment" if operand is not None and operand.type is OperandType.TIME else "operator"

    def label(self, language: Language) -> str:
        operand = _BY_IRI.get(_full(self.operand))
        if operand is None:
            return self.operand
        return operand.chinese if language is Language.CHINESE else operand.english


@dataclass(frozen=True, slots=True)
class Compared:
    """The same comparison on both sides; a side that does not make it has no value."""

    about: Comparison
    ours: str | None
    theirs: str | None

    @property
    def differs(self) -> bool:
        return self.ours != self.theirs


def comparisons(policy: Any) -> list[Comparison]:  # noqa: ANN401 (the wire form is JSON)
    """Every comparison of the rules, in their order."""
    return [
        Comparison(
            place, str(found["leftOperand"]), str(found["operator"]), _shown(found.get("rightOperand"))
        )
        for place, found in _walk(policy)
    ]


def compare(ours: Any, theirs: Any) -> list[Compared]:  # noqa: ANN401 (as above)
    """Put two policies beside each other, comparison by comparison."""
    left = {(c.place, c.operand, c.operator): c for c in comparisons(ours)}
    right = {(c.place, c.operand, c.operator): c for c in comparisons(theirs)}
    return [
        Compared(
            left.get(key) or right[key],
            left[key].value if key in left else None,
            right[key].value if key in right else None,
        )
        for key in dict.fromkeys([*right, *left])
    ]


def changed(policy: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 (as above)
    """The policy with these values, by place; what nobody gave a value keeps its own."""
    after = copy.deepcopy(policy)
    for place, found in _walk(after):
        value = values.get(place)
        if value is not None and value.strip() != _shown(found.get("rightOperand")):
            many = str(found.get("operator")) in _MANY
            found["rightOperand"] = [v.strip() for v in value.split(",")] if many else value.strip()
    return after


def _walk(policy: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 (as above)
    for kind in ("permission", "prohibition"):
        for number, rule in enumerate(policy.get(kind, ())):
            yield from _atoms(rule.get("constraint", ()), f"{kind}-{number}")


def _atoms(constraints: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 (as above)
    for number, constraint in enumerate(constraints):
        here = f"{place}-{number}"
        if "leftOperand" in constraint:
            yield here, constraint
        else:
            for junction, members in constraint.items():
                yield from _atoms(members, f"{here}-{junction}")


def _shown(value: Any) -> str:  # noqa: ANN401 (as above)
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _FRACTION.sub("Z", shown)


def _full(name: str) -> str:
    return ODRL + name.removeprefix("odrl:") if name.startswith("odrl:") else name
