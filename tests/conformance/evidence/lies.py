"""Lies that are signed: what a party, a stranger or a careless ledger might put in a package."""

import json
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import msgspec
from evidence_cases import BARE, DISPUTED, REFUSED, VERIFIED, Case, canonical, told_at_once

from entrepot.ledger import EndReason, MemberAdmit, RecordKind, Role, leaf_hash, outer_leaves
from entrepot.values import render_digest


def lies(street: Any, forgeries: ModuleType) -> Iterator[Case]:
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
        "65-keys": tuple(msgspec.structs.replace(offer, id=f"{offer.id}{n or ''}") for n in range(65)),
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
    yield from _of_consumers(street, lie)
    yield from _miscounted(street, lie)


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
    closed_first = told_at_once(street, [street.closed, street.opened])
    yield lie("lie-closed-first", "closed before it was opened", closed_first)
    twice = told_at_once(street, [street.opened, street.closed, street.closed])
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
    second = street.usual(receipt=street.signed_receipt())
    second.receipt = street.signed_receipt(change(street.receipt, at="2026-11-25T12:01:31.000000Z"))
    yield lie("lie-second-receipt", "another receipt than the one that was anchored", second)
    missing = street.usual(receipt=street.signed_receipt())
    missing.receipt = None
    yield lie("lie-receipt-kept-back", "the receipt that was anchored is not shown", missing)


def _of_consumers(street: Any, lie: Any) -> Iterator[Case]:
    """What a consumer may write of its receipt besides."""
    receipt = street.signed_receipt()
    mine = street.record_of(receipt)
    twice = street.usual(receipt=receipt)
    twice.steps[-1] = street.Written([mine, mine], by=street.consumer)
    yield lie("lie-received-twice", "the consumer has two records of one receipt", twice)
    other = street.usual(receipt=receipt)
    said = msgspec.structs.replace(mine, artefact="sha256:" + "00" * 32)
    other.steps[-1] = street.Written([said], by=street.consumer)
    case = lie("own-record-differs", "the consumer's receipt agrees, and its own record does not", other)
    yield replace(case, verdict=DISPUTED)
    unnamed = street.usual(receipt=receipt)
    unnamed.steps[-1] = street.Written([msgspec.structs.replace(mine, receipt=None)], by=street.consumer)
    yield lie("lie-receipt-not-named", "the consumer's record names no receipt", unnamed)


def _miscounted(street: Any, lie: Any) -> Iterator[Case]:
    """A part that says of itself what is not so, in a batch of that part alone."""

    class Written(street.Written):
        """A batch whose only part is changed before it is hashed."""

        def leaf(self) -> bytes:
            (leaf,) = outer_leaves(self.parts)
            return canonical(json.loads(leaf) | self.change)

        @property
        def root(self) -> str:
            return render_digest(leaf_hash(self.leaf()))

        def opened(self, entry: int) -> list[Any]:
            return [replace(o, proof=replace(o.proof, leaf=self.leaf())) for o in super().opened(entry)]

    for name, change in {
        "last": {"last": 99},
        "contract": {"contract": "8" * 46 + "A"},
        "root": {"root": "sha256:" + "00" * 32},
    }.items():
        story = street.usual()
        batch = Written([street.opened, street.closed], alone=True)
        batch.change = change
        story.steps[-2:] = [batch]
        yield lie(f"lie-part-{name}", f"the part of the contract has another {name}", story)
