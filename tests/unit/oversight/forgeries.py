"""Ways to lie with a package: what an opponent changes well, canonical and with a manifest that agrees."""

import json
from collections.abc import Callable
from typing import Any

from entrepot.contracts import Signatory
from entrepot.oversight.evidence import manifest

Files = dict[str, bytes]


def change(files: Files, name: str, edit: Callable[[Any], None]) -> Files:
    """The package after a change that an attacker made well: canonical again, and in the manifest."""
    value = json.loads(files[name])
    edit(value)
    raw = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return remake(files | {name: raw})


def remake(files: Files) -> Files:
    return files | {"manifest.json": manifest(files)}


FORGERIES: dict[str, tuple[str, Callable[[Any], None]]] = {
    "another salt": ("record-0001.json", lambda r: r.update(salt="00" * 32)),
    "another count": ("record-0001.json", lambda r: r["part"].update(count=5, last=9)),
    "other sums": ("record-0001.json", lambda r: r["part"]["sums"].update(uses=7)),
    "another number": ("record-0001.json", lambda r: r.update(number=r["number"] + 1)),
    "a number below the part": ("record-0001.json", lambda r: r.update(number=1)),
    "another place": ("record-0001.json", lambda r: r.update(place=1)),
    "a wider batch": ("record-0001.json", lambda r: r.update(width=3)),
    "another batch": ("record-0001.json", lambda r: r.update(batch=r["batch"] + 1)),
    "a batch that is a filing": ("record-0001.json", lambda r: r.update(batch=6)),
    "a record more": ("record-0001.json", lambda r: r["record"]["units"].update(bytes=1)),
    "a negative number": ("record-0001.json", lambda r: r.update(place=-1)),
    "a number too large": ("record-0001.json", lambda r: r.update(place=2**53)),
    "a float": ("record-0001.json", lambda r: r.update(place=0.0)),
    "true for one": ("record-0001.json", lambda r: r["record"].update(v=True)),
    "an unknown field": ("record-0001.json", lambda r: r.update(note="x")),
    "an unknown field inside": ("record-0001.json", lambda r: r["record"].update(note="x")),
    "no field": ("record-0001.json", lambda r: r.pop("width")),
    "a longer path": ("record-0001.json", lambda r: r["inner"].append("00" * 32)),
    "a shorter path": ("record-0001.json", lambda r: r["inner"].pop()),
    "another entry number": ("entry-1.json", lambda e: e.update(number=2)),
    "another actor": ("entry-1.json", lambda e: e["entry"].update(actor="did:web:others.example")),
    "another signature": ("entry-1.json", lambda e: e.update(signature="00" * 64)),
    "a longer log path": ("entry-1.json", lambda e: e["path"].append("00" * 32)),
    "a path without end": ("entry-1.json", lambda e: e.update(path=["00" * 32] * 65)),
    "an unknown operation": ("entry-1.json", lambda e: e["entry"].update(op="member.admire")),
    "another signature under the contract": (
        "contract.json",
        lambda c: c["signatures"][0].update(sig="A" * 86 + "=="),
    ),
    "signatures swapped": ("contract.json", lambda c: c["signatures"].reverse()),
    "a signature twice": ("contract.json", lambda c: c["signatures"].append(c["signatures"][0])),
    "a payload that is no base64": ("contract.json", lambda c: c.update(payload="!")),
    "a payload that is no contract": ("contract.json", lambda c: c.update(payload="e30=")),
    "a payload that is a list": ("contract.json", lambda c: c.update(payload="W10=")),
    "a payload that is a number": ("contract.json", lambda c: c.update(payload="MQ==")),
    "a proof of having been seen, of nothing": (
        "entry-1.json",
        lambda e: e.update(seen={"checkpoint": "x\n", "path": []}),
    ),
    "another receipt": ("receipt.json", lambda r: r["receipt"].update(bytes=9)),
    "no list of files": ("manifest.json", lambda m: m.update(files={})),
}


SIGHTINGS: dict[str, Callable[[Any, Any], None]] = {
    "without its path": lambda seen, _: seen.update(path=[]),
    "with a path of another": lambda seen, other: seen.update(path=other["seen"]["path"][::-1]),
    "under a root that nobody signed": lambda seen, _: seen.update(
        checkpoint=seen["checkpoint"].replace("\n6\n", "\n5\n")
    ),
    "with one witness fewer": lambda seen, _: seen.update(
        checkpoint="\n".join(seen["checkpoint"].split("\n")[:-2]) + "\n"
    ),
    "without the log": lambda seen, _: seen.update(
        checkpoint="\n".join(line for i, line in enumerate(seen["checkpoint"].split("\n")) if i != 4)
    ),
    "with a line more": lambda seen, _: seen.update(
        checkpoint=seen["checkpoint"] + "\u2014 stranger.example AAAAAAAA\n"
    ),
    "without a checkpoint": lambda seen, _: seen.pop("checkpoint"),
    "with another field": lambda seen, _: seen.update(note="x"),
}


NOTES: list[Callable[[bytes], bytes]] = [
    lambda note: note.replace(b"\n\n", b"\nextension\n\n"),
    lambda note: note + note.split(b"\n")[-2] + b"\n",
    lambda note: note + "\u2014 stranger.example AAAAAAAA\n".encode(),
    lambda note: note.replace(b"ledger.example/space\n14", b"ledger.example/space\n15"),
    lambda note: note.replace(b"\n14\n", b"\n014\n"),
    lambda note: note[: note.rindex("\u2014".encode())],
    lambda note: note.replace(note.split(b"\n")[4] + b"\n", b""),
    lambda note: b"\n".join([*note.split(b"\n")[:4], *reversed(note.split(b"\n")[4:-1]), b""]),
]
"""Checkpoints with lines added, left out, doubled, in another order."""

TAILS: list[str] = [
    "quorum none",
    "quorum log",
    "quorum nobody",
    "",
    "quorum a\nquorum a",
    "group g 0 a b\nquorum g",
    "group g 3 a b\nquorum g",
    "group g 01 a b\nquorum g",
    "group g any\nquorum g",
    "group g 1 a a\nquorum g",
    "group g any a\ngroup h any a\nquorum h",
    "group a any b\nquorum a",
    "group none any a\nquorum none",
    "witness a {two}\nquorum a",
    "witness c {two}\nquorum c",
    "witness c {log}\nquorum c",
    "log {one}\nquorum a",
    "operator did:web:operator.example#k 00\nquorum a",
    "quorum a extra words here",
    "trust everybody\nquorum a",
    "witness c x+y+z\nquorum c",
    "witness c\nquorum a",
]
"""Ends of policies that no policy has; `{log}`, `{one}` and `{two}` are verifier keys."""

SIGNERS = {
    "the consumer did not sign": [(Signatory.PROVIDER, "provider", None)],
    "the provider signed for both": [
        (Signatory.PROVIDER, "provider", None),
        (Signatory.CONSUMER, "provider", None),
    ],
    "a stranger signed": [(Signatory.PROVIDER, "others", None), (Signatory.CONSUMER, "consumer", None)],
    "something else was signed": [
        (Signatory.PROVIDER, "provider", b"another payload"),
        (Signatory.CONSUMER, "consumer", b"another payload"),
    ],
}
