"""
When a schedule lets messages leave: send time, completion time, hours and weekdays of a zone.

Wall time is what people mean by hours, so all stepping is done on the wall and each step is turned
into an instant: across a gap or a fold of daylight saving time the hours stay the hours.
"""

import datetime as dt
import functools
import zoneinfo
from collections.abc import Iterable
from typing import NamedTuple

from penstock.domain.errors import BadRequest
from penstock.domain.model import Schedule

_HOURS, _DAYS = 24, 7
_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)
#: A weekly window opens within a week, and within two if a gap swallows one of them.
_HORIZON = dt.timedelta(days=15)

EARLIEST_SEND = dt.timedelta(hours=-12)
LATEST_SEND = dt.timedelta(days=7)
LATEST_COMPLETION = dt.timedelta(days=70)


class Opening(NamedTuple):
    """Whether messages may leave at an instant."""

    is_open: bool
    changes_at: dt.datetime | None  #: when that ends; None: never
    is_over: bool = False  #: the completion time has passed


@functools.lru_cache(maxsize=1024)
def _zone(name: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(name)


def opening(schedule: Schedule, zone: str, now: dt.datetime) -> Opening:
    """Tell whether *schedule* lets messages to numbers of *zone* leave at *now*."""
    if not (schedule.send_time or schedule.completion_time or schedule.hours or schedule.days):
        return _OPEN
    tz = _zone(zone)
    over_at = None if schedule.completion_time is None else _instant(schedule.completion_time, tz)
    if over_at is not None and now >= over_at:
        return Opening(is_open=False, changes_at=None, is_over=True)
    begins_at = now if schedule.send_time is None else max(now, _instant(schedule.send_time, tz))
    opens_at = _next(schedule, tz, begins_at, allowed=True)
    if opens_at is None or opens_at > now:
        never = over_at is not None and (opens_at is None or opens_at >= over_at)
        return Opening(is_open=False, changes_at=over_at if never else opens_at)
    closes_at = _next(schedule, tz, now, allowed=False)
    if over_at is not None and (closes_at is None or over_at < closes_at):
        closes_at = over_at
    return Opening(is_open=True, changes_at=closes_at)


_OPEN = Opening(is_open=True, changes_at=None)


def first_opening(schedule: Schedule, zones: Iterable[str], now: dt.datetime) -> dt.datetime | None:
    """Return the first instant from *now* on at which messages to one of *zones* may leave; None: never."""
    found = []
    for zone in zones:
        state = opening(schedule, zone, now)
        if state.is_open:
            return now
        if state.changes_at is not None and opening(schedule, zone, state.changes_at).is_open:
            found.append(state.changes_at)
    return min(found, default=None)


def check_schedule(schedule: Schedule, now: dt.datetime, fallback_zone: str) -> None:
    """Raise BadRequest, naming the field, unless the times of *schedule* are near enough to *now*."""
    local_now = now.astimezone(_zone(fallback_zone)).replace(tzinfo=None)
    send_time, completion_time = schedule.send_time, schedule.completion_time
    if send_time is not None and not local_now + EARLIEST_SEND <= send_time <= local_now + LATEST_SEND:
        message = f"localSendTime: expected a time from 12 hours ago to 7 days ahead, got {_written(send_time)}"
        raise BadRequest(message)
    if completion_time is None:
        return
    if completion_time < (send_time or local_now + EARLIEST_SEND):
        message = f"localCompletionTime: expected a time not before localSendTime, got {_written(completion_time)}"
        raise BadRequest(message)
    if completion_time > local_now + LATEST_COMPLETION:
        message = f"localCompletionTime: expected a time up to 70 days ahead, got {_written(completion_time)}"
        raise BadRequest(message)


def _written(time: dt.datetime) -> str:
    return time.isoformat(" ", "seconds")


def _instant(wall: dt.datetime, tz: zoneinfo.ZoneInfo) -> dt.datetime:
    """Return when the clocks of a zone show *wall* (the first time, or right after a gap)."""
    return wall.replace(tzinfo=tz).astimezone(dt.UTC)


def _is_allowed(schedule: Schedule, wall: dt.datetime) -> bool:
    return (not schedule.hours or wall.hour in schedule.hours) and (
        not schedule.days or wall.isoweekday() in schedule.days
    )


def _next(schedule: Schedule, tz: zoneinfo.ZoneInfo, start: dt.datetime, *, allowed: bool) -> dt.datetime | None:
    """Return the first instant from *start* on in an hour that is allowed, or is not; None: there is none."""
    if len(schedule.hours) in (0, _HOURS) and len(schedule.days) in (0, _DAYS):
        return start if allowed else None
    at, wall = start, start.astimezone(tz)
    while at - start < _HORIZON:
        if _is_allowed(schedule, wall) is allowed:
            return at
        then = _instant(_next_edge(schedule, wall, allowed=allowed), tz)
        wall_then = then.astimezone(tz)
        if wall_then.utcoffset() != wall.utcoffset():
            # The clocks change in between: hours are skipped or repeated, so none may be jumped over.
            then = at - dt.timedelta(minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond) + _HOUR
            wall_then = then.astimezone(tz)
        at, wall = then, wall_then
    return None


def _next_edge(schedule: Schedule, wall: dt.datetime, *, allowed: bool) -> dt.datetime:
    """Return the wall time at which, for all that is known of this day, hours begin that are allowed, or are not."""
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    if schedule.hours and (not schedule.days or wall.isoweekday() in schedule.days):
        for hour in range(wall.hour + 1, 24):
            if (hour in schedule.hours) is allowed:
                return midnight.replace(hour=hour)
    return midnight + _DAY
