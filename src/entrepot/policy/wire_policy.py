"""Rules and duties on the wire, read strictly."""

from collections.abc import Mapping
from typing import Final

from entrepot.policy.duties import fault_of
from entrepot.policy.literals import parse_duration, parse_money
from entrepot.policy.model import Duty, Moment, Operator, Policy, Rule
from entrepot.policy.vocabulary import ACTIONS, ODRL
from entrepot.policy.wire_constraint import MAX_DEPTH, ConstraintForm
from entrepot.policy.wire_form import bare, full_name, short_name
from entrepot.values import MalformedError, named
from entrepot.values.canonical import Json

MOMENTS_BY_OPERATOR: Final = {"lt": Moment.BEFORE, "eq": Moment.ALONGSIDE, "gt": Moment.AFTER}
"""A duty says when: `odrl:event lt|eq|gt odrl:policyUsage`."""

_OUTER: Final = frozenset({"permission", "prohibition", "obligation"})
_NOT_POLICY: Final = frozenset({"@id", "@type", "@context", "target", "assigner", "assignee", "timestamp"})
_ACTIONS_BY_IRI: Final = {a.iri: name for name, a in ACTIONS.items()}
_IN_DUTY: Final = {
    ODRL + "event": "lt, eq or gt odrl:policyUsage",
    ODRL + "elapsedTime": "lteq a duration such as P30D",
    ODRL + "payAmount": "eq an amount such as 100.00 CNY",
}
"""What a duty says about itself."""


class PolicyForm(ConstraintForm):
    """Reads a whole policy."""

    def policy(self, document: Json) -> Policy:
        if not isinstance(document, dict):
            self.fault("$", "expected an object")
            return Policy()
        keys = self.keys(document, "$", _OUTER, ignored=_NOT_POLICY)
        return Policy(
            permissions=self._rules(keys, "permission", "$", with_duties=True),
            prohibitions=self._rules(keys, "prohibition", "$", with_duties=False),
            obligations=tuple(
                self._duty(d, f"$.obligation[{i}]")
                for i, d in enumerate(self.list_under(keys, "obligation", "$"))
            ),
        )

    def _rules(
        self, keys: Mapping[str, Json], name: str, path: str, *, with_duties: bool
    ) -> tuple[Rule, ...]:
        return tuple(
            self._rule(r, f"{path}.{name}[{i}]", with_duties=with_duties)
            for i, r in enumerate(self.list_under(keys, name, path))
        )

    def _rule(self, value: Json, path: str, *, with_duties: bool) -> Rule:
        if not self.is_part(value, path, "a rule"):
            return Rule("use")
        known = frozenset({"action", "constraint"} | ({"duty"} if with_duties else set()))
        keys = self.keys(value, path, known)
        return Rule(
            action=self._action(keys.get("action"), f"{path}.action"),
            constraints=tuple(
                self.constraint(c, f"{path}.constraint[{i}]", MAX_DEPTH, limits=with_duties)
                for i, c in enumerate(self.list_under(keys, "constraint", path))
            ),
            duties=tuple(
                self._duty(d, f"{path}.duty[{i}]") for i, d in enumerate(self.list_under(keys, "duty", path))
            ),
        )

    def _duty(self, value: Json, path: str) -> Duty:
        if not self.is_part(value, path, "a duty"):
            return Duty("inform")
        keys = self.keys(value, path, frozenset({"action", "constraint"}))
        action = self._action(keys.get("action"), f"{path}.action")
        said: dict[str, tuple[str, str]] = {}
        for i, constraint in enumerate(self.list_under(keys, "constraint", path)):
            self._about_duty(constraint, f"{path}.constraint[{i}]", said)
        duty = self._duty_of(action, said, path)
        if (fault := fault_of(duty)) is not None:
            self.fault(path, fault)
        return duty

    def _about_duty(self, value: Json, path: str, said: dict[str, tuple[str, str]]) -> None:
        """Read what a duty says about itself: when it falls due, within what time, how much is paid."""
        if isinstance(value, dict):
            keys = self.keys(value, path, frozenset({"leftOperand", "operator", "rightOperand"}))
            left, operator, right = (bare(keys.get(k)) for k in ("leftOperand", "operator", "rightOperand"))
            if (
                left is not None
                and operator is not None
                and right is not None
                and full_name(left) in _IN_DUTY
            ):
                if full_name(left) in said:
                    self.fault(path, f"{short_name(left)} is there twice")
                if short_name(operator) not in tuple(Operator):
                    self.fault(path, f"unknown operator {named(operator)}")
                said[full_name(left)] = short_name(operator), right
                return
            if left is not None and full_name(left) not in _IN_DUTY:
                self.fault(path, f"unknown operand {named(left)} on a duty")
        known = "; ".join(f"odrl:{short_name(left)} {rest}" for left, rest in _IN_DUTY.items())
        self.fault(path, f"expected on a duty: {known}")

    def _duty_of(self, action: str, said: Mapping[str, tuple[str, str]], path: str) -> Duty:
        moment, within, amount = Moment.BEFORE, None, None
        try:
            for left, (operator, right) in said.items():
                if (
                    left == ODRL + "event"
                    and operator in MOMENTS_BY_OPERATOR
                    and full_name(right) == ODRL + "policyUsage"
                ):
                    moment = MOMENTS_BY_OPERATOR[operator]
                elif left == ODRL + "elapsedTime" and operator == Operator.LTEQ:
                    within = parse_duration(right)
                elif left == ODRL + "payAmount" and operator == Operator.EQ:
                    amount = parse_money(right)
                else:
                    self.fault(path, f"expected on a duty: odrl:{short_name(left)} {_IN_DUTY[left]}")
        except MalformedError as error:
            self.fault(path, str(error))
        return Duty(action, moment, within, amount)

    def _action(self, value: Json, path: str) -> str:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict) and set(value) == {"@id"}:
            value = value["@id"]
        name = None
        if isinstance(value, str):
            name = value if value in ACTIONS else _ACTIONS_BY_IRI.get(full_name(value))
        if name is None:
            self.fault(path, f"unknown action {named(value)}; expected one of {', '.join(ACTIONS)}")
            return "use"
        return name
