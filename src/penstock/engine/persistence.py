"""
What the recorders share: they go on until the database has it, and see dispatches through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import asyncpg
import structlog

from penstock.domain.errors import StoreUnavailable
from penstock.store import sweeps
from penstock.store.database import Database

log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")

#: Seconds between two looks at dispatches.
_PAUSE = 0.1


async def insist(step: Callable[[], Awaitable[_Result]]) -> _Result:
    """Do *step* as soon as the database can be reached, however long that takes."""
    while True:
        try:
            return await step()
        except StoreUnavailable as error:
            log.warning("recorder_waits_for_store", error=repr(error.__cause__))
            await asyncio.sleep(0.1)
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
            log.warning("recorder_tries_again", error=repr(error))


class Settler:
    """
    Moves on the dispatches that what was recorded may have completed; what is missed the sweeper finds.

    It looks at all that came in a tenth of a second together: with single messages every
    transaction completes a few.
    """

    def __init__(self, database: Database, *, lifetime: int) -> None:
        self._database = database
        self._lifetime = lifetime
        self._touched: set[int] = set()
        self._something = asyncio.Event()

    def touch(self, dispatch_ids: Iterable[int]) -> None:
        """Look at these soon."""
        self._touched.update(dispatch_ids)
        if self._touched:
            self._something.set()

    async def run(self) -> None:
        """Look at dispatches for ever."""
        while True:
            await self._something.wait()
            await asyncio.sleep(_PAUSE)
            await self.settle()

    async def settle(self) -> None:
        """Look now."""
        self._something.clear()
        looked_at, self._touched = self._touched, set()
        if not looked_at:
            return
        try:
            async with self._database.connection() as connection:
                await sweeps.settle(connection, looked_at, lifetime=self._lifetime)
        except StoreUnavailable:
            self.touch(looked_at)
