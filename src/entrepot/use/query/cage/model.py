"""What passes between the service and its two children: tables with roles, limits, rules, answers."""

from enum import StrEnum
from typing import Final

import msgspec

MIN_GROUP: Final = 2


class Role(StrEnum):
    """What a consumer may do with a column."""

    SUBJECT = "subject"
    """Whose row it is: counted as distinct, joined on, grouped by inside a query; never shown or compared."""
    JOIN = "join"
    """Joined on, nothing else."""
    DIMENSION = "dimension"
    """Filtered by, grouped by, shown as the label of a group that is large enough."""
    MEASURE = "measure"
    """Counted, summed, averaged; never compared or shown."""
    HIDDEN = "hidden"
    """As if it were not there."""


class Kind(StrEnum):
    """What can be compared with what. Values of two kinds never meet: no cast happens unseen."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    NOTHING = "nothing"
    """NULL; it meets every kind."""


KIND_OF: Final = {
    "boolean": Kind.BOOLEAN,
    "integer": Kind.NUMBER,
    "number": Kind.NUMBER,
    "decimal": Kind.NUMBER,
    "text": Kind.TEXT,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "instant": Kind.DATETIME,
}
"""The kind of each type that a column of a resource can have."""


class Rule(StrEnum):
    """Why a query is not answered. The word is what the consumer is told, and what the documents list."""

    LENGTH = "length"
    NESTING = "nesting"
    SIZE = "size"
    SYNTAX = "syntax"
    STATEMENT = "statement"
    CLAUSE = "clause"
    TABLE = "table"
    COLUMN = "column"
    NAME = "name"
    ROWS = "rows"
    ROW_CLAUSE = "row-clause"
    SET = "set"
    SUBQUERY = "subquery"
    JOIN = "join"
    ROLE = "role"
    EXPRESSION = "expression"
    FUNCTION = "function"
    AGGREGATE = "aggregate"
    GROUPING = "grouping"
    WINDOW = "window"
    TYPE = "type"
    CAST = "cast"
    LITERAL = "literal"
    HISTORY = "history"
    DIFFERENCE = "difference"
    ENGINE = "engine"


SENTENCES: Final = {
    Rule.LENGTH: "The text is longer than is read.",
    Rule.NESTING: "It is nested deeper than is read.",
    Rule.SIZE: "It has more parts, tables or group keys than are read.",
    Rule.SYNTAX: "It cannot be read as SQL.",
    Rule.STATEMENT: "It is not exactly one SELECT.",
    Rule.CLAUSE: "It has a clause or an option that is not in the grammar.",
    Rule.TABLE: "It reads something else than the tables of this door, by their plain names.",
    Rule.COLUMN: "It names a column that is not there, or that could be two.",
    Rule.NAME: "A name given in it hides a table, or is given twice.",
    Rule.ROWS: "Rows would leave: every answer is of groups.",
    Rule.ROW_CLAUSE: "Rows are sorted, cut off, made distinct, or filtered after grouping by subject.",
    Rule.SET: "A set operation over rows, or over answers of different columns.",
    Rule.SUBQUERY: "A subquery stands where a value is expected.",
    Rule.JOIN: "Rows are joined otherwise than by their subjects, or before both sides are grouped by it.",
    Rule.ROLE: "A column is used otherwise than its role allows.",
    Rule.EXPRESSION: "An expression that is not in the grammar.",
    Rule.FUNCTION: "A function that is not in the grammar.",
    Rule.AGGREGATE: "An aggregate, or an argument of one, that is not in the grammar.",
    Rule.GROUPING: "A column is neither grouped by nor aggregated, or a key is no expression over columns.",
    Rule.WINDOW: "A window over rows, or one that is not in the grammar.",
    Rule.TYPE: "Values of different kinds are compared or combined.",
    Rule.CAST: "A cast to a type that is not in the grammar.",
    Rule.LITERAL: "A literal that is too long, too large, or not of the form expected here.",
    Rule.HISTORY: "To compare it with earlier answers would take more time or memory than there is.",
    Rule.DIFFERENCE: "Compared with earlier answers it would tell of fewer subjects than the smallest group.",
    Rule.ENGINE: "It could not be answered. No more is said: an error could tell of a value.",
}


class NotAdmittedError(Exception):
    """A query that is refused from its text alone, and the rule that did it."""

    def __init__(self, rule: Rule, detail: str = "") -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that crosses the pipe as JSON."""


class Column(_Value, frozen=True):
    """A column as the provider describes it."""

    name: str
    type: str
    role: Role = Role.HIDDEN


class Filter(_Value, frozen=True):
    """A comparison that every row satisfies that is asked about: `=`, `!=`, `<`, `<=`, `>`, `>=` or `in`."""

    column: str
    mark: str
    values: tuple[str, ...]
    is_text: bool


class Table(_Value, frozen=True):
    """A table and the smallest group that anything is said of."""

    name: str
    columns: tuple[Column, ...]
    k: int
    filters: tuple[Filter, ...] = ()


class Limits(_Value, frozen=True):
    """What one query may take."""

    characters: int = 10_000
    depth: int = 40
    nodes: int = 2_000
    scans: int = 8
    """How often tables are read, views of them counted each time."""
    keys: int = 5
    """Group keys of one grouping of rows."""
    seconds: float = 20.0
    megabytes: int = 1_024
    rows: int = 10_000
    bytes: int = 4 << 20
    bucket: float = 0.25
    """Every answer that touched data takes a whole number of these seconds."""


class Asked(_Value, frozen=True):
    """What the reading child is given."""

    sql: str
    tables: tuple[Table, ...]
    limits: Limits


class Cells(_Value, frozen=True):
    """How to ask who is in the released groups of one grouping (`cells.py`)."""

    members: str
    rows: str
    """The same row by row: a subject may have many in a cell."""
    labels: tuple[str, ...]
    """The columns of whose values these groups tell; one empty text where it is of their rows."""
    missing: str = ""
    """How to ask how many rows have no value. Where none, these groups are those of the rows, just before."""
    sets: int = 1
    """In how many cells a row can be."""


class Written(_Value, frozen=True):
    """A query written anew, word by word."""

    sql: str
    columns: tuple[str, ...]
    """Names of the answer's columns, as the consumer gave them."""
    cells: tuple[Cells, ...]
    """Who is in which group that the answer tells of."""
    reads: tuple[str, ...]
    """Columns of tables that it looks at."""


class Unread(_Value, frozen=True):
    """A query that is refused."""

    rule: Rule
    detail: str


class Verdict(_Value, frozen=True):
    """What the reading child answers: one of the two."""

    written: Written | None = None
    refused: Unread | None = None


class Job(_Value, frozen=True):
    """What the running child is given. Nothing in it is a consumer's text."""

    table: Table
    path: str
    written: Written
    earlier: tuple[Cells, ...]
    """`cells` of what was answered before to the same consumer, from the same artefact."""
    limits: Limits


class Told(_Value, frozen=True):
    """A column of an answer."""

    name: str
    type: str


class Result(_Value, frozen=True):
    """An answer: exact numbers as integers where JSON holds them, everything else as text."""

    columns: tuple[Told, ...]
    rows: tuple[tuple[bool | int | str | None, ...], ...]
    cut: bool
    """Whether there were more rows than are given."""


class Ran(_Value, frozen=True):
    """What the running child answers: a result, or one of two rules (`difference`, `engine`)."""

    result: Result | None = None
    refused: Rule | None = None
