"""Reading SQL: bounded before, while and after it is parsed. Only the syntax tree goes on from here."""

import logging
from typing import Final

import sqlglot
from sqlglot import exp

from .model import Limits, NotAdmittedError, Rule

_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")

# What it cannot parse as SQL sqlglot keeps as a `Command`, and says so on a log; the rule says it better.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def read(sql: str, limits: Limits) -> exp.Expression:
    """Give the syntax tree of the one statement that `sql` is."""
    if len(sql) > limits.characters:
        raise NotAdmittedError(Rule.LENGTH, f"at most {limits.characters} characters are read")
    if _deepest(sql) > limits.depth:
        raise NotAdmittedError(Rule.NESTING, f"at most {limits.depth} levels are read")
    try:
        found = sqlglot.parse(sql, read="duckdb")
    except RecursionError as error:
        raise NotAdmittedError(Rule.NESTING, f"at most {limits.depth} levels are read") from error
    except (sqlglot.errors.SqlglotError, ValueError, LookupError, TypeError, AttributeError) as error:
        # The parser answers some hostile texts with faults of its own; none of them is SQL for us.
        raise NotAdmittedError(Rule.SYNTAX, "the parser does not know what this is") from error
    if len(found) != 1 or not isinstance(found[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise NotAdmittedError(Rule.STATEMENT, "exactly one SELECT is read")
    _measure(found[0], limits)
    return found[0]


def _deepest(sql: str) -> int:
    """How deep brackets are nested; those in literals count as well, which is safe."""
    depth = deepest = 0
    for character in sql:
        if character in _OPEN:
            depth += 1
            deepest = max(deepest, depth)
        elif character in _CLOSE:
            depth = max(depth - 1, 0)
    return deepest


def _measure(tree: exp.Expression, limits: Limits) -> None:
    """Bound the tree, level by level: no recursion, however deep it is."""
    level: list[exp.Expression] = [tree]
    nodes = depth = 0
    while level:
        nodes += len(level)
        depth += 1
        if nodes > limits.nodes:
            raise NotAdmittedError(Rule.SIZE, f"at most {limits.nodes} parts are read")
        if depth > 3 * limits.depth:  # a flat chain of ANDs is a deep tree
            raise NotAdmittedError(Rule.NESTING, f"at most {limits.depth} levels are read")
        level = [child for node in level for child in node.iter_expressions()]
