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

#: Dispatches that are looked at even though more is coming.
_MANY = 50


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
    """Moves on the dispatches that what was recorded may have completed; what is missed the sweeper finds."""

    def __init__(self, database: Database, *, lifetime: int) -> None:
        self._database = database
        self._lifetime = lifetime
        self._touched: set[int] = set()

    async def settle(self, touched: Iterable[int], *, more: bool) -> None:
        """Look at dispatches; while there is *more* to record, together with those of later calls."""
        self._touched.update(touched)
        if not self._touched or (more and len(self._touched) < _MANY):
            return
        looked_at, self._touched = self._touched, set()
        try:
            async with self._database.connection() as connection:
                await sweeps.settle(connection, looked_at, lifetime=self._lifetime)
        except StoreUnavailable:
            self._touched |= looked_at
