"""
Send windows against a minute hand: a loop that looks at the wall of the zone every minute.
"""

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.errors import BadRequest
from penstock.domain.model import Schedule
from penstock.domain.windows import Opening, check_schedule, first_opening, opening
from tests import strategies

MINUTE = dt.timedelta(minutes=1)
NOW = dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC)  # Monday 10:00 in Moscow


def local(**offset: float) -> dt.datetime:
    """Return a time on the wall in Moscow, counted from NOW."""
    return (NOW + dt.timedelta(hours=3, **offset)).replace(tzinfo=None)


def look(schedule: Schedule, zone: str, at: dt.datetime) -> tuple[bool, bool]:
    """Return (open, over) as someone who reads the clock on the wall of *zone* would say."""
    tz = zoneinfo.ZoneInfo(zone)
    begins = schedule.send_time and schedule.send_time.replace(tzinfo=tz).astimezone(dt.UTC)
    ends = schedule.completion_time and schedule.completion_time.replace(tzinfo=tz).astimezone(dt.UTC)
    if ends and at >= ends:
        return False, True
    wall = at.astimezone(tz)
    hours, days = schedule.hours or range(24), schedule.days or range(1, 8)
    return (not begins or at >= begins) and wall.hour in hours and wall.isoweekday() in days, False


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, dt.datetime, Schedule]:
    """Build a zone, an instant on the minute and a schedule around it."""
    zone = draw(st.sampled_from(strategies.ZONES))
    now = draw(strategies.instants() | strategies.instants_near_clock_changes()).replace(second=0, microsecond=0)
    return zone, now, draw(strategies.schedules(now))


@strategies.law
@given(moments())
def test_window_is_open_exactly_when_the_wall_says_so(moment):
    """
    Messages leave in the allowed hours of the subscriber's wall clock, whatever the clock changes.
    """
    zone, now, schedule = moment

    state = opening(schedule, zone, now)

    assert (state.is_open, state.is_over) == look(schedule, zone, now)


@strategies.law
@given(moments(), st.floats(0, 0.999))
def test_nothing_changes_before_it_is_said_to(moment, share):
    """
    Between now and the told change a window neither opens nor closes.
    """
    zone, now, schedule = moment
    state = opening(schedule, zone, now)
    at = now + ((state.changes_at or now + dt.timedelta(days=9)) - now) * share

    assert look(schedule, zone, at) == (state.is_open, state.is_over)


@strategies.law
@given(moments())
def test_window_changes_when_it_is_said_to(moment):
    """
    At the told instant, if there is one, the window has opened, closed or ended.
    """
    zone, now, schedule = moment
    state = opening(schedule, zone, now)
    at = state.changes_at

    assert at is None or (at > now and look(schedule, zone, at) != (state.is_open, state.is_over))


def test_without_a_schedule_it_is_always_open():
    """
    A dispatch without times may leave at once and for ever.
    """
    assert opening(Schedule(), "Europe/Moscow", NOW) == Opening(is_open=True, changes_at=None, is_over=False)


def test_all_hours_and_days_are_no_restriction():
    """
    Naming every hour and every day restricts nothing.
    """
    schedule = Schedule(hours=tuple(range(24)), days=tuple(range(1, 8)))

    assert opening(schedule, "Europe/Moscow", NOW) == Opening(is_open=True, changes_at=None)


def test_hour_that_a_gap_skips_opens_the_week_after():
    """
    A window that lies in the hour that is skipped in spring waits for the next week.
    """
    schedule = Schedule(hours=(2,), days=(7,))  # 02:00…03:00 does not exist on Sunday, 29 March 2026 in Berlin
    monday = dt.datetime(2026, 3, 23, 9, 0, tzinfo=dt.UTC)

    state = opening(schedule, "Europe/Berlin", monday)

    assert state == Opening(is_open=False, changes_at=dt.datetime(2026, 4, 5, 0, 0, tzinfo=dt.UTC))


def test_first_opening_is_that_of_the_zone_where_it_comes_first():
    """
    A dispatch begins where the allowed hours begin first.
    """
    schedule = Schedule(hours=(12,))

    opens_at = first_opening(schedule, ["America/New_York", "Europe/Berlin"], NOW)

    assert opens_at == dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)


def test_what_is_open_somewhere_opens_now():
    """
    One open zone is enough to begin.
    """
    assert first_opening(Schedule(hours=(10,)), ["America/New_York", "Europe/Moscow"], NOW) == NOW


def test_a_window_after_the_completion_never_opens():
    """
    When the completion time comes before the allowed hours, nothing will ever leave.
    """
    schedule = Schedule(completion_time=local(minutes=60), hours=(15,))

    assert first_opening(schedule, ["Europe/Moscow"], NOW) is None


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(),
        Schedule(send_time=local(minutes=-720)),
        Schedule(send_time=local(days=7)),
        Schedule(send_time=local(), completion_time=local()),
        Schedule(send_time=local(), completion_time=local(days=70)),
        Schedule(completion_time=local(minutes=1)),
    ],
)
def test_times_within_the_limits_are_taken(schedule):
    """
    The limits themselves are allowed: 12 hours back, 7 days and 70 days ahead, completion at the send time.
    """
    check_schedule(schedule, NOW, "Europe/Moscow")


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        (Schedule(send_time=local(minutes=-720, seconds=-1)), "localSendTime"),
        (Schedule(send_time=local(days=7, seconds=1)), "localSendTime"),
        (Schedule(send_time=local(), completion_time=local(seconds=-1)), "localCompletionTime"),
        (Schedule(completion_time=local(days=70, seconds=1)), "localCompletionTime"),
        (Schedule(completion_time=local(days=-1)), "localCompletionTime"),
    ],
)
def test_times_outside_the_limits_are_refused_by_name(schedule, field):
    """
    A time that is too early or too late is refused, and the answer says which field it was.
    """
    with pytest.raises(BadRequest, match=f"^{field}: expected a time .*, got 20"):
        check_schedule(schedule, NOW, "Europe/Moscow")
