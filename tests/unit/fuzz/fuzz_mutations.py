"""Messages that were valid once, changed where a stranger would change them.

A change is made in the tree of a JSON document, so that what comes of it still gets past the decoder: a value
replaced by one of a nasty kind, a key left out, written twice, under another name; lists where one was, many
where few were. Some changes are made in the bytes instead. Numbers and texts are written out as such, also
those that no encoder would write.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

NASTY: Final = (
    "null", "true", "0", "-1", "1.5", "-0.0", "1e308", "1e999", "NaN", "Infinity", "9007199254740993",
    "18446744073709551616", "1" * 400, "1" * 5_000, '""', '" "', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"',
    '"\\u202e"', '"' + "a" * 600 + '"', '"' + "a" * 20_000 + '"', "[]", "{}", "[[]]", "[null]", '{"a":null}',
    '{"@id":"x"}', '{"@id":1}', '{"@value":"x","@type":"y"}', '{"@value":1}', "[" * 40 + "]" * 40,
    "[" * 900 + "]" * 900, '{"a":' * 70 + "1" + "}" * 70, '{"a":' * 900 + "1" + "}" * 900,
    '"2026-99-99T00:00:00Z"', '"99999-01-01T00:00:00Z"', '"2026-11-25T00:00:00+99:99"',
    '"0001-01-01T00:00:00Z"', '"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59-23:59"',
    '"did:web:%00"', '"did:web:a%3A99999"', '"http://[::1"', '"http://a:99999/"', '"-1"', '"\\uff11\\uff12"',
    '"sha256:00"', '"1/0"', '"P9999999999999D"', '"PT0S"',
)  # fmt: skip
"""Values as they may stand in a message."""
LARGE: Final = 10_000
"""Characters that a change makes at most of few."""
NAMES: Final = ("", "@id", "@type", "@value", "a", "\\u0000", "dspace:state", "odrl:target", "é", "__proto__")


class Written(str):
    """A piece of JSON as it is written."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object as it is written: a name may be there twice."""

    __slots__ = ()


def mutants(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Seeds, changed in their tree or in their bytes; where they are no JSON in their bytes only."""
    trees = [seed for seed in seeds if _tree(seed) is not None]
    in_bytes = st.sampled_from(seeds).flatmap(_changed_bytes)
    return st.one_of(*[_trees(trees)] * 4, in_bytes) if trees else in_bytes


@st.composite
def _trees(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    tree = _tree(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        tree = _changed(draw, tree)
    return _written(tree).encode("utf-8", "surrogatepass")


@st.composite
def _changed_bytes(draw: st.DrawFn, seed: bytes) -> bytes:
    at = draw(st.integers(0, len(seed)))
    noise = draw(st.binary(max_size=4))
    match draw(st.sampled_from(["over", "in", "cut", "twice", "not"])):
        case "over":
            return seed[:at] + noise + seed[at + len(noise) :]
        case "in":
            return seed[:at] + noise + seed[at:]
        case "cut":
            return seed[:at]
        case "twice":
            return seed[:at] + seed[at // 2 :]
        case _:
            return noise


def _tree(raw: bytes) -> Any:
    try:
        return json.loads(raw, object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        return None


def _changed(draw: st.DrawFn, tree: Any) -> Any:
    places = list(_places(tree))
    if not places:
        return Written(draw(st.sampled_from(NASTY)))
    holder, at = draw(st.sampled_from(places))
    is_object = isinstance(holder, Pairs)
    name, value = holder[at] if is_object else ("", holder[at])
    match draw(st.sampled_from(["nasty", "nasty", "out", "twice", "name", "list", "many", "swap"])):
        case "nasty":
            value = Written(draw(st.sampled_from(NASTY)))
        case "out":
            del holder[at]
            return tree
        case "twice":
            holder.insert(at, (name, Written(draw(st.sampled_from(NASTY)))) if is_object else value)
            return tree
        case "name":
            name = draw(st.sampled_from([*NAMES, f"dspace:{name}", f"odrl:{name}", name.upper()]))
        case "list":
            value = [value]
        case "many":
            value = [value] * min(700, 1 + LARGE // len(_written(value)))
        case _:
            other, there = draw(st.sampled_from(places))
            value = other[there][1] if isinstance(other, Pairs) else other[there]
            value = Written(_written(value))  # by value: a tree that held itself would have no end
    holder[at] = (name, value) if is_object else value
    return tree


def _places(tree: Any) -> Any:
    """Every place in a tree where something stands."""
    if isinstance(tree, list):
        for at, item in enumerate(tree):
            yield tree, at
            yield from _places(item[1] if isinstance(tree, Pairs) else item)


def _written(tree: Any) -> str:
    match tree:
        case Written():
            return tree
        case Pairs():
            # The nasty names are written as they are; all others have no need of an escape.
            return "{" + ",".join(f'"{name}":{_written(value)}' for name, value in tree) + "}"
        case list():
            return "[" + ",".join(map(_written, tree)) + "]"
        case _:
            return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
