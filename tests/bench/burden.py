"""
What makes a stop hard: an API that is being filled at full rate, and a PostgreSQL that is busy with other things.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg

from tests.bench.stand import Stand
from tests.bench.wire import Connection, Pool, bodies, create

_FILLERS = 8  #: connections that fill at once, for as long as it lasts
_PORTION = 20_000  #: messages of each round of the fill
_READERS = 2  #: sessions that read all messages again and again


@contextlib.asynccontextmanager
async def burdened(stand: Stand) -> AsyncIterator[None]:
    """Keep the API and PostgreSQL of *stand* busy until the context is left."""
    connection = await Connection.open(stand.url, stand.key)
    pool = await Pool.open(stand.url, stand.key, _FILLERS)
    dispatch_id = await create(connection, "burden")
    requests = bodies(stand.destinations(), _PORTION)

    async def fill() -> None:
        while True:
            await pool.post_all(f"/api/v1/dispatch/{dispatch_id}/messages", requests)

    async def read() -> None:
        session = await asyncpg.connect(stand.dsn)
        while True:
            await session.fetch("SELECT dispatch_id, count(*), max(destination) FROM message GROUP BY dispatch_id")

    async def checkpoint() -> None:
        session = await asyncpg.connect(stand.dsn)
        while True:
            await session.execute("CHECKPOINT")
            await asyncio.sleep(1)

    tasks = [asyncio.create_task(work) for work in (fill(), checkpoint(), *(read() for _ in range(_READERS)))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        pool.close()
        connection.close()
    early = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
    if early:
        raise RuntimeError(f"the burden ended before its time: {early}")
