"""
The store's half of a halt: marking a dispatch, and writing what became of it.
"""

import datetime as dt
import json
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from penstock.domain.model import CarrierPartition, Partition, StopReceipt
from penstock.domain.uuids import uuid_maker
from penstock.store.database import PLANNED_ONCE, Connection
from penstock.store.statements import Statements

SQL = Statements("halt")


#: For sessions that halt: a statement that waits longer for a lock raises the driver's LockNotAvailableError.
SESSION = PLANNED_ONCE | {"lock_timeout": "500ms"}


class Begun(NamedTuple):
    """A dispatch as a halt found it, and what the halt did."""

    status: str
    changing_to: str | None
    halts: int | None  #: the number of the halt that began
    is_held: bool  #: somebody held a claim of it


class Looked(NamedTuple):
    """A dispatch after a look at whether its halt can end."""

    status: str
    is_held: bool  #: somebody holds a claim of it
    is_ended: bool  #: this look ended it


async def begin(
    connection: Connection,
    account_id: int,
    dispatch_id: int,
    *,
    changing_to: str,
    movable: Sequence[str],
    key_id: int,
) -> Begun | None:
    """Begin to halt a dispatch that stands in one of the statuses *movable*; None: the account has no such dispatch."""
    row = await connection.fetchrow(
        *SQL.begin_halt(
            account_id=account_id, dispatch_id=dispatch_id, changing_to=changing_to, movable=movable, key_id=key_id
        )
    )
    return None if row is None else Begun(row["status"], row["changing_to"], row["halts"], row["is_held"])


async def notify(connection: Connection, said: str) -> None:
    """Say something to every process once the transaction commits."""
    await connection.execute(*SQL.notify(said=said))


async def lock(connection: Connection, dispatch_id: int) -> str | None:
    """Lock a dispatch whose senders are dead, and return its status."""
    status: str | None = await connection.fetchval(*SQL.lock_halting(dispatch_id=dispatch_id))
    return status


async def find_unfinished(connection: Connection) -> list[int]:
    """Return the dispatches whose halt is under way."""
    return [row["id"] for row in await connection.fetch(*SQL.find_halting())]


async def finish(connection: Connection, dispatch_id: int, *, lifetime: int) -> Looked | None:
    """Make a halt take effect if nobody holds a claim; a stop gets its receipt.  None: there is no such dispatch."""
    row = await connection.fetchrow(*SQL.finish_halt(dispatch_id=dispatch_id, lifetime=lifetime))
    return None if row is None else Looked(row["status"], row["is_held"], row["is_ended"])


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
        took_ms=took / dt.timedelta(milliseconds=1),
        total=row["total"],
        counts=Partition(row["accepted"], row["refused"], row["in_doubt"], row["never_sent"]),
        carriers=tuple(CarrierPartition(**share) for share in json.loads(row["carriers"])),
        in_doubt=tuple(map(uuid_maker(row["dispatch_id"]), row["in_doubt_seqs"])),
        late=row["late"],
    )
