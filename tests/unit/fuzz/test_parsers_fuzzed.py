"""Every parser of every protocol, given what was valid until a stranger changed it.

Each gives a value that is written and read again as the same, or a refusal of ours; never another fault, and
never more time or memory than its bounds allow. `make fuzz` asks longer.
"""

import ast
import re
import tracemalloc
from pathlib import Path
from typing import Any, Final

import pytest
from fuzz_mutations import mutants
from fuzz_seeds import PARSERS, Parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.values import EntrepotError

PROTOCOLS: Final = Path(__file__).parents[3] / "src" / "entrepot" / "protocols"
EXAMPLES: Final = max(settings().max_examples // 2, 1)
MEGA: Final = 1 << 20
MOST_MEMORY: Final = 160 * MEGA
"""What reading a message of the largest size may take; a list of a million numbers is a fifth of it."""
BOMBS: Final[dict[str, bytes]] = {
    "lists": b"[" * MEGA,
    "closed lists": b"[" * (MEGA // 2) + b"]" * (MEGA // 2),
    "objects": b'{"a":' * (MEGA // 5),
    "a number": b"1" * MEGA,
    "an exponent": b"1e" + b"9" * 1_000,
    "a text": b'"' + b"a" * (MEGA - 2) + b'"',
    "many": b"[" + b"0," * (MEGA // 2 - 1) + b"0]",
    "many keys": b"{" + b",".join(b'"%06d":0' % n for n in range(80_000)) + b"}",
    "one key": b"{" + b",".join([b'"@context":0'] * 80_000) + b"}",
    "zeros": bytes(MEGA),
    "no utf-8": b"\xff" * MEGA,
    "dots": b"." * MEGA,
    "brackets": b"SELECT " + b"(" * (MEGA - 7),
}


@pytest.mark.parametrize("name", PARSERS)
def test_every_seed_is_read(name: str) -> None:
    """Changes of what was never valid would be refused at the first look, and show nothing."""
    parser = PARSERS[name]
    for seed in parser.seeds:
        value = parser.parse(seed)
        if parser.render is not None:
            assert parser.parse(parser.render(value)) == value


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_what_was_changed_is_read_as_what_it_says_or_refused(name: str, data: st.DataObject) -> None:
    """Another exception would be a fault of ours; a value that reads back otherwise, a dispute."""
    parser = PARSERS[name]
    value = read(parser, data.draw(mutants(parser.seeds)))
    if value is not None and parser.render is not None:
        assert parser.parse(parser.render(value)) == value


@pytest.mark.timeout(60)
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_takes_more_than_its_size_allows(bomb: str) -> None:
    """Nesting, digits, repetition: each as large as a body may be."""
    for name, parser in PARSERS.items():
        tracemalloc.start()
        try:
            read(parser, BOMBS[bomb])
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < MOST_MEMORY, name


def read(parser: Parser, raw: bytes) -> Any:
    """What was read; nothing where it was refused."""
    try:
        return parser.parse(raw)
    except EntrepotError:
        return None


def parsers_of_protocols() -> set[str]:
    """Every function of a protocol that takes something apart, by its whole name."""
    found = set()
    for path in sorted(PROTOCOLS.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and re.match(r"(parse|decode|read)(_|$)", node.name):
                parts = path.relative_to(PROTOCOLS.parent).with_suffix("").parts
                found.add(".".join([*parts, node.name]))
    return found


def test_every_parser_of_a_protocol_is_fuzzed() -> None:
    """A new message comes with its parser, and its parser with a seed in `fuzz_seeds.py`."""
    assert parsers_of_protocols() <= {name.split(" of ")[0] for name in PARSERS}
