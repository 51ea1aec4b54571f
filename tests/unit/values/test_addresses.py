"""Origins: what a stranger may name is decided by them."""

import pytest

from entrepot.values import MalformedError, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.example/x?y#z", "https://a.example:443"),
        ("https://A.example:443", "https://a.example:443"),
        ("http://a.example:8080/", "http://a.example:8080"),
        ("http://[::1]/x", "http://::1:80"),
    ],
)
def test_one_origin_is_written_in_one_way(url: str, origin: str) -> None:
    """Two ways to write one origin must not make two of it, nor one way two origins the same."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "ftp://a.example",
        "https://a:b@c.example",
        "https://a@c.example",
        "http://a:99999",
        "//a",
    ],
)
def test_what_has_no_origin_is_refused(url: str) -> None:
    """An address that hides its host in a name and password, or has none, names nobody."""
    with pytest.raises(MalformedError):
        origin_of(url)
