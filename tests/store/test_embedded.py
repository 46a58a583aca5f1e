"""
The embedded PostgreSQL: made, found again, adopted, and never taken from another.
"""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from penstock.store.embedded import EmbeddedPostgres, connect_or_start, stop_abandoned
from penstock.store.installation import NoPostgres
from penstock.store.ownership import DataInUse
from penstock.store.postmaster import read_running


async def ask(dsn: str, question: str) -> object:
    """Ask the server one thing."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_commits_are_durable_and_texts_unicode(tmp_path: Path):
    """
    The server keeps what it acknowledged, listens on no network, and knows Cyrillic letters.
    """
    server = EmbeddedPostgres(tmp_path)
    dsn = await server.start()
    try:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await ask(dsn, f"SELECT current_setting('{setting}')") == "on"
        assert await ask(dsn, "SELECT current_setting('listen_addresses')") == ""
        assert await ask(dsn, "SELECT upper('привет') || length('ё')") == "ПРИВЕТ1"
        assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o700
    finally:
        await server.stop()

    assert not server.is_running


@pytest.mark.parametrize("name", ["a" * 100, 'comma, "quote"'])
async def test_any_folder_will_do(tmp_path: Path, name: str):
    """
    A data folder whose path no socket could have works as any other, and leaves nothing elsewhere.
    """
    server = EmbeddedPostgres(tmp_path / name)
    dsn = await server.start()
    folder = read_running(tmp_path / name / "postgres").socket_folder
    assert await ask(dsn, "SELECT 1") == 1
    await server.stop()

    assert not folder.exists()


async def test_a_server_left_running_is_adopted(tmp_path: Path):
    """
    The next owner goes on with the server that a killed one left, and can wait for its end and stop it.
    """
    first = EmbeddedPostgres(tmp_path)
    await first.start()
    first._release()  # as the kernel does when the owner is killed

    second = EmbeddedPostgres(tmp_path)
    dsn = await second.start()
    assert second.pid == first.pid
    assert await ask(dsn, "SELECT 1") == 1
    waiting = asyncio.create_task(second.wait())
    await second.stop()

    await waiting
    assert await first.wait() == 0


async def test_a_killed_server_starts_again_at_the_same_address(tmp_path: Path):
    """
    After kill -9 of the server what was committed is there, at the address that everybody knows.
    """
    server = EmbeddedPostgres(tmp_path)
    dsn = await server.start()
    await ask(dsn, "CREATE TABLE kept AS SELECT 1")
    os.kill(server.pid, signal.SIGKILL)
    assert await server.wait() == -signal.SIGKILL

    assert await server.start() == dsn
    assert await ask(dsn, "SELECT count(*) FROM kept") == 1
    await server.stop()


async def test_a_folder_has_one_owner(tmp_path: Path):
    """
    A second owner is refused, and the first goes on undisturbed.
    """
    server = EmbeddedPostgres(tmp_path)
    dsn = await server.start()
    with pytest.raises(DataInUse, match="is in use by another process"):
        await EmbeddedPostgres(tmp_path).start()
    await stop_abandoned(tmp_path)

    assert await ask(dsn, "SELECT 1") == 1
    await server.stop()


async def test_a_short_command_uses_the_server_that_is_there(tmp_path: Path):
    """
    A short command uses a running server and leaves it; without one it runs its own and stops it.
    """
    server = EmbeddedPostgres(tmp_path)
    await server.start()
    async with connect_or_start(tmp_path) as dsn:
        assert await ask(dsn, "SELECT 1") == 1
    assert server.is_running
    await server.stop()
    async with connect_or_start(tmp_path) as dsn:
        assert await ask(dsn, "SELECT 1") == 1

    assert read_running(tmp_path / "postgres") is None


async def test_an_abandoned_server_is_stopped(tmp_path: Path):
    """
    A server that nobody owns is stopped by whoever is sent to look.
    """
    server = EmbeddedPostgres(tmp_path)
    await server.start()
    server._release()
    await stop_abandoned(tmp_path)

    assert await server.wait() == 0


async def test_the_number_of_a_dead_server_may_belong_to_somebody_else(tmp_path: Path):
    """
    A mark left by a server whose process number has another owner now does not keep it from starting.
    """
    server = EmbeddedPostgres(tmp_path)
    await server.start()
    mark = (tmp_path / "postgres" / "postmaster.pid").read_text()
    await server.stop()
    (tmp_path / "postgres" / "postmaster.pid").write_text(mark.replace(mark.split()[0], str(os.getpid()), 1))

    assert await ask(await server.start(), "SELECT 1") == 1
    await server.stop()


async def test_data_of_another_version_is_told(tmp_path: Path):
    """
    Data of another major version is refused with what can be done.
    """
    server = EmbeddedPostgres(tmp_path)
    await server.start()
    await server.stop()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")

    with pytest.raises(NoPostgres, match="was made by PostgreSQL 9, the one here is"):
        await server.start()
