"""Transactions: whoever is told that one has committed can rely on it, and the other way round."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.domain.errors import StoreUnavailable
from penstock.store.database import Connection, Database, Mark
from tests.harness.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.harness.waiting import until

#: Writes a carrier, and then the mark of its transaction.
WRITE_AND_MARK = """
WITH written AS (INSERT INTO carrier (name) VALUES ('main') RETURNING id)
INSERT INTO commit_mark AS mark (owner, slot, number) SELECT $1, $2, $3 FROM written
ON CONFLICT (owner, slot) DO UPDATE SET number = EXCLUDED.number
RETURNING true
"""


@pytest.fixture
async def cut(dsn: str) -> AsyncIterator[tuple[CuttingProxy, Database]]:
    """Connect through a proxy that can break connections."""
    # A Unix socket has a short path only.
    with tempfile.TemporaryDirectory() as folder:
        async with cutting_proxy(dsn, Path(folder)) as (proxy, address):
            database = await Database.connect(address, size=3)
            yield proxy, database
            await database.close()


async def note(database: Database, name: str) -> None:
    """Write something."""
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO carrier (name) VALUES ($1)", name)


async def names(database: Database) -> list[str]:
    """Return all that was written."""
    async with database.connection() as connection:
        return [row["name"] for row in await connection.fetch("SELECT name FROM carrier ORDER BY name")]


@pytest.mark.anyio
@pytest.mark.parametrize("how", [Cut.UNANSWERED, Cut.ANSWERED])
async def test_a_commit_that_breaks_has_still_committed(
    cut: tuple[CuttingProxy, Database], database: Database, how: Cut
) -> None:
    """When the connection breaks at the commit, the transaction is not told to have failed if it has not."""
    proxy, through = cut
    proxy.cut_next_commits(how)
    await note(through, "main")

    assert proxy.made == 1
    assert await names(database) == ["main"]


async def test_many_commits_that_break_do_not_wait_for_each_other(
    cut: tuple[CuttingProxy, Database], database: Database
) -> None:
    """When all connections break at their commits, each transaction still learns what became of it."""
    proxy, through = cut
    proxy.cut_next_commits(*[Cut.UNANSWERED] * 9)
    async with asyncio.timeout(5):
        await asyncio.gather(*(note(through, f"{number}") for number in range(9)))

    assert await names(database) == [f"{number}" for number in range(9)]


async def test_a_transaction_that_breaks_early_is_told_to_have_failed(database: Database) -> None:
    """When the connection breaks before the commit nothing was written, and that is what is said."""

    async def break_off() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO carrier (name) VALUES ('main')")
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StoreUnavailable):
        await break_off()

    assert await names(database) == []


async def test_a_transaction_left_open_by_a_frozen_process_is_unreachable(database: Database) -> None:
    """A process that wakes to a transaction which the server has ended meanwhile tries again, and does not fall."""

    async def freeze() -> None:
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '20ms'")
            await asyncio.sleep(0.2)
            await connection.execute("SELECT 1")

    with pytest.raises(StoreUnavailable):
        await freeze()


async def test_a_commit_that_was_lost_is_not_taken_for_another_one(
    cut: tuple[CuttingProxy, Database], database: Database
) -> None:
    """When the server forgot the transaction in a crash, its id, given out again, says nothing."""
    proxy, through = cut
    await note(through, "before")
    proxy.cut_next_commits(Cut.FORGOTTEN)
    with pytest.raises(StoreUnavailable):
        await note(through, "main")
    await note(through, "after")

    assert proxy.made == 1
    assert await names(database) == ["after", "before"]


async def test_what_was_said_to_have_failed_cannot_commit_later(database: Database) -> None:
    """A statement that is still at work on the server, cut off from its process, fails once that has asked about it."""
    pid = 0

    async def write(connection: Connection, mark: Mark) -> bool:
        nonlocal pid
        pid = connection.get_server_pid()
        writing = asyncio.create_task(connection.fetchval(WRITE_AND_MARK, *mark))
        await until(is_waiting, what="the statement to wait for a lock")
        connection.terminate()
        return bool(await writing)

    async def is_waiting() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'"
        async with database.connection() as connection:
            return bool(await connection.fetchval(query, pid))

    async def is_gone() -> bool:
        async with database.connection() as connection:
            return not await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)

    async with database.connection() as holder:
        await holder.execute("BEGIN; INSERT INTO carrier (name) VALUES ('main')")
        with pytest.raises(StoreUnavailable):
            await database.write(write)
        await holder.execute("ROLLBACK")
    await until(is_gone, what="the statement to end")

    assert await names(database) == []
