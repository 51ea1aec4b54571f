"""What the vectors tell: true stories, disputed ones, and lies, each with what must be said of it."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import msgspec

from entrepot.contracts import Signatory, Signature, seal_envelope
from entrepot.ledger import EndReason, MemberAdmit, RecordKind, Role, UsageBatch, render_note_key
from entrepot.oversight import write_policy
from entrepot.oversight.evidence import manifest, write_evidence

Files = dict[str, bytes]
REFUSED = "refused"
VERIFIED = "verified"
DISPUTED = "verified with objections"
BARE = "consistent, not trusted"


@dataclass(frozen=True)
class Case:
    """A package, the policy it is judged by, and the verdict it deserves."""

    name: str
    about: str
    files: Files
    policy: str | None
    verdict: str


def cases(story: ModuleType, forgeries: ModuleType) -> Iterator[Case]:
    """All vectors, good ones first."""
    street = story.Street
    yield from _good(street)
    yield from _disputed(street)
    yield from _policies(street, forgeries)
    yield from _changed(street, forgeries)
    yield from _lies(street, forgeries)
    yield from _contracts(street)
    yield from _bytes(street, forgeries)


def _whole(street: Any) -> Any:
    usual = street.usual(receipt=street.signed_receipt())
    usual.heads = street.heads
    return usual


def _good(street: Any) -> Iterator[Case]:
    def good(name: str, about: str, story: Any) -> Case:
        return Case(name, about, story.files(), street.policy, VERIFIED)

    yield good("whole", "two records of the provider, a receipt that the consumer anchored", _whole(street))
    yield good("no-receipt", "the consumer gave no receipt", street.usual())
    unanchored = street.usual(receipt=street.signed_receipt(), anchored=False)
    yield good("receipt-not-anchored", "a receipt that is in no batch of the consumer", unanchored)
    yield good("still-open", "only the opening is on the ledger yet", _with(street, [street.opened]))
    middle = [
        street.record(kind, 1) for kind in (RecordKind.RESUMED, RecordKind.INTERRUPTED, RecordKind.RESUMED)
    ]
    yield good(
        "interrupted",
        "a use that broke off and went on",
        _with(street, [street.opened, *middle, street.closed]),
    )
    yield good("one-by-one", "a batch of one part and one record: empty paths", _lone(street))
    computed = [
        msgspec.structs.replace(street.opened, environment="process"),
        msgspec.structs.replace(street.closed, environment="process"),
    ]
    yield good("computed", "a computation, which names its environment", _with(street, computed))

    after, rotation = street.rotate(street.provider)
    rotated = street.usual()
    first = street.Written([street.opened], by=after)
    second = street.Written([street.closed], by=after, number=2, previous=first.root, first=20)
    rotated.steps[-2:] = [rotation, first, second]
    yield good("keys-changed-before", "the provider changed its keys, and signs with the new ones", rotated)
    later, change = street.rotate(street.consumer)
    receipt = street.signed_receipt()
    replaced = street.usual(receipt=receipt)
    replaced.steps[-1:] = [change, street.Written([street.record_of(receipt)], by=later)]
    yield good(
        "receipt-under-an-older-key", "the receipt was signed with a key that was replaced since", replaced
    )

    for name, about, step in (
        ("ended-after", "the contract was ended after the use", street.end()),
        (
            "stopped-after",
            "a regulator stopped the contract after the use",
            street.end(street.observer, EndReason.ORDER),
        ),
        (
            "revoked-after",
            "the consumer was revoked after the use",
            street.revoke(street.consumer, street.observer),
        ),
    ):
        story = street.usual()
        story.steps.append(step)
        yield good(name, about, story)
    yield good("within-a-minute", "the provider's clock is a minute ahead", _seen(street, 12, minute=1))
    story = street.usual()
    later = UsageBatch(3, story.steps[-1].root, "sha256:" + "00" * 32)
    story.steps.append(street.provider.does("usage.batch", later))
    yield good("later-batch", "a later batch of the provider stays on the log, and is not shown", story)
    yield Case("whole-without-policy", "nobody is trusted", _whole(street).files(), None, BARE)


def _disputed(street: Any) -> Iterator[Case]:
    def disputed(name: str, about: str, story: Any) -> Case:
        return Case(name, about, story.files(), street.policy, DISPUTED)

    raw = street.envelope([(Signatory.PROVIDER, street.provider)])
    alone = street.usual()
    alone.envelope, alone.steps[4] = raw, street.file(raw, by=street.provider, one_sided=True)
    yield disputed("one-sided", "filed by the provider alone, as it says", alone)

    for name, about, at in (
        ("too-early", "opened a microsecond before the contract was in force", "2026-11-25T07:59:59.999999Z"),
        ("expired", "opened when the contract had ended by its terms", "2026-12-31T00:00:00.000000Z"),
    ):
        opened = street.record(RecordKind.OPENED, 1, at=at)
        closed = msgspec.structs.replace(street.closed, at=at)
        yield disputed(name, about, _with(street, [opened, closed]))
    backwards = [street.record(RecordKind.OPENED, 3), street.closed]
    yield disputed("backwards", "closed a minute before it was opened", _with(street, backwards))
    yield disputed("from-the-future", "closed 61 seconds after it was seen", _seen(street, 12, second=59))

    for name, about, step in (
        ("ended-before", "a party had ended the contract", street.end()),
        (
            "stopped-before",
            "a regulator had stopped the contract",
            street.end(street.observer, EndReason.ORDER),
        ),
        ("revoked-before", "the consumer had been revoked", street.revoke(street.consumer)),
    ):
        story = street.usual()
        story.steps.insert(6, step)
        yield disputed(name, about, story)

    terms = street.agreement(ends=datetime(2026, 11, 25, 12, 1, 30, tzinfo=UTC))
    late, in_time = _whole(street), _seen(street, 12, minute=1, second=29)
    for story in (late, in_time):
        story.envelope = street.envelope(terms=terms)
        story.steps[4] = street.file(story.envelope)
    yield disputed("shown-too-late", "begun in time by the provider's word, shown after the end", late)
    yield Case(
        "shown-in-time", "as before, but witnessed before the end", in_time.files(), street.policy, VERIFIED
    )
    yield Case("shown-too-late-without-policy", "no witness, no time", late.files(), None, BARE)

    for name, change in (("bytes", {"bytes": 7}), ("artefact", {"artefact": "sha256:" + "00" * 32})):
        other = street.signed_receipt(msgspec.structs.replace(street.receipt, **change))
        yield disputed(
            f"other-{name}", f"the receipt names other {name}", street.usual(receipt=other, anchored=False)
        )
    nothing = [
        msgspec.structs.replace(street.opened, artefact=None, size=None),
        msgspec.structs.replace(street.closed, artefact=None, size=None),
    ]
    told = _with(street, nothing)
    told.receipt = street.signed_receipt()
    yield disputed("nothing-delivered", "a receipt of a use of which the provider names no artefact", told)


def _policies(street: Any, forgeries: ModuleType) -> Iterator[Case]:
    files = _whole(street).files()
    log, one, two = map(render_note_key, (street.log_key, *street.witness_keys))
    third = render_note_key(replace(street.witness_keys[0], name="third", raw=street.Key("third").raw))
    base = f"# whom we trust\n\nlog {log} https://ledger.example\nwitness a {one}\n\twitness b  {two}\n"
    base += f"witness c {third}\n"
    told = {
        "all": ("group g all a b\nquorum g\n", VERIFIED),
        "two-of-three": ("group g 2 a b c\nquorum g\n", VERIFIED),
        "nested": ("group x any a c\ngroup g all x b\nquorum g\n", VERIFIED),
        "one": ("quorum a", VERIFIED),
        "missing-one": ("quorum c", REFUSED),
        "missing-of-all": ("group g all a b c\nquorum g", REFUSED),
        "missing-inside": ("group x all a c\ngroup g all x b\nquorum g", REFUSED),
    }
    for name, (tail, verdict) in told.items():
        yield Case(f"policy-{name}", f"asks for: {' '.join(tail.split())}", files, base + tail, verdict)
    head = f"log {log}\nwitness a {one}\nwitness b {two}\n"
    for place, tail in enumerate(forgeries.TAILS, 1):
        text = head + tail.format(log=log, one=one, two=two)
        yield Case(f"policy-no-{place}", f"no policy ends so: {tail!r}", files, text, REFUSED)
    vkeys = [one, two]
    other = ("did:web:operator.example#evidence-1", street.Key("somebody").raw.hex())
    for name, about, policy, verdict in (
        ("operator-unnamed", "no line names the operator", write_policy(log, vkeys, 2), VERIFIED),
        ("operator-other", "another operator's key", write_policy(log, vkeys, 2, other), REFUSED),
        (
            "stranger-cosigns",
            "a cosignature of nobody whom it names",
            f"log {log}\nwitness a {one}\nquorum a\n",
            REFUSED,
        ),
        (
            "other-log",
            "the key of another log",
            head.replace(log, third.replace("+BA", "+AQ")) + "quorum a\n",
            REFUSED,
        ),
    ):
        yield Case(f"policy-{name}", about, files, policy, verdict)


def _changed(street: Any, forgeries: ModuleType) -> Iterator[Case]:
    whole = _whole(street).files()

    def broken(name: str, about: str, files: Files) -> Case:
        return Case(name, about, files, street.policy, REFUSED)

    for name in sorted(whole):
        rest = {other: raw for other, raw in whole.items() if other != name}
        slug = name.replace(".", "-")
        at = len(whole[name]) // 2
        flipped = whole[name][:at] + bytes([whole[name][at] ^ 1]) + whole[name][at + 1 :]
        yield broken(f"byte-{slug}", f"one bit of {name} is another", whole | {name: flipped})
        remake = dict if name == "manifest.json" else forgeries.remake
        yield broken(f"lost-{slug}", f"{name} is not there, and not in the manifest", remake(rest))
        yield broken(f"renamed-{slug}", f"{name} has another name", remake(rest | {f"x{name}": whole[name]}))
    for extra in ("verify.py", "record-0004.json", "entry-2.json", "record-1.json", "../x", "x"):
        files = forgeries.remake(whole | {extra: whole["receipt.json"]})
        yield broken(f"added-{extra.replace('/', '-').replace('.', '-')}", f"there is a file {extra}", files)
    for name, (file, edit) in forgeries.FORGERIES.items():
        files = forgeries.change(whole, file, edit)
        files = whole | {file: b'{"files":{}}'} if file == "manifest.json" else files
        yield broken(
            f"forged-{name.replace(' ', '-')}", f"{name}, in {file}, with a manifest that agrees", files
        )
    other = json.loads(whole["entry-9.json"])
    for name, edit in forgeries.SIGHTINGS.items():
        files = forgeries.change(whole, "entry-1.json", lambda e, edit=edit: edit(e["seen"], other))
        yield broken(f"seen-{name.replace(' ', '-')}", f"entry 1 is shown as seen {name}", files)
    for place, edit in enumerate(forgeries.NOTES, 1):
        files = forgeries.remake(whole | {"checkpoint.txt": edit(whole["checkpoint.txt"])})
        yield broken(f"checkpoint-{place}", "a line of the checkpoint is more, less or elsewhere", files)
    for name, raw in {
        "empty": b"",
        "no-text": b"\xff\xfe",
        "deep": b"[" * 5000,
        "twice": b'{"a":1,"a":1}',
        "surrogate": b'"\\ud800"',
        "spaced": whole["receipt.json"].replace(b":", b": ", 1),
        "escaped": whole["receipt.json"].replace(b"did", b"\\u0064id", 1),
        "marked": b"\xef\xbb\xbf" + whole["receipt.json"],
        "fraction": whole["receipt.json"].replace(b'"bytes":8', b'"bytes":8.0'),
        "true": whole["receipt.json"].replace(b'"v":1', b'"v":true'),
    }.items():
        files = forgeries.remake(whole | {"receipt.json": raw})
        yield broken(f"json-{name}", f"receipt.json is {name}, with a manifest that agrees", files)
    for name, raw in {
        "other": whole["contract.txt"].replace(b"A sha256:", b"B sha256:"),
        "escape": whole["contract.txt"] + b"\x1b[2J\n",
        "endless": whole["contract.txt"][:-1],
        "no-text": b"\xff" + whole["contract.txt"],
    }.items():
        yield broken(
            f"text-{name}",
            "contract.txt is no text of this contract",
            forgeries.remake(whole | {"contract.txt": raw}),
        )
    kinder = whole["contract.txt"].replace(b"2026-12-31", b"2036-12-31")
    files = forgeries.remake(whole | {"contract.txt": kinder})
    about = "contract.txt says something else than was signed; a verifier of one file cannot tell"
    yield Case("text-reworded", about, files, street.policy, VERIFIED)


def _lies(street: Any, forgeries: ModuleType) -> Iterator[Case]:
    def lie(name: str, about: str, story: Any) -> Case:
        story.lawful = False
        return Case(name, about, story.files(), street.policy, REFUSED)

    def inserted(step: bytes) -> Any:
        story = street.usual()
        story.steps.insert(6, step)
        return story

    yield lie(
        "lie-revoked-provider",
        "a batch of a provider that was revoked",
        inserted(street.revoke(street.provider)),
    )
    yield lie("lie-stranger-ends", "a stranger ends the contract", inserted(street.end(street.others)))
    order = street.end(street.provider, EndReason.ORDER)
    yield lie("lie-party-orders", "a party gives a supervisor's order", inserted(order))
    yield lie(
        "lie-member-revokes",
        "a member revokes another",
        inserted(street.revoke(street.consumer, street.provider)),
    )
    yield lie(
        "lie-filed-twice", "the contract is filed twice", inserted(street.file(street.usual().envelope))
    )
    yield lie("lie-admitted-twice", "a member is admitted twice", inserted(street.admit(street.provider)))
    skipped = street.rotate(replace(street.provider, epoch=2))[1]
    yield lie("lie-epoch-left-out", "an epoch of keys is left out", inserted(skipped))
    yield lie(
        "lie-operator-revoked",
        "the operator is revoked",
        inserted(street.revoke(street.operator, street.observer)),
    )

    _after, rotation = street.rotate(street.provider)
    stale = street.usual()
    stale.steps.insert(6, rotation)
    yield lie("lie-old-key", "a batch under a key that was replaced before", stale)
    regulator = street.usual()
    regulator.steps[4] = street.file(regulator.envelope, by=street.observer)
    yield lie("lie-regulator-files", "a regulator files a contract of others", regulator)
    early = street.usual()
    early.steps.append(early.steps.pop(4))
    yield lie("lie-filed-afterwards", "the contract was filed after the use", early)
    admitted = street.usual()
    body = MemberAdmit("91350211M000100Y43", street.consumer.did, 1, (street.consumer.offer,), Role.CONNECTOR)
    admitted.steps[3] = street.others.does("member.admit", body)
    yield lie("lie-member-admits", "a member lets another in", admitted)
    offer = street.consumer.offer
    for name, keys in {
        "key-of-another": (street.others.offer,),
        "key-of-another-besides": (offer, street.others.offer),
        "no-key": (),
        "key-twice": (offer, offer),
        "key-id-twice": (offer, msgspec.structs.replace(street.others.offer, id=offer.id)),
    }.items():
        foreign = street.usual()
        foreign.steps[3] = street.operator.does("member.admit", msgspec.structs.replace(body, keys=keys))
        yield lie(f"lie-{name}", f"a member is admitted with {name.replace('-', ' ')}", foreign)
    yield from _operators(street, lie)
    for name, fields in {
        "digest": {"digest": "sha256:" + "00" * 32},
        "parties": {"parties": ("did:web:provider.example", "did:web:others.example")},
        "contract": {"contract": "8" * 46 + "A"},
    }.items():
        story = street.usual()
        story.steps[4] = street.file(story.envelope, **fields)
        yield lie(f"lie-filed-other-{name}", f"another {name} was filed", story)
    for name, signers in forgeries.SIGNERS.items():
        story = street.usual()
        raw = street.envelope(
            [(role, getattr(street, who)) for role, who, _ in signers], signed=signers[0][2]
        )
        story.envelope, story.steps[4] = raw, street.file(raw)
        yield lie(f"lie-{name.replace(' ', '-')}", f"{name}, under the contract", story)
    yield from _false_records(street, lie)
    yield from _false_receipts(street, lie)


def _false_records(street: Any, lie: Any) -> Iterator[Case]:
    for name, edit in {
        "use": {"use": "urn:uuid:other"},
        "contract": {"contract": "8" * 46 + "A"},
        "product": {"product": "urn:uuid:other"},
        "consumer": {"consumer": "did:web:others.example"},
        "opening": {"kind": RecordKind.OPENED},
        "receipt": {"kind": RecordKind.RECEIPT},
    }.items():
        story = street.usual()
        story.steps[-1] = replace(story.steps[-1], records=[msgspec.structs.replace(street.closed, **edit)])
        yield lie(f"lie-record-other-{name}", f"the second record is of another use: {name}", story)
    closed_first = _with(street, [street.closed, street.opened])
    yield lie("lie-closed-first", "closed before it was opened", closed_first)
    twice = _with(street, [street.opened, street.closed, street.closed])
    yield lie("lie-closed-twice", "closed twice", twice)
    wrong_order = street.usual()
    wrong_order.steps[-1] = replace(wrong_order.steps[-1], first=1)
    yield lie("lie-numbers-go-down", "the second record has the smaller number", wrong_order)
    other_side = street.usual()
    first, second = other_side.steps[-2:]
    other_side.steps[-2:] = [first, replace(second, by=street.consumer, number=1, previous=None)]
    yield lie("lie-written-by-consumer", "the closing is in a batch of the consumer", other_side)


def _false_receipts(street: Any, lie: Any) -> Iterator[Case]:
    change = msgspec.structs.replace
    by_provider = change(street.receipt, consumer=street.provider.did, key=street.provider.key_id)
    for name, raw in {
        "signed-by-provider": street.signed_receipt(by=street.provider),
        "of-another-use": street.signed_receipt(change(street.receipt, use="urn:uuid:other")),
        "of-another-contract": street.signed_receipt(change(street.receipt, contract="8" * 46 + "A")),
        "under-an-unbound-key": street.signed_receipt(
            change(street.receipt, key=f"{street.consumer.did}#evidence-9")
        ),
        "of-the-provider": street.signed_receipt(by_provider, by=street.provider),
    }.items():
        about = f"the receipt is {name.replace('-', ' ')}"
        yield lie(f"lie-receipt-{name}", about, street.usual(receipt=raw, anchored=False))
    yield from _signed_otherwise(street)
    second = street.usual(receipt=street.signed_receipt())
    second.receipt = street.signed_receipt(change(street.receipt, at="2026-11-25T12:01:31.000000Z"))
    yield lie("lie-second-receipt", "another receipt than the one that was anchored", second)
    missing = street.usual(receipt=street.signed_receipt())
    missing.receipt = None
    yield lie("lie-receipt-kept-back", "the receipt that was anchored is not shown", missing)


def _with(street: Any, records: list[Any]) -> Any:
    """The usual story with all records of the use in one batch."""
    story = street.usual()
    story.steps[-2:] = [street.Written(records)]
    return story


def _lone(street: Any) -> Any:
    """A batch that holds nothing but the opening."""
    story = street.usual()
    story.steps[-2:] = [street.Written([street.opened], neighbours=0, alone=True)]
    return story


def _seen(street: Any, size: int, **time: int) -> Any:
    """The whole story, with the witnesses' heads of `size` at another minute after noon."""
    story = _whole(street)
    at = datetime(2026, 11, 25, 12, tzinfo=UTC).replace(**time)
    story.heads = sorted({**dict(story.heads), size: at}.items())
    return story


def _signed_otherwise(street: Any) -> Iterator[Case]:
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
        signature = street.consumer.key.sign(b"entrepot/receipt/v1\n" + _canonical(receipt))
        raw = _canonical({"receipt": receipt, "signature": signature.hex()})
        shown = _remade(files | {"receipt.json": raw})
        yield Case(
            f"form-receipt-{name}", f"a receipt {name.replace('-', ' ')}", shown, street.policy, REFUSED
        )
    shown = _remade(files | {"receipt.json": _canonical([true])})
    yield Case("form-receipt-in-a-list", "receipt.json is a list", shown, street.policy, REFUSED)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _remade(files: Files) -> Files:
    return files | {"manifest.json": manifest(files)}


def _contracts(street: Any) -> Iterator[Case]:
    """Contracts that the product would not write, filed and signed all the same."""
    signatories = {"01": street.provider, "02": street.consumer, "03": street.others}

    def contract(edit: dict[str, Any], roles: str = "12", signed: str | None = None, **filed: Any) -> Any:
        story = street.usual()
        payload = json.loads(base64.b64decode(json.loads(story.envelope)["payload"]))
        payload = {name: value for name, value in (payload | edit).items() if value is not ...}
        raw, parties = (
            _canonical(payload),
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


def _written(story: Any) -> Files:
    """A package around an envelope that the product cannot read: a text of one line, and what was signed."""
    gathered, envelope = story.gathered(), story.envelope
    files = write_evidence(**gathered | {"envelope": type(story)([]).envelope})
    payload = base64.b64decode(json.loads(envelope)["payload"])
    first = f"{json.loads(payload)['contractId']} sha256:{hashlib.sha256(payload).hexdigest()}\n"
    return _remade(files | {"contract.json": envelope, "contract.txt": first.encode()})


class _Weak:
    """A key of small order: one signature for whatever is said."""

    raw = b"\x01" + bytes(31)

    def sign(self, data: bytes) -> bytes:
        del data
        return self.raw + bytes(32)


def _bytes(street: Any, forgeries: ModuleType) -> Iterator[Case]:
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
    files = _whole(street).files()
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


def _operators(street: Any, lie: Any) -> Iterator[Case]:
    """The operator changes its own keys: epoch by epoch where the policy names it, freely where not."""
    unnamed = "\n".join(line for line in street.policy.split("\n") if not line.startswith("operator"))
    for name, before in (("next", street.operator), ("jump", replace(street.operator, epoch=2))):
        after, rotation = street.rotate(before)
        rotation = street.operator.does("member.keys", json.loads(rotation[:-64])["body"])
        story = street.usual()
        story.steps[4:5] = [rotation, street.file(story.envelope, by=after)]
        story.lawful = False
        case = lie(f"operator-{name}-key", "the operator files with its next keys", story)
        verdict = VERIFIED if name == "next" else REFUSED
        yield replace(case, verdict=verdict)
        yield replace(case, name=f"{case.name}-unnamed", policy=unnamed, verdict=VERIFIED)
        yield replace(case, name=f"{case.name}-without-policy", policy=None, verdict=BARE)
    for name, step in (
        ("again", street.admit(street.consumer)),
        (
            "keys",
            street.operator.does("member.keys", json.loads(street.rotate(street.consumer)[1][:-64])["body"]),
        ),
    ):
        story = street.usual()
        story.steps[4:4] = [street.revoke(street.consumer), step]
        yield lie(f"lie-revoked-{name}", "a member that was revoked comes back", story)
