"""Whom a policy names beside provider and consumer: service parties (数据服务方), and what they bring.

Each is a term of a permission and a signatory of the contract (china-tds §3, role 03). Its source of fact is
the agreement: who has signed, not who is said to have.
"""

import re
from collections.abc import Iterable
from typing import Final

from entrepot.policy.model import Policy, Rule
from entrepot.policy.terms import conjunction
from entrepot.values import Did

SERVICE_PARTY: Final = "serviceParty"
SERVICE_ALGORITHM: Final = "serviceAlgorithm"
MOST_SERVICE_PARTIES: Final = 6
"""A contract has eight parties at most (ledger, `contract.file`), and two are provider and consumer."""
_DID: Final = re.compile(r"did:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,119}", re.ASCII)
_ALGORITHM: Final = re.compile(r"[\w.-]{1,40}@[\w.-]{1,15}#sha256:[0-9a-f]{64}")


def service_parties(policy: Policy) -> tuple[Did, ...]:
    """Every service party that the policy names, in order, each once."""
    return tuple(Did(text) for text in sorted(_named(policy.permissions, SERVICE_PARTY)))


def service_algorithms(policy: Policy) -> frozenset[str]:
    """Every algorithm that a service party brings: name, version and digest."""
    return frozenset(_named(policy.permissions, SERVICE_ALGORITHM))


def service_faults(policy: Policy) -> tuple[str, ...]:
    """Say what is wrong with how a policy names service parties; nothing where nothing is."""
    parties = service_parties(policy)
    faults = [f"{did} is no DID that a service party can have" for did in parties if not _DID.fullmatch(did)]
    if len(parties) > MOST_SERVICE_PARTIES:
        faults.append(f"a contract has at most {MOST_SERVICE_PARTIES} service parties")
    for i, rule in enumerate(policy.permissions):
        brought = _named((rule,), SERVICE_ALGORITHM)
        if brought and not _named((rule,), SERVICE_PARTY):
            faults.append(f"permission[{i}] names an algorithm, and no service party that brings it")
        faults += [
            f"{text!r} is no algorithm; write NAME@VERSION#sha256: and 64 digits"
            for text in sorted(brought)
            if not _ALGORITHM.fullmatch(text)
        ]
    return tuple(faults)


def _named(rules: Iterable[Rule], operand: str) -> set[str]:
    atoms = (a for rule in rules for a in conjunction(rule.constraints) if a.operand.name == operand)
    return {text for a in atoms for text in (a.value if isinstance(a.value, frozenset) else {str(a.value)})}
