"""What the vectors tell: true stories, disputed ones, and lies, each with what must be said of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import msgspec

from entrepot.contracts import Signatory
from entrepot.ledger import EndReason, RecordKind, UsageBatch, render_note_key
from entrepot.oversight import write_policy
from entrepot.oversight.evidence import manifest

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
    """The first half of the vectors, good ones first; `lies` and `forms` have the others."""
    street = story.Street
    yield from _good(street)
    yield from _disputed(street)
    yield from _policies(street, forgeries)
    yield from _changed(street, forgeries)


def whole_story(street: Any) -> Any:
    usual = street.usual(receipt=street.signed_receipt())
    usual.heads = street.heads
    return usual


def _good(street: Any) -> Iterator[Case]:
    def good(name: str, about: str, story: Any) -> Case:
        return Case(name, about, story.files(), street.policy, VERIFIED)

    yield good("whole", "two records of the provider, a receipt that is anchored", whole_story(street))
    yield good("no-receipt", "the consumer gave no receipt", street.usual())
    unanchored = street.usual(receipt=street.signed_receipt(), anchored=False)
    yield good("receipt-not-anchored", "a receipt that is in no batch of the consumer", unanchored)
    yield good("still-open", "only the opening is on the ledger yet", told_at_once(street, [street.opened]))
    middle = [
        street.record(kind, 1) for kind in (RecordKind.RESUMED, RecordKind.INTERRUPTED, RecordKind.RESUMED)
    ]
    yield good(
        "interrupted",
        "a use that broke off and went on",
        told_at_once(street, [street.opened, *middle, street.closed]),
    )
    yield good("one-by-one", "a batch of one part and one record: empty paths", _lone(street))
    computed = [
        msgspec.structs.replace(street.opened, environment="process"),
        msgspec.structs.replace(street.closed, environment="process"),
    ]
    yield good("computed", "a computation, which names its environment", told_at_once(street, computed))

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
    yield Case("whole-without-policy", "nobody is trusted", whole_story(street).files(), None, BARE)


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
        yield disputed(name, about, told_at_once(street, [opened, closed]))
    backwards = [street.record(RecordKind.OPENED, 3), street.closed]
    yield disputed("backwards", "closed a minute before it was opened", told_at_once(street, backwards))
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
    late, in_time = whole_story(street), _seen(street, 12, minute=1, second=29)
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
    told = told_at_once(street, nothing)
    told.receipt = street.signed_receipt()
    yield disputed("nothing-delivered", "a receipt of a use of which the provider names no artefact", told)


def _policies(street: Any, forgeries: ModuleType) -> Iterator[Case]:
    files = whole_story(street).files()
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
    whole = whole_story(street).files()

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
    rest = {name: raw for name, raw in whole.items() if name != "record-0003.json"}
    gap = forgeries.remake(rest | {"record-0005.json": whole["record-0003.json"]})
    yield broken("records-with-a-gap", "the records are numbered 1, 2 and 5", gap)
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


def told_at_once(street: Any, records: list[Any]) -> Any:
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
    story = whole_story(street)
    at = datetime(2026, 11, 25, 12, tzinfo=UTC).replace(**time)
    story.heads = sorted({**dict(story.heads), size: at}.items())
    return story


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def remade(files: Files) -> Files:
    return files | {"manifest.json": manifest(files)}
