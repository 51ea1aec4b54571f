"""Conflicts: inside a policy, with what its product is, with its duties, and between policies.

For each operand the values that a policy can tell apart are few (`worlds.py`). A search through them
either finds facts under which a permission holds and no prohibition does, or shows that there are none.
The verdicts of facts not yet chosen are unknown, and a verdict that is known already cannot change any
more, so most branches end early.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from entrepot.policy.assurance import is_served, sees
from entrepot.policy.duties import BY_THE_GATE, treatments
from entrepot.policy.evaluate import Plan, compile_policy, implied_by
from entrepot.policy.model import Atom, Constraint, Duty, Moment, Policy, Rule
from entrepot.policy.refusal import Reason, Refusal
from entrepot.policy.terms import conjunction, protections
from entrepot.policy.vocabulary import ACTIONS
from entrepot.policy.worlds import Choice, TooManyError, choices
from entrepot.values import KindOfUse

MAX_COMPARISONS: Final = 500_000
"""Comparisons made for one policy (well under a second); where they do not suffice nothing is claimed."""

_EVERY: Final = frozenset(KindOfUse)


class _Patience:
    """How many comparisons may still be made for this policy."""

    def __init__(self) -> None:
        self.left = MAX_COMPARISONS

    def lasts(self, comparisons: int) -> bool:
        self.left -= comparisons + 1
        return self.left > 0


def contradictions(policy: Policy) -> tuple[Refusal, ...]:
    """Find permissions that can never hold or that prohibitions always take back, and forbidden duties."""
    patience = _Patience()
    found = [
        refusal
        for i, permission in enumerate(policy.permissions)
        for refusal in _faults(f"permission[{i}]", permission, policy, patience)
    ]
    return (*found, *_forbidden_duties(policy))


def shortfalls(policy: Policy, kinds: frozenset[KindOfUse]) -> tuple[Refusal, ...]:
    """Find what a policy promises that the kinds of use of its product cannot keep.

    A permission that no kind can satisfy because nobody sees what it asks about, and a kind of use that no
    permission lets in.
    """
    patience = _Patience()
    kinds = frozenset(k for k in kinds if is_served(k))
    if not kinds:
        return ()
    asked = [
        (i, permission)
        for i, permission in enumerate(policy.permissions)
        if ACTIONS[permission.action].permits
    ]
    lets_in = {
        (i, kind)
        for i, permission in asked
        for kind in sorted(kinds)
        if _is_possible(permission, policy, patience, frozenset({kind}))
    }
    found = [
        _unkept(f"permission[{i}]", permission, kinds)
        for i, permission in asked
        if not any(at == i for at, _ in lets_in)
    ]
    found += [
        Refusal(Reason.UNPERMITTED, "permission", kind)
        for kind in sorted(kinds)
        if not any(k is kind for _, k in lets_in)
    ]
    return tuple(found)


def tensions(policy: Policy, other: Policy) -> tuple[Refusal, ...]:
    """Find what a policy gives away that another one over the same data holds back.

    Not every one is a fault: two products may serve different people. Whoever offers should see them.
    """
    patience = _Patience()
    found = [
        Refusal(Reason.GIVEN_AWAY, f"permission[{i}]", f"prohibition[{j}]")
        for i, permission in enumerate(policy.permissions)
        for j, prohibition in enumerate(other.prohibitions)
        if _overlap(permission, prohibition, policy, patience)
    ]
    held_back = [protections(r) for r in other.permissions]
    for i, permission in enumerate(policy.permissions):
        given = protections(permission)
        missing = sorted({name for names in held_back for name in names} - given)
        found += [Refusal(Reason.UNPROTECTED, f"permission[{i}]", name) for name in missing]
    return tuple(found)


def _overlap(permission: Rule, prohibition: Rule, policy: Policy, patience: _Patience) -> bool:
    """Whether facts exist under which one policy permits and a prohibition of another one applies."""
    implied = implied_by(prohibition, policy, _asked(permission), "prohibition")
    if implied is None:
        return False
    both = replace(permission, constraints=(*permission.constraints, *prohibition.constraints, *implied))
    return _is_possible(both, policy, patience)


def _forbidden_duties(policy: Policy) -> list[Refusal]:
    """Duties to do what a prohibition without conditions forbids."""
    forbidden = {r.action: j for j, r in enumerate(policy.prohibitions) if not r.constraints}
    placed = [
        (f"permission[{i}].duty[{n}]", duty)
        for i, permission in enumerate(policy.permissions)
        for n, duty in enumerate(permission.duties)
    ]
    placed += [(f"obligation[{n}]", duty) for n, duty in enumerate(policy.obligations)]
    return [
        Refusal(Reason.DUTY_FORBIDDEN, path, f"prohibition[{forbidden[duty.action]}]")
        for path, duty in placed
        if duty.action in forbidden
    ]


def _unkept(path: str, permission: Rule, kinds: Iterable[KindOfUse]) -> Refusal:
    names = {a.operand.name for a in _atoms(permission.constraints) if not any(sees(k, a) for k in kinds)}
    names |= {str(a.value) for a in treatments(permission.duties) if not any(sees(k, a) for k in kinds)}
    return Refusal(Reason.UNSEEN if names else Reason.UNKEPT, path, ", ".join(sorted(names)))


def _faults(path: str, permission: Rule, policy: Policy, patience: _Patience) -> list[Refusal]:
    """Why no decision can rely on a permission; nothing where one can."""
    if _is_possible(permission, policy, patience):
        return []
    if not _is_possible(permission, replace(policy, prohibitions=()), patience):
        return [Refusal(Reason.NO_VALUE, path, name) for name in _impossible(permission, patience)] or [
            Refusal(Reason.NO_FACTS, path)
        ]
    return [
        Refusal(Reason.TAKEN_BACK, path, f"prohibition[{j}]")
        for j, prohibition in enumerate(policy.prohibitions)
        if not _is_possible(permission, replace(policy, prohibitions=(prohibition,)), patience)
    ] or [Refusal(Reason.TAKEN_BACK_TOGETHER, path)]


def _impossible(permission: Rule, patience: _Patience) -> list[str]:
    """The operands that cannot satisfy what must hold of them, each by itself."""
    atoms = conjunction(permission.constraints)
    return [
        name
        for name in dict.fromkeys(a.operand.name for a in atoms)
        if not _is_possible(
            Rule(permission.action, tuple(a for a in atoms if a.operand.name == name)), Policy(), patience
        )
    ]


def _atoms(constraints: Iterable[Constraint]) -> list[Atom]:
    return [
        atom
        for constraint in constraints
        for atom in ([constraint] if isinstance(constraint, Atom) else _atoms(constraint.members))
    ]


def _is_possible(
    permission: Rule, policy: Policy, patience: _Patience, kinds: frozenset[KindOfUse] = _EVERY
) -> bool:
    """Say whether some facts satisfy the permission and trigger none of the prohibitions.

    Its duties count as done where they come first. Of one kind of use, only what that kind sees is known.
    False is proven; True may also mean that patience ran out.
    """
    rule = Rule(permission.action, permission.constraints, _alongside(permission.duties))
    alone = Policy((rule,), policy.prohibitions, _alongside(policy.obligations))
    plan = compile_policy(alone, _asked(permission))
    asked = plan.asked if len(kinds) > 1 else [(n, a) for n, a in plan.asked for k in kinds if sees(k, a)]
    try:
        return _search(plan, {}, choices(asked, kinds), patience)
    except TooManyError:
        return True


def _asked(permission: Rule) -> str:
    """The action that is asked about when somebody wants to rely on this permission."""
    return "use" if ACTIONS[permission.action].permits else permission.action


def _alongside(duties: Iterable[Duty]) -> tuple[Duty, ...]:
    return tuple(d for d in duties if d.moment is Moment.ALONGSIDE and d.action not in BY_THE_GATE)


def _search(plan: Plan, facts: Choice, left: Sequence[Sequence[Choice]], patience: _Patience) -> bool:
    """Choose facts one operand after another; a branch ends as soon as its outcome is certain."""
    decision = plan.decide(facts)
    if decision.permitted or not patience.lasts(len(decision.verdicts)):
        return True
    if plan.is_settled(decision.verdicts):
        return False
    return any(_search(plan, {**facts, **choice}, left[1:], patience) for here in left[:1] for choice in here)
