"""Constraints on the wire: comparisons and groups, read strictly."""

from collections.abc import Mapping, Sequence
from typing import Final

from entrepot.policy.literals import read_value
from entrepot.policy.model import Atom, Constraint, Group, Junction, Operand, OperandType, Operator, Value
from entrepot.policy.vocabulary import OPERANDS
from entrepot.policy.wire_form import Form, full_name, short_name
from entrepot.values import MalformedError, named
from entrepot.values.canonical import Json

MAX_MEMBERS: Final = 64
MAX_DEPTH: Final = 8
MAX_TEXT: Final = 500

_OPERANDS_BY_IRI: Final = {o.iri: o for o in OPERANDS.values()}
_JUNCTIONS: Final = frozenset({"and", "or", "xone", "andSequence"})
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_WHOLE: Final = ("integer", "positiveInteger", "nonNegativeInteger", "long", "int")
_DATA_TYPES: Final[Mapping[OperandType, tuple[str, ...]]] = {
    OperandType.TIME: ("dateTime", "dateTimeStamp"),
    OperandType.DURATION: ("duration", "dayTimeDuration"),
    **dict.fromkeys((OperandType.USES, OperandType.BUDGET, OperandType.NUMBER), _WHOLE),
}
"""The XML Schema types that a value may carry beside `string` and `anyURI`; any other is refused."""
_MANY: Final = frozenset({Operator.IS_ANY_OF, Operator.IS_NONE_OF, Operator.IS_ALL_OF})


class ConstraintForm(Form):
    """Reads constraints."""

    def constraint(self, value: Json, path: str, depth: int, *, limits: bool) -> Constraint:
        nothing = Atom(OPERANDS["purpose"], Operator.EQ, "")
        if depth == 0:
            self.fault(path, f"nested deeper than {MAX_DEPTH} levels")
            return nothing
        if not self.is_part(value, path, "a constraint"):
            return nothing
        if any(short_name(k) in _JUNCTIONS for k in value):
            return self._group(value, path, depth, limits=limits) or nothing
        atom = self._atom(value, path) or nothing
        if atom.operand.everywhere and not limits:
            self.fault(
                path, f"{atom.operand.name} must hold in every case: not under or, xone, a prohibition"
            )
        return atom

    def _group(self, value: Mapping[str, Json], path: str, depth: int, *, limits: bool) -> Group | None:
        keys = self.keys(value, path, _JUNCTIONS)
        if len(keys) != 1 or "andSequence" in keys:
            self.fault(path, "expected exactly one of and, or, xone (andSequence is not understood)")
            return None
        (name,) = keys
        members = tuple(
            self.constraint(c, f"{path}.{name}[{i}]", depth - 1, limits=limits and name == "and")
            for i, c in enumerate(self.list_under(keys, name, path))
        )
        if not members:
            self.fault(f"{path}.{name}", "expected at least one constraint")
            return None
        return Group(Junction(name), members)

    def _atom(self, value: Mapping[str, Json], path: str) -> Atom | None:
        keys = self.keys(value, path, frozenset({"leftOperand", "operator", "rightOperand"}))
        operand = self._operand(keys.get("leftOperand"), f"{path}.leftOperand")
        operator = self._operator(keys.get("operator"), f"{path}.operator")
        texts = self._texts(keys.get("rightOperand"), operand, f"{path}.rightOperand")
        if operand is None or operator is None:
            return None
        if operator not in operand.operators:
            allowed = ", ".join(sorted(operand.operators))
            self.fault(f"{path}.operator", f"{operand.name} is compared by {allowed}, not by {operator}")
            return None
        right = self._right(texts, operator, operand, f"{path}.rightOperand") if texts else None
        return None if right is None else Atom(operand, operator, right)

    def _operand(self, value: Json, path: str) -> Operand | None:
        if isinstance(value, dict) and set(value) == {"@id"}:
            value = value["@id"]
        found = None
        if isinstance(value, str):
            found = OPERANDS.get(value) or _OPERANDS_BY_IRI.get(full_name(value))
        if found is None:
            self.fault(path, f"unknown operand {named(value)}")
        return found

    def _operator(self, value: Json, path: str) -> Operator | None:
        if isinstance(value, dict) and set(value) == {"@id"}:
            value = value["@id"]
        name = short_name(value) if isinstance(value, str) else ""
        if name.startswith("term-"):
            self.fault(path, f"write {name.removeprefix('term-')} instead of {name}")
            return None
        if name not in tuple(Operator):
            self.fault(path, f"unknown operator {named(value)}; known are {', '.join(Operator)}")
            return None
        return Operator(name)

    def _texts(self, value: Json, operand: Operand | None, path: str) -> list[str]:
        """The value or values asked for, still as text; none where one of them is no text."""
        items = value if isinstance(value, list) else [value]
        if not 0 < len(items) <= MAX_MEMBERS:
            self.fault(path, f"expected one to {MAX_MEMBERS} values, got {len(items)}")
            return []
        texts = [self._text(item, operand, path) for item in items]
        return [t for t in texts if t is not None] if None not in texts else []

    def _text(self, item: Json, operand: Operand | None, path: str) -> str | None:
        if isinstance(item, dict):
            item = self._wrapped(item, operand, path)
        match item:
            case int() | float() if not isinstance(item, bool):
                self.fault(path, f'a number is written as text: "{item}"'[:80])
            case str() if 0 < len(item) <= MAX_TEXT and item.isprintable() and item == item.strip():
                return item
            case _:
                self.fault(path, f"expected text of at most {MAX_TEXT} printable characters")
        return None

    def _wrapped(self, item: dict[str, Json], operand: Operand | None, path: str) -> Json:
        """Open `{"@id": …}` and `{"@value": …, "@type": …}`, the forms that JSON-LD gives a value."""
        if set(item) == {"@id"}:
            return item["@id"]
        if not {"@value"} <= set(item) <= {"@value", "@type"}:
            self.fault(path, "expected text, @id or @value")
            return "-"
        kind = item.get("@type", _XSD + "string")
        name = kind.replace("xsd:", _XSD).removeprefix(_XSD) if isinstance(kind, str) else ""
        known = ("string", "anyURI") + (_DATA_TYPES.get(operand.type, ()) if operand else ())
        if operand is not None and name not in known:
            self.fault(path, f"unknown data type {named(kind)}; known here are {', '.join(known)}")
        return item["@value"]

    def _right(self, texts: Sequence[str], operator: Operator, operand: Operand, path: str) -> Value | None:
        many = operator in _MANY or (operand.type is OperandType.NAMES and operator is Operator.IS_PART_OF)
        if len(texts) > 1 and not many:
            self.fault(path, f"expected one value for {operator}, got {len(texts)}")
            return None
        read: list[Value] = []
        for text in texts:
            try:
                read.append(read_value(operand, text))
            except MalformedError as error:
                self.fault(path, str(error))
        if len(read) != len(texts):
            return None
        return frozenset(str(v) for v in read) if many else read[0]
