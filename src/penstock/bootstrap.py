"""
What a new installation begins with: an account and its keys; also keys made later by the operator.
"""

import json
import os
from pathlib import Path

import asyncpg
import structlog

from penstock.store import keys
from penstock.store.database import translated_errors

log = structlog.get_logger(__name__)

FIRST_ACCOUNT = "default"
FIRST_TRAFFIC_CENTER = "main"
KINDS = (1, 2, 3, 4)


class NoSuchData(Exception):
    """A command was sent to a data folder that holds nothing."""


async def make_first_keys(dsn: str, data: Path, zone: str) -> Path | None:
    """
    Make the first account with a key of each kind, and return the file that the keys are in.

    None when there is an account already.  The file is there before the keys can be used, so that
    no crash leaves keys that nobody knows.
    """
    with translated_errors():
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            async with connection.transaction():
                await keys.lock_accounts(connection)
                if await keys.count_accounts(connection):
                    return None
                account_id = await keys.create_account(connection, FIRST_ACCOUNT, zone)
                center_id = await keys.find_or_create_traffic_center(connection, account_id, FIRST_TRAFFIC_CENTER)
                made = {
                    f"TOKEN_{kind}": await keys.create_key(
                        connection, account_id, kind, center_id if kind == 1 else None
                    )
                    for kind in KINDS
                }
                path = _write(data, made)
        finally:
            await connection.close()
    log.warning("keys_created", account=FIRST_ACCOUNT, file=str(path))
    return path


async def make_key(dsn: str, kind: int, account: str, traffic_center: str, zone: str) -> str:
    """Make a key, and what it belongs to where that is missing; returns what goes into the header."""
    with translated_errors():
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            async with connection.transaction():
                await keys.lock_accounts(connection)
                account_id = await keys.find_account(connection, account)
                if account_id is None:
                    account_id = await keys.create_account(connection, account, zone)
                    log.warning("account_created", account=account)
                center_id = None
                if kind == 1:
                    center_id = await keys.find_or_create_traffic_center(connection, account_id, traffic_center)
                return await keys.create_key(connection, account_id, kind, center_id)
        finally:
            await connection.close()


def _write(data: Path, made: dict[str, str]) -> Path:
    """Write the keys where only we may read them; they are on the disk when this returns."""
    data.mkdir(parents=True, exist_ok=True)
    path = data.absolute() / "keys.json"
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        # Keys of another database, perhaps: they cannot be had again.
        path.rename(path.with_suffix(f".{path.stat().st_mtime_ns}.json"))
    fresh.rename(path)
    return path
