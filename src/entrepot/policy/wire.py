"""Policies on the wire: the compact form of the Dataspace Protocol, read strictly and written in one way.

Read: the short, prefixed and full name of every known term; a list of one as its member. Refused, with
every fault listed: unknown keys, terms and operators, values of the wrong type, a time without a zone,
JSON null and JSON numbers, more than the bounds below. Written: a form that survives another connector
(no unit, data type or remedy; no bare operand names).
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

from entrepot.policy.duties import fault_of
from entrepot.policy.literals import (
    parse_duration,
    parse_money,
    read_value,
    render_duration,
    render_money,
    write_value,
)
from entrepot.policy.model import (
    Atom,
    Constraint,
    Duty,
    Group,
    Junction,
    Moment,
    Operand,
    OperandType,
    Operator,
    Policy,
    PolicyError,
    Rule,
    Value,
)
from entrepot.policy.vocabulary import ACTIONS, ODRL, OPERANDS
from entrepot.values import MalformedError
from entrepot.values.canonical import Json

MAX_RULES: Final = 64
MAX_MEMBERS: Final = 64
MAX_DEPTH: Final = 8
MAX_TEXT: Final = 500
MAX_PARTS: Final = 512
"""Rules, duties and constraints of the whole policy together."""

_OUTER: Final = frozenset({"permission", "prohibition", "obligation"})
_NOT_POLICY: Final = frozenset({"@id", "@type", "@context", "target", "assigner", "assignee", "timestamp"})
_INSTEAD: Final[Mapping[str, str]] = {
    "profile": "no profile is known here; what a policy may say is what is read without one",
    "unit": "the operand fixes the unit; leave it out",
    "dataType": "the operand fixes the data type; leave it out",
    "remedy": "write a remedy as an obligation",
    "consequence": "write a consequence as an obligation",
    "refinement": "write a refinement as a constraint of the rule",
    "conflict": "a prohibition always beats a permission; leave it out",
    "target": "a rule is about the target of its offer; leave it out",
    "rightOperandReference": "write the value itself as rightOperand",
}
_OPERANDS_BY_IRI: Final = {o.iri: o for o in OPERANDS.values()}
_ACTIONS_BY_IRI: Final = {a.iri: name for name, a in ACTIONS.items()}
_MOMENTS: Final = {"lt": Moment.BEFORE, "eq": Moment.ALONGSIDE, "gt": Moment.AFTER}
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
_IN_DUTY: Final = {
    ODRL + "event": "lt, eq or gt odrl:policyUsage",
    ODRL + "elapsedTime": "lteq a duration such as P30D",
    ODRL + "payAmount": "eq an amount such as 100.00 CNY",
}
"""What a duty says about itself."""


def parse_policy(document: Json) -> Policy:
    """Read the rules of an offer or agreement, or raise `PolicyError` with all the faults.

    The keys of the document that are not rules (`@id`, `target`, `assigner`, ...) are the caller's.
    """
    reading = _Reading()
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


def _full(term: str) -> str:
    """The full name of a term that may be written short, prefixed or in full."""
    if term.startswith("odrl:"):
        return ODRL + term[5:]
    return term if ":" in term else ODRL + term


def _short(term: str) -> str:
    """The short name of a term of ODRL; any other name as it is."""
    return _full(term).removeprefix(ODRL)


def _bare(value: Json) -> str | None:
    """A term or value, however JSON-LD wraps it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and set(value) in ({"@id"}, {"@value"}):
        (value,) = value.values()
    return value if isinstance(value, str) else None


class _Reading:
    """One reading of one document; collects faults instead of stopping at the first."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.parts = 0

    def policy(self, document: Json) -> Policy:
        if not isinstance(document, dict):
            self._fault("$", "expected an object")
            return Policy()
        keys = self._keys(document, "$", _OUTER, ignored=_NOT_POLICY)
        return Policy(
            permissions=self._rules(keys, "permission", "$", with_duties=True),
            prohibitions=self._rules(keys, "prohibition", "$", with_duties=False),
            obligations=tuple(
                self._duty(d, f"$.obligation[{i}]") for i, d in enumerate(self._list(keys, "obligation", "$"))
            ),
        )

    def _rules(
        self, keys: Mapping[str, Json], name: str, path: str, *, with_duties: bool
    ) -> tuple[Rule, ...]:
        return tuple(
            self._rule(r, f"{path}.{name}[{i}]", with_duties=with_duties)
            for i, r in enumerate(self._list(keys, name, path))
        )

    def _rule(self, value: Json, path: str, *, with_duties: bool) -> Rule:
        if not self._is_part(value, path, "a rule"):
            return Rule("use")
        known = frozenset({"action", "constraint"} | ({"duty"} if with_duties else set()))
        keys = self._keys(value, path, known)
        return Rule(
            action=self._action(keys.get("action"), f"{path}.action"),
            constraints=tuple(
                self._constraint(c, f"{path}.constraint[{i}]", MAX_DEPTH, limits=with_duties)
                for i, c in enumerate(self._list(keys, "constraint", path))
            ),
            duties=tuple(
                self._duty(d, f"{path}.duty[{i}]") for i, d in enumerate(self._list(keys, "duty", path))
            ),
        )

    def _duty(self, value: Json, path: str) -> Duty:
        if not self._is_part(value, path, "a duty"):
            return Duty("inform")
        keys = self._keys(value, path, frozenset({"action", "constraint"}))
        action = self._action(keys.get("action"), f"{path}.action")
        said: dict[str, tuple[str, str]] = {}
        for i, constraint in enumerate(self._list(keys, "constraint", path)):
            self._about_duty(constraint, f"{path}.constraint[{i}]", said)
        duty = self._duty_of(action, said, path)
        if (fault := fault_of(duty)) is not None:
            self._fault(path, fault)
        return duty

    def _about_duty(self, value: Json, path: str, said: dict[str, tuple[str, str]]) -> None:
        """Read what a duty says about itself: when it falls due, within what time, how much is paid."""
        if isinstance(value, dict):
            keys = self._keys(value, path, frozenset({"leftOperand", "operator", "rightOperand"}))
            left, operator, right = (_bare(keys.get(k)) for k in ("leftOperand", "operator", "rightOperand"))
            if left is not None and operator is not None and right is not None and _full(left) in _IN_DUTY:
                if _full(left) in said:
                    self._fault(path, f"{_short(left)} is there twice")
                said[_full(left)] = _short(operator), right
                return
        known = "; ".join(f"odrl:{_short(left)} {rest}" for left, rest in _IN_DUTY.items())
        self._fault(path, f"expected on a duty: {known}")

    def _duty_of(self, action: str, said: Mapping[str, tuple[str, str]], path: str) -> Duty:
        moment, within, amount = Moment.BEFORE, None, None
        try:
            for left, (operator, right) in said.items():
                if left == ODRL + "event" and operator in _MOMENTS and _full(right) == ODRL + "policyUsage":
                    moment = _MOMENTS[operator]
                elif left == ODRL + "elapsedTime" and operator == Operator.LTEQ:
                    within = parse_duration(right)
                elif left == ODRL + "payAmount" and operator == Operator.EQ:
                    amount = parse_money(right)
                else:
                    self._fault(path, f"expected on a duty: odrl:{_short(left)} {_IN_DUTY[left]}")
        except MalformedError as error:
            self._fault(path, str(error))
        return Duty(action, moment, within, amount)

    def _action(self, value: Json, path: str) -> str:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict) and set(value) == {"@id"}:
            value = value["@id"]
        name = None
        if isinstance(value, str):
            name = value if value in ACTIONS else _ACTIONS_BY_IRI.get(_full(value))
        if name is None:
            self._fault(path, f"expected one of the actions {', '.join(ACTIONS)}, got {_shown(value)}")
            return "use"
        return name

    def _constraint(self, value: Json, path: str, depth: int, *, limits: bool) -> Constraint:
        nothing = Atom(OPERANDS["purpose"], Operator.EQ, "")
        if depth == 0:
            self._fault(path, f"nested deeper than {MAX_DEPTH} levels")
            return nothing
        if not self._is_part(value, path, "a constraint"):
            return nothing
        if any(_short(k) in _JUNCTIONS for k in value):
            return self._group(value, path, depth, limits=limits) or nothing
        atom = self._atom(value, path) or nothing
        if atom.operand.everywhere and not limits:
            self._fault(
                path, f"{atom.operand.name} must hold in every case: not under or, xone, a prohibition"
            )
        return atom

    def _group(self, value: Mapping[str, Json], path: str, depth: int, *, limits: bool) -> Group | None:
        keys = self._keys(value, path, _JUNCTIONS)
        if len(keys) != 1 or "andSequence" in keys:
            self._fault(path, "expected exactly one of and, or, xone (andSequence is not understood)")
            return None
        (name,) = keys
        members = tuple(
            self._constraint(c, f"{path}.{name}[{i}]", depth - 1, limits=limits and name == "and")
            for i, c in enumerate(self._list(keys, name, path))
        )
        if not members:
            self._fault(f"{path}.{name}", "expected at least one constraint")
            return None
        return Group(Junction(name), members)

    def _atom(self, value: Mapping[str, Json], path: str) -> Atom | None:
        keys = self._keys(value, path, frozenset({"leftOperand", "operator", "rightOperand"}))
        operand = self._operand(keys.get("leftOperand"), f"{path}.leftOperand")
        operator = self._operator(keys.get("operator"), f"{path}.operator")
        texts = self._texts(keys.get("rightOperand"), operand, f"{path}.rightOperand")
        if operand is None or operator is None:
            return None
        if operator not in operand.operators:
            allowed = ", ".join(sorted(operand.operators))
            self._fault(f"{path}.operator", f"{operand.name} is compared by {allowed}, not by {operator}")
            return None
        right = self._right(texts, operator, operand, f"{path}.rightOperand") if texts else None
        return None if right is None else Atom(operand, operator, right)

    def _operand(self, value: Json, path: str) -> Operand | None:
        if isinstance(value, dict) and set(value) == {"@id"}:
            value = value["@id"]
        found = None
        if isinstance(value, str):
            found = OPERANDS.get(value) or _OPERANDS_BY_IRI.get(_full(value))
        if found is None:
            known = ", ".join(o.iri for o in OPERANDS.values())
            self._fault(path, f"unknown operand {_shown(value)}; known are {known}")
        return found

    def _operator(self, value: Json, path: str) -> Operator | None:
        if isinstance(value, dict) and set(value) == {"@id"}:
            value = value["@id"]
        name = _short(value) if isinstance(value, str) else ""
        if name.startswith("term-"):
            self._fault(path, f"write {name.removeprefix('term-')} instead of {name}")
            return None
        if name not in tuple(Operator):
            self._fault(path, f"unknown operator {_shown(value)}; known are {', '.join(Operator)}")
            return None
        return Operator(name)

    def _texts(self, value: Json, operand: Operand | None, path: str) -> list[str]:
        """The value or values asked for, still as text; none where one of them is no text."""
        items = value if isinstance(value, list) else [value]
        if not 0 < len(items) <= MAX_MEMBERS:
            self._fault(path, f"expected one to {MAX_MEMBERS} values, got {len(items)}")
            return []
        texts = [self._text(item, operand, path) for item in items]
        return [t for t in texts if t is not None] if None not in texts else []

    def _text(self, item: Json, operand: Operand | None, path: str) -> str | None:
        if isinstance(item, dict):
            item = self._wrapped(item, operand, path)
        match item:
            case int() | float() if not isinstance(item, bool):
                self._fault(path, f'a number is written as text: "{item}"'[:80])
            case str() if 0 < len(item) <= MAX_TEXT and item.isprintable() and item == item.strip():
                return item
            case _:
                self._fault(path, f"expected text of at most {MAX_TEXT} printable characters")
        return None

    def _wrapped(self, item: dict[str, Json], operand: Operand | None, path: str) -> Json:
        """Open `{"@id": …}` and `{"@value": …, "@type": …}`, the forms that JSON-LD gives a value."""
        if set(item) == {"@id"}:
            return item["@id"]
        if not {"@value"} <= set(item) <= {"@value", "@type"}:
            self._fault(path, "expected text, @id or @value")
            return "-"
        kind = item.get("@type", _XSD + "string")
        name = kind.replace("xsd:", _XSD).removeprefix(_XSD) if isinstance(kind, str) else ""
        known = ("string", "anyURI") + (_DATA_TYPES.get(operand.type, ()) if operand else ())
        if operand is not None and name not in known:
            self._fault(path, f"unknown data type {_shown(kind)}; known here are {', '.join(known)}")
        return item["@value"]

    def _right(self, texts: Sequence[str], operator: Operator, operand: Operand, path: str) -> Value | None:
        many = operator in _MANY or (operand.type is OperandType.NAMES and operator is Operator.IS_PART_OF)
        if len(texts) > 1 and not many:
            self._fault(path, f"expected one value for {operator}, got {len(texts)}")
            return None
        read: list[Value] = []
        for text in texts:
            try:
                read.append(read_value(operand, text))
            except MalformedError as error:
                self._fault(path, str(error))
        if len(read) != len(texts):
            return None
        return frozenset(str(v) for v in read) if many else read[0]

    def _is_part(self, value: Json, path: str, what: str) -> TypeGuard[dict[str, Json]]:
        """Say whether there is something to read here, and room for it."""
        self.parts += 1
        if self.parts == MAX_PARTS + 1:
            self._fault(path, f"more than {MAX_PARTS} rules, duties and constraints in one policy")
        elif self.parts <= MAX_PARTS and not isinstance(value, dict):
            self._fault(path, f"expected {what}")
        return self.parts <= MAX_PARTS and isinstance(value, dict)

    def _keys(
        self,
        value: Mapping[str, Json],
        path: str,
        known: frozenset[str],
        ignored: frozenset[str] = frozenset({"@type", "@id"}),
    ) -> dict[str, Json]:
        keys: dict[str, Json] = {}
        for key, item in value.items():
            name = key if key.startswith("@") else _short(key)
            if name in keys:
                self._fault(path, f"{name} is there twice")
            elif name in known:
                keys[name] = item
            elif name not in ignored:
                self._fault(path, _INSTEAD.get(name, f"unknown key {_shown(key)}"))
        return keys

    def _list(self, keys: Mapping[str, Json], name: str, path: str) -> list[Json]:
        """What stands under a key: nothing where it is missing, one where it is no list."""
        if name not in keys:
            return []
        value = keys[name]
        items: list[Json] = value if isinstance(value, list) else [value]
        if len(items) > MAX_RULES:
            self._fault(f"{path}.{name}", f"more than {MAX_RULES} entries")
            return []
        return items

    def _fault(self, path: str, message: str) -> None:
        self.faults.append(f"{path}: {message}")


def _shown(value: Json) -> str:
    # An object or list is named, not written out: it may be as deep as the decoder allowed.
    match value:
        case str():
            return repr(value if len(value) <= 80 else value[:77] + "...")
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return str(value)[:80]


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
        operator = next(o for o, m in _MOMENTS.items() if m is duty.moment)
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
