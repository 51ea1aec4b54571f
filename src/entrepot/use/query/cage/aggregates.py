"""Aggregates: over rows each is guarded by the number of subjects it is made of; over answers all are free.

A column that is empty for all but one subject would give that one away in a group of any size, so the guard
counts the subjects for whom there is a value, not those in the group.
"""

from dataclasses import dataclass, field
from typing import Final

from sqlglot import exp

from .cells import OF_ROWS, ROWS_MARKS, Told, gathered
from .model import Kind, NotAdmittedError, Role, Rule
from .names import Scope
from .scalars import Scalars, Words, takes
from .text import Field, Value, number

MOST_WEIGHT: Final = 1_000
MOST_SHARE: Final = 0.5
"""What one subject may make up of an aggregate, by absolute amounts."""
_OVER_ROWS: Final[Words] = {
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
}
_OVER_ANSWERS: Final[Words] = {**_OVER_ROWS, exp.Min: "min", exp.Max: "max", exp.Median: "median"}
_BY_SUBJECT: Final[frozenset[type[exp.Expression]]] = frozenset({exp.Count, exp.Sum})
_ADDED_UP: Final[frozenset[type[exp.Expression]]] = frozenset({exp.Sum, exp.Avg})
_OF_ANY_KIND: Final[frozenset[type[exp.Expression]]] = frozenset({exp.Min, exp.Max})


def is_aggregate(node: exp.Expression) -> bool:
    return type(node) in _OVER_ANSWERS or isinstance(node, exp.AggFunc)


@dataclass(slots=True)
class Aggregates:
    """The aggregates of one grouping, each written once."""

    scope: Scope
    is_spread: bool
    """Whether a subject may have several rows in a group: to count them would tell who has."""
    arguments: dict[str, str] = field(default_factory=dict)
    """Expressions over rows that are aggregated, and their names `m0`, `m1` ..."""
    found: dict[str, str] = field(default_factory=dict)
    """Aggregates, and their names `a0`, `a1` ..."""
    patterns: dict[str, Told] = field(default_factory=dict)
    """Arguments that may be empty, and what they tell of."""
    judged: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Aggregates that one subject may dominate, and the columns that they are made of, as arguments."""

    def value(self, node: exp.Expression) -> Value:
        """Write an aggregate anew; gives the name that it has after grouping."""
        if not self.scope.is_rows:
            sql, kind = self._over_answers(node)
            return Value(self.found.setdefault(sql, f"a{len(self.found)}"), kind)
        sql = self._over_rows(node)
        name = self.found.setdefault(sql, f"a{len(self.found)}")
        if not isinstance(node, exp.Count):
            self.judged[name] = self._columns(node.this)
        return Value(name, Kind.NUMBER)

    def condition(self, name: str) -> str:
        """When an aggregate is shown: in a group large enough of which no subject makes up most."""
        return " AND ".join(["enough", *(f"fair_{argument}" for argument in self.judged.get(name, ()))])

    def per_subject(self, node: exp.Expression) -> Field:
        """An aggregate of the rows of one subject. No value stays no value, or it would mark the subject.

        With it go the marks of the rows that it is made of, which may be fewer than the subject has.
        """
        if type(node) not in _BY_SUBJECT:
            raise NotAdmittedError(Rule.AGGREGATE, "by subject there are count and sum")
        self._refuse_counting(node)
        if isinstance(node, exp.Count):
            counted = self._counted(node)
            return self._per_subject(counted, f"nullif(count({counted}), 0)")
        if not isinstance(node.this, exp.Column):
            raise NotAdmittedError(Rule.AGGREGATE, "by subject, a column is added up as it is")
        counted = self._argument(node)
        return self._per_subject(counted, f"{_OVER_ROWS[type(node)]}({counted})")

    def _per_subject(self, counted: str, sql: str) -> Field:
        told = self.patterns.get(counted, OF_ROWS)
        ((marks, origins),) = told.items()
        are_lists = self.scope.sources[0].has_many
        of = gathered(marks, are_lists=are_lists, filled=counted if counted in self.patterns else "")
        return Field("", sql, Kind.NUMBER, Role.MEASURE, origins=origins, marks=of)

    def _over_rows(self, node: exp.Expression) -> str:
        self._refuse_counting(node)
        if isinstance(node, exp.Count):
            counted = self._counted(node)
            sql = f"count({counted})"
        elif type(node) in _OVER_ROWS:
            counted = self._argument(node, only_given=type(node) not in _ADDED_UP)
            sql = f"{_OVER_ROWS[type(node)]}({counted})"
        else:
            raise NotAdmittedError(Rule.AGGREGATE, f"{node.key}: there are count, sum, avg, stddev and var")
        if counted in self.patterns:
            sql = f"CASE WHEN {self.enough(f'{counted} IS NOT NULL')} THEN {sql} END"
        return sql

    def _refuse_counting(self, node: exp.Expression) -> None:
        """How many rows there are by subject and key tells how many subjects have two keys, were it one."""
        is_of_subjects = isinstance(node.this, exp.Distinct)
        if self.is_spread and not is_of_subjects and not isinstance(node, exp.Sum):
            raise NotAdmittedError(
                Rule.AGGREGATE, "after grouping by subject and more there are sum and count of subjects"
            )

    def _columns(self, node: exp.Expression) -> tuple[str, ...]:
        """Each column of an argument is judged for itself: another, or a weight, hides who makes it up."""
        return tuple(sorted({self._named(self.scope.column(c).sql) for c in node.find_all(exp.Column)}))

    def enough(self, where: str = "") -> str:
        """Whether a group has the subjects that it takes, of every source."""
        only = f" FILTER (WHERE {where})" if where else ""
        tests = [f"count(DISTINCT s{i}){only} >= {s.k}" for i, s in enumerate(self.scope.sources)]
        return " AND ".join(tests) if tests else "true"

    def _counted(self, node: exp.Expression) -> str:
        """What COUNT counts: rows, the values of a column as it is, or distinct subjects."""
        takes(node, "this", rule=Rule.AGGREGATE)
        this = node.this
        if not this or isinstance(this, exp.Star | exp.Literal):
            return "*"
        if isinstance(this, exp.Distinct):
            takes(this, "expressions", rule=Rule.AGGREGATE)
            column = this.expressions[0] if len(this.expressions) == 1 else None
            field_ = self.scope.column(column) if isinstance(column, exp.Column) else None
            if field_ is None or field_.role is not Role.SUBJECT:
                raise NotAdmittedError(Rule.AGGREGATE, "DISTINCT counts subjects, nothing else")
            return f"DISTINCT {self._named(field_.sql)}"
        field_ = self.scope.column(this) if isinstance(this, exp.Column) else None
        if field_ is None or not field_.is_given or field_.role is not Role.MEASURE:
            raise NotAdmittedError(
                Rule.AGGREGATE, "COUNT takes *, a measure of a table, or distinct subjects"
            )
        return self._pattern(field_.sql, [field_])

    def _argument(self, node: exp.Expression, *, only_given: bool = False) -> str:
        """What is added up. Squares are of columns as they are: those of sums would multiply two columns."""
        takes(node, "this", rule=Rule.AGGREGATE)
        if only_given and not (isinstance(node.this, exp.Column) and self.scope.column(node.this).is_given):
            raise NotAdmittedError(Rule.AGGREGATE, f"{node.key} takes a measure of a table")
        columns = [self.scope.column(c) for c in node.this.find_all(exp.Column)]
        return self._pattern(self._linear(node.this).sql, columns)

    def _linear(self, node: exp.Expression) -> Value:
        """Measures with weights, added up. Never a product of two: the other could mark one subject."""
        match node:
            case exp.Column():
                found = self.scope.column(node)
                if found.role is not Role.MEASURE or found.kind is not Kind.NUMBER:
                    raise NotAdmittedError(Rule.ROLE, f"{found.name} is no measure in numbers")
                return Value(found.sql, Kind.NUMBER)
            case exp.Literal() if not node.is_string:
                return _weight(node)
            case exp.Paren():
                return self._linear(node.this)
            case exp.Neg():
                return Value(f"(- {_double(self._linear(node.this))})", Kind.NUMBER)
            case exp.Add() | exp.Sub():
                sign = "+" if isinstance(node, exp.Add) else "-"
                left, right = self._linear(node.this), self._linear(node.expression)
                return Value(f"({_double(left)} {sign} {_double(right)})", Kind.NUMBER)
            case exp.Mul():
                return self._weighted(node)
        raise NotAdmittedError(Rule.AGGREGATE, f"{node.key} in an aggregate: measures with +, - and weights")

    def _weighted(self, node: exp.Expression) -> Value:
        sides = (node.this, node.expression)
        weights = [n for n in sides if isinstance(n, exp.Literal)]
        others = [n for n in sides if not isinstance(n, exp.Literal)]
        if len(weights) != 1 or any(n.find(exp.Mul) for n in others):
            raise NotAdmittedError(Rule.AGGREGATE, "a product has one weight and one measure")
        weight, other = _weight(weights[0]), self._linear(others[0])
        return Value(f"({_double(other)} * {_double(weight)})", Kind.NUMBER)

    def _pattern(self, sql: str, columns: list[Field]) -> str:
        name = self._named(sql)
        told: dict[str, frozenset[str]] = {}
        for column in columns:
            marks = self._named(column.marks) if column.marks else ROWS_MARKS
            told[marks] = told.get(marks, frozenset()) | column.origins
        self.patterns[name] = told or OF_ROWS
        return name

    def _named(self, sql: str) -> str:
        return self.arguments.setdefault(sql, f"m{len(self.arguments)}")

    def _over_answers(self, node: exp.Expression) -> tuple[str, Kind]:
        scalars = self.scope.scalars()
        if isinstance(node, exp.Count):
            return self._count_answers(node, scalars), Kind.NUMBER
        if type(node) not in _OVER_ANSWERS:
            raise NotAdmittedError(Rule.AGGREGATE, node.key)
        takes(node, "this", rule=Rule.AGGREGATE)
        value = scalars.value(node.this)
        if type(node) not in _OF_ANY_KIND:
            value = scalars.of(Kind.NUMBER, node.this)
        return f"{_OVER_ANSWERS[type(node)]}({self._named(value.sql)})", value.kind

    def _count_answers(self, node: exp.Expression, scalars: Scalars) -> str:
        takes(node, "this", rule=Rule.AGGREGATE)
        this = node.this
        if not this or isinstance(this, exp.Star):
            return "count(*)"
        if isinstance(this, exp.Distinct):
            takes(this, "expressions", rule=Rule.AGGREGATE)
            if len(this.expressions) != 1:
                raise NotAdmittedError(Rule.AGGREGATE, "DISTINCT takes one expression")
            return f"count(DISTINCT {self._named(scalars.value(this.expressions[0]).sql)})"
        return f"count({self._named(scalars.value(this).sql)})"


def _weight(node: exp.Expression) -> Value:
    value = number(node.this)
    if float(node.this) > MOST_WEIGHT:
        raise NotAdmittedError(Rule.LITERAL, f"a weight is at most {MOST_WEIGHT}")
    return value


def _double(value: Value) -> str:
    return f"CAST({value.sql} AS DOUBLE)"


def aggregates_in(node: exp.Expression) -> bool:
    """Whether it aggregates, other than over a window."""
    parts = list(node.iter_expressions())
    if isinstance(node, exp.Window):
        parts = [*node.this.iter_expressions(), *(p for p in parts if p is not node.this)]
    elif is_aggregate(node):
        return True
    return any(map(aggregates_in, parts))
