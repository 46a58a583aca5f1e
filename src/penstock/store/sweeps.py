"""
What moves on by itself: times that come, messages that expire, dispatches that are done.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from penstock.domain.lifecycle import DispatchStatus
from penstock.domain.model import Schedule
from penstock.store.database import Connection
from penstock.store.rows import schedule_of
from penstock.store.statements import Statements

#: The limit of find_settling.
_LOOKED_AT = 1000

SQL = Statements("sweep")
CLAIM = Statements("claim")


class Completing(NamedTuple):
    """A dispatch of which some messages may be past their time."""

    dispatch_id: int
    zones: tuple[str, ...]
    default_zone: str
    schedule: Schedule
    outlived: bool  #: a single message whose lifetime is over, wherever it goes
    now: dt.datetime


async def take_round(connection: Connection) -> int | None:
    """Return the number of the round that is ours to do; None when another process does it."""
    rounds: int | None = await connection.fetchval(*SQL.take_round())
    return rounds


async def wake_scheduled(connection: Connection) -> int:
    """Begin to send what is due and return how many dispatches that were."""
    return len(await connection.fetch(*SQL.wake_scheduled()))


async def find_settling(connection: Connection, after: int) -> tuple[list[int], int]:
    """
    Return dispatches that may have nothing left to send or to wait for, and where to go on.

    Of those that wait for receipts a thousand are looked at, those after *after*; the second value
    is the *after* of the next call.
    """
    rows = await connection.fetch(*SQL.find_settling(after=after))
    awaiting = [row["id"] for row in rows if row["status"] == DispatchStatus.AWAITING]
    return [row["id"] for row in rows], awaiting[-1] if len(awaiting) >= _LOOKED_AT else 0


async def settle(
    connection: Connection, dispatch_ids: Iterable[int], *, lifetime: int, expired: bool = False
) -> list[tuple[int, str]]:
    """
    Move on those of *dispatch_ids* that have nothing left to send or to wait for.

    *expired* admits paused and scheduled ones whose completion time has passed.  Returns the id and
    the new status of those that moved.
    """
    rows = await connection.fetch(
        *SQL.settle_dispatches(dispatch_ids=sorted(dispatch_ids), lifetime=lifetime, expired=expired)
    )
    return [(row["id"], row["status"]) for row in rows]


async def find_completing(connection: Connection) -> list[Completing]:
    """Return dispatches of which some messages may be past their completion time or lifetime."""
    rows = await connection.fetch(*SQL.find_completing())
    return [
        Completing(
            row["id"], tuple(row["zones"]), row["default_zone"], schedule_of(row),
            row["is_anonymous"] and row["completion_time"] is None, row["now"],
        )
        for row in rows
    ]  # fmt: skip


async def expire(connection: Connection, dispatch_id: int, zones: Sequence[str], most: int) -> bool:
    """Write up to *most* messages of these zones as unsent; tells whether there were any."""
    await connection.execute(*CLAIM.lock_dispatches(dispatch_ids=[dispatch_id]))
    found = await connection.fetchval(*SQL.expire_slices(dispatch_id=dispatch_id, zones=zones, most=most))
    await sleep_if_empty(connection, [dispatch_id])
    return found is not None


async def sleep_if_empty(connection: Connection, dispatch_ids: Sequence[int]) -> None:
    """Note which of these locked dispatches have nothing left to claim."""
    await connection.execute(*SQL.sleep_if_empty(dispatch_ids=dispatch_ids))


async def read_clock(connection: Connection) -> dt.datetime:
    """Return the database's clock, the only one that two processes may compare."""
    now: dt.datetime = await connection.fetchval(*SQL.read_clock())
    return now


async def find_outlived(connection: Connection) -> list[int]:
    """Return dispatches whose messages have all had their lifetime."""
    return [row["id"] for row in await connection.fetch(*SQL.find_outlived())]


async def outlive(connection: Connection, dispatch_id: int, after: int, most: int) -> bool:
    """Write those of the *most* messages after *after* that have no receipt as undelivered; False: those were all."""
    await connection.execute(*SQL.outlive_messages(dispatch_id=dispatch_id, after=after, most=most))
    return await connection.fetchval(*SQL.forget_settling(dispatch_id=dispatch_id, after=after + most)) is None


async def fold_counts(connection: Connection) -> None:
    """Keep what tells the number of dispatches short."""
    await connection.execute(*SQL.fold_counts())


async def note_late(connection: Connection, sender_id: int, writes: Sequence[tuple[int, dt.datetime, int]]) -> int:
    """Count the messages among *writes* (dispatch id, instant, how many) that were written after a stop took effect."""
    rows = await connection.fetch(
        *SQL.note_late(
            sender_id=sender_id,
            dispatch_ids=[write[0] for write in writes],
            written_ats=[write[1] for write in writes],
            counts=[write[2] for write in writes],
        )
    )
    return sum(row["late"] for row in rows)
