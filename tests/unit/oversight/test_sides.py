"""Both sides' records of one use beside each other: agreed, differs with what, or no receipt."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.journal import Journal
from entrepot.ledger import Comparison, RecordKind, decode_receipt, keep_receipt, write_record
from entrepot.oversight import Disagreement, EvidenceError, lay_beside, pack, read_shown, use_beside
from entrepot.oversight import disagreements as those_that_differ
from entrepot.values import NotFoundError, UseId

change = msgspec.structs.replace
LATER = datetime(2030, 1, 1, tzinfo=UTC)
USE = UseId("urn:uuid:use")
OTHER = "sha256:" + "00" * 32


def receipt(street: Any, **facts: Any) -> Any:
    return decode_receipt(street.signed_receipt(change(street.receipt, **facts)))


def own(street: Any, of: Any, **facts: Any) -> Any:
    """The consumer's own record of its receipt."""
    return change(street.record_of(of.raw), **facts)


def test_two_sides_that_say_the_same_agree(street: Any) -> None:
    """The usual end: nothing to settle, with or without the consumer's own record."""
    given, provider = receipt(street), [street.opened, street.closed]
    for consumer in ([], [own(street, given)]):
        sides = lay_beside(provider, consumer, given)
        assert (sides.use, sides.verdict, sides.disagreements) == (USE, Comparison.AGREED, ())
        assert (sides.provider, sides.consumer) == (tuple(provider), tuple(consumer))


def test_without_a_word_of_the_consumer_there_is_nothing_to_differ_from(street: Any) -> None:
    """No receipt blocks nothing and accuses nobody."""
    sides = lay_beside([street.opened], [], None)
    assert (sides.verdict, sides.disagreements) == (Comparison.NO_RECEIPT, ())


FACTS = {
    "artefact": ({"artefact": OTHER}, {"artefact": OTHER}),
    "size": ({"bytes": 7}, {"size": 7}),
    "contract": ({"contract": "8" * 46 + "A"}, {"contract": "8" * 46 + "A"}),
}


@given(st.sets(st.sampled_from(sorted(FACTS)), min_size=1), st.booleans(), st.booleans())
def test_exactly_the_facts_that_differ_are_named(
    street: Any,
    facts: set[str],
    in_receipt: bool,  # noqa: FBT001 (drawn)
    in_record: bool,  # noqa: FBT001 (drawn)
) -> None:
    """Whoever settles a dispute must not look for what it is about, nor chase what is the same."""
    said = receipt(street, **{k: v for f in facts for k, v in FACTS[f][0].items()} if in_receipt else {})
    wrong = {k: v for f in facts for k, v in FACTS[f][1].items()} if in_record else {}
    sides = lay_beside([street.opened, street.closed], [own(street, said, **wrong)], said)

    assert {d.fact for d in sides.disagreements} == (facts if in_receipt or in_record else set())
    assert sides.verdict is (Comparison.DIFFERS if in_receipt or in_record else Comparison.AGREED)


def test_what_each_side_says_is_shown(street: Any) -> None:
    """Both words, in full: the reader is no judge of them."""
    said = receipt(street, bytes=7)
    sides = lay_beside([street.opened, street.closed], [], said)
    assert sides.disagreements == (Disagreement("size", "8", "7"),)


def test_a_receipt_for_a_use_that_was_taken_back_differs(street: Any) -> None:
    """A provider could deliver, and say that nothing was touched, to keep the count."""
    refused = change(street.closed, outcome="refused", units=change(street.closed.units, bytes=0, uses=-1))
    sides = lay_beside([street.opened, refused], [], receipt(street))
    assert sides.disagreements == (Disagreement("taken back", "yes", ""),)


def test_a_receipt_of_which_the_provider_has_no_record_differs(street: Any) -> None:
    """The consumer says that it got something; the provider's books are empty."""
    said = receipt(street)
    sides = lay_beside([], [own(street, said)], said)
    assert {d.fact for d in sides.disagreements} == {"contract", "consumer", "product", "artefact", "size"}


def test_another_receipt_than_the_one_that_is_named_differs(street: Any) -> None:
    """Two receipts for one use: whoever names another than is there is asked why."""
    first, second = receipt(street), receipt(street, at="2026-11-25T12:01:31.000000Z")
    provider = [street.opened, street.closed]

    told = lay_beside(provider, [own(street, first)], second).disagreements
    assert told == (Disagreement("receipt", second.digest, first.digest),)
    told = lay_beside([street.opened, change(street.closed, receipt=first.digest)], [], second).disagreements
    assert told == (Disagreement("receipt", first.digest, second.digest),)
    told = lay_beside(provider, [own(street, first)], first, second).disagreements
    assert told == (Disagreement("receipt", second.digest, first.digest),)


@pytest.mark.parametrize(("seconds", "differs"), [(59, True), (0, False), (1, False)])
def test_a_receipt_from_before_the_opening_differs(street: Any, seconds: int, *, differs: bool) -> None:
    """Clocks differ by a minute at most; nobody receives what was not opened yet."""
    minute = 59 if differs else 0
    at = f"2026-11-25T{11 if differs else 12}:{minute:02d}:{seconds:02d}.000000Z"
    sides = lay_beside([street.opened, street.closed], [], receipt(street, at=at))
    assert [d.fact for d in sides.disagreements] == (["time"] if differs else [])


def test_no_use_is_no_comparison() -> None:
    """Nothing beside nothing is not agreement."""
    with pytest.raises(NotFoundError):
        lay_beside([], [], None)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    ids = iter(range(1_000))
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    one = Journal.open(f"sqlite:///{tmp_path / 'node.db'}", lambda: now, lambda: f"urn:uuid:{next(ids)}")
    one.create_schema()
    yield one
    one.close()


def write(journal: Journal, records: list[Any], signed: Any = None) -> None:
    for record in records:
        journal.write_now(lambda tx, r=record: write_record(tx, r, LATER))
    if signed is not None:
        journal.write_now(lambda tx: keep_receipt(tx, signed, LATER))


def test_a_provider_sees_the_receipt_beside_its_records(street: Any, journal: Journal) -> None:
    """The owner's view of a provider: what it wrote, what the consumer signed, and which uses differ."""
    write(journal, [street.opened, street.closed], receipt(street, bytes=7))

    sides = journal.read_now(lambda c: use_beside(c, USE))
    assert [d.fact for d in sides.disagreements] == ["size"]
    found = journal.read_now(lambda c: those_that_differ(c, [USE, UseId("urn:uuid:nothing")]))
    assert found == [sides]


def test_a_consumer_sees_what_the_provider_has_shown_beside_its_own(street: Any, journal: Journal) -> None:
    """The consumer has its record and its receipt; the provider's evidence package brings the rest."""
    signed = receipt(street)
    write(journal, [own(street, signed)], signed)
    package = pack(street.usual(receipt=signed.raw).package())
    alone = journal.read_now(lambda c: use_beside(c, USE))
    shown = read_shown(package, street.policy)
    sides = journal.read_now(lambda c: use_beside(c, USE, shown))

    assert (alone.verdict, alone.provider, alone.disagreements) == (None, (), ())
    assert journal.read_now(lambda c: those_that_differ(c, [USE])) == []
    assert sides.verdict is Comparison.AGREED
    assert [record.kind for record in sides.provider] == [RecordKind.OPENED, RecordKind.CLOSED]
    assert [record.kind for record in sides.consumer] == [RecordKind.RECEIPT]


def test_a_provider_that_shows_another_receipt_is_found(street: Any, journal: Journal) -> None:
    """It may have lost ours and shown one that we gave up; both are signed by us, and one is anchored."""
    signed, earlier = receipt(street), receipt(street, at="2026-11-25T12:01:29.000000Z")
    write(journal, [own(street, signed)], signed)
    package = pack(street.usual(receipt=earlier.raw, anchored=False).package())
    sides = journal.read_now(lambda c: use_beside(c, USE, read_shown(package, street.policy)))
    assert sides.disagreements == (Disagreement("receipt", earlier.digest, signed.digest),)


def test_what_does_not_hold_is_not_laid_beside_anything(street: Any, journal: Journal) -> None:
    """A broken package, and one of another use, show nothing."""
    files = street.usual().package()
    broken = files | {"record-0001.json": files["record-0002.json"]}
    with pytest.raises(EvidenceError):
        read_shown(pack(broken), street.policy)
    signed = receipt(street, use="urn:uuid:other")
    write(journal, [own(street, signed, use="urn:uuid:other")], signed)
    shown = read_shown(pack(files), street.policy)
    with pytest.raises(EvidenceError, match="another use"):
        journal.read_now(lambda c: use_beside(c, UseId("urn:uuid:other"), shown))
    with pytest.raises(NotFoundError):
        journal.read_now(lambda c: use_beside(c, USE))
