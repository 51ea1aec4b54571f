"""Forms: what is signed well, and written otherwise than the page says or than the product would."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

from evidence_cases import DISPUTED, REFUSED, VERIFIED, Case, Files, canonical, remade, whole_story

from entrepot.contracts import Signatory, Signature, seal_envelope
from entrepot.ledger import render_note_key
from entrepot.oversight.evidence import write_evidence


def forms(story: ModuleType, forgeries: ModuleType) -> Iterator[Case]:
    """The vectors of forms."""
    yield from receipts(story.Street)
    yield from contracts(story.Street)
    yield from signatures(story.Street, forgeries)
    yield from capitals(story.Street)


def receipts(street: Any) -> Iterator[Case]:
    """Receipts that are signed well, and are not in the form: only the form is against them."""
    files = street.usual(receipt=street.signed_receipt(), anchored=False).files()
    true = json.loads(files["receipt.json"])["receipt"]
    without = {name: value for name, value in true.items() if name != "at"}
    for name, receipt in {
        "of-version-2": true | {"v": 2},
        "of-version-true": true | {"v": True},
        "with-a-field-more": true | {"note": "x"},
        "with-a-field-less": without,
        "with-a-count-below-nothing": true | {"bytes": -1},
        "with-a-count-too-large": true | {"bytes": 2**53},
        "with-a-count-as-text": true | {"bytes": "8"},
        "with-a-count-that-is-true": true | {"bytes": True},
        "with-a-time-without-fraction": true | {"at": "2026-11-25T12:01:30Z"},
        "with-a-time-and-a-line": true | {"at": "2026-11-25T12:01:30.000000Z\n"},
        "with-other-digits": true | {"at": "２026-11-25T12:01:30.000000Z"},
        "with-a-digest-in-capitals": true | {"artefact": "sha256:" + "AB" * 32},
        "with-nothing-for-a-digest": true | {"artefact": None},
        "with-a-list-for-a-text": true | {"use": [true["use"]]},
    }.items():
        signature = street.consumer.key.sign(b"entrepot/receipt/v1\n" + canonical(receipt))
        raw = canonical({"receipt": receipt, "signature": signature.hex()})
        shown = remade(files | {"receipt.json": raw})
        yield Case(
            f"form-receipt-{name}", f"a receipt {name.replace('-', ' ')}", shown, street.policy, REFUSED
        )
    shown = remade(files | {"receipt.json": canonical([true])})
    yield Case("form-receipt-in-a-list", "receipt.json is a list", shown, street.policy, REFUSED)


def contracts(street: Any) -> Iterator[Case]:
    """Contracts that the product would not write, filed and signed all the same."""
    signatories = {"01": street.provider, "02": street.consumer, "03": street.others}

    def contract(edit: dict[str, Any], roles: str = "12", signed: str | None = None, **filed: Any) -> Any:
        story = street.usual()
        payload = json.loads(base64.b64decode(json.loads(story.envelope)["payload"]))
        payload = {name: value for name, value in (payload | edit).items() if value is not ...}
        raw, parties = (
            canonical(payload),
            [(f"0{role}", signatories[f"0{role}"]) for role in (roles if signed is None else signed)],
        )
        said = b"entrepot/contract/v1\n" + raw
        signatures = [Signature.of(a.key_id, r, a.key.sign(said)) for r, a in parties]
        story.envelope = seal_envelope(raw, signatures)
        dids = tuple(dict.fromkeys(signatories[f"0{role}"].did for role in roles))
        story.steps[4] = street.file(story.envelope, **{"parties": dids} | filed)
        story.lawful = False
        return story

    def of(*roles: str, **other: str) -> dict[str, Any]:
        dids = {role: actor.did for role, actor in signatories.items()} | other
        entities = [{"signatoryEntityId": dids[role], "signatorytype": role} for role in roles]
        return {"signatoryEntities": entities}

    three = of("01", "02", "03")
    told: list[tuple[str, str, Any, str]] = [
        ("with-service", "a service party signs as well", contract(three, "123"), VERIFIED),
        (
            "service-twice",
            "a signatory is named twice, the same",
            contract(of("01", "02", "03", "03"), "123"),
            VERIFIED,
        ),
        ("service-not-signed", "the service party did not sign", contract(three, "123", "12"), REFUSED),
        ("service-not-named", "somebody signs who is no signatory", contract({}, "12", "123"), REFUSED),
        (
            "service-not-filed",
            "the filing does not name the service party",
            contract(three, "12", "123"),
            REFUSED,
        ),
        (
            "service-one-sided",
            "the service party did not sign, as the filing says",
            contract(three, "123", "12", one_sided=True),
            DISPUTED,
        ),
        (
            "nobody-signed",
            "nobody signed, as the filing says",
            contract({}, "12", "", one_sided=True),
            REFUSED,
        ),
        ("signed-twice", "the provider signed twice", contract({}, "12", "112"), REFUSED),
        ("no-consumer", "nobody is the consumer", contract(of("01", "03"), "13"), REFUSED),
        (
            "two-providers",
            "two are the provider",
            contract(
                of("01", "02")
                | {
                    "signatoryEntities": [
                        *of("01", "02")["signatoryEntities"],
                        *of("01", **{"01": street.others.did})["signatoryEntities"],
                    ]
                }
            ),
            REFUSED,
        ),
        (
            "of-one",
            "the provider is the consumer",
            contract(of("01", "02", **{"02": street.provider.did}), "1"),
            REFUSED,
        ),
        (
            "role-04",
            "a signatory has a role that none has",
            contract(
                {
                    "signatoryEntities": [
                        *of("01", "02")["signatoryEntities"],
                        {"signatoryEntityId": street.others.did, "signatorytype": "04"},
                    ]
                }
            ),
            REFUSED,
        ),
        ("without-end", "no field says when it ends", contract({"endTime": ...}), REFUSED),
        ("for-ever", "it does not end", contract({"endTime": ""}), VERIFIED),
        ("end-of-day", "its end is no time", contract({"endTime": "2026-12-31"}), REFUSED),
        (
            "more-fields",
            "it says more, in words and numbers of its own",
            contract({"x": {"y": [1, "合约\u0007", None]}}),
            VERIFIED,
        ),
        ("deep", "it says something inside of 63", contract({"x": _nested(63)}), VERIFIED),
        ("too-deep", "it says something inside of 64", contract({"x": _nested(64)}), REFUSED),
        ("largest", "it says the largest number", contract({"x": [2**53 - 1, 1 - 2**53]}), VERIFIED),
        ("too-large", "it says a number that is too large", contract({"x": 2**53}), REFUSED),
        ("too-small", "it says a number that is too small", contract({"x": -(2**53)}), REFUSED),
        ("a-fraction", "it says a number that is no integer", contract({"x": 1.5}), REFUSED),
        (
            "no-number",
            "it says something that JSON has no number for",
            contract({"x": float("nan")}),
            REFUSED,
        ),
        (
            "other-product",
            "it is about another product",
            contract({"dataProductId": "urn:uuid:other"}),
            REFUSED,
        ),
    ]
    for name, about, story, verdict in told:
        yield Case(f"contract-{name}", about, _written(story), street.policy, verdict)


def _nested(times: int) -> list[Any]:
    return [_nested(times - 1)] if times > 1 else []


def _written(story: Any) -> Files:
    """A package around an envelope that the product cannot read: a text of one line, and what was signed."""
    gathered, envelope = story.gathered(), story.envelope
    files = write_evidence(**gathered | {"envelope": type(story)([]).envelope})
    payload = base64.b64decode(json.loads(envelope)["payload"])
    first = f"{json.loads(payload)['contractId']} sha256:{hashlib.sha256(payload).hexdigest()}\n"
    return remade(files | {"contract.json": envelope, "contract.txt": first.encode()})


class _Weak:
    """A key of small order: one signature for whatever is said."""

    raw = b"\x01" + bytes(31)

    def sign(self, data: bytes) -> bytes:
        del data
        return self.raw + bytes(32)


def signatures(street: Any, forgeries: ModuleType) -> Iterator[Case]:
    """Signatures, keys and texts in forms that mean the same to a careless reader."""
    weak = type("WeakActor", (street.Actor,), {"key": _Weak()})("others")
    story = street.usual()
    story.steps[3] = street.admit(replace(weak, name="consumer"))
    raw = street.envelope(
        [(Signatory.PROVIDER, street.provider), (Signatory.CONSUMER, replace(weak, name="consumer"))]
    )
    story.envelope, story.steps[4], story.lawful = raw, street.file(raw), False
    yield Case(
        "bytes-key-of-small-order", "the consumer's key signs anything", story.files(), street.policy, REFUSED
    )

    for name, at in (
        ("year-10000", 253_402_300_810),
        ("an-endless-year", 1 << 56),
        ("no-year", (1 << 64) - 1),
    ):
        story = street.usual()
        story.cosigned_at = at
        about = f"the witnesses cosigned in {name.replace('-', ' ')}"
        yield Case(f"bytes-cosigned-in-{name}", about, story.files(), street.policy, REFUSED)

    story = street.usual()
    while not _ends_in_nothing(story):
        story.cosigned_at += 1
    files = story.files()
    yield Case(
        "bytes-last-byte-zero", "a cosignature whose last byte is zero", files, street.policy, VERIFIED
    )
    lines = files["checkpoint.txt"].decode().split("\n")
    head, _, text = lines[5].rpartition(" ")
    short = base64.b64encode(base64.b64decode(text)[:-1]).decode()
    for name, about, changed in (
        ("short-signature", "that byte is left out", short),
        ("long-signature", "and one more", base64.b64encode(base64.b64decode(text) + b"\0").decode()),
        ("other-base64", "its base64 has another form", _stray(text)),
        ("no-padding", "its base64 has no padding", text.rstrip("=")),
    ):
        note = "\n".join([*lines[:5], f"{head} {changed}", *lines[6:]]).encode()
        broken = forgeries.remake(files | {"checkpoint.txt": note})
        yield Case(f"bytes-{name}", about, broken, street.policy, REFUSED)
    yield from _keys_of_policies(street)


def _ends_in_nothing(story: Any) -> bool:
    line = story.gathered()["checkpoint"].decode().split("\n")[5]
    return base64.b64decode(line.rpartition(" ")[2])[-1] == 0


def _stray(text: str) -> str:
    """The same bytes in base64 with a bit set that no byte has."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body, padding = text.rstrip("="), "=" * text.count("=")
    return body[:-1] + letters[letters.index(body[-1]) ^ 1] + padding


def _keys_of_policies(street: Any) -> Iterator[Case]:
    """Policies that convince, but for one key more that is in no form."""
    files = whole_story(street).files()
    log, one = map(render_note_key, (street.log_key, street.witness_keys[0]))
    two = render_note_key(street.witness_keys[1])
    key = street.Key("third").raw

    def vkey(name: str, raw: bytes, of: bytes | None = None) -> str:
        found = hashlib.sha256(f"{name}\n".encode() + (raw if of is None else of)).digest()[:4]
        return f"{name}+{found.hex()}+{base64.b64encode(raw).decode()}"

    for name, about, text, verdict in (
        ("good", "one witness more, in its form", vkey("n", b"\x04" + key), VERIFIED),
        ("of-a-log", "a witness with a log's kind of key", vkey("n", b"\x01" + key), REFUSED),
        ("unnamed", "a key without a name", vkey("", b"\x04" + key), REFUSED),
        ("long", "a key with a byte more", vkey("n", b"\x04" + key + b"\0"), REFUSED),
        ("short", "a key with a byte less", vkey("n", b"\x04" + key[:-1]), REFUSED),
        ("other-id", "a key with the id of another", vkey("n", b"\x04" + key, b"\x04" + key[::-1]), REFUSED),
        ("capitals", "an id in capitals", vkey("n", b"\x04" + key).replace("+", "+ABCDEF01", 1), REFUSED),
    ):
        policy = f"log {log}\nwitness a {one}\nwitness b {two}\nwitness c {text}\ngroup g 2 a b c\nquorum g\n"
        yield Case(f"policy-key-{name}", about, files, policy, verdict)


def capitals(street: Any) -> Iterator[Case]:
    """Hexadecimal in capitals is the same number, and another text."""
    files = whole_story(street).files()
    for name, path in {
        "entry-path": ("entry-1.json", "path", 0),
        "entry-signature": ("entry-1.json", "signature"),
        "seen-path": ("entry-1.json", "seen", "path", 0),
        "inner-path": ("record-0001.json", "inner", 0),
        "outer-path": ("record-0001.json", "outer", 0),
        "salt": ("record-0001.json", "salt"),
        "receipt-signature": ("receipt.json", "signature"),
    }.items():
        file, *places, last = path
        document = json.loads(files[file])
        holder = document
        for place in places:
            holder = holder[place]
        holder[last] = holder[last].upper()
        changed = remade(files | {file: canonical(document)})
        yield Case(
            f"capitals-{name}", f"{name.replace('-', ' ')} in capitals", changed, street.policy, REFUSED
        )
