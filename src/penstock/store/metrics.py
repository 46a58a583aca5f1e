"""
Metrics: what the tables tell of the whole installation.
"""

from collections.abc import Mapping
from typing import NamedTuple

from penstock.store import dispatches
from penstock.store.database import Connection
from penstock.store.statements import Statements

SQL = Statements("metric")


class Measured(NamedTuple):
    """The installation at one moment."""

    dispatches: Mapping[str, int]  #: by status; final ones are not counted
    claimed: int  #: messages that senders hold
    late: int  #: messages seen written after a stop had taken effect; must be 0
    strays: int  #: receipts whose message is not known
    senders: int  #: whose lease runs
    links: Mapping[str, tuple[int, int]]  #: connections of each carrier: up, and configured


async def measure(connection: Connection) -> Measured:
    """Look at the tables; costs the same for ten messages and ten million."""
    return Measured(
        {row["status"]: row["count"] for row in await connection.fetch(*SQL.count_open_dispatches())},
        await connection.fetchval(*SQL.count_claimed()),
        await connection.fetchval(*SQL.count_late()),
        await connection.fetchval(*SQL.count_strays()),
        await connection.fetchval(*SQL.count_senders()),
        await dispatches.read_links(connection),
    )
