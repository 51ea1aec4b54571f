"""The policy file: whom a reader of evidence trusts. Written here, read by `verify`, handed over apart."""

from collections.abc import Sequence

from entrepot.ledger import SignatureType, parse_note_key
from entrepot.values import MalformedError


def write_policy(
    log: str, witnesses: Sequence[str], quorum: int, operator: tuple[str, str] | None = None
) -> str:
    """The policy that asks for the log's key and for cosignatures by `quorum` of the witnesses.

    Keys are verifier keys as C2SP writes them. With `operator`, the key id and hexadecimal key that the
    ledger's genesis names, the admissions are held to the operator's own signature as well.
    """
    if not 1 <= quorum <= len(witnesses):
        raise MalformedError(f"a policy asks for 1 to {len(witnesses)} of the witnesses, not {quorum}")
    kinds = [parse_note_key(key).type for key in (log, *witnesses)]
    if kinds != [SignatureType.ED25519] + [SignatureType.COSIGNATURE] * len(witnesses):
        raise MalformedError("a log signs checkpoints, and witnesses cosign them: a key is of the other kind")
    names = [f"witness-{number}" for number in range(1, len(witnesses) + 1)]
    lines = [f"log {log}"]
    lines += [] if operator is None else [f"operator {' '.join(operator)}"]
    lines += [f"witness {name} {key}" for name, key in zip(names, witnesses, strict=True)]
    lines += [f"group witnesses {quorum} {' '.join(names)}", "quorum witnesses"]
    return "\n".join(lines) + "\n"
