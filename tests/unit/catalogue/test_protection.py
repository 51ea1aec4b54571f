"""What a provider says may be asked about a table that never leaves."""

from dataclasses import replace

import pytest

from entrepot.catalogue import (
    Column,
    ColumnRole,
    ColumnType,
    Protection,
    decode_protection,
    encode_protection,
)
from entrepot.catalogue.protection import protection_faults, unfit_roles
from entrepot.values import MalformedError

TRIAL = Protection("trial", "person", 10, (("arm", ColumnRole.DIMENSION), ("cd4", ColumnRole.MEASURE)))


def test_a_protection_survives_its_bytes() -> None:
    """It enters the product's digest on one node and is read on another."""
    assert decode_protection(encode_protection(TRIAL)) == TRIAL


@pytest.mark.parametrize(
    "amiss",
    [
        replace(TRIAL, table="Trial; DROP"),
        replace(TRIAL, k=4),
        replace(TRIAL, roles=()),
        replace(TRIAL, roles=(("arm", ColumnRole.DIMENSION), ("ARM", ColumnRole.MEASURE))),
        replace(TRIAL, roles=(("person", ColumnRole.DIMENSION),)),
        replace(TRIAL, roles=(("_subject", ColumnRole.DIMENSION),)),
        replace(TRIAL, roles=(("a\x00", ColumnRole.DIMENSION),)),
    ],
)
def test_what_would_protect_nothing_is_no_protection(amiss: Protection) -> None:
    """A subject that is shown, a group of four, two roles for one column: each would let a person out."""
    assert protection_faults(amiss)
    with pytest.raises(MalformedError):
        decode_protection(encode_protection(amiss))


def test_roles_fit_the_columns_of_the_table() -> None:
    """A role of a column that is not there, or a measure of text, is a mistake of the provider."""
    columns = (
        Column("person", ColumnType.TEXT),
        Column("arm", ColumnType.TEXT),
        Column("cd4", ColumnType.TEXT),
    )

    assert unfit_roles(TRIAL, columns) == ["cd4 is measured and holds no numbers"]
    assert unfit_roles(TRIAL, columns[:1]) == ["the table has no column arm", "the table has no column cd4"]
