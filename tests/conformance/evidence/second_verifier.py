"""Another verifier of evidence packages, written from docs/reference/evidence.md and nothing else.

It shares no line with the product: a table-driven reader of forms, `cryptography` for Ed25519, and functions
in the order of the page's steps. What it does not find on the page it does not do.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LARGEST = 2**53 - 1
ROUND = 2**255 - 19
SMALL_ORDER = frozenset(
    map(
        bytes.fromhex,
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ),
    )
)


class No(Exception):  # noqa: N818 (the verdict, not an accident)
    """The package is refused."""


@dataclass
class Finding:
    """What there is to say of a package."""

    verdict: str
    why: str = ""
    objections: list[str] = field(default_factory=list)
    receipt: str = "no receipt"
    there_by: dict[int, str | None] = field(default_factory=dict)


def judge(files: Mapping[str, bytes], policy: bytes | None) -> Finding:
    """Say what a package proves to somebody with this policy."""
    try:
        trust = None if policy is None else read_policy(policy.decode())
        return examine(files, trust)
    except No as no:
        return Finding("refused", str(no))
    except UnicodeDecodeError:
        return Finding("refused", "not UTF-8")


def demand(condition: object, why: str) -> None:
    if not condition:
        raise No(why)


# --- Canonical JSON


WORDS_OF = {None: "null", True: "true", False: "false"}


def write(value: Any) -> str:
    """Canonical JSON, written by hand: the page's rules and no library's."""
    if value is None or isinstance(value, bool):
        return WORDS_OF[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(write_character, value)) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    demand(isinstance(value, dict), "a number that is no integer")
    return "{" + ",".join(f"{write(key)}:{write(value[key])}" for key in sorted(value)) + "}"


SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def write_character(character: str) -> str:
    if character in SHORT:
        return SHORT[character]
    return f"\\u{ord(character):04x}" if character < " " else character


def read(raw: bytes, what: str) -> Any:
    demand(len(raw) <= 1 << 20, f"{what} is too large")
    try:
        value = json.loads(raw.decode())
        again = write(value).encode()
    except (ValueError, RecursionError) as error:
        raise No(f"{what} is no JSON") from error
    demand(again == raw, f"{what} is not in canonical form")
    demand(is_bounded(value, 0), f"{what} has a number too large, or lies too deep")
    return value


def is_bounded(value: Any, around: int) -> bool:
    """Whether numbers are of the size, and what lies inside no deeper, than the page allows."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return around <= 63 and all(is_bounded(each, around + 1) for each in value)
    return around <= 63 and (not isinstance(value, int) or -LARGEST <= value <= LARGEST)


def bytes_of(value: Any) -> bytes:
    return write(value).encode()


def unbase64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise No("not base64") from error
    demand(base64.b64encode(raw).decode() == text, "base64 with another form")
    return raw


# --- Forms

Form = Callable[[Any], bool]


def text(pattern: str) -> Form:
    whole = re.compile(pattern)
    return lambda value: isinstance(value, str) and bool(whole.fullmatch(value))


def whole_number(least: int) -> Form:
    return lambda value: (
        isinstance(value, int) and value is not True and value is not False and (least <= value <= LARGEST)
    )


def exactly(*choices: Any) -> Form:
    return lambda value: any(type(value) is type(choice) and value == choice for choice in choices)


def nullable(form: Form) -> Form:
    return lambda value: value is None or form(value)


def many(form: Form) -> Form:
    return lambda value: isinstance(value, list) and len(value) <= 64 and all(map(form, value))


def fields(**forms: Form) -> Form:
    def check(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and set(value) == set(forms)
            and all(forms[k](v) for k, v in value.items())
        )

    return check


COUNT, NUMBER, UNIT = whole_number(0), whole_number(1), whole_number(-LARGEST)
HEX32, HEX64 = text("[0-9a-f]{64}"), text("[0-9a-f]{128}")
DIGEST, BASE64 = text("sha256:[0-9a-f]{64}"), text("[!-~]*")
DID_PATTERN = "did:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,199}"
DID, KEY_ID = text(DID_PATTERN), text(DID_PATTERN + "#[A-Za-z0-9._-]{1,64}")
CHAIN_PATTERN = "[A-Za-z0-9][A-Za-z0-9._:%/-]{0,99}"
CHAIN = text(CHAIN_PATTERN)
TIME = text(r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{6}Z")
USE, WORDS, PRODUCT = text("[A-Za-z0-9:._-]{1,100}"), text("[a-z][a-z0-9 -]{0,79}"), text("[!-~]{1,200}")
CONTRACT = text("[0-9A-Z]{46}[0-9A-Z*]")
CODE = text("[0-9A-Z]{18}|[0-9A-Z]{31}[0-9A-Z*]")
ROLE = exactly("01", "02", "03")
LINES = text("([^\u0000-\u001f\u007f-\u009f]*\n)+")
UNITS = fields(bytes=COUNT, rows=COUNT, seconds=COUNT, uses=UNIT)
KEYS = many(fields(id=KEY_ID, public=HEX32))
BODIES = {
    "member.admit": fields(
        code=CODE, did=DID, epoch=exactly(1), keys=KEYS, role=exactly("connector", "regulator")
    ),
    "member.keys": fields(did=DID, epoch=NUMBER, keys=KEYS),
    "member.revoke": fields(did=DID, reason=exactly("withdrawal", "breach", "order")),
    "contract.file": fields(
        contract=CONTRACT, digest=DIGEST, one_sided=exactly(True, False), parties=many(DID)
    ),
    "contract.end": fields(contract=CONTRACT, reason=exactly("expiry", "agreement", "breach", "order")),
    "usage.batch": fields(number=NUMBER, previous=nullable(DIGEST), root=DIGEST),
}


def transaction(value: Any) -> bool:
    outer = fields(
        actor=DID,
        body=lambda _: True,
        chain=CHAIN,
        height=COUNT,
        key=KEY_ID,
        op=exactly(*BODIES),
        v=exactly(1),
    )
    return outer(value) and BODIES[value["op"]](value["body"])


PART = fields(contract=CONTRACT, count=NUMBER, first=NUMBER, last=NUMBER, root=DIGEST, sums=UNITS)
RECORD = fields(
    artefact=nullable(DIGEST),
    at=TIME,
    consumer=DID,
    contract=CONTRACT,
    decision=nullable(DIGEST),
    environment=nullable(WORDS),
    kind=exactly("opened", "interrupted", "resumed", "closed", "receipt"),
    outcome=nullable(WORDS),
    product=PRODUCT,
    receipt=nullable(DIGEST),
    size=nullable(COUNT),
    status_age=nullable(COUNT),
    units=UNITS,
    use=USE,
    v=exactly(1),
)
RECEIPT = fields(
    artefact=DIGEST, at=TIME, bytes=COUNT, consumer=DID, contract=CONTRACT, key=KEY_ID, use=USE, v=exactly(1)
)
FORM_OF = {
    r"contract\.json": fields(payload=BASE64, signatures=many(fields(keyid=KEY_ID, role=ROLE, sig=BASE64))),
    r"entry-[0-9]{1,16}\.json": fields(
        entry=transaction,
        number=COUNT,
        path=many(HEX32),
        seen=nullable(fields(checkpoint=LINES, path=many(HEX32))),
        signature=HEX64,
    ),
    r"record-[0-9]{4}\.json": fields(
        batch=COUNT,
        inner=many(HEX32),
        number=NUMBER,
        outer=many(HEX32),
        part=PART,
        place=COUNT,
        record=RECORD,
        salt=HEX32,
        width=NUMBER,
    ),
    r"receipt\.json": fields(receipt=RECEIPT, signature=HEX64),
}
TERMS = {
    "activationTime": TIME,
    "contractId": CONTRACT,
    "dataProductId": PRODUCT,
    "endTime": lambda value: value == "" or TIME(value),
    "signatoryEntities": many(fields(signatoryEntityId=DID, signatorytype=ROLE)),
}


# --- Signatures and trees


def check_signature(public: bytes, message: bytes, signature: bytes) -> None:
    demand(len(public) == 32 and len(signature) == 64, "a signature or key of another length")
    for point in (public, signature[:32]):
        y = int.from_bytes(point, "little") % 2**255
        demand(y < ROUND and point not in SMALL_ORDER, "a point in another form, or of small order")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise No("a signature does not hold") from error


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def digest(raw: bytes) -> str:
    return "sha256:" + sha256(raw).hex()


def climb(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    demand(0 <= index < size, "no such leaf")
    node, last = sha256(b"\x00", leaf), size - 1
    for sibling in path:
        demand(last != 0, "a path is too long")
        if index % 2 or index == last:
            node = sha256(b"\x01", sibling, node)
            while index % 2 == 0 and index != 0:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\x01", node, sibling)
        index, last = index // 2, last // 2
    demand(last == 0, "a path is too short")
    return node


def unhex(path: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in path]


# --- The policy


class Vkey(NamedTuple):
    name: str
    id: bytes
    kind: int
    key: bytes


@dataclass
class Trust:
    """A policy that was read: who signs as what, and whom it takes to convince."""

    keys: dict[tuple[str, bytes], tuple[str | None, bytes]] = field(default_factory=dict)
    """By name and key id: the policy's name of the witness, None for a log; and the key."""
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str | None = None
    operator: tuple[str, bytes] | None = None

    def reached(self, name: str, present: frozenset[str]) -> bool:
        if name not in self.groups:
            return name in present
        least, members = self.groups[name]
        return sum(self.reached(each, present) for each in members) >= least


def read_vkey(text_: str, kind: int) -> Vkey:
    parts = text_.split("+", 2)
    demand(len(parts) == 3 and parts[0], "no verifier key")
    name, key_id, raw = parts[0], parts[1], unbase64(parts[2])
    demand(len(raw) == 33 and raw[0] == kind, "a verifier key of another kind")
    expected = sha256(name.encode(), b"\n", raw)[:4]
    demand(key_id == expected.hex(), "a verifier key with another id")
    return Vkey(name, expected, kind, raw[1:])


def read_policy(raw: str) -> Trust:
    trust = Trust()
    known: set[str] = set()
    grouped: set[str] = set()

    def add(vkey: Vkey, role: str | None) -> None:
        demand(vkey.key not in [key for _, key in trust.keys.values()], "a key stands twice in the policy")
        trust.keys[vkey.name, vkey.id] = role, vkey.key

    def new(name: str) -> None:
        demand(name not in known | {"log", "none"}, "a name is not new")
        known.add(name)

    for line in raw.split("\n"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        kind, rest = words[0], words[1:]
        if kind == "log" and len(rest) in {1, 2}:
            add(read_vkey(rest[0], 1), None)
        elif kind == "witness" and len(rest) in {2, 3}:
            new(rest[0])
            add(read_vkey(rest[1], 4), rest[0])
        elif kind == "group" and len(rest) >= 3:
            name, least, members = rest[0], rest[1], rest[2:]
            demand(
                set(members) <= known - grouped and len(set(members)) == len(members), "no members of a group"
            )
            amounts = {"any": 1, "all": len(members), **{str(n): n for n in range(1, len(members) + 1)}}
            demand(least in amounts, "a group asks for none, or more than it has")
            new(name)
            grouped.update(members)
            trust.groups[name] = amounts[least], members
        elif kind == "quorum" and len(rest) == 1:
            demand(trust.quorum is None and rest[0] in known, "no quorum")
            trust.quorum = rest[0]
        elif kind == "operator" and len(rest) == 2:
            demand(trust.operator is None and HEX32(rest[1]), "no operator")
            trust.operator = rest[0], bytes.fromhex(rest[1])
        else:
            raise No("a line that no policy has")
    demand(trust.quorum, "a policy without a quorum")
    return trust


# --- Checkpoints


class Head(NamedTuple):
    origin: str
    size: int
    root: bytes
    time: int | None


NOTE = re.compile(
    rf"(?P<text>(?P<origin>{CHAIN_PATTERN})\n(?P<size>0|[1-9][0-9]{{0,18}})\n(?P<root>[A-Za-z0-9+/=]+)\n)"
    "\n(?P<lines>(?:\u2014 [!-*,-~]+ [A-Za-z0-9+/=]+\n){1,64})"
)


def read_checkpoint(note: str, trust: Trust | None) -> Head:
    form = NOTE.fullmatch(note)
    if form is None:
        raise No("no checkpoint")
    root = unbase64(form["root"])
    demand(len(root) == 32, "a root of another length")
    signed = []
    for line in form["lines"].split("\n")[:-1]:
        _, name, encoded = line.split(" ")
        raw = unbase64(encoded)
        signed.append((name, raw[:4], raw[4:]))
    demand(len({(name, key_id) for name, key_id, _ in signed}) == len(signed), "a signature stands twice")
    time = None if trust is None else check_note(form["text"], form["origin"], signed, trust)
    return Head(form["origin"], int(form["size"]), root, time)


def check_note(said: str, origin: str, signed: list[tuple[str, bytes, bytes]], trust: Trust) -> int:
    seen: list[tuple[int, str]] = []
    for place, (name, key_id, signature) in enumerate(signed):
        demand((name, key_id) in trust.keys, "a signature of nobody whom the policy names")
        witness, key = trust.keys[name, key_id]
        demand((witness is None) == (place == 0), "the log signs first, and nobody else as a log")
        if witness is None:
            demand(name == origin, "another log's key")
            check_signature(key, said.encode(), signature)
        else:
            seconds = int.from_bytes(signature[:8], "big")
            check_signature(key, f"cosignature/v1\ntime {seconds}\n{said}".encode(), signature[8:])
            demand(seconds < END_OF_TIME, "a time after the year 9999")
            seen.append((seconds, witness))
    return time_of(seen, trust)


def time_of(seen: list[tuple[int, str]], trust: Trust) -> int:
    for seconds, _ in sorted(seen):
        present = frozenset(witness for time, witness in seen if time <= seconds)
        if trust.quorum is not None and trust.reached(trust.quorum, present):
            return seconds
    raise No("too few witnesses")


END_OF_TIME = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) + 1


def as_time(seconds: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{time.year:04d}-{time:%m-%dT%H:%M:%S}.000000Z"


# --- The steps


def examine(files: Mapping[str, bytes], trust: Trust | None) -> Finding:
    """The seven steps of the page."""
    documents = step_files(files)
    head = read_checkpoint(files["checkpoint.txt"].decode(), trust)
    entries, times = step_log(documents, head, trust)
    deal = step_contract(documents["contract.json"], files["contract.txt"].decode())
    tale = Replay(trust, deal, files["contract.json"], documents["contract.json"], head.origin)
    for number in sorted(entries):
        tale.take(number, entries[number])
    demand(tale.filing is not None, "no filing")
    shown = [documents[name] for name in sorted(documents) if name.startswith("record-")]
    step_records(shown, deal, entries, tale.filing or 0)
    receipt = step_receipt(documents.get("receipt.json"), shown, deal, tale)
    step_nothing_else(entries, shown, deal)
    objections = object_to(shown, deal, tale, times, receipt)
    verdict = "verified with objections" if objections else "verified"
    there_by = {number: None if time is None else as_time(time) for number, time in times.items()}
    return Finding(verdict if trust else "consistent, not trusted", "", objections, receipt, there_by)


def step_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    needed = {"manifest.json", "contract.json", "contract.txt", "checkpoint.txt"}
    demand(needed <= set(files), "a file is missing")
    for name in set(files) - needed:
        fits = re.fullmatch(r"receipt\.json|entry-(0|[1-9][0-9]{0,15})\.json|record-[0-9]{4}\.json", name)
        demand(fits, "a file of another name")
    demand(len(files) <= 1000 and sum(map(len, files.values())) <= 16 << 20, "too many files, or too large")
    listed = [
        {"bytes": len(files[name]), "name": name, "sha256": sha256(files[name]).hex()}
        for name in sorted(files)
        if name != "manifest.json"
    ]
    demand(read(files["manifest.json"], "manifest.json") == {"files": listed}, "another manifest")
    documents = {}
    for name in files:
        form = next((FORM_OF[pattern] for pattern in FORM_OF if re.fullmatch(pattern, name)), None)
        if form is not None:
            documents[name] = read(files[name], name)
            demand(form(documents[name]), f"{name} has another form")
    count = sum(name.startswith("record-") for name in documents)
    demand(all(f"record-{n:04d}.json" in documents for n in range(1, count + 1)), "a record is missing")
    return documents


def step_log(
    documents: Mapping[str, Any], head: Head, trust: Trust | None
) -> tuple[dict[int, Any], dict[int, int | None]]:
    entries: dict[int, Any] = {}
    times: dict[int, int | None] = {}
    for name, document in documents.items():
        if not name.startswith("entry-"):
            continue
        number = document["number"]
        demand(name == f"entry-{number}.json", "an entry under another number")
        leaf = bytes_of(document["entry"]) + bytes.fromhex(document["signature"])
        demand(
            climb(leaf, number, head.size, unhex(document["path"])) == head.root, "an entry not in the log"
        )
        times[number] = head.time
        if document["seen"] is not None:
            earlier = read_checkpoint(document["seen"]["checkpoint"], trust)
            demand(
                earlier.origin == head.origin and earlier.size <= head.size, "seen in another log, or later"
            )
            path = unhex(document["seen"]["path"])
            demand(climb(leaf, number, earlier.size, path) == earlier.root, "an entry that was not seen")
            times[number] = earlier.time
        entries[number] = document
    return entries, times


class Deal(NamedTuple):
    """What the contract says, as far as evidence goes."""

    id: str
    payload: bytes
    pairs: frozenset[tuple[str, str]]
    provider: str
    consumer: str
    product: str
    begins: str
    ends: str

    @property
    def parties(self) -> set[str]:
        return {did for _, did in self.pairs}


def step_contract(envelope: Any, words: str) -> Deal:
    payload = unbase64(envelope["payload"])
    terms = read(payload, "the payload")
    demand(isinstance(terms, dict), "the payload is no object")
    for name, form in TERMS.items():
        demand(name in terms and form(terms[name]), f"the payload has no {name}")
    pairs = frozenset(
        (each["signatorytype"], each["signatoryEntityId"]) for each in terms["signatoryEntities"]
    )
    providers = [did for role, did in pairs if role == "01"]
    consumers = [did for role, did in pairs if role == "02"]
    demand(len(providers) == len(consumers) == 1 and providers != consumers, "no two parties")
    demand(LINES(words), "contract.txt is no text")
    demand(
        words.split("\n", maxsplit=1)[0] == f"{terms['contractId']} {digest(payload)}",
        "a text of another contract",
    )
    return Deal(
        terms["contractId"],
        payload,
        pairs,
        providers[0],
        consumers[0],
        terms["dataProductId"],
        terms["activationTime"],
        terms["endTime"],
    )


class Replay:
    """Step 4: who holds which key, and whether each entry may have its effect."""

    def __init__(self, trust: Trust | None, deal: Deal, raw: bytes, envelope: Any, origin: str) -> None:
        self.deal, self.raw, self.envelope, self.origin = deal, raw, envelope, origin
        self.operator = None if trust is None else trust.operator
        self.held: dict[str, dict[str, bytes | None]] = {}
        self.ever: dict[str, bytes | None] = {}
        self.epoch: dict[str, int] = {}
        self.role: dict[str, str] = {}
        self.revoked: set[str] = set()
        self.chief: str | None = None
        self.filing: int | None = None
        self.one_sided = False
        self.ends: list[int] = []
        if self.operator is not None:
            self.crown(*self.operator)

    def crown(self, key_id: str, public: bytes | None) -> None:
        self.chief = key_id.split("#", maxsplit=1)[0]
        self.held[self.chief] = {key_id: public}
        self.ever[key_id] = public
        self.epoch[self.chief], self.role[self.chief] = 1, "operator"

    def take(self, number: int, document: Any) -> None:
        entry = document["entry"]
        if self.chief is None:
            self.crown(entry["key"], None)
        demand(entry["chain"] == self.origin, "an entry of another ledger")
        actor = entry["actor"]
        if self.operator is not None or actor != self.chief:
            self.check(
                actor, entry["key"], "transaction", bytes_of(entry), bytes.fromhex(document["signature"])
            )
        rule = getattr(self, entry["op"].replace(".", "_"))
        demand(rule(number, actor, entry["body"]), f"entry {number} cannot have its effect")

    def check(self, did: str, key_id: str, what: str, signed: bytes, signature: bytes) -> None:
        public = self.held.get(did, {}).get(key_id)
        if public is None:
            raise No(f"{did} does not hold the key that signs")
        check_signature(public, f"entrepot/{what}/v1\n".encode() + signed, signature)

    def hold(self, did: str, body: Any) -> bool:
        keys = {each["id"]: bytes.fromhex(each["public"]) for each in body["keys"]}
        self.held[did] = dict(keys)
        self.epoch[did] = body["epoch"]
        self.ever = {**keys, **self.ever}  # the first key under an id stays
        own = all(key_id.split("#")[0] == did for key_id in keys)
        return bool(keys) and len(keys) == len(body["keys"]) and own

    def member_admit(self, _number: int, actor: str, body: Any) -> bool:
        did = body["did"]
        may = self.role[actor] == "operator" and not self.held.get(did) and did not in self.revoked
        self.role[did] = body["role"]
        return may and self.hold(did, body)

    def member_keys(self, _number: int, actor: str, body: Any) -> bool:
        did = body["did"]
        may = (self.role[actor] == "operator" or actor == did) and bool(self.held.get(did))
        free = did == self.chief and self.operator is None
        next_ = free or body["epoch"] == self.epoch.get(did, 0) + 1
        return may and next_ and self.hold(did, body)

    def member_revoke(self, number: int, actor: str, body: Any) -> bool:
        did = body["did"]
        may = self.role[actor] in {"operator", "regulator"} and bool(self.held.get(did)) and did != self.chief
        self.held[did] = {}
        self.revoked.add(did)
        if did in self.deal.parties:
            self.ends.append(number)
        return may

    def contract_file(self, number: int, actor: str, body: Any) -> bool:
        deal, once = self.deal, self.filing is None
        may = self.role[actor] == "operator" or actor in deal.parties
        same = body["contract"] == deal.id and body["digest"] == digest(self.raw)
        parties = len(body["parties"]) == len(deal.parties) and set(body["parties"]) == deal.parties
        signed = set()
        for each in self.envelope["signatures"]:
            did = each["keyid"].split("#")[0]
            pair = each["role"], did
            demand(pair in deal.pairs and pair not in signed, "a signature of no signatory, or a second one")
            self.check(did, each["keyid"], "contract", deal.payload, unbase64(each["sig"]))
            signed.add(pair)
        self.filing, self.one_sided = number, body["one_sided"]
        enough = signed == deal.pairs or (self.one_sided and bool(signed))
        return once and may and same and parties and enough

    def contract_end(self, number: int, actor: str, body: Any) -> bool:
        self.ends.append(number)
        supervisor = self.role[actor] in {"operator", "regulator"}
        may = supervisor or (actor in self.deal.parties and body["reason"] != "order")
        return may and self.filing is not None and body["contract"] == self.deal.id

    def usage_batch(self, _number: int, actor: str, _body: Any) -> bool:
        return actor in self.deal.parties


def step_records(shown: list[Any], deal: Deal, entries: Mapping[int, Any], filing: int) -> None:
    demand(shown, "no record")
    sides = [prove(document, deal, entries, filing) for document in shown]
    provided = [document for document, mine in zip(shown, sides, strict=True) if mine]
    demand(
        sides == sorted(sides, reverse=True) and len(shown) - len(provided) <= 1, "records in another order"
    )
    kinds = [document["record"]["kind"] for document in provided]
    demand(kinds and kinds[0] == "opened", "no opening")
    middle = kinds[1:-1] if kinds[-1] == "closed" else kinds[1:]
    demand(all(kind in {"interrupted", "resumed"} for kind in middle), "no story of one use")
    for before, after in pairwise(provided):
        demand(before["batch"] <= after["batch"] and before["number"] < after["number"], "out of order")
    demand(len({document["record"]["use"] for document in shown}) == 1, "several uses")


def prove(document: Any, deal: Deal, entries: Mapping[int, Any], filing: int) -> bool:
    """Lead a record to its batch; says whether it is the provider's."""
    record, part = document["record"], document["part"]
    about = record["contract"], record["consumer"], record["product"], part["contract"]
    demand(about == (deal.id, deal.consumer, deal.product, deal.id), "a record of another contract")
    commitment = sha256(b"entrepot/record/v1\n", bytes.fromhex(document["salt"]), bytes_of(record))
    demand(part["last"] - part["first"] + 1 == part["count"], "a part that counts wrongly")
    inner = climb(commitment, document["number"] - part["first"], part["count"], unhex(document["inner"]))
    demand("sha256:" + inner.hex() == part["root"], "a record not in its part")
    outer = climb(bytes_of(part), document["place"], document["width"], unhex(document["outer"]))
    demand(document["batch"] in entries and document["batch"] > filing, "no batch after the filing")
    batch = entries[document["batch"]]["entry"]
    demand(batch["op"] == "usage.batch", "no batch")
    demand(batch["body"]["root"] == "sha256:" + outer.hex(), "a part not in its batch")
    provided = record["kind"] != "receipt"
    demand(batch["actor"] == (deal.provider if provided else deal.consumer), "a record by the wrong side")
    return provided


def step_receipt(document: Any, shown: list[Any], deal: Deal, tale: Replay) -> str:
    records = [each["record"] for each in shown]
    provided = [each for each in records if each["kind"] != "receipt"]
    received = [each for each in records if each["kind"] == "receipt"]
    if document is None:
        demand(not received and all(each["receipt"] is None for each in records), "a receipt is missing")
        return "no receipt"
    receipt, signature = document["receipt"], bytes.fromhex(document["signature"])
    public = tale.ever.get(receipt["key"])
    if public is None or receipt["key"].split("#")[0] != deal.consumer:
        raise No("a receipt under a key that is not the consumer's")
    check_signature(public, b"entrepot/receipt/v1\n" + bytes_of(receipt), signature)
    about = receipt["use"], receipt["contract"], receipt["consumer"]
    demand(about == (records[0]["use"], deal.id, deal.consumer), "a receipt of another use")
    name = digest(bytes_of(receipt) + signature)
    demand(all(each["receipt"] in {None, name} for each in provided), "another receipt is named")
    demand(all(each["receipt"] == name for each in received), "another receipt was anchored")
    told = [(each["artefact"], each["size"]) for each in provided if each["artefact"] is not None][-1:]
    told += [(each["artefact"], each["size"]) for each in received]
    same = all(each == (receipt["artefact"], receipt["bytes"]) for each in told)
    return "agreed" if told and same else "differs"


def step_nothing_else(entries: Mapping[int, Any], shown: list[Any], deal: Deal) -> None:
    batches = {document["batch"] for document in shown}
    related = deal.parties | {each["entry"]["actor"] for each in entries.values()}
    for number, document in entries.items():
        entry = document["entry"]
        demand(entry["op"] != "usage.batch" or number in batches, "a batch that has no part in this")
        demand("did" not in entry["body"] or entry["body"]["did"] in related, "an entry about a stranger")


def object_to(
    shown: list[Any], deal: Deal, tale: Replay, times: Mapping[int, int | None], receipt: str
) -> list[str]:
    provided = [each for each in shown if each["record"]["kind"] != "receipt"]
    opened, first = provided[0]["record"]["at"], provided[0]["batch"]
    clock = [each["record"]["at"] for each in provided]
    seen = times[first]
    before = [number for number in tale.ends if number < first]
    said = []
    if tale.one_sided:
        said.append("The contract was filed by one side alone, as it says.")
    if opened < deal.begins or (deal.ends and opened >= deal.ends):
        said.append("The use was opened outside the time that the contract allows.")
    if seen is not None and deal.ends and opened < deal.ends < as_time(seen):
        said.append("That the use began before the contract's end is the provider's word alone.")
    if before:
        listed = ", ".join(map(str, before))
        said.append(f"The use came on the ledger after it had been ended there, by entries [{listed}].")
    if any(later < earlier for earlier, later in pairwise(clock)):
        said.append("The provider's times run backwards.")
    for document in shown:
        time = times[document["batch"]]
        if time is not None and document["record"]["at"] > as_time(time + 60):
            said.append("A record claims a time after the witnesses had seen it.")
            break
    if receipt == "differs":
        said.append("Provider and consumer differ on what was delivered.")
    return said
