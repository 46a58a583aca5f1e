"""
Retention: what is old goes, and nothing that is not over does.

Dispatch ids are drawn period by period (a tenth of the retention long, or as many messages as fit
well into a partition).  A period whose dispatches are all final, with all their receipts, for as
long as the retention says goes whole:

1. It is marked: from that commit on its messages are not shown.
2. Its partitions are detached, those of the messages first, without holding up anybody.  Now nobody
   can add a message to it, and every dispatch that has some is seen: should one of them not be final,
   against all expectation, the messages are attached again.
3. They are dropped.  Dispatches of single messages go too; of the others the row, the stop receipt
   and the counters stay, folded into one row for each carrier.

Each step is found in the database, so any process goes on where another was killed.  A dispatch that
does not end holds back its own period and no other.  One that was never started, or is paused, and
that nobody has touched for the whole retention is ended: its messages are unsent.
"""

import asyncio
import datetime as dt
import itertools

import asyncpg
import structlog

from penstock.domain.errors import StoreUnavailable
from penstock.store import retention, sweeps
from penstock.store.database import Connection, Database
from penstock.store.retention import Forsaken, Period

log = structlog.get_logger(__name__)

#: Seconds between looks at the present period, and how many of them make an hour.
ROUND = 60
HOURLY = 60
#: A period of an installation that keeps everything, as long as one of the default retention.
ENDLESS = dt.timedelta(days=9)
#: Bytes of messages after which a new period begins: about fifty million messages.
LARGEST = 5_000_000_000
#: Rows that one transaction changes.
PORTION = 5000
#: A step that has to wait for others longer than this is tried again in the next round.
LOCK_TIMEOUT = "5s"
#: Seconds for one step; a file system takes its time to give back gigabytes.
STEP_SECONDS = 600


class Retention:
    """Begins periods, and lets those go that ended *days* ago; 0 keeps them for ever."""

    def __init__(self, database: Database, *, days: int, lifetime: int) -> None:
        self._database = database
        self._kept = dt.timedelta(days=days)
        self._lifetime = lifetime

    async def run(self) -> None:
        """Retain for ever."""
        for number in itertools.count():
            try:
                await self.begin_period()
                if number % HOURLY == 0:
                    await self.tidy()
                    await self.let_go()
            except StoreUnavailable as error:
                log.warning("retention_failed", error=repr(error.__cause__))
            except asyncpg.PostgresError as error:
                # One round must not take the process with it; the next goes on where this one was.
                log.exception("retention_failed", error=repr(error))
            await asyncio.sleep(ROUND)

    async def begin_period(self, *, largest: int = LARGEST) -> int | None:
        """Make room ahead, and begin a new period if it is time; returns its first id."""
        async with self._database.connection() as connection:
            await retention.make_partitions(connection)
            begun = await retention.begin_period(connection, self._kept / 10 or ENDLESS, largest)
        if begun is not None:
            log.info("period_begun", first_id=begun)
        return begun

    async def tidy(self) -> None:
        """Empty the small tables of what nobody asks for any more."""
        async with self._database.connection() as connection:
            await retention.tidy(connection)
        await self._database.forget_marks()

    async def let_go(self) -> None:
        """Drop what ended long ago, as far as it can be done now."""
        async with self._database.apart(lock_timeout=LOCK_TIMEOUT, seconds=STEP_SECONDS) as connection:
            if not await retention.be_the_only_one(connection):
                return
            if self._kept:
                await self._end_forgotten(connection)
            await retention.note_ended(connection)
            if self._kept:
                for held_back in await retention.find_held_back(connection, self._kept):
                    log.warning("period_held_back", **held_back._asdict())
                await retention.mark_dropped(connection, self._kept)
            for period in await retention.find_dropped(connection):
                if await self._drop(connection, period):
                    await self._fold(connection, period)

    async def _end_forgotten(self, connection: Connection) -> None:
        while drafts := await retention.end_drafts(connection, self._kept):
            log.warning("drafts_ended", dispatch_ids=drafts)
        for forsaken in await retention.find_forsaken(connection, self._kept):
            await self._end_paused(forsaken)

    async def _end_paused(self, forsaken: Forsaken) -> None:
        more = True
        while more:
            async with self._database.transaction() as connection:
                more = await retention.expire_paused(connection, forsaken, PORTION)
        async with self._database.connection() as connection:
            settled = await sweeps.settle(connection, [forsaken.dispatch_id], lifetime=self._lifetime, expired=True)
        log.warning("paused_ended", dispatch_id=forsaken.dispatch_id, now=settled)

    async def _drop(self, connection: Connection, period: Period) -> bool:
        """Drop the partitions of a period; False when it had to be brought back."""
        while step := await retention.next_step(connection, period):
            if step.fact == "message" and not step.is_attached and not await retention.is_final(connection, period):
                await retention.bring_back(connection, period)
                log.error("period_brought_back", first_id=period.first_id)
                return False
            await connection.execute(step.statement)
            log.info("retention_step", step=step.statement)
        return True

    async def _fold(self, connection: Connection, period: Period) -> None:
        after: int | None = period.first_id - 1
        while after is not None:
            after = await retention.forget_singles(connection, period, after, PORTION)
        while await retention.fold_tallies(connection, period, PORTION):
            pass
        await retention.finish(connection, period)
        log.warning("period_dropped", first_id=period.first_id, end_id=period.end_id)
