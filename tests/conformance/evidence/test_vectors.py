"""Both verifiers, on every vector: those that are kept for ever, and those that the product makes today."""

import base64
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import EndReason
from entrepot.oversight import verify_evidence

second: Any = sys.modules["evidence_second_verifier"]
vectors: Any = sys.modules["evidence_make_vectors"]
forgeries: Any = sys.modules["evidence_forgeries"]

INDEX = json.loads((vectors.VECTORS / "index.json").read_text("utf-8"))
CONTENTS = {
    digest: content["text"].encode() if "text" in content else base64.b64decode(content["base64"])
    for digest, content in json.loads((vectors.VECTORS / "contents.json").read_text("utf-8")).items()
}
ALL = [pytest.param(vector, id=vector["name"]) for vector in INDEX]


def told_by_the_product(files: dict[str, bytes], policy: bytes | None) -> dict[str, Any]:
    report = verify_evidence(files, None if policy is None else policy.decode())
    if report.verdict == "refused":
        return {"verdict": report.verdict}
    return {
        "verdict": report.verdict,
        "objections": report.objections,
        "receipt": report.receipt,
        "there_by": {str(entry["entry"]): entry["there_by"] or None for entry in report.entries},
    }


def told_by_the_second(files: dict[str, bytes], policy: bytes | None) -> dict[str, Any]:
    found = second.judge(files, policy)
    if found.verdict == "refused":
        return {"verdict": found.verdict}
    return {
        "verdict": found.verdict,
        "objections": found.objections,
        "receipt": found.receipt,
        "there_by": {str(number): time for number, time in found.there_by.items()},
    }


def opened(vector: dict[str, Any]) -> tuple[dict[str, bytes], bytes | None, dict[str, Any]]:
    files = {name: CONTENTS[digest] for name, digest in vector["package"].items()}
    policy = None if vector["policy"] is None else CONTENTS[vector["policy"]]
    given = {"name", "about", "package", "policy"}
    return files, policy, {key: value for key, value in vector.items() if key not in given}


@pytest.mark.parametrize("vector", ALL)
def test_verify_says_of_each_vector_what_is_written_there(vector: dict[str, Any]) -> None:
    """A package that was good once is good for ever, and a broken one never becomes so."""
    files, policy, expected = opened(vector)
    assert told_by_the_product(files, policy) == expected


@pytest.mark.parametrize("vector", ALL)
def test_a_verifier_written_from_the_page_alone_says_the_same(vector: dict[str, Any]) -> None:
    """Issue 4, must show 7: else the page leaves something out, or the product does something else."""
    files, policy, expected = opened(vector)
    assert told_by_the_second(files, policy) == expected


def test_both_agree_on_what_this_version_makes() -> None:
    """The same cases, made now: what an exporter of today gives, a reader of the page can read."""
    for case in vectors.made():
        policy = None if case.policy is None else case.policy.encode()
        assert told_by_the_second(case.files, policy) == vectors.expected(case), case.name


def test_the_contents_are_what_their_digests_say() -> None:
    """A vector that somebody edited is none."""
    assert all(vectors.digest(raw) == digest for digest, raw in CONTENTS.items())
    assert len({vector["name"] for vector in INDEX}) == len(INDEX)


def test_every_verdict_and_every_objection_is_in_the_vectors() -> None:
    """A rule without a vector is one that another verifier may get wrong unseen."""
    from entrepot.oversight.statement import _OBJECTIONS

    said = {text for vector in INDEX for text in vector.get("objections", [])}
    assert {vector["verdict"] for vector in INDEX} == {
        "verified",
        "verified with objections",
        "consistent, not trusted",
        "refused",
    }
    assert all(any(text.startswith(known) for text in said) for known in _OBJECTIONS)


def parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document, as what holds it and where."""
    places = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for place in places:
        yield value, place
        yield from parts(value[place])


SCRAPS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**53,
    "",
    "0",
    "01",
    "03",
    "closed",
    "order",
    [],
    {},
    "\a",
    1.5,
]


def spoil(files: dict[str, bytes], data: st.DataObject) -> dict[str, bytes]:
    """A package with one to three places of its documents changed, and a manifest that agrees."""
    names = sorted(name for name in files if name.endswith(".json") and name != "manifest.json")
    documents = {name: json.loads(files[name]) for name in names}
    everything = [holder[place] for name in names for holder, place in parts(documents[name])]
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(names))
        holder, place = data.draw(st.sampled_from([(None, None), *parts(documents[name])]))
        match data.draw(st.sampled_from(["scrap", "other", "near", "gone", "double"])):
            case _ if holder is None:
                continue
            case "scrap":
                holder[place] = data.draw(st.sampled_from(SCRAPS))
            case "other":
                holder[place] = json.loads(json.dumps(data.draw(st.sampled_from(everything))))
            case "near" if isinstance(holder[place], int):
                holder[place] += data.draw(st.sampled_from([-1, 1]))
            case "double" if isinstance(holder, list):
                holder.insert(place, holder[place])
            case "gone":
                del holder[place]
    changed = {name: canonical(document) for name, document in documents.items()}
    return forgeries.remake(files | changed)


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(st.sampled_from([v for v in INDEX if v["verdict"] != "refused"]), st.data())
@settings(max_examples=120)
def test_both_agree_on_packages_that_nobody_thought_of(vector: dict[str, Any], data: st.DataObject) -> None:
    """Where the page is silent, two readers differ: whatever is changed, they say the same."""
    files, policy, _ = opened(vector)
    spoiled = spoil(files, data)
    assert told_by_the_second(spoiled, policy) == told_by_the_product(spoiled, policy)


def pool(street: Any) -> list[Any]:
    """Whatever somebody may have signed, lawful in one place and not in another."""
    after, rotation = street.rotate(street.provider)
    third, second_rotation = street.rotate(after)
    everybody = (street.provider, street.consumer, street.others, street.observer, street.operator, after)
    usual = street.usual()
    return [
        *map(street.admit, everybody),
        rotation,
        second_rotation,
        street.rotate(street.consumer)[1],
        street.rotate(street.operator)[1],
        *(street.revoke(who, by) for who in everybody for by in (street.operator, street.observer)),
        street.revoke(street.consumer, street.provider),
        *(street.end(by, reason) for by in everybody for reason in EndReason),
        *(street.file(usual.envelope, by=by, one_sided=alone) for by in everybody for alone in (False, True)),
        *(street.Written([street.opened, street.closed], by=by) for by in (street.provider, after, third)),
        street.Written([street.record_of(street.signed_receipt())], by=street.consumer),
    ]


@given(st.data())
@settings(max_examples=30)
def test_both_agree_on_any_order_of_signed_entries(street: Any, data: st.DataObject) -> None:
    """Who held which key, who was in force, what had ended: the same story told by both, lawful or not."""
    story = street.usual(receipt=data.draw(st.sampled_from([None, street.signed_receipt()])), anchored=False)
    story.lawful = False
    for step in data.draw(st.lists(st.sampled_from(pool(street)), max_size=4)):
        story.steps.insert(data.draw(st.integers(0, len(story.steps))), step)
    for _ in range(data.draw(st.integers(0, 2))):
        del story.steps[data.draw(st.integers(0, len(story.steps) - 1))]
    files = story.files()
    for policy in (street.policy, street.policy.replace("operator ", "# operator "), None):
        raw = None if policy is None else policy.encode()
        assert told_by_the_second(files, raw) == told_by_the_product(files, raw)
