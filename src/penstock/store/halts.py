"""
The store's half of a halt: marking a dispatch, and writing what became of it.
"""

import datetime as dt
import json
from typing import NamedTuple

import asyncpg

from penstock.domain.model import CarrierPartition, Partition, StopReceipt
from penstock.domain.uuids import uuid_maker
from penstock.store.database import Connection
from penstock.store.statements import Statements

SQL = Statements("halt")


class Halting(NamedTuple):
    """A dispatch as a halt finds it."""

    status: str
    changing_to: str | None


async def begin(connection: Connection, dispatch_id: int, changing_to: str, key_id: int) -> int:
    """Mark a dispatch that the caller has locked; returns its number of halts."""
    return int(
        await connection.fetchval(*SQL.begin_halt(dispatch_id=dispatch_id, changing_to=changing_to, key_id=key_id))
    )


async def notify(connection: Connection, said: str) -> None:
    """Say something to every process once the transaction commits."""
    await connection.execute(*SQL.notify(said=said))


async def lock(connection: Connection, dispatch_id: int) -> Halting | None:
    """Lock a dispatch to finish its halt."""
    row = await connection.fetchrow(*SQL.lock_halting(dispatch_id=dispatch_id))
    return None if row is None else Halting(row["status"], row["changing_to"])


async def find_unfinished(connection: Connection) -> list[int]:
    """Return the dispatches whose halt is under way."""
    return [row["id"] for row in await connection.fetch(*SQL.find_halting())]


async def finish(connection: Connection, dispatch_id: int, *, stopped: bool, lifetime: int) -> None:
    """Make a halt take effect; a stop gets its receipt in the same transaction."""
    if stopped:
        await connection.execute(*SQL.write_stop_receipt(dispatch_id=dispatch_id))
    await connection.execute(*SQL.finish_halt(dispatch_id=dispatch_id, lifetime=lifetime))


async def read_receipt(connection: Connection, dispatch_id: int) -> StopReceipt | None:
    """Read the account of a stop."""
    row = await connection.fetchrow(*SQL.get_stop_receipt(dispatch_id=dispatch_id))
    return None if row is None else _receipt(row)


def _receipt(row: asyncpg.Record) -> StopReceipt:
    took: dt.timedelta = row["effective_at"] - row["requested_at"]
    return StopReceipt(
        dispatch_id=row["dispatch_id"],
        requested_at=row["requested_at"],
        effective_at=row["effective_at"],
        key_id=row["key_id"],
        took_ms=took.total_seconds() * 1000,
        total=row["total"],
        counts=Partition(row["accepted"], row["refused"], row["in_doubt"], row["never_sent"]),
        carriers=tuple(CarrierPartition(**share) for share in json.loads(row["carriers"])),
        in_doubt=tuple(map(uuid_maker(row["dispatch_id"]), row["in_doubt_seqs"])),
        late=row["late"],
    )
