"""Header fields of a message of HTTP, as one mapping."""

from collections.abc import Iterable


def header_fields(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Fields by their lower-case name; those of one name are one list, in their order (RFC 9110, 5.3).

    So nothing that somebody said is passed over: a list may come in several fields, such as `Link`, and what
    may come only once, such as `Authorization`, is a value that nobody means where it comes twice.
    """
    fields: dict[str, str] = {}
    for name, value in raw:
        key, said = name.decode("latin-1").lower(), value.decode("latin-1")
        fields[key] = f"{fields[key]}, {said}" if key in fields else said
    return fields
