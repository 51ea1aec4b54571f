"""May this use happen? The policy model, its vocabulary, evaluation, conflicts, terms and counters."""

from entrepot.policy.assurance import ASSURANCES, TREATMENTS, Assurance, Assured, assurance, is_served
from entrepot.policy.charges import Charge, CounterKind, amount_name, counter_name
from entrepot.policy.compare import Verdict
from entrepot.policy.conflicts import contradictions, shortfalls, tensions
from entrepot.policy.duties import BY_THE_GATE, MOMENTS, duty_fact, duty_name, owed
from entrepot.policy.evaluate import Decision, Line, Plan, compile_policy, decide
from entrepot.policy.filters import Comparison, RowFilter, parse_filter
from entrepot.policy.literals import parse_duration, parse_money, render_duration, render_money
from entrepot.policy.model import (
    Atom,
    Duty,
    Fact,
    Facts,
    Group,
    Junction,
    Moment,
    Operand,
    OperandType,
    Operator,
    Period,
    Policy,
    PolicyError,
    Rate,
    Rule,
    Source,
    Window,
)
from entrepot.policy.national import OPERATORS as NATIONAL_OPERATORS
from entrepot.policy.national import parse_national, render_national
from entrepot.policy.reasons import duty_said, place_said, read_refusal, say_refusal
from entrepot.policy.refusal import Outcome, Reason, Refusal
from entrepot.policy.sentences import assured, explain, say_duty, sentences
from entrepot.policy.service import counted, hold, release, reserve, settle_budgets
from entrepot.policy.signatories import (
    SERVICE_ALGORITHM,
    SERVICE_PARTY,
    service_algorithms,
    service_faults,
    service_parties,
)
from entrepot.policy.terms import HANDS_OVER, Terms, after_use, kinds_let_in, terms_of
from entrepot.policy.vocabulary import ACTIONS, ENTREPOT, NATIONAL, ODRL, OPERANDS, Action
from entrepot.policy.wire import parse_policy, render_policy

__all__ = [
    "ACTIONS",
    "ASSURANCES",
    "BY_THE_GATE",
    "ENTREPOT",
    "HANDS_OVER",
    "MOMENTS",
    "NATIONAL",
    "NATIONAL_OPERATORS",
    "ODRL",
    "OPERANDS",
    "SERVICE_ALGORITHM",
    "SERVICE_PARTY",
    "TREATMENTS",
    "Action",
    "Assurance",
    "Assured",
    "Atom",
    "Charge",
    "Comparison",
    "CounterKind",
    "Decision",
    "Duty",
    "Fact",
    "Facts",
    "Group",
    "Junction",
    "Line",
    "Moment",
    "Operand",
    "OperandType",
    "Operator",
    "Outcome",
    "Period",
    "Plan",
    "Policy",
    "PolicyError",
    "Rate",
    "Reason",
    "Refusal",
    "RowFilter",
    "Rule",
    "Source",
    "Terms",
    "Verdict",
    "Window",
    "after_use",
    "amount_name",
    "assurance",
    "assured",
    "compile_policy",
    "contradictions",
    "counted",
    "counter_name",
    "decide",
    "duty_fact",
    "duty_name",
    "duty_said",
    "explain",
    "hold",
    "is_served",
    "kinds_let_in",
    "owed",
    "parse_duration",
    "parse_filter",
    "parse_money",
    "parse_national",
    "parse_policy",
    "place_said",
    "read_refusal",
    "release",
    "render_duration",
    "render_money",
    "render_national",
    "render_policy",
    "reserve",
    "say_duty",
    "say_refusal",
    "sentences",
    "service_algorithms",
    "service_faults",
    "service_parties",
    "settle_budgets",
    "shortfalls",
    "tensions",
    "terms_of",
]
