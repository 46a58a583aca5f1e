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

_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)
#: A week of closed days ends within it.
_HORIZON = dt.timedelta(days=8)

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
    opens_at = _next_allowed(schedule, tz, begins_at)
    if opens_at > now:
        never = over_at is not None and opens_at >= over_at
        return Opening(is_open=False, changes_at=over_at if never else opens_at)
    closes_at = _next_forbidden(schedule, tz, now)
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
    if completion_time <= (send_time or local_now + EARLIEST_SEND):
        message = f"localCompletionTime: expected a time after localSendTime, got {_written(completion_time)}"
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


def _next_allowed(schedule: Schedule, tz: zoneinfo.ZoneInfo, start: dt.datetime) -> dt.datetime:
    """Return the first instant from *start* on in an allowed hour of an allowed day."""
    at = start
    while at - start < _HORIZON:
        wall = at.astimezone(tz)
        if _is_allowed(schedule, wall):
            return at
        later = [hour for hour in schedule.hours if hour > wall.hour]
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
        if later and (not schedule.days or wall.isoweekday() in schedule.days):
            target = midnight.replace(hour=min(later))
        else:
            target = midnight + _DAY
        # In a fold the target may lie behind: then an hour of real time forward will do.
        at = max(_instant(target, tz), _next_hour(at, wall))
    return at


def _next_forbidden(schedule: Schedule, tz: zoneinfo.ZoneInfo, start: dt.datetime) -> dt.datetime | None:
    """Return when the run of allowed hours that holds *start* ends."""
    if not schedule.hours and not schedule.days:
        return None
    at = start
    while at - start < _HORIZON:
        wall = at.astimezone(tz)
        if not _is_allowed(schedule, wall):
            return at
        at = _next_hour(at, wall)
    return None


def _next_hour(at: dt.datetime, wall: dt.datetime) -> dt.datetime:
    """Return when the minute hand that *wall* shows at *at* stands at twelve next."""
    return at - dt.timedelta(minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond) + _HOUR
