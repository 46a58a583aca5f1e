"""
Bring the schema up to date: numbered SQL files, each applied once, under an advisory lock.
"""

import contextlib
from collections.abc import Iterator
from importlib.resources import files

import asyncpg
import structlog

from penstock.store.database import Connection, translated_errors

log = structlog.get_logger(__name__)

_LOCK = 7360000
_OLDEST = 15  #: the first PostgreSQL with all that the statements use


class DatabaseUnfit(Exception):
    """The server answers, and does not let us in, has no such database, or is too old."""


def migrations() -> list[tuple[int, str, str]]:
    """Return (number, name, SQL) of every migration in order."""
    found = []
    for entry in files("penstock.store").joinpath("sql", "migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append((int(number), name, entry.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(dsn: str) -> list[str]:
    """
    Apply what is missing and return the names of it.

    Several processes may do so at once: one works, the others wait.  Raises StoreUnavailable when
    the server does not answer, and DatabaseUnfit when what it answers is that this cannot be.
    """
    with _refusals():
        with translated_errors():
            connection = await asyncpg.connect(dsn, timeout=10)
        try:
            version = connection.get_server_version()
            if version.major < _OLDEST:
                raise DatabaseUnfit(
                    f"PostgreSQL {_OLDEST} or newer is needed, the server is {version.major}.{version.minor}"
                )
            async with connection.transaction():
                return await _apply(connection)
        finally:
            await connection.close()


async def _apply(connection: Connection) -> list[str]:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migration"
        " (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    have = {row["number"] for row in await connection.fetch("SELECT number FROM migration")}
    applied = []
    for number, name, text in migrations():
        if number not in have:
            await connection.execute(text)
            await connection.execute("INSERT INTO migration (number, name) VALUES ($1, $2)", number, name)
            applied.append(f"{number:04} {name}")
            log.info("migration_applied", number=number, name=name)
    await connection.execute("SELECT ensure_partitions()")
    return applied


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn what only the operator can change into DatabaseUnfit."""
    try:
        yield
    except (
        asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password among them
        asyncpg.InvalidCatalogNameError,
        asyncpg.InsufficientPrivilegeError,
    ) as error:
        raise DatabaseUnfit(error.args[0]) from error
