"""
The sweeper: what must happen by itself.  Each process runs one; each round is done by one of them.
"""

import asyncio
from collections.abc import Awaitable

import asyncpg
import structlog

from penstock.domain.errors import StoreUnavailable
from penstock.domain.windows import opening
from penstock.engine.stop import Stops
from penstock.store import facts, messages, sweeps
from penstock.store.database import Database
from penstock.store.rows import ANY_ZONE

log = structlog.get_logger(__name__)

#: Seconds between rounds.
ROUND = 0.25
#: Every so many rounds the things that are in no hurry are begun too, unless they are still at it.
SLOW = 8
#: Messages that are written as expired in one transaction.
PORTION = 5000


class Sweeper:
    """Moves on what waits for a time, or whose owner is gone."""

    def __init__(self, database: Database, stops: Stops, *, lifetime: int) -> None:
        self._database = database
        self._stops = stops
        self._lifetime = lifetime
        self._after = 0
        self._stray = 0
        self._is_time = asyncio.Event()

    async def run(self) -> None:
        """Sweep for ever; what may take long, for a dispatch is large, holds up nothing that may not wait."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work_slowly())
            while True:
                await self._survive(self._round())
                await asyncio.sleep(ROUND)

    async def _survive(self, work: Awaitable[None]) -> None:
        """Do *work*: one round, as one request, must not take the process with it; the next one comes soon."""
        try:
            await work
        except StoreUnavailable as error:
            log.warning("sweep_failed", error=repr(error.__cause__))
        except asyncpg.PostgresError as error:
            log.exception("sweep_failed", error=repr(error))

    async def _round(self) -> None:
        async with self._database.connection() as connection:
            number = await sweeps.take_round(connection)
        if number is None:
            return
        await self._stops.finish_unattended()
        await self._stops.bury_dead()
        await self._wake()
        await self._settle()
        if number % SLOW == 0:
            self._is_time.set()

    async def _work_slowly(self) -> None:
        while True:
            await self._is_time.wait()
            self._is_time.clear()
            for work in (self._expire, self._outlive, self._match_strays, self._drop_uploads, self._fold_counts):
                await self._survive(work())

    async def _wake(self) -> None:
        async with self._database.connection() as connection:
            await sweeps.wake_scheduled(connection)

    async def _settle(self) -> None:
        async with self._database.connection() as connection:
            found, self._after = await sweeps.find_settling(connection, self._after)
            if found:
                await sweeps.settle(connection, found, lifetime=self._lifetime)

    async def _expire(self) -> None:
        async with self._database.connection() as connection:
            completing = await sweeps.find_completing(connection)
        for dispatch in completing:
            over = [
                zone
                for zone in dispatch.zones
                if dispatch.outlived
                or opening(dispatch.schedule, dispatch.default_zone if zone == ANY_ZONE else zone, dispatch.now).is_over
            ]
            if not over:
                continue
            more = True
            while more:
                async with self._database.transaction() as connection:
                    more = await sweeps.expire(connection, dispatch.dispatch_id, over, PORTION)
            if len(over) == len(dispatch.zones):
                async with self._database.connection() as connection:
                    await sweeps.settle(connection, [dispatch.dispatch_id], lifetime=self._lifetime, expired=True)

    async def _outlive(self) -> None:
        async with self._database.connection() as connection:
            outlived = await sweeps.find_outlived(connection)
        for dispatch_id in outlived:
            after, more = 0, True
            while more:
                async with self._database.transaction() as connection:
                    more = await sweeps.outlive(connection, dispatch_id, after, PORTION)
                after += PORTION

    async def _match_strays(self) -> None:
        async with self._database.transaction() as connection:
            last = await facts.find_last_stray(connection, self._stray)
            touched = await facts.match_strays(connection, self._stray, last)
        self._stray = last
        async with self._database.connection() as connection:
            if touched:
                await sweeps.settle(connection, touched, lifetime=self._lifetime)
            for carrier_id, carrier_message_id in await facts.drop_strays(connection):
                log.warning("receipt_without_message", carrier_id=carrier_id, carrier_message_id=carrier_message_id)

    async def _drop_uploads(self) -> None:
        async with self._database.connection() as connection:
            dead = await messages.find_dead_uploads(connection)
        for upload_id in dead:
            async with self._database.transaction() as connection:
                await messages.give_up_upload(connection, upload_id)
                await messages.drop_upload(connection, upload_id)

    async def _fold_counts(self) -> None:
        async with self._database.connection() as connection:
            await sweeps.fold_counts(connection)
