"""How a search is written down: as the query string of a link, or as the names and values of a filter.

The Dataspace Protocol leaves filters to each implementation; this is ours. Several values of one name stand
beside each other with commas.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from entrepot.catalogue.search import Search
from entrepot.values import Did, Grade, KindOfUse, MalformedError, parse_time, render_time

SEARCH_TERMS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "words": {"type": "string", "maxLength": 200},
        "grade": {"type": "string", "description": "Grades, with commas between them."},
        "kind": {"type": "string", "description": "Kinds of use, with commas between them."},
        "provider": {"type": "string"},
        "keyword": {"type": "string", "description": "Keywords, with commas between them."},
        "mediaType": {"type": "string"},
        "since": {"type": "string", "format": "date-time"},
        "until": {"type": "string", "format": "date-time"},
        "offset": {"type": "integer", "minimum": 0},
        "limit": {"type": "integer", "minimum": 1},
    }
)
"""What a search may ask for, each with the JSON Schema of its value."""


def parse_search(query: Mapping[str, str]) -> Search:
    """Read a question; what it does not know it refuses by name."""
    if unknown := query.keys() - SEARCH_TERMS.keys():
        raise MalformedError(f"a search has no {min(unknown)!r}; it has {', '.join(sorted(SEARCH_TERMS))}")
    try:
        wanted = Search(
            words=query.get("words", ""),
            grades=frozenset(Grade(g) for g in _several(query, "grade")),
            kinds=frozenset(KindOfUse(k) for k in _several(query, "kind")),
            provider=Did(query["provider"]) if query.get("provider") else None,
            keywords=_several(query, "keyword"),
            media_type=query.get("mediaType", ""),
            since=parse_time(query["since"]) if query.get("since") else None,
            until=parse_time(query["until"]) if query.get("until") else None,
            offset=int(query.get("offset", "0")),
            limit=int(query.get("limit", "20")),
        )
    except ValueError as error:
        raise MalformedError(f"search: {error}") from error
    wanted.check()
    return wanted


def render_search(wanted: Search) -> str:
    """Write a question, only what differs from an empty one."""
    several = {
        "grade": sorted(str(g) for g in wanted.grades),
        "kind": sorted(str(k) for k in wanted.kinds),
        "keyword": [*wanted.keywords],
    }
    query = {
        "words": wanted.words,
        **{name: ",".join(values) for name, values in several.items()},
        "provider": wanted.provider or "",
        "mediaType": wanted.media_type,
        "since": "" if wanted.since is None else render_time(wanted.since),
        "until": "" if wanted.until is None else render_time(wanted.until),
        "offset": str(wanted.offset) if wanted.offset else "",
        "limit": str(wanted.limit),
    }
    return urlencode({name: value for name, value in query.items() if value})


def _several(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(v.strip() for v in query.get(name, "").split(",") if v.strip())
