"""The national contract's words for a policy, both ways without loss (tables 4, 5.1, 5.2 and C.2 to C.6).

A rule is its object's actions and constraints; a constraint has a code, an operator's code and a value.
What the national tables have no code for travels under `expansionItem` with its full name beside it, and
so does what one code could mean twice. Values of a fixed list travel as their two digits. What cannot be
read is refused, with every fault and its place: a condition that is dropped always holds.

Misprints of the printed tables are read, and never written.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

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
)
from entrepot.policy.vocabulary import ACTIONS, EXPANSION, OPERANDS
from entrepot.policy.wire import parse_policy, render_policy
from entrepot.values.canonical import Json

OPERATORS: Final[Mapping[Operator, str]] = MappingProxyType(
    {
        Operator.EQ: "01",
        Operator.GT: "02",
        Operator.GTEQ: "03",
        Operator.HAS_PART: "04",
        Operator.IS_A: "05",
        Operator.IS_ALL_OF: "06",
        Operator.IS_ANY_OF: "07",
        Operator.IS_NONE_OF: "08",
        Operator.IS_PART_OF: "09",
        Operator.LT: "10",
        Operator.LTEQ: "11",
        Operator.NEQ: "12",
    }
)
"""Table 5.2."""

CONSTRAINTS: Final[Mapping[str, Operand]] = MappingProxyType(
    {o.national: o for o in OPERANDS.values() if o.national != EXPANSION}
)
"""Table 5.1: the operand of each code; every code has exactly one."""

ACTION_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {a.national: a.name for a in ACTIONS.values() if a.national != EXPANSION}
)
"""Table 4: the action of each code."""

_MISPRINTED: Final[Mapping[str, str]] = MappingProxyType(
    {"plicyTransmit": "policyTransmit", "dateRecord": "dataRecord"}
)
_OPERATORS_BY_CODE: Final = {code: operator for operator, code in OPERATORS.items()}
_IN_CONSTRAINT: Final = frozenset({"constraint", "operator", "value", "leftOperand", *map(str, Junction)})
_KINDS: Final = (
    ("permissionPolicies", "permission"),
    ("prohibitionPolicies", "prohibition"),
    ("obligationPolicies", "obligation"),
)


def render_national(policy: Policy) -> dict[str, Json]:
    """Write a policy in the national words; `parse_national` of the result gives `policy` again."""
    rules = {
        "permissionPolicies": [_rule(r) for r in policy.permissions],
        "prohibitionPolicies": [_rule(r) for r in policy.prohibitions],
        "obligationPolicies": [_duty(d) for d in policy.obligations],
    }
    return {name: [*found] for name, found in rules.items() if found}


def parse_national(document: Json) -> Policy:
    """Read a policy in the national words, or raise `PolicyError` with all the faults.

    It is turned into the form of the Dataspace Protocol and read like any other: one reader, one meaning.
    """
    reading = _Reading()
    translated = reading.policy(document)
    if reading.faults:
        raise PolicyError(tuple(reading.faults))
    return parse_policy(translated)


def _rule(rule: Rule) -> Json:
    written: dict[str, Json] = {"actions": [_action(rule.action)]}
    if rule.constraints:
        written["constraints"] = [_constraint(c) for c in rule.constraints]
    first = [d for d in rule.duties if d.moment is Moment.BEFORE]
    if first:
        written["preDuties"] = [_duty(d) for d in first]
    if len(first) < len(rule.duties):
        # What is owed with or after a use is no condition of it: all duties in their order stand here.
        written[EXPANSION] = [_duty(d) for d in rule.duties]
    return written


def _duty(duty: Duty) -> Json:
    """A duty is an action with what it says about itself, which the national tables have no code for."""
    rendered = render_policy(Policy(obligations=(duty,)))["obligation"]
    said = (
        rendered[0].get("constraint")
        if isinstance(rendered, list) and isinstance(rendered[0], dict)
        else None
    )
    written: dict[str, Json] = {"actions": [_action(duty.action)]}
    if said is not None:
        written[EXPANSION] = said
    return written


def _action(name: str) -> Json:
    action = ACTIONS[name]
    return {EXPANSION: action.iri} if action.national == EXPANSION else action.national


def _constraint(constraint: Constraint) -> Json:
    match constraint:
        case Group(junction, members):
            return {"constraint": EXPANSION, str(junction): [_constraint(m) for m in members]}
        case Atom(operand, operator, _):
            written: dict[str, Json] = {
                "constraint": operand.national,
                "operator": OPERATORS[operator],
                "value": _value(constraint),
            }
            if operand.national == EXPANSION:
                written["leftOperand"] = operand.iri
            return written


def _value(atom: Atom) -> Json:
    if atom.operand.type is OperandType.WORD:
        codes = dict(atom.operand.words)
        if isinstance(atom.value, frozenset):
            return [codes[word] for word in sorted(atom.value)]
        return codes[str(atom.value)]
    rendered = render_policy(Policy((Rule("use", (atom,)),)))
    return rendered["permission"][0]["constraint"][0]["rightOperand"]  # type: ignore[call-overload,index]  # the shape just rendered


class _Reading:
    """One reading of one document; collects faults instead of stopping at the first."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def policy(self, document: Json) -> dict[str, Json]:
        if not isinstance(document, dict):
            self._fault("$", "expected an object")
            return {}
        for name in document.keys() - {national for national, _ in _KINDS}:
            self._fault("$", f"unknown policy kind {name[:80]!r}")
        return {
            ours: [
                self._rule(rule, f"$.{national}[{i}]", is_duty=ours == "obligation")
                for i, rule in enumerate(self._list(document.get(national), f"$.{national}"))
            ]
            for national, ours in _KINDS
            if national in document
        }

    def _rule(self, value: Json, path: str, *, is_duty: bool) -> Json:
        known = {"actions", EXPANSION} | (set() if is_duty else {"constraints", "preDuties"})
        if not isinstance(value, dict) or not value.keys() <= known:
            self._fault(path, f"expected an object of {', '.join(sorted(known))}")
            return None
        read: dict[str, Json] = {"action": self._actions(value.get("actions"), f"{path}.actions")}
        if is_duty:
            if EXPANSION in value:
                read["constraint"] = value[EXPANSION]
            return read
        read["constraint"] = [
            self._constraint(c, f"{path}.constraints[{i}]")
            for i, c in enumerate(self._list(value.get("constraints", []), f"{path}.constraints"))
        ]
        name = EXPANSION if EXPANSION in value else "preDuties"
        duties = self._list(value.get(name, []), f"{path}.{name}")
        if name == EXPANSION and value.get("preDuties", []) != [d for d in duties if _comes_first(d)]:
            self._fault(f"{path}.preDuties", f"expected the duties of {EXPANSION} that come before the use")
        if duties:
            read["duty"] = [self._rule(d, f"{path}.{name}[{i}]", is_duty=True) for i, d in enumerate(duties)]
        return read

    def _actions(self, value: Json, path: str) -> Json:
        found = self._list(value, path)
        if len(found) != 1:
            self._fault(path, "expected one action; several are as many rules")
            return None
        (action,) = found
        if isinstance(action, dict) and action.keys() == {EXPANSION}:
            return action[EXPANSION]
        name = ACTION_CODES.get(_MISPRINTED.get(action, action)) if isinstance(action, str) else None
        if name is None:
            self._fault(path, f"unknown action {_shown(action)}; known are {', '.join(ACTION_CODES)}")
            return None
        return ACTIONS[name].iri

    def _constraint(self, value: Json, path: str) -> Json:
        if not isinstance(value, dict):
            self._fault(path, "expected an object")
            return None
        for name in value.keys() - _IN_CONSTRAINT:
            self._fault(path, f"unknown key {name[:80]!r}")
        for junction in (j for j in Junction if str(j) in value):
            if value.keys() - {"constraint", str(junction)} or value.get("constraint") != EXPANSION:
                self._fault(path, f"expected {junction} alone, under {EXPANSION}")
            members = self._list(value[str(junction)], f"{path}.{junction}")
            return {
                str(junction): [self._constraint(m, f"{path}.{junction}[{i}]") for i, m in enumerate(members)]
            }
        code, operator = value.get("constraint"), value.get("operator")
        operand = self._operand(code, value.get("leftOperand"), path)
        known = _OPERATORS_BY_CODE.get(operator) if isinstance(operator, str) else None
        if known is None:
            self._fault(path, f"unknown operator {_shown(operator)}; known are 01 to 12")
        if operand is None or known is None:
            return None
        right = self._value(operand, value.get("value"), path)
        return {"leftOperand": operand.iri, "operator": str(known), "rightOperand": right}

    def _operand(self, code: Json, name: Json, path: str) -> Operand | None:
        if not isinstance(code, str):
            self._fault(path, "expected the code of a constraint")
            return None
        code = _MISPRINTED.get(code, code)
        if code != EXPANSION:
            found = CONSTRAINTS.get(code)
            known = ", ".join(CONSTRAINTS)
        else:
            found = next((o for o in OPERANDS.values() if o.iri == name and o.national == EXPANSION), None)
            known = ", ".join(o.iri for o in OPERANDS.values() if o.national == EXPANSION)
        if found is None:
            what = _shown(name if code == EXPANSION else code)
            self._fault(path, f"unknown constraint {what}; known are {known}")
        return found

    def _value(self, operand: Operand, value: Json, path: str) -> Json:
        if operand.type is not OperandType.WORD:
            return value
        words = {code: word for word, code in operand.words}
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(t, str) and t in words for t in texts):
            self._fault(path, f"expected of {operand.national}: {', '.join(words)}")
            return None
        read: Sequence[Json] = [words[str(t)] for t in texts]
        return [*read] if isinstance(value, list) else read[0]

    def _list(self, value: Json, path: str) -> list[Json]:
        if not isinstance(value, list):
            self._fault(path, "expected a list")
            return []
        return value

    def _fault(self, path: str, message: str) -> None:
        self.faults.append(f"{path}: {message}")


def _comes_first(duty: Json) -> bool:
    """Whether a duty as it is written here is owed before a use: it names no other moment."""
    said = duty.get(EXPANSION, []) if isinstance(duty, dict) else []
    terms = [s.get("leftOperand") for s in said if isinstance(s, dict)] if isinstance(said, list) else []
    return "odrl:event" not in terms


def _shown(value: Json) -> str:
    return repr(value[:80]) if isinstance(value, str) else type(value).__name__
