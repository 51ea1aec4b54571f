"""What all parts of a policy on the wire are held to: known keys, bounded lists, faults with their place."""

from collections.abc import Mapping
from typing import Final, TypeGuard

from entrepot.policy.vocabulary import ODRL
from entrepot.values import named
from entrepot.values.canonical import Json

MAX_RULES: Final = 64
MAX_PARTS: Final = 512
"""Rules, duties and constraints of the whole policy together."""

_INSTEAD: Final[Mapping[str, str]] = {
    "profile": "no profile is known here; what a policy may say is what is read without one",
    "unit": "the operand fixes the unit; leave it out",
    "dataType": "the operand fixes the data type; leave it out",
    "remedy": "write a remedy as an obligation",
    "consequence": "write a consequence as an obligation",
    "refinement": "write a refinement as a constraint of the rule",
    "conflict": "a prohibition always beats a permission; leave it out",
    "target": "a rule is about the target of its offer; leave it out",
    "rightOperandReference": "write the value itself as rightOperand",
}


class Form:
    """One reading of one document; collects faults instead of stopping at the first."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.parts = 0

    def is_part(self, value: Json, path: str, what: str) -> TypeGuard[dict[str, Json]]:
        """Say whether there is something to read here, and room for it."""
        self.parts += 1
        if self.parts == MAX_PARTS + 1:
            self.fault(path, f"more than {MAX_PARTS} rules, duties and constraints in one policy")
        elif self.parts <= MAX_PARTS and not isinstance(value, dict):
            self.fault(path, f"expected {what}")
        return self.parts <= MAX_PARTS and isinstance(value, dict)

    def keys(
        self,
        value: Mapping[str, Json],
        path: str,
        known: frozenset[str],
        ignored: frozenset[str] = frozenset({"@type", "@id"}),
    ) -> dict[str, Json]:
        keys: dict[str, Json] = {}
        for key, item in value.items():
            name = key if key.startswith("@") else short_name(key)
            if name in keys:
                self.fault(path, f"{name} is there twice")
            elif name in known:
                keys[name] = item
            elif name not in ignored:
                self.fault(path, _INSTEAD.get(name, f"unknown key {named(key)}"))
        return keys

    def list_under(self, keys: Mapping[str, Json], name: str, path: str) -> list[Json]:
        """What stands under a key: nothing where it is missing, one where it is no list."""
        if name not in keys:
            return []
        value = keys[name]
        items: list[Json] = value if isinstance(value, list) else [value]
        if len(items) > MAX_RULES:
            self.fault(f"{path}.{name}", f"more than {MAX_RULES} entries")
            return []
        return items

    def fault(self, path: str, message: str) -> None:
        self.faults.append(f"{path}: {message}")


def full_name(term: str) -> str:
    """The full name of a term that may be written short, prefixed or in full."""
    if term.startswith("odrl:"):
        return ODRL + term[5:]
    return term if ":" in term else ODRL + term


def short_name(term: str) -> str:
    """The short name of a term of ODRL; any other name as it is."""
    return full_name(term).removeprefix(ODRL)


def bare(value: Json) -> str | None:
    """A term or value, however JSON-LD wraps it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and set(value) in ({"@id"}, {"@value"}):
        (value,) = value.values()
    return value if isinstance(value, str) else None
