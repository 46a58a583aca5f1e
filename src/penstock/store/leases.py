"""
Leases of senders, and what becomes of the claims of one that is gone.

Order of locks everywhere: dispatch, sender, claim, tally.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from penstock.store.database import Connection
from penstock.store.statements import Statements

SQL = Statements("lease")


class Registered(NamedTuple):
    """A sender as the database knows it."""

    sender_id: int
    now: dt.datetime


class Claimant(NamedTuple):
    """A sender that holds claims of a dispatch."""

    sender_id: int
    name: str
    is_over: bool  #: its lease has run out


async def register(connection: Connection, name: str, lease: dt.timedelta) -> Registered:
    """Begin a lease under a name that was never used before."""
    (row,) = await connection.fetch(*SQL.register_sender(name=name, lease=lease))
    return Registered(row["id"], row["now"])


async def renew(connection: Connection, sender_id: int, lease: dt.timedelta, links: str) -> dt.datetime | None:
    """
    Go on with a lease and return the database's clock; None when the lease was ended for good.

    A lease that has only run out, and that nobody ended, goes on.
    """
    now: dt.datetime | None = await connection.fetchval(*SQL.renew_lease(sender_id=sender_id, lease=lease, links=links))
    return now


async def find_halted(connection: Connection, sender_id: int) -> dict[int, int]:
    """Return the dispatches that no longer send although this sender holds claims of them, with their halts."""
    rows = await connection.fetch(*SQL.find_halted(sender_id=sender_id))
    return {row["id"]: row["halts"] for row in rows}


async def bury(connection: Connection, sender_name: str) -> None:
    """End the lease of a sender whose process is known to be dead, so that nobody waits for it."""
    await connection.execute(*SQL.bury_sender(name=sender_name))


async def leave(connection: Connection, sender_id: int) -> bool:
    """End one's own lease; False when something is still claimed."""
    return await connection.fetchval(*SQL.leave(sender_id=sender_id)) is not None


async def find_claimants(connection: Connection, dispatch_id: int) -> list[Claimant]:
    """Return who holds claims of a dispatch."""
    rows = await connection.fetch(*SQL.find_claimants(dispatch_id=dispatch_id))
    return [Claimant(row["id"], row["name"], row["is_over"]) for row in rows]


async def fence_off(connection: Connection, sender_ids: Sequence[int]) -> list[int]:
    """End the leases that have run out and return which of *sender_ids* can never write again."""
    rows = await connection.fetch(*SQL.end_senders(sender_ids=sender_ids))
    return [row["id"] for row in rows]


async def cut_sessions(connection: Connection, sender_ids: Sequence[int]) -> None:
    """Close the database sessions of senders: a frozen one must not keep a lock."""
    await connection.execute(*SQL.cut_sessions(sender_ids=sender_ids))


async def cut_gone(connection: Connection) -> None:
    """Close the database sessions of all senders whose lease has run out or was ended."""
    await connection.execute(*SQL.cut_gone_sessions())


async def find_dead(connection: Connection) -> list[int]:
    """Return senders that have been silent well beyond their lease, and ended ones that still hold claims."""
    rows = await connection.fetch(*SQL.find_dead_senders())
    return [row["id"] for row in rows]


async def find_claimed_dispatches(connection: Connection, sender_ids: Sequence[int]) -> list[int]:
    """Return the dispatches of which these senders hold claims."""
    rows = await connection.fetch(*SQL.find_claimed_dispatches(sender_ids=sender_ids))
    return [row["dispatch_id"] for row in rows]


async def doubt(connection: Connection, dispatch_id: int, sender_ids: Sequence[int]) -> None:
    """Turn the claims of fenced senders into in-doubt facts; the dispatch is locked by the caller."""
    await connection.execute(*SQL.lock_claims_of(dispatch_id=dispatch_id, sender_ids=sender_ids))
    await connection.execute(*SQL.doubt_claims(dispatch_id=dispatch_id, sender_ids=sender_ids))
