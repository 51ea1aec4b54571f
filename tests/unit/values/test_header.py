"""Header fields: nothing that was said is passed over, whatever the case of its name and however often."""

from hypothesis import given
from hypothesis import strategies as st

from entrepot.values import header_fields

NAMES = st.sampled_from([b"Link", b"link", b"LINK", b"Authorization", b"authorization", b"Host"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters=",")).map(
    lambda text: text.encode("latin-1")
)


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_every_field_is_in_the_list_of_its_name_in_its_order(raw: list[tuple[bytes, bytes]]) -> None:
    fields = header_fields(raw)

    assert set(fields) == {name.decode().lower() for name, _ in raw}
    for name, value in fields.items():
        assert value.split(", ") == [v.decode("latin-1") for n, v in raw if n.decode().lower() == name]


def test_a_list_in_two_fields_is_whole_and_two_tokens_are_none() -> None:
    """An Eclipse connector names the page before in a `Link` of its own, behind that of the next."""
    fields = header_fields(
        [
            (b"link", b'</2>; rel="next"'),
            (b"Link", b'</0>; rel="prev"'),
            (b"authorization", b"Bearer a"),
            (b"Authorization", b"Bearer b"),
        ]
    )

    assert fields == {"link": '</2>; rel="next", </0>; rel="prev"', "authorization": "Bearer a, Bearer b"}
