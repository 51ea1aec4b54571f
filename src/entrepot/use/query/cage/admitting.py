"""The reading child: hostile SQL in, SQL written anew out, or the rule that refuses it. No data is near.

It reads one `Asked` from its input and writes one `Verdict` to its output.
"""

import resource
import sys
from typing import Final

import msgspec

from .draft import Draft
from .model import Asked, Limits, NotAdmittedError, Rule, Table, Unread, Verdict, Written
from .reading import read
from .selects import write

_MEMORY: Final = 1 << 30
_SECONDS: Final = 4
"""Of a core: there are short texts over which the parser thinks for ages."""


def admit(sql: str, tables: tuple[Table, ...], limits: Limits) -> Written:
    """Write a query anew, or refuse it with the rule that it breaks. Looks at text and schema only."""
    tree = read(sql, limits)
    draft = Draft({t.name.lower(): t for t in tables}, limits)
    try:
        body = write(draft, tree, {})
    except RecursionError as error:
        raise NotAdmittedError(Rule.NESTING, "nested too deep") from error
    if body.sources:
        raise NotAdmittedError(Rule.ROWS, "the answer must be of groups")
    names = tuple(f.name for f in body.fields)
    return Written(
        sql=draft.statement(body.sql),
        columns=names,
        cells=tuple(draft.cells),
        reads=tuple(sorted(draft.reads)),
    )


def verdict_on(asked: Asked) -> Verdict:
    try:
        return Verdict(written=admit(asked.sql, asked.tables, asked.limits))
    except NotAdmittedError as no:
        return Verdict(refused=Unread(rule=no.rule, detail=no.detail))


def main() -> None:
    """Answer the one question on standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    sys.stdout.buffer.write(msgspec.json.encode(verdict_on(asked)))


if __name__ == "__main__":
    main()
