#!/usr/bin/env python3
"""Verify the evidence of one use of data, offline, with nothing but Python's standard library.

    python3 verify.py PACKAGE --policy POLICY

PACKAGE is a folder (docs/reference/evidence.md); POLICY, whom to believe, you got by another road. Compare
the digest of this program with the published one first: a verifier that came with a package proves nothing.

Exit codes: 0 verified; 1 refused: something does not hold; 2 wrong call; 3 consistent, not trusted, as no
policy was given; 4 verified with objections: the proofs hold, and what they show is open to dispute.
"""

import base64
import hashlib
import json
import re
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = Any
EXIT_CODES = {"verified": 0, "refused": 1, "consistent, not trusted": 3, "verified with objections": 4}
MAX_FILE, MAX_FILES, MAX_TOTAL, MAX_INTEGER, MAX_DEPTH = 1 << 20, 1000, 16 << 20, 2**53 - 1, 64
SKEW = 60  # seconds by which the clocks of a party and a witness may differ

# The closed forms of all that is read: a text is a pattern that a text matches whole, a range an integer in
# it, a dict exactly these fields, a list up to 64 of these, a tuple one of these.
COUNT, NUMBER = range(MAX_INTEGER + 1), range(1, MAX_INTEGER + 1)
HEX32, HEX64, DIGEST, BASE64 = r"[0-9a-f]{64}", r"[0-9a-f]{128}", r"sha256:[0-9a-f]{64}", r"[!-~]*"
DID, TEXT = r"did:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,199}", r"([^\x00-\x1f\x7f-\x9f]*\n)+"
KEY, CHAIN = DID + r"#[A-Za-z0-9._-]{1,64}", r"[A-Za-z0-9][A-Za-z0-9._:%/-]{0,99}"
ROLE, TIME = r"0[123]", r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{6}Z"
USE, WORDS, PRODUCT = r"[A-Za-z0-9:._-]{1,100}", r"[a-z][a-z0-9 -]{0,79}", r"[!-~]{1,200}"
CONTRACT, CODE = r"[0-9A-Z]{46}[0-9A-Z*]", r"[0-9A-Z]{18}|[0-9A-Z]{31}[0-9A-Z*]"
UNITS = {"bytes": COUNT, "rows": COUNT, "seconds": COUNT, "uses": range(-MAX_INTEGER, MAX_INTEGER + 1)}
PART = {"contract": CONTRACT, "count": NUMBER, "first": NUMBER, "last": NUMBER, "root": DIGEST, "sums": UNITS}
ABOUT = {"at": TIME, "consumer": DID, "contract": CONTRACT, "use": USE, "v": 1}
SAID: dict[str, Json] = {"artefact": DIGEST, "decision": DIGEST, "environment": WORDS, "outcome": WORDS}
SAID |= {"receipt": DIGEST, "size": COUNT, "status_age": COUNT}
RECORD = ABOUT | {"kind": r"opened|interrupted|resumed|closed|receipt", "product": PRODUCT, "units": UNITS}
RECORD |= {name: (None, form) for name, form in SAID.items()}
TERMS: dict[str, Json] = {"activationTime": TIME, "contractId": CONTRACT, "dataProductId": PRODUCT}
TERMS |= {"endTime": f"({TIME})?", "signatoryEntities": [{"signatoryEntityId": DID, "signatorytype": ROLE}]}
KEYS = {"did": DID, "keys": [{"id": KEY, "public": HEX32}]}
BODIES: dict[str, Json] = {
    "member.admit": KEYS | {"code": CODE, "epoch": 1, "role": r"connector|regulator"},
    "member.keys": KEYS | {"epoch": NUMBER},
    "member.revoke": {"did": DID, "reason": r"withdrawal|breach|order"},
    "contract.file": {"contract": CONTRACT, "digest": DIGEST, "one_sided": (False, True), "parties": [DID]},
    "contract.end": {"contract": CONTRACT, "reason": r"expiry|agreement|breach|order"},
    "usage.batch": {"number": NUMBER, "previous": (None, DIGEST), "root": DIGEST},
}
SIGNED = {"actor": DID, "chain": CHAIN, "height": COUNT, "key": KEY, "v": 1}
FORMS: dict[str, Json] = {
    "contract": {"payload": BASE64, "signatures": [{"keyid": KEY, "role": ROLE, "sig": BASE64}]},
    "entry": {
        "entry": tuple(SIGNED | {"op": re.escape(op), "body": body} for op, body in BODIES.items()),
        "number": COUNT, "path": [HEX32], "signature": HEX64,
        "seen": (None, {"checkpoint": TEXT, "path": [HEX32]}),
    },
    "record": {
        "batch": COUNT, "inner": [HEX32], "number": NUMBER, "outer": [HEX32], "part": PART, "place": COUNT,
        "record": RECORD, "salt": HEX32, "width": NUMBER,
    },
    "receipt": {"receipt": ABOUT | {"artefact": DIGEST, "bytes": COUNT, "key": KEY}, "signature": HEX64},
}  # fmt: skip
ENTRY_FILE, RECORD_FILE = r"entry-(0|[1-9][0-9]{0,15})\.json", r"record-[0-9]{4}\.json"
NEEDED = {"manifest.json", "contract.json", "contract.txt", "checkpoint.txt"}
FILES = rf"(manifest|contract|receipt)\.json|(contract|checkpoint)\.txt|{ENTRY_FILE}|{RECORD_FILE}"
NOTE = rf"(({CHAIN})\n(0|[1-9][0-9]{{0,18}})\n(\S{{44}})\n)\n((?:\u2014 [!-*,-~]+ \S+\n){{1,64}})"


@dataclass
class Report:
    """What was found. Times are the parties' own, but for those of `witnessed` and `there_by`."""

    verdict: str = "refused"
    why: str = ""
    log: str = ""
    size: int = 0
    witnessed: list[dict[str, str]] = field(default_factory=list)
    entries: list[dict[str, Json]] = field(default_factory=list)
    keys: list[dict[str, Json]] = field(default_factory=list)
    contract: dict[str, Json] = field(default_factory=dict)
    use: dict[str, Json] = field(default_factory=dict)
    records: list[dict[str, Json]] = field(default_factory=list)
    receipt: str = "no receipt"
    objections: list[str] = field(default_factory=list)


def verify(files: dict[str, bytes], policy: str | None) -> Report:
    """Verify a package against the text of a policy; whatever does not hold makes the verdict `refused`."""
    report = Report()
    try:
        _Package(files, policy, report).check()
    except (ValueError, ArithmeticError, RecursionError, OSError) as error:  # OSError: of an endless time
        return Report(why=str(error))
    trusted = "verified" + " with objections" * bool(report.objections)
    report.verdict = "consistent, not trusted" if policy is None else trusted
    return report


class _Package:
    def __init__(self, files: dict[str, bytes], policy: str | None, report: Report) -> None:
        self.files, self.report, self.trusting = files, report, policy is not None
        self.trusted: dict[tuple[str, bytes], tuple[str, bytes]] = {}  # what the policy calls it, and its key
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum, self.operator, self.operator_key, self.filed = "", "", "", -1
        self.entries, self.seen, self.ends = dict[int, Json](), dict[int, int](), list[int]()
        self.read_policy(policy)

    def check(self) -> None:
        self.read_files()  # (1) exactly the files that the manifest names, each in its one form
        self.check_log()  # (2) a log's checkpoint, cosigned by a quorum and nobody else; every entry under it
        self.read_contract()  # (3) what was promised, between whom
        self.replay_entries()  # (4) members, filing, batches: each signed with a key bound before it
        self.check_records()  # (5) each record leads to a batch of the party that wrote it
        self.check_receipt()  # (6) what the consumer says it got
        self.judge()  # (7) what the proofs show, beside what was promised

    def read_policy(self, text: str | None) -> None:
        """c2sp.org/tlog-policy, perhaps with a line `operator KEY-ID HEX`, and never with `quorum none`."""
        free, taken = set[str](), {"log", "none"}
        for words in (line.split() for line in (text or "").split("\n") if line.strip()[:1] not in {"", "#"}):
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
                case ["operator", key, public] if not self.operator and re.fullmatch(HEX32, public):
                    self.operator, self.operator_key = key, public
                case ["quorum", name] if name in taken - {"log", "none"} and not self.quorum:
                    self.quorum = name
                case _:
                    raise ValueError("the policy has a line that no policy has")
            taken |= free
        require(self.quorum or text is None, "a policy asks for a quorum of witnesses")

    def trust(self, name: str, vkey: str, kind: int) -> None:
        own, key_id, text = (*vkey.split("+", 2), "", "")[:3]
        raw = unbase64(text)
        found = hashlib.sha256(f"{own}\n".encode() + raw).digest()[:4]
        holds = own and len(raw) == 33 and raw[0] == kind and found.hex() == key_id
        fresh = raw[1:] not in [key for _, key in self.trusted.values()]
        require(holds and fresh, "the policy has a key that is not in its form, or has it twice")
        self.trusted[own, found] = (name, raw[1:])

    def read_files(self) -> None:
        known = len(self.files) <= MAX_FILES and all(re.fullmatch(FILES, name) for name in self.files)
        require(known and self.files.keys() >= NEEDED, "a file is missing, or is none that may be there")
        raws = sorted((name, raw) for name, raw in self.files.items() if name != "manifest.json")
        found = [{"bytes": len(raw), "name": name, "sha256": digest(raw)[7:]} for name, raw in raws]
        manifest = decode(self.files["manifest.json"], "manifest.json")
        require(manifest == {"files": found}, "the manifest does not name exactly these files")
        self.json = {name: decode(raw, name) for name, raw in raws if name.endswith(".json")}
        for name, value in self.json.items():
            require(matches(value, FORMS[re.split(r"[-.]", name)[0]]), f"{name} is not in its form")

    def check_log(self) -> None:
        log, size, root, seen_by, last = self.read_checkpoint(self.files["checkpoint.txt"].decode())
        self.report.log, self.report.size, self.report.witnessed = log, size, seen_by
        for name in [name for name in self.json if re.fullmatch(ENTRY_FILE, name)]:
            each, at = self.json[name], last
            number, raw = each["number"], encode(each["entry"]) + bytes.fromhex(each["signature"])
            holds = root_from(raw, number, size, each["path"]) == root and name == f"entry-{number}.json"
            require(holds, f"{name} is not in the log of the checkpoint")
            if each["seen"]:  # an earlier checkpoint, which proves that it was there earlier
                origin, before, past, _, at = self.read_checkpoint(each["seen"]["checkpoint"])
                holds = root_from(raw, number, before, each["seen"]["path"]) == past
                require(holds and origin == log and before <= size, f"{name} was not seen as it says")
            self.entries[number], self.seen[number] = each, at
        self.entries = dict(sorted(self.entries.items()))

    def read_checkpoint(self, note: str) -> tuple[str, int, bytes, list[dict[str, str]], int]:
        """c2sp.org/tlog-checkpoint, a signed note: log, size, root, cosignatures, and when they sufficed."""
        form = require(re.fullmatch(NOTE, note), "a checkpoint is not in its form")
        text, log, size, root, lines = form.groups()
        signatures = [(n, unbase64(s)[:4], unbase64(s)[4:]) for n, s in re.findall(r"(\S+) (\S+)\n", lines)]
        require(len({s[:2] for s in signatures}) == len(signatures), "somebody signs a checkpoint twice")
        found: list[tuple[int, str, str]] = []
        for place, (name, key_id, signature) in enumerate(signatures if self.trusting else []):
            named = self.trusted.get((name, key_id))
            role, key = require(named, "a checkpoint is signed by somebody whom the policy does not name")
            first = place == 0 and name == log
            require(first == (role == "log") == (place == 0), "a checkpoint is not first signed by its log")
            at = 0 if first else int.from_bytes(signature[:8], "big")
            said = text if first else f"cosignature/v1\ntime {at}\n{text}"
            verify_ed25519(key, said.encode(), signature if first else signature[8:])
            found.append((at, role, name))
        enough = [at for at, _, _ in found if self.reaches(self.quorum, {r for t, r, _ in found if t <= at})]
        require(enough or not self.trusting, "too few witnesses have cosigned")
        witnessed = [{"as": role, "at": show(at), "by": name} for at, role, name in found[1:]]
        return log, int(size), unbase64(root), witnessed, min(enough, default=0)

    def reaches(self, name: str, witnesses: set[str]) -> bool:
        least, group = self.groups.get(name, (1, []))
        return name in witnesses or sum(self.reaches(each, witnesses) for each in group) >= least

    def read_contract(self) -> None:
        self.payload = unbase64(self.json["contract.json"]["payload"])
        terms = decode(self.payload, "the contract")
        self.terms = {name: terms[name] for name in TERMS if isinstance(terms, dict) and name in terms}
        require(matches(self.terms, TERMS), "the contract does not say what contracts say")
        self.parties = {(p["signatorytype"], p["signatoryEntityId"]) for p in self.terms["signatoryEntities"]}
        two = [party for party in sorted(self.parties) if party[0] != "03"]
        apart = [role for role, _ in two] == ["01", "02"] and two[0][1] != two[1][1]
        (_, self.provider), (_, self.consumer) = require(apart and two, "the contract has no two parties")
        self.contract, self.people = self.terms["contractId"], {did for _, did in self.parties}
        told = {"id": self.contract, "provider": self.provider, "consumer": self.consumer, "terms": terms}
        text, self.report.contract = self.files["contract.txt"].decode(), told
        same = text.startswith(f"{self.contract} {digest(self.payload)}\n") and matches(text, TEXT)
        require(same, "contract.txt is a text of another contract")

    def replay_entries(self) -> None:
        # Where no policy names the operator, whoever acted first is taken for it, and its word for granted.
        key = self.operator or next((each["entry"]["key"] for each in self.entries.values()), "")
        self.chief = chief = key.split("#")[0]
        self.roles, self.epochs = {chief: "operator"}, {chief: 1}
        self.bind(None, chief, {key: self.operator_key})
        for number, each in self.entries.items():
            entry, signature = each["entry"], bytes.fromhex(each["signature"])
            require(entry["chain"] == self.report.log, f"entry {number} is of another ledger")
            if self.operator or entry["actor"] != chief:
                self.check_signed(entry["actor"], entry["key"], "transaction", encode(entry), signature)
            holds = self.apply(number, entry, entry["body"], self.roles[entry["actor"]])
            require(holds, f"entry {number} cannot have taken effect, or is of another contract")
            told = {"entry": number, "op": entry["op"], "actor": entry["actor"]}
            self.report.entries.append(told | {"there_by": self.trusting and show(self.seen[number])})
        require(self.filed >= 0, "the filing of the contract is missing")

    def bind(self, number: int | None, did: str, keys: dict[str, str]) -> None:
        """Let a party hold these keys, and no others, from an entry on."""
        for each in self.held(did):
            each["until"] = number
        since = {"did": did, "epoch": self.epochs.get(did, 0), "from": number, "until": None}
        self.report.keys += [since | {"key": key, "public": public} for key, public in keys.items()]

    def held(self, did: str) -> list[dict[str, Json]]:
        return [each for each in self.report.keys if each["did"] == did and each["until"] is None]

    def check_signed(self, did: str, key: str, what: str, payload: bytes, signature: bytes) -> None:
        bound = [each["public"] for each in self.held(did) if each["key"] == key]
        public = require(bound, f"a key is not bound to {did} where it signs")[0]
        verify_ed25519(bytes.fromhex(public), f"entrepot/{what}/v1\n".encode() + payload, signature)

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
        member = self.held(did) != []
        if op == "member.revoke":
            self.ends += [number] if did in self.people else []
            self.roles[did] = "revoked"
            self.bind(number, did, {})
            return role in {"operator", "regulator"} and member and did != self.chief
        keys = {key["id"]: key["public"] for key in body["keys"]}
        allowed = (op == "member.keys") == member and self.roles.get(did) != "revoked"
        allowed = allowed and (role == "operator" or (op == "member.keys" and entry["actor"] == did))
        follows = body["epoch"] == self.epochs.get(did, 0) + 1 or (did == self.chief and not self.operator)
        self.roles[did], self.epochs[did] = body.get("role", self.roles.get(did, "")), body["epoch"]
        self.bind(number, did, keys)
        own = len(keys) == len(body["keys"]) > 0 and all(key.startswith(f"{did}#") for key in keys)
        return allowed and follows and own

    def check_contract(self, body: Json) -> None:
        same = body["digest"] == digest(self.files["contract.json"])
        require(same and sorted(body["parties"]) == sorted(self.people), "another contract was filed")
        signatures, self.one_sided = self.json["contract.json"]["signatures"], body["one_sided"]
        signed = {(each["role"], each["keyid"].split("#")[0]): each for each in signatures}
        for (_, did), each in signed.items():
            self.check_signed(did, each["keyid"], "contract", self.payload, unbase64(each["sig"]))
        enough = signed.keys() == self.parties or (self.one_sided and signed.keys() < self.parties and signed)
        require(enough and len(signed) == len(signatures), "the contract is not signed by all, each once")
        self.report.contract |= {"entry": self.filed, "signed_with": [s["keyid"] for s in signatures]}

    def check_records(self) -> None:
        names = [name for name in self.json if re.fullmatch(RECORD_FILE, name)]
        require(names == [f"record-{i + 1:04d}.json" for i in range(len(names))], "a record is missing")
        shown = [self.json[name] for name in names]
        ours = [each for each in shown if self.check_record(each) == self.provider]
        self.records, self.theirs = [r["record"] for r in ours], [r["record"] for r in shown[len(ours) :]]
        kinds = " ".join(record["kind"] for record in self.records)
        whole = re.fullmatch(r"opened( interrupted| resumed)*( closed)?", kinds) and len(self.theirs) <= 1
        require(whole and shown[: len(ours)] == ours, "the records do not tell one use from its opening on")
        batches, numbers = [each["batch"] for each in ours], [each["number"] for each in ours]
        require(batches == sorted(batches) and numbers == sorted({*numbers}), "records are out of order")
        require(len({r["use"] for r in self.records + self.theirs}) == 1, "the records are of several uses")
        self.report.records = [each["record"] | {"entry": each["batch"]} for each in shown]
        self.report.use = {"id": self.records[0]["use"], "product": self.terms["dataProductId"]}

    def check_record(self, shown: Json) -> str:
        """Lead one record to its batch; gives the DID of the party that wrote it."""
        record, part = shown["record"], shown["part"]
        said = (record["contract"], part["contract"], record["consumer"], record["product"])
        ours = (self.contract, self.contract, self.consumer, self.terms["dataProductId"])
        require(said == ours, "a record is of another use")
        salted = b"entrepot/record/v1\n" + bytes.fromhex(shown["salt"]) + encode(record)
        require(part["last"] - part["first"] + 1 == part["count"], "a part of a batch counts wrongly")
        leaf, index = hashlib.sha256(salted).digest(), shown["number"] - part["first"]
        inner = root_from(leaf, index, part["count"], shown["inner"])
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
        keys = [each["public"] for each in self.report.keys if each["key"] == receipt["key"]]
        public = require(keys, "the receipt's key is not bound to the consumer")[0]
        verify_ed25519(bytes.fromhex(public), b"entrepot/receipt/v1\n" + encode(receipt), signature)
        ids = named | {digest(encode(receipt) + signature)} | {r["receipt"] for r in self.theirs}
        require(said == ours and len(ids) == 1, "the receipt is of another use, or not the one named")
        given = [(r["artefact"], r["size"]) for r in self.records if r["artefact"]][-1:]
        given += [(r["artefact"], r["size"]) for r in self.theirs] or given
        self.report.receipt = "agreed" if {*given} == {(receipt["artefact"], receipt["bytes"])} else "differs"

    def judge(self) -> None:
        people = self.people | {each["entry"]["actor"] for each in self.entries.values()}
        batches = [record["entry"] for record in self.report.records]
        for number, each in self.entries.items():
            related = each["entry"]["body"].get("did", self.provider) in people
            used = each["entry"]["op"] != "usage.batch" or number in batches
            require(related and used, f"entry {number} has no part in this use")
        times, ended = [r["at"] for r in self.records], [n for n in self.ends if n < batches[0]]
        begin, end = self.terms["activationTime"], self.terms["endTime"] or "~"
        alone = self.trusting and times[0] < end < show(self.seen[batches[0]])
        ahead = any(r["at"] > show(self.seen[r["entry"]] + SKEW) for r in self.report.records)
        for text, applies in (
            ("The contract was filed by one side alone, as it says.", self.one_sided),
            ("The use was opened outside the time that the contract allows.", not begin <= times[0] < end),
            ("That the use began before the contract's end is the provider's word alone.", alone),
            (f"The use came on the ledger after it had been ended there, by entries {ended}.", ended),
            ("The provider's times run backwards.", times != sorted(times)),
            ("A record claims a time after the witnesses had seen it.", self.trusting and ahead),
            ("Provider and consumer differ on what was delivered.", self.report.receipt == "differs"),
        ):
            self.report.objections += [text] if applies else []


def require(holds: Json, why: str) -> Json:
    if not holds:
        raise ValueError(why)
    return holds


def matches(value: Json, form: Json) -> bool:
    """Say whether a value is exactly of a form."""
    if isinstance(form, str):
        return isinstance(value, str) and re.fullmatch(form, value) is not None
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
    value = json.loads(raw[:MAX_FILE], parse_float=int, parse_constant=int)  # which take no such text
    require(is_plain(value, MAX_DEPTH) and encode(value) == raw, f"{what} is not canonical JSON")
    return value


def is_plain(value: Json, depth: int) -> bool:
    """Say whether every reader of JSON can have all of a value: its depth, and its integers."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    exact = not isinstance(value, int) or abs(value) <= MAX_INTEGER
    return exact and depth > 0 and all(is_plain(item, depth - 1) for item in inside)


def unbase64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    require(base64.b64encode(raw).decode() == text, "base64 is not in its one form")
    return raw


def show(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def root_from(entry: bytes, index: int, size: int, path: list[str]) -> bytes:
    """The root that a path leads to from an entry (RFC 9162, 2.1.3.2)."""
    require(0 <= index < size, "a proof is for a leaf that is not in the tree")
    node, last = hashlib.sha256(b"\x00" + entry).digest(), size - 1
    for sibling in map(bytes.fromhex, path):
        require(last, "a proof is too long")
        on_left = index % 2 == 1 or index == last
        node = hashlib.sha256(b"\x01" + (sibling + node if on_left else node + sibling)).digest()
        while on_left and index % 2 == 0 and index:
            index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    require(last == 0, "a proof is too short")
    return node


# Ed25519 as RFC 8032 writes it, with points as (x, y). Public inputs only, so time may tell.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
BASE = 15112221349535400772501151409588531511454012693041857206046113283949847762202, 4 * pow(5, -1, P) % P


def add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    k = D * p[0] * q[0] * p[1] * q[1]
    x, y = p[0] * q[1] + p[1] * q[0], p[1] * q[1] + p[0] * q[0]
    return x * pow(1 + k, -1, P) % P, y * pow(1 - k, -1, P) % P


def read_point(raw: bytes) -> tuple[int, int]:
    """RFC 8032, 5.1.3; a point of small order, with which anything could be signed, is refused."""
    y, odd = int.from_bytes(raw, "little") & (1 << 255) - 1, raw[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT % P
    point = eightfold = (x if x % 2 == odd else P - x, y)
    for _ in range(3):
        eightfold = add(eightfold, eightfold)
    require(y < P and x * x % P == square and eightfold[0], "an Ed25519 point is not in its one form")
    return point


@lru_cache(1000)  # one checkpoint may prove many entries
def verify_ed25519(public: bytes, data: bytes, signature: bytes) -> None:
    """RFC 8032, 5.1.7: [S]B = R + [k]A, as the ledger checks it too."""
    require(len(public) == 32 and len(signature) == 64, "a signature or its key has the wrong length")
    a, r, s = read_point(public), read_point(signature[:32]), int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + data).digest(), "little") % L
    total, minus_a = (0, 1), (P - a[0], a[1])
    table = (total, BASE, minus_a, add(BASE, minus_a))
    for bit in reversed(range(253)):
        total = add(add(total, total), table[(s >> bit & 1) | (k >> bit & 1) << 1])
    require(s < L and total == r, "a signature does not hold")


def read_folder(path: Path) -> dict[str, bytes]:
    """The files of a package; whatever else lies in its folder, links and folders too, is refused."""
    found = sorted(path.iterdir())
    plain = all(each.is_file() and not each.is_symlink() for each in found)
    require(plain and sum(each.stat().st_size for each in found) <= MAX_TOTAL, "the folder is no package")
    return {each.name: each.read_bytes() for each in found}


def main(arguments: list[str]) -> int:
    import argparse  # a node that verifies reads no command line

    parser = argparse.ArgumentParser(description="Verify the evidence of one use of data, offline.")
    parser.add_argument("package", type=Path)
    parser.add_argument("--policy", type=Path)
    asked = parser.parse_args(arguments)
    try:
        report = verify(read_folder(asked.package), asked.policy and asked.policy.read_text("utf-8"))
    except (OSError, ValueError) as error:
        report = Report(why=str(error))
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    return EXIT_CODES[report.verdict]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
