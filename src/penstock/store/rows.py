"""
How rows become the values that the rest of Penstock knows.
"""

import datetime as dt

import asyncpg

from penstock.domain.lifecycle import DispatchStatus
from penstock.domain.model import Counts, DispatchView, Rate, RateUnit, Schedule

#: The zone of a slice whose dispatch does not look at zones.
ANY_ZONE = "*"

FOREVER = dt.datetime.max.replace(tzinfo=dt.UTC)
BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)


def schedule_of(row: asyncpg.Record) -> Schedule:
    """Read the schedule of a dispatch."""
    return Schedule(
        use_local_time=row["use_local_time"],
        send_time=row["send_time"],
        completion_time=row["completion_time"],
        hours=tuple(row["hours"]),
        days=tuple(row["days"]),
    )


def rate_of(row: asyncpg.Record) -> Rate | None:
    """Read the rate limit of a dispatch."""
    return None if row["rate_unit"] is None else Rate(RateUnit(row["rate_unit"]), row["rate_value"])


def view_of(row: asyncpg.Record) -> DispatchView:
    """Read a dispatch with its counters."""
    status = DispatchStatus(row["status"])
    return DispatchView(
        dispatch_id=row["id"],
        name=row["name"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        status=status,
        channel_type=row["channel_type"],
        sender_name=row["sender_name"],
        content=row["content"],
        schedule=schedule_of(row),
        rate=rate_of(row),
        tags=tuple(row["tags"]),
        traffic_center_id=row["traffic_center_id"],
        traffic_center_name=row["traffic_center_name"],
        base=row["base_name"],
        messages=_counts(row, status, row["messages"], ""),
        parts=_counts(row, status, row["parts"], "_parts"),
    )


def _counts(row: asyncpg.Record, status: DispatchStatus, total: int, suffix: str) -> Counts:
    """
    Derive the five counters from the tallies of facts.

    What has no fact is still sending, or unsent once its dispatch has ended: so they add up to
    *total* whatever happens.
    """
    delivered, undelivered = row["delivered" + suffix], row["undelivered" + suffix]
    unsent = row["unsent" + suffix] + row["refused" + suffix]
    sent = row["accepted" + suffix] + row["in_doubt" + suffix] - delivered - undelivered
    rest = total - delivered - undelivered - unsent - sent
    if status in (DispatchStatus.STOPPED, DispatchStatus.DONE):
        return Counts(total, delivered, undelivered, unsent + rest, sent, 0)
    return Counts(total, delivered, undelivered, unsent, sent, rest)
