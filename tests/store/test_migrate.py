"""Migrations: applied once, whoever comes first."""

import asyncio
import contextlib

import asyncpg

from penstock.store.migrate import migrate, migrations
from tests.harness.postgres import Server


async def test_many_processes_migrate_one_database(server: Server) -> None:
    """Processes that start together bring the schema up to date once."""
    dsn = await server.create()
    try:
        applied = await asyncio.gather(*(migrate(dsn) for _ in range(4)))
    finally:
        await server.drop(dsn)

    assert sorted(map(len, applied)) == [0, 0, 0, len(migrations())]


async def test_migrating_again_changes_nothing(dsn: str) -> None:
    """An up-to-date database is left as it is."""
    assert await migrate(dsn) == []


async def test_a_failed_migration_leaves_nothing(server: Server) -> None:
    """What stands in the way makes the migration fail whole."""
    other = await server.create()
    connection = await asyncpg.connect(other)
    try:
        await connection.execute("CREATE TABLE stop_receipt (id integer)")
        with contextlib.suppress(asyncpg.DuplicateTableError):
            await migrate(other)
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
        await server.drop(other)

    assert [row[0] for row in tables] == ["stop_receipt"]
