"""What the verifier says of whole packages: true ones, disputed ones, and every lie we could think of."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from entrepot.contracts import Envelope, Signatory
from entrepot.ledger import (
    ContractLeaf,
    EndReason,
    Receipt,
    Record,
    RecordKind,
    Role,
    Transaction,
    Units,
    UsageBatch,
    render_note_key,
)
from entrepot.ledger.machine import OPERATIONS
from entrepot.oversight import (
    EVIDENCE_EXIT_CODES,
    EvidenceError,
    choose_entries,
    export_evidence,
    verify,
    verify_evidence,
    write_policy,
)

forgeries: Any = sys.modules["evidence_forgeries"]
change, remake = forgeries.change, forgeries.remake
FORGERIES, SIGHTINGS, NOTES, TAILS, SIGNERS = (
    forgeries.FORGERIES,
    forgeries.SIGHTINGS,
    forgeries.NOTES,
    forgeries.TAILS,
    forgeries.SIGNERS,
)

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def whole(street: Any) -> Files:
    """The usual package, with a receipt that the consumer anchored."""
    files: Files = street.usual(receipt=street.signed_receipt()).package()
    return files


def refuses(street: Any, files: Files, why: str) -> None:
    report = verify_evidence(files, street.policy)
    assert (report.verdict, EVIDENCE_EXIT_CODES[report.verdict]) == ("refused", 1)
    assert why in report.why


def objections(street: Any, story: Any) -> list[str]:
    report = verify_evidence(story.package(), street.policy)
    assert (report.verdict, EVIDENCE_EXIT_CODES[report.verdict]) == ("verified with objections", 4), report
    return report.objections


def test_a_true_package_is_verified(street: Any, whole: Files) -> None:
    """The main road: who did what, by whose word, seen by whom and when."""
    report = verify_evidence(whole, street.policy)

    assert (report.verdict, EVIDENCE_EXIT_CODES[report.verdict], report.objections) == ("verified", 0, [])
    assert [(w["by"], w["at"]) for w in report.witnessed] == [
        ("witness-0.example", "2026-11-25T13:00:00.000000Z"),
        ("witness-1.example", "2026-11-25T12:59:50.000000Z"),
    ]
    assert report.contract["provider"] == street.provider.did
    assert report.contract["consumer"] == street.consumer.did
    assert [(r["kind"], r["entry"]) for r in report.records] == [
        ("opened", 9),
        ("closed", 10),
        ("receipt", 12),
    ]
    assert report.receipt == "agreed"
    assert report.contract["terms"]["endTime"] == "2026-12-31T00:00:00.000000Z"


def test_without_a_policy_nothing_is_trusted(whole: Files) -> None:
    """A package proves nothing by itself: whoever made it could have made its log as well."""
    report = verify_evidence(whole, None)
    assert (report.verdict, EVIDENCE_EXIT_CODES[report.verdict], report.witnessed) == (
        "consistent, not trusted",
        3,
        [],
    )
    assert {entry["there_by"] for entry in report.entries} == {False}


def test_only_the_records_of_one_use_are_opened(street: Any, whole: Files) -> None:
    """A neighbour's use stays a commitment, and so do volumes of other contracts."""
    assert sum(name.startswith("record-") for name in whole) == 3
    assert street.others.did.encode() not in b"".join(whole.values())


def test_a_use_without_receipt_and_a_use_that_is_open_are_verified(street: Any) -> None:
    """Evidence of what there is, and it says what there is not."""
    open_use = street.usual()
    open_use.steps = open_use.steps[:-1]
    report = verify_evidence(open_use.package(), street.policy)

    assert (report.verdict, report.receipt) == ("verified", "no receipt")
    assert [record["kind"] for record in report.records] == ["opened"]
    unanchored = street.usual(receipt=street.signed_receipt(), anchored=False)
    assert verify_evidence(unanchored.package(), street.policy).receipt == "agreed"


def test_an_interrupted_use_is_told_to_its_end(street: Any) -> None:
    """A crash, a resumption: the records in between belong to the story."""
    story = street.usual()
    middle = [
        street.record(RecordKind.RESUMED, 1),
        street.record(RecordKind.INTERRUPTED, 1),
        street.record(RecordKind.RESUMED, 1),
    ]
    story.steps[-2] = first = street.Written([street.opened, *middle])
    story.steps[-1] = replace(story.steps[-1], previous=first.root)

    report = verify_evidence(story.package(), street.policy)
    assert report.verdict == "verified"
    assert len(report.records) == 5


@pytest.mark.parametrize("quorum", [1, 2])
def test_a_quorum_is_asked_for(street: Any, quorum: int) -> None:
    """One witness short is not witnessed."""
    story = street.usual()
    story.cosigners = 1
    policy = write_policy(
        render_note_key(street.log_key), [render_note_key(key) for key in street.witness_keys], quorum
    )
    report = verify_evidence(story.package(), policy)
    assert report.verdict == ("verified" if quorum == 1 else "refused")


def test_groups_of_witnesses_are_counted_as_c2sp_says(street: Any, whole: Files) -> None:
    """A policy may ask for some of one kind and some of another."""
    log, one, two = map(render_note_key, (street.log_key, *street.witness_keys))
    stranger = replace(street.witness_keys[0], name="stranger", raw=street.Key("stranger").raw)
    base = f"# whom we trust\nlog {log} https://ledger.example\nwitness a {one}\nwitness b {two}\n"
    base += f"witness c {render_note_key(stranger)}\n"

    def verdict(tail: str) -> str:
        return verify_evidence(whole, base + tail).verdict

    assert verdict("group g all a b\nquorum g\n") == "verified"
    assert verdict("group g 2 a b c\nquorum g\n") == "verified"
    assert verdict("group x any a c\ngroup g all x b\nquorum g\n") == "verified"
    assert verdict("quorum a") == "verified"
    for tail in ("quorum c", "group g all a b c\nquorum g", "group x all a c\ngroup g all x b\nquorum g"):
        assert verdict(tail) == "refused"


@pytest.mark.parametrize("tail", TAILS)
def test_a_policy_that_says_something_else_is_refused(street: Any, whole: Files, tail: str) -> None:
    """A policy read wrongly would trust wrongly; nobody, twice the same one, or no quorum is no policy."""
    log, one, two = map(render_note_key, (street.log_key, *street.witness_keys))
    text = f"log {log}\nwitness a {one}\nwitness b {two}\n" + tail.format(log=log, one=one, two=two)
    assert verify_evidence(whole, text).verdict == "refused"


def test_nobody_signs_a_checkpoint_whom_the_policy_does_not_name(street: Any, whole: Files) -> None:
    """A line that nobody can check could carry anything."""
    log, one = map(render_note_key, (street.log_key, street.witness_keys[0]))
    policy = f"log {log}\nwitness a {one}\nquorum a\n"
    report = verify_evidence(whole, policy)
    assert "whom the policy does not name" in report.why


def test_the_operator_named_in_the_policy_is_the_one_who_admits(street: Any, whole: Files) -> None:
    """Another's genesis is another ledger."""
    vkeys = [render_note_key(key) for key in street.witness_keys]
    other = ("did:web:operator.example#evidence-1", street.Key("somebody").raw.hex())
    policy = write_policy(render_note_key(street.log_key), vkeys, 2, other)
    assert verify_evidence(whole, policy).why == "a signature does not hold"
    silent = write_policy(render_note_key(street.log_key), vkeys, 2)
    assert verify_evidence(whole, silent).verdict == "verified"


def test_a_key_is_used_in_its_epoch_only(street: Any) -> None:
    """After a rotation the new key signs; one that was left behind proves nothing any more."""
    after, rotation = street.rotate(street.provider)
    story = street.usual(receipt=street.signed_receipt())
    first = street.Written([street.opened], by=after)
    second = street.Written([street.closed], by=after, number=2, previous=first.root, first=20)
    story.steps[-3:] = [rotation, first, second, story.steps[-1]]
    assert verify_evidence(story.package(), street.policy).verdict == "verified"

    story.steps[-3] = stale = street.Written([street.opened])
    story.steps[-2] = replace(second, previous=stale.root)
    story.lawful = False
    with pytest.raises(EvidenceError, match="not bound"):
        story.package()


def test_a_receipt_under_a_key_that_was_replaced_since_still_counts(street: Any) -> None:
    """What was signed in its time stays signed."""
    after, rotation = street.rotate(street.consumer)
    receipt = street.signed_receipt()
    story = street.usual(receipt=receipt)
    story.steps[-1:] = [rotation, street.Written([street.record_of(receipt)], by=after)]
    assert verify_evidence(story.package(), street.policy).receipt == "agreed"


@pytest.mark.parametrize("case", SIGNERS)
def test_a_contract_holds_with_both_signatures_only(street: Any, case: str) -> None:
    """What one side alone says was promised is no promise."""
    signers = [(role, getattr(street, name)) for role, name, _ in SIGNERS[case]]
    raw = street.envelope(signers, signed=SIGNERS[case][0][2])
    story = street.usual()
    story.envelope, story.steps[4] = raw, street.file(raw)
    with pytest.raises(EvidenceError):
        story.package()


def test_a_one_sided_filing_is_verified_with_an_objection(street: Any) -> None:
    """The counterparty cannot sign; the reader must know that it did not."""
    raw = street.envelope([(Signatory.PROVIDER, street.provider)])
    story = street.usual()
    story.envelope, story.steps[4] = raw, street.file(raw, by=street.provider, one_sided=True)
    assert objections(street, story) == ["The contract was filed by one side alone, as it says."]


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "sha256:" + "00" * 32},
        {"parties": ("did:web:provider.example", "did:web:others.example")},
        {"contract": "8" * 46 + "A"},
    ],
)
def test_the_contract_must_be_the_one_that_was_filed(street: Any, other: dict[str, Any]) -> None:
    """A contract that the ledger never saw could have been written yesterday."""
    story = street.usual()
    story.steps[4] = street.file(story.envelope, **other)
    with pytest.raises(EvidenceError):
        story.package()


def test_a_use_before_its_contract_was_filed_is_no_use_under_it(street: Any) -> None:
    """Uses first, contract later: the ledger's order tells."""
    story = street.usual()
    story.steps.append(story.steps.pop(4))
    with pytest.raises(EvidenceError, match="after the contract's filing"):
        story.package()


def test_what_is_shown_of_an_end_is_judged(street: Any) -> None:
    """An end before the use makes it a breach, which is what such evidence is for."""
    ended = street.usual()
    ended.steps.insert(6, street.end())
    later = street.usual()
    later.steps.append(street.end())
    stopped = street.usual()
    stopped.steps.insert(6, street.end(street.observer, EndReason.ORDER))

    (said,) = objections(street, ended)
    assert said.startswith("The use came on the ledger after it had been ended there, by entries [")
    assert objections(street, stopped)
    assert verify_evidence(later.package(), street.policy).verdict == "verified"


def test_what_is_shown_of_a_revocation_is_judged(street: Any) -> None:
    """A consumer shut out before the use, and one shut out after it."""
    before, after = street.usual(), street.usual()
    before.steps.insert(6, street.revoke(street.consumer))
    after.steps.append(street.revoke(street.consumer, street.observer))

    assert objections(street, before)
    assert verify_evidence(after.package(), street.policy).verdict == "verified"


def unlawful(street: Any, *steps: Any, at: int = 6) -> Any:
    story = street.usual()
    story.steps[at:at] = steps
    story.lawful = False
    return story


def test_what_the_ledger_would_never_take_is_refused(street: Any) -> None:
    """A log whose operator lets anything in must not be believed for being a log."""
    lies = {
        "a revoked provider's batch": unlawful(street, street.revoke(street.provider)),
        "a stranger ends the contract": unlawful(street, street.end(street.others)),
        "a party gives an order": unlawful(street, street.end(street.provider, EndReason.ORDER)),
        "a member revokes": unlawful(street, street.revoke(street.consumer, street.provider)),
        "a contract is filed twice": unlawful(street, street.file(street.usual().envelope)),
        "a member is admitted twice": unlawful(street, street.admit(street.provider)),
        "an epoch is left out": unlawful(street, street.rotate(replace(street.provider, epoch=2))[1]),
        "a regulator files": unlawful(street, at=5),
    }
    lies["a regulator files"].steps[4] = street.file(street.usual().envelope, by=street.observer)
    for story in lies.values():
        with pytest.raises(EvidenceError):
            story.package()


def test_nobody_but_the_operator_lets_members_in(street: Any) -> None:
    """Else a provider could make a consumer, with its keys and its receipts."""
    story = street.usual()
    operator_like = replace(street.others)
    story.steps[3] = operator_like.does(
        "member.admit",
        msgspec.structs.replace(_body_of_admission(street), did=street.consumer.did),
    )
    story.lawful = False
    with pytest.raises(EvidenceError):
        story.package()


def _body_of_admission(street: Any) -> Any:
    from entrepot.ledger import MemberAdmit

    return MemberAdmit("91350211M000100Y43", street.consumer.did, 1, (street.consumer.offer,), Role.CONNECTOR)


def test_a_consumer_s_word_is_set_beside_the_provider_s(street: Any) -> None:
    """Both sides' bytes are proved; that they differ is for people to settle."""
    short = street.signed_receipt(msgspec.structs.replace(street.receipt, bytes=7))
    other = street.signed_receipt(msgspec.structs.replace(street.receipt, artefact="sha256:" + "00" * 32))
    for raw in (short, other):
        story = street.usual(receipt=raw, anchored=False)
        assert objections(street, story) == ["Provider and consumer differ on what was delivered."]


def test_a_receipt_is_by_the_consumer_and_of_this_use(street: Any) -> None:
    """A receipt that the provider could write, or move from another use, is none."""
    change_of = msgspec.structs.replace
    wrong = [
        street.signed_receipt(by=street.provider),
        street.signed_receipt(change_of(street.receipt, use="urn:uuid:other")),
        street.signed_receipt(change_of(street.receipt, contract="8" * 46 + "A")),
        street.signed_receipt(change_of(street.receipt, key=f"{street.consumer.did}#evidence-9")),
        street.signed_receipt(
            change_of(street.receipt, consumer=street.provider.did, key=street.provider.key_id),
            by=street.provider,
        ),
    ]
    for raw in wrong:
        with pytest.raises(EvidenceError):
            street.usual(receipt=raw, anchored=False).package()


def test_the_receipt_shown_is_the_one_that_was_recorded(street: Any) -> None:
    """Two receipts for one use: the one that was anchored counts."""
    story = street.usual(receipt=street.signed_receipt())
    late = msgspec.structs.replace(street.receipt, at="2026-11-25T12:01:31.000000Z")
    story.receipt = street.signed_receipt(late)
    with pytest.raises(EvidenceError, match="not the one named"):
        story.package()
    story.receipt = None
    with pytest.raises(EvidenceError, match="missing"):
        story.package()


@pytest.mark.parametrize(
    "edit",
    [
        {"use": "urn:uuid:other"},
        {"contract": "8" * 46 + "A"},
        {"product": "urn:uuid:other"},
        {"consumer": "did:web:others.example"},
        {"kind": RecordKind.OPENED},
        {"kind": RecordKind.RECEIPT},
    ],
)
def test_records_are_of_one_use_and_in_their_order(street: Any, edit: dict[str, Any]) -> None:
    """Records of several uses, or a second opening, would tell a story that never was."""
    story = street.usual()
    story.steps[-1] = replace(story.steps[-1], records=[msgspec.structs.replace(street.closed, **edit)])
    with pytest.raises(EvidenceError):
        story.package()


def test_a_use_begins_with_its_opening(street: Any) -> None:
    """Leaving out the opening would leave out when it began and by which decision."""
    story = street.usual()
    gathered = story.gathered()
    for records in ([], gathered["records"][1:], gathered["records"][::-1]):
        with pytest.raises(EvidenceError):
            export_evidence(**gathered | {"records": records})


def test_times_that_cannot_be_are_objected_to(street: Any) -> None:
    """The provider's clock is its own word; where others' words contradict it, the reader is told."""
    early = street.record(RecordKind.OPENED, 1, at="2026-11-25T07:59:59.999999Z")
    expired = street.record(RecordKind.OPENED, 1, at="2026-12-31T00:00:00.000000Z")
    backwards = street.record(RecordKind.OPENED, 3)
    for opened, count in ((early, 1), (expired, 3), (backwards, 1)):
        story = street.usual()
        story.steps[-2] = first = street.Written([opened])
        story.steps[-1] = replace(story.steps[-1], previous=first.root)
        assert len(objections(street, story)) == count


def watched(street: Any, **second: datetime) -> Any:
    """The usual story, cosigned often: what was there at which size, and when."""
    story = street.usual(receipt=street.signed_receipt())
    story.heads = sorted({**dict(street.heads), **{int(size[1:]): at for size, at in second.items()}}.items())
    return story


def test_each_entry_has_the_time_of_the_first_quorum_that_saw_it(street: Any) -> None:
    """The time of record is when witnesses had it, not when somebody asked for a package."""
    report = verify_evidence(watched(street).package(), street.policy)

    assert (report.verdict, report.objections) == ("verified", [])
    assert [(e["entry"], e["op"], e["there_by"][11:19]) for e in report.entries] == [
        (1, "member.admit", "11:00:00"),
        (4, "member.admit", "11:00:00"),
        (6, "contract.file", "11:30:00"),
        (9, "usage.batch", "12:02:05"),
        (10, "usage.batch", "12:02:05"),
        (12, "usage.batch", "13:00:00"),
    ]


@pytest.mark.parametrize(("quorum", "there_by"), [(1, "12:01:55"), (2, "12:02:05")])
def test_the_time_of_record_is_that_of_the_quorum(street: Any, quorum: int, there_by: str) -> None:
    """One early witness is not enough where two are asked for; nor must one wait for a late one."""
    policy = write_policy(
        render_note_key(street.log_key), [render_note_key(key) for key in street.witness_keys], quorum
    )
    report = verify_evidence(watched(street).package(), policy)
    assert report.entries[3]["there_by"] == f"2026-11-25T{there_by}.000000Z"


def test_a_provider_s_clock_may_differ_by_a_minute(street: Any) -> None:
    """Clocks differ; a record from the future does not."""
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    within = watched(street, _12=noon.replace(minute=1))
    beyond = watched(street, _12=noon.replace(second=59))

    assert verify_evidence(within.package(), street.policy).verdict == "verified"
    assert objections(street, beyond) == ["A record claims a time after the witnesses had seen it."]


def test_who_cannot_show_in_time_has_only_his_word(street: Any) -> None:
    """A provider could date a use back before the contract's end; only the witnesses know."""
    raw = street.envelope(terms=street.agreement(ends=datetime(2026, 11, 25, 12, 1, 30, tzinfo=UTC)))
    late, shown = watched(street), watched(street, _12=datetime(2026, 11, 25, 12, 1, 29, tzinfo=UTC))
    for story in (late, shown):
        story.envelope, story.steps[4] = raw, street.file(raw)

    assert objections(street, late) == [
        "That the use began before the contract's end is the provider's word alone."
    ]
    assert verify_evidence(shown.package(), street.policy).verdict == "verified"


def test_who_held_which_key_when_is_told(street: Any) -> None:
    """Key, epoch, and the entries between which it was bound: what a signature is judged by."""
    after, rotation = street.rotate(street.provider)
    story = street.usual()
    story.steps += [rotation, street.revoke(street.consumer)]
    report = verify_evidence(story.package(), street.policy)

    assert [(k["key"], k["epoch"], k["from"], k["until"]) for k in report.keys] == [
        (street.operator.key_id, 1, None, None),
        (street.provider.key_id, 1, 1, 12),
        (street.consumer.key_id, 1, 4, 13),
        (after.key_id, 2, 12, None),
    ]
    assert report.keys[3]["public"] == after.key.raw.hex()


def test_a_contract_without_an_end_does_not_expire(street: Any) -> None:
    """No end time is no objection."""
    raw = street.envelope(terms=street.agreement(ends=None))
    story = street.usual()
    story.envelope, story.steps[4] = raw, street.file(raw)
    late = street.record(RecordKind.OPENED, 1, at="2036-12-31T00:00:00.000000Z")
    story.steps[-2] = first = street.Written([late])
    story.steps[-1] = street.Written(
        [msgspec.structs.replace(street.closed, at=late.at)], number=2, previous=first.root, first=20
    )
    story.cosigned_at = int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
    assert verify_evidence(story.package(), street.policy).verdict == "verified"


def test_nothing_is_shown_that_has_no_part_in_the_use(street: Any) -> None:
    """What does not belong is either a mistake or a disclosure."""
    story = street.usual()
    gathered = story.gathered()
    log = story.log
    from entrepot.ledger import Tree, decode_transaction, is_block_leaf, leaf_hash
    from entrepot.oversight import LogEntry

    tree = Tree(map(leaf_hash, log))
    for number, raw in enumerate(log):
        if is_block_leaf(raw) or any(entry.number == number for entry in gathered["entries"]):
            continue
        extra = LogEntry(number, raw, tree.prove_inclusion(number))
        with pytest.raises(EvidenceError):
            export_evidence(**gathered | {"entries": [*gathered["entries"], extra]})
        assert decode_transaction(raw).transaction.op in {"member.admit", "usage.batch"}


def test_nothing_that_is_needed_can_be_left_out(street: Any, whole: Files) -> None:
    """Whatever file goes, the proof goes with it; a manifest that agrees does not help."""
    for name in sorted(whole):
        rest = {other: raw for other, raw in whole.items() if other != name}
        assert verify_evidence(rest, street.policy).verdict == "refused", name
        if name != "manifest.json":
            report = verify_evidence(remake(rest), street.policy)
            # The receipt and the consumer's record of it may only go together.
            assert report.verdict == "refused", name


def test_the_entries_to_show_follow_from_the_log(street: Any) -> None:
    """Ends, rotations and revocations of all who act are found, whoever would rather not show them."""
    after, rotation = street.rotate(street.provider)
    story = street.usual()
    story.steps += [rotation, street.end(street.observer, EndReason.ORDER), street.revoke(street.others)]
    story.steps += [
        after.does("usage.batch", UsageBatch(3, story.steps[7].root, "sha256:" + "00" * 32)),
        street.revoke(street.consumer),
    ]
    log = story.log
    parties = [street.provider.did, street.consumer.did]
    shown = choose_entries(enumerate(log), "7" * 46 + "A", parties, [])
    ops = [json.loads(log[number][:-64])["op"] for number in shown]

    assert ops == [
        "member.admit",
        "member.admit",
        "member.admit",
        "contract.file",
        "member.keys",
        "contract.end",
        "member.revoke",
    ]


@pytest.mark.parametrize("case", FORGERIES)
def test_a_forgery_with_a_new_manifest_is_refused(street: Any, whole: Files, case: str) -> None:
    """The manifest protects against accidents; against an opponent the proofs must do it."""
    name, edit = FORGERIES[case]
    forged = change(whole, name, edit)
    if name == "manifest.json":
        forged = whole | {name: json.dumps({"files": {}}, separators=(",", ":")).encode()}
    assert verify_evidence(forged, street.policy).verdict == "refused"
    assert verify_evidence(forged, None).verdict == "refused"


@pytest.mark.parametrize("case", SIGHTINGS)
def test_an_earlier_time_is_proved_or_refused(street: Any, case: str) -> None:
    """Whoever could forge when an entry was seen could move a use before an end."""
    files = watched(street).package()
    other = json.loads(files["entry-9.json"])
    forged = change(files, "entry-1.json", lambda e: SIGHTINGS[case](e["seen"], other))
    assert verify_evidence(forged, street.policy).verdict == "refused"


def test_a_larger_tree_is_no_earlier_one(street: Any) -> None:
    """A checkpoint beyond that of the package would bring in entries that the package does not show."""
    story = watched(street)
    small, whole = story.gathered(), watched(street, _14=datetime(2026, 11, 25, 14, tzinfo=UTC))
    tree_of = whole.gathered()
    small["checkpoint"] = tree_of["entries"][3].seen.note
    with pytest.raises(EvidenceError):
        export_evidence(**small)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"null",
        b"[" * 100_000,
        b'{"a":1,"a":1}',
        b"1" * 5000,
        b'"\\ud800"',
        b"NaN",
        b"{}",
        b"x" * (1 << 21),
        b'{"files":[]}',
    ],
)
@pytest.mark.parametrize("name", ["manifest.json", "contract.json", "entry-1.json", "checkpoint.txt"])
def test_bytes_that_are_nothing_are_refused_and_never_a_crash(
    street: Any, whole: Files, name: str, raw: bytes
) -> None:
    """A verifier that falls over can be kept from its verdict."""
    files = whole | {name: raw}
    assert verify_evidence(files, street.policy).verdict == "refused"
    if name != "manifest.json":
        assert verify_evidence(remake(files), street.policy).verdict == "refused"


@pytest.mark.parametrize("edit", NOTES)
def test_a_checkpoint_with_another_line_is_refused(
    street: Any, whole: Files, edit: Callable[[bytes], bytes]
) -> None:
    """Lines added, left out, doubled, in another order: none passes."""
    note = edit(whole["checkpoint.txt"])
    assert note != whole["checkpoint.txt"]
    refuses(street, remake(whole | {"checkpoint.txt": note}), "")


def test_the_forms_are_those_that_the_ledger_writes() -> None:
    """A field that the product learns and the verifier does not would make every new package refused."""
    forms = verify.FORMS
    written = {
        Record: forms["record"]["record"],
        ContractLeaf: forms["record"]["part"],
        Units: forms["record"]["part"]["sums"],
        Receipt: forms["receipt"]["receipt"],
        Envelope: forms["contract"],
        Transaction: forms["entry"]["entry"][0],
    }
    written |= {OPERATIONS[op].body: form for op, form in verify.BODIES.items()}
    for struct, form in written.items():
        assert set(struct.__struct_fields__) == set(form), struct
    for kind in RecordKind:
        assert verify.matches(str(kind), forms["record"]["record"]["kind"])
