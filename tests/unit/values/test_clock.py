"""Times: read strictly, written in one way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.values import MalformedError, parse_time, render_time, require_utc, system_clock

ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))
INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)  # noqa: DTZ001 (bounds of a strategy are naive)


@given(time=INSTANTS)
def test_a_time_that_was_written_reads_as_the_same_instant(time: datetime) -> None:
    """Times survive the wire and the database."""
    assert time == parse_time(render_time(time))
    assert time == parse_time(time.isoformat())


@given(time=INSTANTS, zone=ZONES)
def test_one_instant_has_one_text(time: datetime, zone: timezone) -> None:
    """Signed bytes do not depend on where a clock hangs."""
    assert render_time(time) == render_time(time.astimezone(zone))
    assert len("2026-11-25T08:00:00.000000Z") == len(render_time(time))


@given(text=st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """No input of a stranger gets another exception than ours."""
    try:
        assert parse_time(text).utcoffset() == timedelta(0)
    except MalformedError:
        return


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T08:00:00Z", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("2026-11-25t08:00:00z", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("2026-11-25T08:00:00+08:00", datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-25T08:00:00-00:00", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("2026-11-25T08:00Z", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("2026-11-25T08:00:00.5Z", datetime(2026, 11, 25, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-25T08:00:00.123456789Z", datetime(2026, 11, 25, 8, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_forms_that_other_connectors_write(text: str, expected: datetime) -> None:
    """Java leaves zero seconds out and writes nanoseconds; both are read."""
    assert expected == parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-25",
        "2026-11-25T08:00:00",
        "2026-11-25 08:00:00Z",
        "2026-11-25T08Z",
        "2026-11-25T08:00:00.Z",
        "2026-11-25T08:00:00+0800",
        "2026-11-25T08:00:00+08:60",
        "2026-11-25T08:00:00+25:00",
        "2026-11-25T08:00:60Z",
        "2026-11-25T24:00:00Z",
        "2026-02-29T08:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-25T08:00:00Z\n",
        "２026-11-25T08:00:00Z",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """A time without a zone, or that no clock shows, never becomes a fact that a policy compares."""
    with pytest.raises(MalformedError):
        parse_time(text)


def test_a_time_without_a_zone_is_nowhere() -> None:
    """Nothing guesses a zone for our own code either."""
    with pytest.raises(MalformedError):
        render_time(datetime(2026, 11, 25))  # noqa: DTZ001 (the naive time is the case)


def test_the_machine_has_a_clock_in_utc() -> None:
    """What `Journal` takes by default keeps the promise of `UtcTime`."""
    now = system_clock()

    assert now == require_utc(now)
    assert now.utcoffset() == timedelta(0)
