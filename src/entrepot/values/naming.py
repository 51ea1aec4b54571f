"""How an error names a term that is not known here.

A stranger's words are not said back to it, nor logged; but whoever sends a term that nobody here knows must
be told which. So a term that is a plain name or an address stands without quotes, and passes where quoted
words are taken out.
"""

import re
from typing import Final

_TERM: Final = re.compile(r"[A-Za-z@][A-Za-z0-9@:/._#~-]{0,199}", re.ASCII)


def named(value: object) -> str:
    """A term by its bare name; anything that is no name in quotes and cut, an object or list by its kind."""
    match value:
        case str() if _TERM.fullmatch(value):
            return value
        case str():
            return repr(value if len(value) <= 80 else value[:77] + "...")
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return str(value)[:80]
