"""
Retention: the store's half of letting old messages go.

Dispatch ids are drawn period by period; the facts of a period have partitions of their own, which
are dropped whole.  `period` in the schema says how far each has come.
"""

import datetime as dt
from typing import NamedTuple

from penstock.store import sweeps
from penstock.store.database import Connection
from penstock.store.statements import Statements

SQL = Statements("retention")
CLAIM = Statements("claim")


class Period(NamedTuple):
    """A run of dispatch ids, *first_id* ≤ id < *end_id*."""

    first_id: int
    end_id: int


class HeldBack(NamedTuple):
    """A period that should have gone and has not."""

    first_id: int
    dispatches: int  #: how many keep it
    first_dispatch: int  #: one of them


class Forsaken(NamedTuple):
    """A dispatch that somebody paused and forgot."""

    dispatch_id: int
    zones: tuple[str, ...]


class Step(NamedTuple):
    """What is to be done next to get rid of a partition."""

    fact: str
    is_attached: bool
    statement: str


async def be_the_only_one(connection: Connection) -> bool:
    """Keep others from retaining for as long as *connection* lives; False when somebody does already."""
    return bool(await connection.fetchval(*SQL.be_the_only_one()))


async def make_partitions(connection: Connection) -> None:
    """Make room for the dispatches to come."""
    await connection.execute(*SQL.make_partitions())


async def begin_period(connection: Connection, longest: dt.timedelta, largest: int) -> int | None:
    """Begin a new period if the present one is older than *longest* or has more than *largest* bytes of messages."""
    first_id: int | None = await connection.fetchval(*SQL.begin_period(longest=longest, largest=largest))
    return first_id


async def end_drafts(connection: Connection, kept: dt.timedelta) -> list[int]:
    """End dispatches that were not started in all this time and return some of them; none: those were all."""
    return [row["id"] for row in await connection.fetch(*SQL.end_drafts(kept=kept))]


async def find_forsaken(connection: Connection, kept: dt.timedelta) -> list[Forsaken]:
    """Return dispatches that have been paused for all this time."""
    rows = await connection.fetch(*SQL.find_forsaken(kept=kept))
    return [Forsaken(row["id"], tuple(row["zones"])) for row in rows]


async def expire_paused(connection: Connection, forsaken: Forsaken, most: int) -> bool:
    """Write up to *most* messages of a paused dispatch as unsent; False when that was the last, or it was resumed."""
    rows = await connection.fetch(*CLAIM.lock_dispatches(dispatch_ids=[forsaken.dispatch_id]))
    if [row["status"] for row in rows] != ["paused"]:
        return False
    return await sweeps.expire(connection, forsaken.dispatch_id, forsaken.zones, most)


async def note_ended(connection: Connection) -> list[int]:
    """Note which periods have nothing to wait for, and return them."""
    return [row["first_id"] for row in await connection.fetch(*SQL.note_ended())]


async def find_held_back(connection: Connection, kept: dt.timedelta) -> list[HeldBack]:
    """Return periods whose time is over but for some dispatches that are not final."""
    return [HeldBack(*row) for row in await connection.fetch(*SQL.count_held_back(kept=kept))]


async def mark_dropped(connection: Connection, kept: dt.timedelta) -> list[int]:
    """Let the messages of periods that ended so long ago be seen no more."""
    return [row["first_id"] for row in await connection.fetch(*SQL.mark_dropped(kept=kept))]


async def find_dropped(connection: Connection) -> list[Period]:
    """Return the periods of which more than totals is left, oldest first."""
    return [Period(*row) for row in await connection.fetch(*SQL.find_dropped())]


async def next_step(connection: Connection, period: Period) -> Step | None:
    """Return what to do next to get rid of a period's partitions; None when they are gone."""
    row = await connection.fetchrow(*SQL.next_step(first_id=period.first_id))
    return None if row is None else Step(*row)


async def is_final(connection: Connection, period: Period) -> bool:
    """Tell whether every dispatch of a period is final."""
    return bool(await connection.fetchval(*SQL.is_final(first_id=period.first_id, end_id=period.end_id)))


async def bring_back(connection: Connection, period: Period) -> None:
    """Attach messages that were detached already, and note that their period has not ended."""
    attach: str = await connection.fetchval(*SQL.say_attach(first_id=period.first_id))
    async with connection.transaction():
        await connection.execute(attach)
        await connection.execute(*SQL.unmark(first_id=period.first_id))


async def forget_singles(connection: Connection, period: Period, after: int, most: int) -> int | None:
    """Delete up to *most* anonymous dispatches after *after* and return the last; None: there are no more."""
    rows = await connection.fetch(*SQL.forget_singles(after=after, end_id=period.end_id, most=most))
    return max((row["id"] for row in rows), default=None)


async def fold_tallies(connection: Connection, period: Period, most: int) -> bool:
    """Fold the counters of up to *most* dispatches; False when all of the period are folded."""
    rows = await connection.fetch(*SQL.fold_tallies(first_id=period.first_id, end_id=period.end_id, most=most))
    return bool(rows)


async def finish(connection: Connection, period: Period) -> None:
    """Delete the slices that stops left, and note that only totals are left of a period."""
    await connection.execute(*SQL.forget_slices(first_id=period.first_id, end_id=period.end_id))
    await connection.execute(*SQL.note_emptied(first_id=period.first_id))


async def is_kept(connection: Connection, dispatch_id: int) -> bool:
    """Tell whether the messages of a dispatch are still there."""
    return bool(await connection.fetchval(*SQL.is_kept(dispatch_id=dispatch_id)))


async def tidy(connection: Connection) -> None:
    """Forget answers to Idempotency-Keys and senders that are gone, a day after."""
    await connection.execute(*SQL.drop_answers())
    await connection.execute(*SQL.forget_senders())
