"""The comparisons of a policy as a person reads, changes and adds them: one value each, the rest stays.

Works on the wire form, so that a counter-offer is the offer itself with other values, whatever it says.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from entrepot.console.words import Language
from entrepot.policy import ODRL, OPERANDS, OperandType
from entrepot.values import MalformedError, parse_time

_FRACTION = re.compile(r"\.0+Z$")
"""Of a time to the second, which is written to the microsecond on the wire."""
_MANY = frozenset({"isAnyOf", "isAllOf", "isNoneOf"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
VALUE = "value-"
"""Before the place, in the name of a field."""
_COUNT = re.compile(r"0*[1-9][0-9]{0,17}", re.ASCII)
_MORE = "more-"
_ADDED = (("purpose", "eq"), ("count", "lteq"), ("dateTime", "lteq"))
"""What a person may add to terms that do not speak of it: what for, how often, until when."""
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
        return "moment" if self.type is OperandType.TIME else "operator"

    @property
    def type(self) -> OperandType | None:
        operand = _BY_IRI.get(_full(self.operand))
        return None if operand is None else operand.type

    @property
    def is_added(self) -> bool:
        return self.place.startswith(_MORE)

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


def addable(policy: Any) -> list[Comparison]:  # noqa: ANN401 (as above)
    """What these terms do not speak of, and a person may add."""
    spoken_of = {_full(c.operand) for c in comparisons(policy)}
    return [
        Comparison(f"{_MORE}{name}", f"odrl:{name}", operator, "")
        for name, operator in _ADDED
        if ODRL + name not in spoken_of
    ]


def typed(form: Mapping[str, str]) -> dict[str, str]:
    """What a form of terms has sent, by place."""
    return {name.removeprefix(VALUE): value for name, value in form.items() if name.startswith(VALUE)}


def unreadable(asked: Iterable[Comparison], values: Mapping[str, str]) -> dict[str, str]:
    """By place, what a person has typed that cannot be meant: `empty`, `uses` or `time`."""
    found = {c.place: _fault(c, values[c.place].strip()) for c in asked if c.place in values}
    return {place: fault for place, fault in found.items() if fault}


def added(policy: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 (as above)
    """The policy with what a person has added to each of its permissions."""
    after = copy.deepcopy(policy)
    for each in addable(policy):
        if value := _meant(each.type, values.get(each.place, "")):
            for rule in after.get("permission", ()):
                constraint = {"leftOperand": each.operand, "operator": each.operator, "rightOperand": value}
                rule["constraint"] = [*rule.get("constraint", ()), constraint]
    return after


def changed(policy: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 (as above)
    """The policy with these values, by place; what nobody gave a value keeps its own."""
    after = copy.deepcopy(policy)
    for place, found in _walk(after):
        value = values.get(place)
        if value is not None and value.strip() != _shown(found.get("rightOperand")):
            many = str(found.get("operator")) in _MANY
            operand = _BY_IRI.get(_full(str(found["leftOperand"])))
            meant = _meant(None if operand is None else operand.type, value)
            found["rightOperand"] = [v.strip() for v in value.split(",")] if many else meant
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


def _fault(comparison: Comparison, value: str) -> str:
    if not value:
        return "" if comparison.is_added else "empty"
    if comparison.type is OperandType.USES and not (_COUNT.fullmatch(value)):
        return "uses"
    if comparison.type is OperandType.TIME:
        try:
            parse_time(_meant(comparison.type, value))
        except MalformedError:
            return "time"
    return ""


def _meant(kind: OperandType | None, value: str) -> str:
    """What a person means who names a day: until its end, in UTC as contracts bind."""
    bare = value.strip()
    return f"{bare}T23:59:59Z" if kind is OperandType.TIME and _DAY.fullmatch(bare) else bare


def _shown(value: Any) -> str:  # noqa: ANN401 (as above)
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _FRACTION.sub("Z", shown)


def _full(name: str) -> str:
    return ODRL + name.removeprefix("odrl:") if name.startswith("odrl:") else name
