"""Digests, and the one way to write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.values import MalformedError, parse_digest, render_digest, sha256


def test_the_digest_of_the_standard() -> None:
    """FIPS 180-4's own example."""
    assert (
        render_digest(sha256(b"abc"))
        == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@given(data=st.binary())
def test_a_written_digest_reads_as_itself(data: bytes) -> None:
    """A digest keeps its identity through text."""
    assert sha256(data) == parse_digest(render_digest(sha256(data)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab" * 32,
        "sha256:" + "ab" * 31,
        "sha256:" + "AB" * 32,
        "sha512:" + "ab" * 32,
        "sha256:" + "ab" * 32 + "\n",
    ],
)
def test_a_second_way_to_write_a_digest_is_refused(text: str) -> None:
    """Two texts never name the same digest."""
    with pytest.raises(MalformedError):
        parse_digest(text)
