"""A reader of the little Turtle in which the published ODRL cases are written."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

VECTORS = Path(__file__).parents[3] / "../shared/vectors"
TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*(
        <[^>]*> | "(?:[^"\\]|\\.)*"(?:\^\^(?:<[^>]*>|[\w-]*:[\w.-]*[\w-]))? | @prefix
        | [\w-]*:[\w.-]*[\w-] | [\w-]*: | [+-]?\d+(?:\.\d+)? | \ba\b | [\[\]();,.]
    )""",
    re.VERBOSE,
)
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"

Node: TypeAlias = str | tuple["Node", ...]
"""An IRI, a literal with its quotes, a name of a blank node, or a list."""


class Graph:
    """What a file says, by subject and predicate."""

    def __init__(self) -> None:
        self.said: dict[Node, dict[str, list[Node]]] = defaultdict(lambda: defaultdict(list))
        self._prefixes: dict[str, str] = {}
        self._blank = 0

    def read(self, text: str) -> "Graph":
        tokens = iter(TOKEN.findall(text))
        for token in tokens:
            if token == "@prefix":  # a word of Turtle
                name, iri, _ = next(tokens), next(tokens), next(tokens)
                self._prefixes[name] = iri[1:-1]
            else:
                self._properties(self._node(token, tokens), tokens, ".")
        return self

    def all(self, subject: Node, predicate: str) -> list[Node]:
        return self.said[subject][predicate]

    def one(self, subject: Node, predicate: str) -> Node | None:
        found = self.all(subject, predicate)
        assert len(found) <= 1, (subject, predicate)
        return found[0] if found else None

    def typed(self, kind: str) -> list[Node]:
        return [s for s, said in [*self.said.items()] if kind in said[TYPE]]

    def _properties(self, subject: Node, tokens: Iterator[str], ends: str) -> None:
        token = next(tokens)
        while token != ends:
            predicate = TYPE if token == "a" else self._node(token, tokens)  # a word of Turtle
            assert isinstance(predicate, str)
            token = ","
            while token == ",":
                self.said[subject][predicate].append(self._node(next(tokens), tokens))
                token = next(tokens)
            while token == ";":
                token = next(tokens)

    def _node(self, token: str, tokens: Iterator[str]) -> Node:
        if token == "[":
            self._blank += 1
            blank = f"_:{self._blank}"
            self._properties(blank, tokens, "]")
            return blank
        if token == "(":
            members = []
            while (token := next(tokens)) != ")":
                members.append(self._node(token, tokens))
            return tuple(members)
        if token.startswith("<"):
            return token[1:-1]
        if token.startswith('"') or token[0].isdigit():
            return token
        prefix, name = token.split(":", 1)
        return self._prefixes[prefix + ":"] + name


@pytest.fixture(scope="session")
def graph() -> type[Graph]:
    return Graph


@pytest.fixture(scope="session")
def vectors() -> Path:
    if not VECTORS.is_dir():
        pytest.skip(f"the published ODRL cases are not beside the checkout ({VECTORS.name})")
    return VECTORS
