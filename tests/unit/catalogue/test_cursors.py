"""A cursor of the open API: a place to its node, nothing to whoever holds it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from entrepot.catalogue import Cursors, Resource
from entrepot.values import Digest, MalformedError

TABLE = Resource("r", Path("/x"), "t", 1, Digest(bytes(32)), 1, 1, (), 20)
KEY = bytes(range(32))
ROWS = st.integers(0, 2**63)
KEYS = st.binary(min_size=32, max_size=32)


@given(row=ROWS, key=KEYS)
def test_a_cursor_means_the_place_it_was_made_for(row: int, key: bytes) -> None:
    """To whoever has the key, so at every worker, and after a new start."""
    assert Cursors(key, TABLE).parse_cursor(Cursors(key, TABLE).cursor_of(row)) == row


@given(row=ROWS, key=KEYS, artefact=st.binary(min_size=32, max_size=32))
def test_a_cursor_means_nothing_elsewhere(row: int, key: bytes, artefact: bytes) -> None:
    """Not in another version of the table, where other rows stand there, and not under another contract."""
    assume(key != KEY)
    assume(artefact != TABLE.digest)
    cursor = Cursors(KEY, TABLE).cursor_of(row)

    for other in (Cursors(key, TABLE), Cursors(KEY, replace(TABLE, digest=Digest(artefact)))):
        with pytest.raises(MalformedError, match="begin again without one"):
            other.parse_cursor(cursor)


@given(row=ROWS, place=st.integers(0, 47), letter=st.sampled_from("Aa0-_=é "))
def test_a_changed_cursor_is_refused(row: int, place: int, letter: str) -> None:
    """Nobody steps through a table by changing a letter, and no cursor has a second spelling."""
    cursor = Cursors(KEY, TABLE).cursor_of(row)
    changed = cursor[:place] + letter + cursor[place + 1 :]
    assume(changed != cursor)

    for text in (changed, cursor[:-1], cursor + "A", cursor + "AAAA", "", "0", f"{row:x}-{'0' * 16}"):
        with pytest.raises(MalformedError, match="begin again without one"):
            Cursors(KEY, TABLE).parse_cursor(text)


@given(text=st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    """Whatever a stranger sends in its place is no cursor, and no fault."""
    with pytest.raises(MalformedError, match="begin again without one"):
        Cursors(KEY, TABLE).parse_cursor(text)


@given(row=ROWS, other=ROWS)
def test_all_cursors_look_alike(row: int, other: int) -> None:
    """Neither length nor likeness tells how far apart two places are, nor that they are one."""
    cursors = Cursors(KEY, TABLE)

    assert len(cursors.cursor_of(row)) == len(cursors.cursor_of(other)) == 48
    assert cursors.cursor_of(row) != cursors.cursor_of(row)
