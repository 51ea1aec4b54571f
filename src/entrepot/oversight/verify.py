#!/usr/bin/env python3
"""Verify the evidence of one use of data, offline, with nothing but Python's standard library.

    python3 verify.py PACKAGE --policy POLICY [--json]

PACKAGE is a folder, as docs/reference/evidence.md describes it. POLICY is a file that you got by another
road: the keys of log, operator and witnesses, and which witnesses must have cosigned. Compare the digest of
this program with the published one first: a verifier that came with a package proves nothing.

Exit codes: 0 verified; 1 refused: something does not hold; 2 wrong call; 3 consistent, not trusted, as no
policy was given; 4 verified with objections: the proofs hold, and what they show is open to dispute.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = Any
EXIT_CODES = {"verified": 0, "refused": 1, "consistent, not trusted": 3, "verified with objections": 4}
MAX_FILE, MAX_FILES, MAX_TOTAL, MAX_INTEGER = 1 << 20, 1000, 16 << 20, 2**53 - 1

# The closed forms of all that is read: a pattern is text it matches whole, a range an integer in it, a dict
# exactly these fields, a list up to 64 of these, a tuple one of these.
COUNT, NUMBER = range(MAX_INTEGER + 1), range(1, MAX_INTEGER + 1)
HEX32, HEX64, PRODUCT = map(re.compile, (r"[0-9a-f]{64}", r"[0-9a-f]{128}", r"[!-~]{1,200}"))
BASE64, DIGEST, CONTRACT = map(re.compile, (r"[!-~]*", r"sha256:[0-9a-f]{64}", r"[0-9A-Z]{46}[0-9A-Z*]"))
DID = re.compile(r"did:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,199}")
KEY = re.compile(DID.pattern + r"#[A-Za-z0-9._-]{1,64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
USE, OUTCOME = map(re.compile, (r"[A-Za-z0-9:._-]{1,100}", r"[a-z][a-z0-9 -]{0,79}"))
CHAIN, CODE = map(re.compile, (r"[a-z0-9][a-z0-9._:/-]{0,99}", r"[0-9A-Z]{18}|[0-9A-Z]{31}[0-9A-Z*]"))
UNITS = {"bytes": COUNT, "rows": COUNT, "seconds": COUNT, "uses": range(-MAX_INTEGER, MAX_INTEGER + 1)}
PART = {"contract": CONTRACT, "count": NUMBER, "first": NUMBER, "last": NUMBER, "root": DIGEST, "sums": UNITS}
ABOUT = {"at": TIME, "consumer": DID, "contract": CONTRACT, "use": USE, "v": 1}
RECEIPT = ABOUT | {"artefact": DIGEST, "bytes": COUNT, "key": KEY}
RECORD = ABOUT | {
    "artefact": (None, DIGEST), "decision": (None, DIGEST), "outcome": (None, OUTCOME), "product": PRODUCT,
    "kind": ("opened", "interrupted", "resumed", "closed", "receipt"), "receipt": (None, DIGEST),
    "size": (None, COUNT), "status_age": (None, COUNT), "units": UNITS,
}  # fmt: skip
TERMS = {
    "activationTime": TIME, "contractId": CONTRACT, "dataProductId": PRODUCT, "endTime": ("", TIME),
    "signatoryEntities": [{"signatoryEntityId": DID, "signatorytype": ("01", "02")}],
}  # fmt: skip
KEYS = {"did": DID, "keys": [{"id": KEY, "public": HEX32}]}
BODIES: dict[str, Json] = {
    "member.admit": KEYS | {"code": CODE, "epoch": 1, "role": ("connector", "regulator")},
    "member.keys": KEYS | {"epoch": NUMBER},
    "member.revoke": {"did": DID, "reason": ("withdrawal", "breach", "order")},
    "contract.file": {"contract": CONTRACT, "digest": DIGEST, "one_sided": (False, True), "parties": [DID]},
    "contract.end": {"contract": CONTRACT, "reason": ("expiry", "agreement", "breach", "order")},
    "usage.batch": {"number": NUMBER, "previous": (None, DIGEST), "root": DIGEST},
}
SIGNED = {"actor": DID, "chain": CHAIN, "height": COUNT, "key": KEY, "v": 1}
ENTRY = tuple(SIGNED | {"op": op, "body": body} for op, body in BODIES.items())
FORMS: dict[str, Json] = {
    "contract": {"payload": BASE64, "signatures": [{"keyid": KEY, "role": ("01", "02"), "sig": BASE64}]},
    "entry": {"entry": ENTRY, "number": COUNT, "path": [HEX32], "signature": HEX64},
    "record": {
        "batch": COUNT, "inner": [HEX32], "number": NUMBER, "outer": [HEX32], "part": PART, "place": COUNT,
        "record": RECORD, "salt": HEX32, "width": NUMBER,
    },
    "receipt": {"receipt": RECEIPT, "signature": HEX64},
}  # fmt: skip
NAMES = r"(manifest|contract|receipt|record-[0-9]{4}|entry-(0|[1-9][0-9]{0,15}))\.json|checkpoint\.txt"


@dataclass
class Report:
    """What was found. Times are the provider's own, but for those of `witnessed`."""

    verdict: str = "refused"
    why: str = ""
    log: str = ""
    size: int = 0
    witnessed: list[dict[str, str]] = field(default_factory=list)
    contract: dict[str, Json] = field(default_factory=dict)
    use: dict[str, Json] = field(default_factory=dict)
    records: list[dict[str, Json]] = field(default_factory=list)
    receipt: str = "no receipt"
    objections: list[str] = field(default_factory=list)


def verify(files: Mapping[str, bytes], policy: str | None) -> Report:
    """Verify a package against the text of a policy; whatever does not hold makes the verdict `refused`."""
    report = Report()
    try:
        _Package(files, policy, report).check()
    except (ValueError, ArithmeticError, RecursionError) as error:
        return Report(why=str(error))
    trusted = "verified with objections" if report.objections else "verified"
    report.verdict = "consistent, not trusted" if policy is None else trusted
    return report


class _Package:
    """One package on its way through the checks."""

    def __init__(self, files: Mapping[str, bytes], policy: str | None, report: Report) -> None:
        self.files, self.report, self.trusting = files, report, policy is not None
        self.trusted: dict[tuple[str, bytes], tuple[str, bytes]] = {}  # what the policy calls it, and its key
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum, self.operator, self.operator_key, self.filed = "", "", b"", -1
        self.ends: list[int] = []
        if policy is not None:
            self.read_policy(policy)

    def check(self) -> None:
        self.read_files()  # (1) exactly the files that the manifest names, each in its one form
        self.check_checkpoint()  # (2) signed by the log, cosigned by a quorum, and by nobody else
        self.check_inclusion()  # (3) every entry is in that log
        self.read_contract()  # (4) what was promised, between whom
        self.replay_entries()  # (5) members, filing, batches: each signed with a key bound before it
        self.check_records()  # (6) each record leads to a batch of the party that wrote it
        self.check_receipt()  # (7) what the consumer says it got
        self.judge()  # (8) what the proofs show, beside what was promised

    def read_policy(self, text: str) -> None:
        """c2sp.org/tlog-policy, perhaps with a line `operator KEY-ID HEX`, and never with `quorum none`."""
        free, taken = set[str](), {"log", "none"}
        for words in (line.split() for line in text.split("\n") if line.strip()[:1] not in {"", "#"}):
            match words:
                case ["log", key] | ["log", key, _]:
                    self.trust("log", key, 1)
                case ["witness", name, key] | ["witness", name, key, _] if name not in taken:
                    self.trust(name, key, 4)
                    free.add(name)
                case ["group", name, least, *group] if name not in taken and free.issuperset(group):
                    sizes = {"any": 1, "all": len(group)} | {str(i + 1): i + 1 for i in range(len(group))}
                    self.groups[name] = sizes.get(least, 0), group
                    require(sizes.get(least) and len({*group}) == len(group), "a group is not well-formed")
                    free = free.difference(group) | {name}
                case ["operator", key, public] if HEX32.fullmatch(public) and not self.operator:
                    self.operator, self.operator_key = key, bytes.fromhex(public)
                case ["quorum", name] if name in taken - {"log", "none"} and not self.quorum:
                    self.quorum = name
                case _:
                    raise ValueError("the policy has a line that no policy has")
            taken |= free
        require(self.quorum, "a policy asks for a quorum of witnesses")

    def trust(self, name: str, vkey: str, kind: int) -> None:
        own, key_id, text = (*vkey.split("+", 2), "", "")[:3]
        raw = unbase64(text)
        found = hashlib.sha256(f"{own}\n".encode() + raw).digest()[:4]
        holds = own and len(raw) == 33 and raw[0] == kind and found.hex() == key_id
        fresh = raw[1:] not in [key for _, key in self.trusted.values()]
        require(holds and fresh, "the policy has a key that is not in its form, or has it twice")
        self.trusted[own, found] = (name, raw[1:])

    def read_files(self) -> None:
        known = all(re.fullmatch(NAMES, name) for name in self.files) and len(self.files) <= MAX_FILES
        require(known, "a file has a name that none may have, or there are too many")
        require({"manifest.json", "contract.json", "checkpoint.txt"} <= set(self.files), "a file is missing")
        raws = sorted((name, raw) for name, raw in self.files.items() if name != "manifest.json")
        found = [{"bytes": len(raw), "name": name, "sha256": digest(raw)[7:]} for name, raw in raws]
        manifest = decode(self.files["manifest.json"], "manifest.json")
        require(manifest == {"files": found}, "the manifest does not name exactly these files")
        self.json = {name: decode(raw, name) for name, raw in raws if name.endswith(".json")}
        for name, value in self.json.items():
            require(matches(value, FORMS[re.split(r"[-.]", name)[0]]), f"{name} is not in its form")

    def check_checkpoint(self) -> None:
        text, signatures = split_note(self.files["checkpoint.txt"])
        form = rf"({CHAIN.pattern})\n(0|[1-9][0-9]{{0,18}})\n([A-Za-z0-9+/=]{{44}})\n"
        head = require(re.fullmatch(form, text), "checkpoint.txt is no checkpoint")
        self.report.log, self.report.size, self.root = head[1], int(head[2]), unbase64(head[3])
        require(len({s[:2] for s in signatures}) == len(signatures), "somebody signs the checkpoint twice")
        for place, (name, key_id, signature) in enumerate(signatures if self.trusting else []):
            role, key = self.trusted.get((name, key_id), ("", b""))
            require(role, "the checkpoint is signed by somebody whom the policy does not name")
            if place == 0:
                require((role, name) == ("log", self.report.log), "the checkpoint's log does not sign first")
                verify_ed25519(key, text.encode(), signature)
                continue
            seconds = int.from_bytes(signature[:8], "big")
            verify_ed25519(key, f"cosignature/v1\ntime {seconds}\n{text}".encode(), signature[8:])
            at = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
            self.report.witnessed.append({"as": role, "at": at.replace("+00:00", "Z"), "by": name})
        enough = self.reaches(self.quorum, {witness["as"] for witness in self.report.witnessed})
        require(enough or not self.trusting, "too few witnesses have cosigned")

    def reaches(self, name: str, witnesses: set[str]) -> bool:
        least, group = self.groups.get(name, (1, []))
        return name in witnesses or sum(self.reaches(each, witnesses) for each in group) >= least

    def check_inclusion(self) -> None:
        shown = {name: each for name, each in self.json.items() if name.startswith("entry-")}
        self.entries = {each["number"]: each for each in sorted(shown.values(), key=lambda e: e["number"])}
        named = all(name == f"entry-{each['number']}.json" for name, each in shown.items())
        require(named, "an entry has the name of another")
        for number, each in self.entries.items():
            raw = encode(each["entry"]) + bytes.fromhex(each["signature"])
            root = root_from(raw, number, self.report.size, each["path"])
            require(root == self.root, f"entry {number} is not in the log of the checkpoint")

    def read_contract(self) -> None:
        self.payload = unbase64(self.json["contract.json"]["payload"])
        terms = decode(self.payload, "the contract")
        self.terms = {name: terms[name] for name in TERMS if isinstance(terms, dict) and name in terms}
        require(matches(self.terms, TERMS), "the contract does not say what contracts say")
        self.parties = {p["signatorytype"]: p["signatoryEntityId"] for p in self.terms["signatoryEntities"]}
        self.provider, self.consumer = self.parties.get("01"), self.parties.get("02")
        require(self.provider and self.consumer != self.provider, "the contract has no two parties")
        self.contract, self.people = self.terms["contractId"], set(self.parties.values())
        self.report.contract = {"id": self.contract, "provider": self.provider, "consumer": self.consumer}

    def replay_entries(self) -> None:
        # Where no policy names the operator, whoever acted first is taken for it, and its word for granted.
        key = self.operator or next((each["entry"]["key"] for each in self.entries.values()), "")
        self.chief = chief = key.split("#")[0]
        self.roles, self.epochs, self.bound = {chief: "operator"}, {chief: 1}, {key: self.operator_key}
        self.keys = {chief: self.bound}
        for number, each in self.entries.items():
            entry, signature = each["entry"], bytes.fromhex(each["signature"])
            require(entry["chain"] == self.report.log, f"entry {number} is of another ledger")
            if self.operator or entry["actor"] != self.chief:
                self.check_signed(entry["actor"], entry["key"], "transaction", encode(entry), signature)
            holds = self.apply(number, entry, entry["body"], self.roles[entry["actor"]])
            require(holds, f"entry {number} cannot have taken effect, or is of another contract")
        require(self.filed >= 0, "the filing of the contract is missing")

    def check_signed(self, did: str, key: str, what: str, payload: bytes, signature: bytes) -> None:
        bound = require(self.keys.get(did, {}).get(key), f"a key is not bound to {did} where it signs")
        verify_ed25519(bound, f"entrepot/{what}/v1\n".encode() + payload, signature)

    def apply(self, number: int, entry: Json, body: Json, role: str) -> bool:
        """The part of the ledger's own rules that bears on evidence: whether an entry can have its effect."""
        op, did, party = entry["op"], body.get("did", ""), entry["actor"] in self.people
        if op == "usage.batch":
            return party
        if op == "contract.end":
            self.ends.append(number)
            allowed = role != "connector" or (party and body["reason"] != "order")
            return allowed and self.filed >= 0 and body["contract"] == self.contract
        if op == "contract.file":
            allowed, self.filed = self.filed < 0 and (role == "operator" or party), number
            self.check_contract(body)
            return allowed and body["contract"] == self.contract
        if op == "member.revoke":
            self.ends += [number] if did in self.people else []
            self.roles[did], known = "revoked", self.keys.pop(did, None)
            return role in {"operator", "regulator"} and known is not None
        keys = {key["id"]: bytes.fromhex(key["public"]) for key in body["keys"]}
        allowed = (op == "member.keys") == (did in self.keys) and self.roles.get(did) != "revoked"
        allowed = allowed and (role == "operator" or (op == "member.keys" and entry["actor"] == did))
        follows = body["epoch"] == self.epochs.get(did, 0) + 1 or (did == self.chief and not self.operator)
        self.roles[did] = body.get("role", self.roles.get(did, ""))
        self.epochs[did], self.keys[did], self.bound = body["epoch"], keys, self.bound | keys
        return allowed and follows and all(key.startswith(f"{did}#") for key in keys)

    def check_contract(self, body: Json) -> None:
        raw = self.files["contract.json"]
        same = body["digest"] == digest(raw) and sorted(body["parties"]) == sorted(self.people)
        require(same, "another contract was filed")
        signatures = self.json["contract.json"]["signatures"]
        for each in signatures:
            did, signature = self.parties[each["role"]], unbase64(each["sig"])
            self.check_signed(did, each["keyid"], "contract", self.payload, signature)
        missing = 2 - len({each["role"] for each in signatures})
        require(missing <= body["one_sided"], "the contract is not signed by both")
        self.report.objections += ["The contract was filed by one side alone, as it says."] * body[
            "one_sided"
        ]
        self.report.contract |= {"entry": self.filed, "signed_with": [s["keyid"] for s in signatures]}

    def check_records(self) -> None:
        names = [name for name in self.json if name.startswith("record-")]
        require(names == [f"record-{i + 1:04d}.json" for i in range(len(names))], "a record is missing")
        shown = [self.json[name] for name in names]
        ours = [each for each in shown if self.check_record(each) == self.provider]
        self.records = [each["record"] for each in ours]
        self.theirs = [each["record"] for each in shown[len(ours) :]]
        kinds = " ".join(record["kind"] for record in self.records)
        whole = re.fullmatch(r"opened( interrupted| resumed)*( closed)?", kinds) and len(self.theirs) <= 1
        require(whole and shown[: len(ours)] == ours, "the records do not tell one use from its opening on")
        places = [(each["batch"], each["number"]) for each in ours]
        require(all(a[0] <= b[0] and a[1] < b[1] for a, b in pairwise(places)), "records are out of order")
        require(len({r["use"] for r in self.records + self.theirs}) == 1, "the records are of several uses")
        self.report.records, self.opened_in = self.records, ours[0]["batch"]
        self.report.use = {"id": self.records[0]["use"], "product": self.terms["dataProductId"]}

    def check_record(self, shown: Json) -> str:
        """Lead one record to its batch; gives the DID of the party that wrote it."""
        record, part = shown["record"], shown["part"]
        said = (record["contract"], part["contract"], record["consumer"], record["product"])
        ours = (self.contract, self.contract, self.consumer, self.terms["dataProductId"])
        require(said == ours, "a record is of another use")
        salted = b"entrepot/record/v1\n" + bytes.fromhex(shown["salt"]) + encode(record)
        committed = hashlib.sha256(salted).digest()
        require(part["last"] - part["first"] + 1 == part["count"], "a part of a batch counts wrongly")
        inner = root_from(committed, shown["number"] - part["first"], part["count"], shown["inner"])
        require(part["root"] == f"sha256:{inner.hex()}", "a record is not in the part of its contract")
        outer = root_from(encode(part), shown["place"], shown["width"], shown["outer"])
        batch = self.entries.get(shown["batch"], {}).get("entry", {"op": ""})
        holds = batch["op"] == "usage.batch" and batch["body"]["root"] == f"sha256:{outer.hex()}"
        require(holds and shown["batch"] > self.filed, "a record is in no batch after the contract's filing")
        side = self.consumer if record["kind"] == "receipt" else self.provider
        require(batch["actor"] == side, "a record is by the wrong side")
        return str(side)

    def check_receipt(self) -> None:
        named = {record["receipt"] for record in self.records + self.theirs} - {None}
        shown = self.json.get("receipt.json")
        if shown is None:
            require(not named and not self.theirs, "the receipt that the records name is missing")
            return
        receipt, signature = shown["receipt"], bytes.fromhex(shown["signature"])
        said = (receipt["use"], receipt["contract"], receipt["consumer"], receipt["key"].split("#")[0])
        ours = (self.report.use["id"], self.contract, self.consumer, self.consumer)
        key = require(self.bound.get(receipt["key"]), "the receipt's key is not bound to the consumer")
        verify_ed25519(key, b"entrepot/receipt/v1\n" + encode(receipt), signature)
        ids = named | {digest(encode(receipt) + signature)} | {r["receipt"] for r in self.theirs}
        require(said == ours and len(ids) == 1, "the receipt is of another use, or not the one named")
        given = [(r["artefact"], r["size"]) for r in self.records if r["artefact"]][-1:]
        given += [(r["artefact"], r["size"]) for r in self.theirs] or given
        self.report.receipt = "agreed" if {*given} == {(receipt["artefact"], receipt["bytes"])} else "differs"

    def judge(self) -> None:
        people = self.people | {each["entry"]["actor"] for each in self.entries.values()}
        batches = {each["batch"] for name, each in self.json.items() if name.startswith("record-")}
        for number, each in self.entries.items():
            related = each["entry"]["body"].get("did", self.provider) in people
            used = each["entry"]["op"] != "usage.batch" or number in batches
            require(related and used, f"entry {number} has no part in this use")
        times = [record["at"] for record in self.records]
        latest = max((witness["at"] for witness in self.report.witnessed), default="~")
        within = self.terms["activationTime"] <= times[0] < (self.terms["endTime"] or "~")
        ended = [number for number in self.ends if number < self.opened_in]
        for text, applies in (
            ("The use was opened outside the time that the contract allows.", not within),
            (f"The use came on the ledger after it had been ended there, by entries {ended}.", ended),
            ("The provider's times run backwards.", times != sorted(times)),
            ("A record claims a time after the witnesses had seen it.", max(times) > latest),
            ("Provider and consumer differ on what was delivered.", self.report.receipt == "differs"),
        ):
            self.report.objections += [text] if applies else []


def require(holds: Json, why: str) -> Json:
    if not holds:
        raise ValueError(why)
    return holds


def matches(value: Json, form: Json) -> bool:
    """Say whether a value is exactly of a form."""
    if isinstance(form, re.Pattern):
        return isinstance(value, str) and form.fullmatch(value) is not None
    if isinstance(form, range):
        return type(value) is int and value in form
    if isinstance(form, dict):
        same = isinstance(value, dict) and value.keys() == form.keys()
        return same and all(matches(value[key], form[key]) for key in form)
    if isinstance(form, list):
        return isinstance(value, list) and len(value) <= 64 and all(matches(item, form[0]) for item in value)
    if isinstance(form, tuple):
        return any(matches(value, each) for each in form)
    return type(value) is type(form) and value == form


def encode(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode(raw: bytes, what: str) -> Json:
    require(len(raw) <= MAX_FILE and encode(value := json.loads(raw)) == raw, f"{what} is not canonical JSON")
    return value


def unbase64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    require(base64.b64encode(raw).decode() == text, "base64 is not in its one form")
    return raw


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def root_from(entry: bytes, index: int, size: int, path: Sequence[str]) -> bytes:
    """The root that a path leads to from an entry (RFC 9162, 2.1.3.2)."""
    require(0 <= index < size, "a proof is for a leaf that is not in the tree")
    node = hashlib.sha256(b"\x00" + entry).digest()
    last = size - 1
    for sibling in map(bytes.fromhex, path):
        require(last, "a proof is too long")
        on_left = index % 2 == 1 or index == last
        node = hashlib.sha256(b"\x01" + (sibling + node if on_left else node + sibling)).digest()
        while on_left and index % 2 == 0 and index:
            index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    require(last == 0, "a proof is too short")
    return node


def split_note(raw: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text of a note, and its signatures as name, key id and bytes (c2sp.org/signed-note)."""
    form = r"((?:[!-~]+\n)+)\n((?:\u2014 [!-*,-~]+ [A-Za-z0-9+/=]+\n){1,64})"
    note = require(re.fullmatch(form, raw.decode()), "checkpoint.txt is no signed note")
    lines = [line.split(" ") for line in note[2].splitlines()]
    return note[1], [(name, unbase64(text)[:4], unbase64(text)[4:]) for _, name, text in lines]


# Ed25519 as RFC 8032 writes it, with points as (X, Y, Z, T). Public inputs only, so time may tell.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE_Y = 4 * pow(5, -1, P) % P
Point: TypeAlias = tuple[int, int, int, int]


def add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def read_point(raw: bytes) -> Point:
    """RFC 8032, 5.1.3; a point of small order, with which anything could be signed, is refused."""
    y, odd = int.from_bytes(raw, "little") & (1 << 255) - 1, raw[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT % P
    x, on_curve = x if x % 2 == odd else P - x, x * x % P == square
    point = eightfold = (x, y, 1, x * y % P)
    for _ in range(3):
        eightfold = add(eightfold, eightfold)
    require(y < P and on_curve and eightfold[0], "an Ed25519 point is no point, or not in its one form")
    return point


def verify_ed25519(public: bytes, data: bytes, signature: bytes) -> None:
    """RFC 8032, 5.1.7: [S]B = R + [k]A, as the ledger checks it too."""
    require(len(public) == 32 and len(signature) == 64, "a signature or its key has the wrong length")
    a, r, s = read_point(public), read_point(signature[:32]), int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + data).digest(), "little") % L
    minus_a, total = (P - a[0], a[1], 1, P - a[3]), (0, 1, 1, 0)
    base = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)
    table = (total, base, minus_a, add(base, minus_a))
    for bit in reversed(range(253)):
        total = add(add(total, total), table[(s >> bit & 1) | (k >> bit & 1) << 1])
    total = add(total, (P - r[0], r[1], 1, P - r[3]))
    require(s < L and total[0] == 0 and total[1] == total[2], "a signature does not hold")


def read_folder(path: Path) -> dict[str, bytes]:
    """The files of a package; whatever else lies in its folder, links and folders too, is refused."""
    found = sorted(path.iterdir())
    plain = all(each.is_file() and not each.is_symlink() for each in found)
    require(plain and sum(each.stat().st_size for each in found) <= MAX_TOTAL, "the folder is no package")
    return {each.name: each.read_bytes() for each in found}


def render(report: Report) -> str:
    if report.verdict == "refused":
        return f"REFUSED: {report.why}.\n"
    contract, use = report.contract, report.use
    lines = [f"{report.verdict.upper()}.", *report.objections, f"Log {report.log} of {report.size} entries."]
    lines += [f"By {each['at']} all this was there, says {each['by']}." for each in report.witnessed]
    lines += [f"Contract {contract['id']}, entry {contract['entry']}:"]
    lines += [f"  {contract['provider']} lets {contract['consumer']} use {use['product']}"]
    lines += [f"  signed with {key}" for key in contract["signed_with"]]
    lines += [f"Use {use['id']}, by the provider's word and clock:"]
    for record in report.records:
        units = "".join(f", {count} {unit}" for unit, count in record["units"].items() if count)
        lines += [f"  {record['at']}  {record['kind']}: {record['outcome'] or 'under way'}{units}"]
    lines += [f"  artefact {name}" for name in {record["artefact"] for record in report.records} - {None}]
    lines += [f"The consumer's receipt: {report.receipt}."]
    return "\n".join([*lines, "What is not in the package cannot be seen from it: ask the log.", ""])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Verify the evidence of one use of data, offline.")
    parser.add_argument("package", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    try:
        report = verify(read_folder(asked.package), asked.policy and asked.policy.read_text("utf-8"))
    except (OSError, ValueError) as error:
        report = Report(why=str(error))
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n" if asked.json else render(report))
    return EXIT_CODES[report.verdict]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
