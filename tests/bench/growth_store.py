"""
What a database tells of its growth: bytes of tables and of WAL, and what statements cost.
"""

import asyncio
import contextlib
import datetime as dt
import statistics
from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg
import msgspec

from penstock.domain.lifecycle import DispatchStatus
from penstock.store.statements import Statement, Statements

#: Looks at one statement; the median counts.
_LOOKS = 7

_SIZES = """
SELECT coalesce(parent.relname, class.relname) AS name, sum(pg_total_relation_size(class.oid))::bigint AS bytes
FROM pg_class class
LEFT JOIN pg_inherits i ON i.inhrelid = class.oid
LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace
GROUP BY 1
"""


class Cost(NamedTuple):
    """What a statement costs."""

    name: str
    seconds: float  #: execution, without planning
    buffers: int  #: blocks looked at


class Store:
    """Looks at the database of a running server, beside it."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def sizes(self) -> dict[str, int]:
        """Return the bytes of each table with its indexes; partitions count as one."""
        return {row["name"]: row["bytes"] for row in await self._connection.fetch(_SIZES)}

    async def wal(self) -> int:
        """Return how many bytes of WAL have been written since the cluster was made."""
        return int(
            await self._connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
        )

    async def sent(self) -> int:
        """Return how many messages were handed over, whatever came of them."""
        statement = "SELECT coalesce(sum(accepted + refused + in_doubt), 0)::bigint FROM tally"
        return int(await self._connection.fetchval(statement))

    async def until_sent(self, count: int) -> int:
        """Wait until *count* messages were handed over; returns how many it were then."""
        while True:
            now = await self.sent()
            if now >= count:
                return now
            await asyncio.sleep(0.05)

    async def lift_rates(self) -> None:
        """Let all dispatches be sent as fast as they can from one moment on, which no client can."""
        await self._connection.execute(
            "UPDATE dispatch SET rate_unit = NULL, rate_value = NULL, rate_next_at = NULL, wake_at = '-infinity'"
            " WHERE status = 'sending' AND rate_unit IS NOT NULL"
        )

    async def let_days_pass(self, days: int) -> None:
        """Make all that has ended older, and let nothing wait for a receipt."""
        await self._connection.execute("UPDATE dispatch SET settle_at = NULL WHERE settle_at IS NOT NULL")
        await self._connection.execute(
            "UPDATE period SET closed_at = closed_at - $1::interval, ended_at = ended_at - $1::interval"
            " WHERE closed_at IS NOT NULL",
            dt.timedelta(days=days),
        )

    async def costs(self) -> list[Cost]:
        """Explain the statements that every claim and every round of the sweeper runs, and those of the list."""
        account_id = await self._connection.fetchval("SELECT min(id) FROM account")
        listed = {
            "account_id": account_id, "statuses": list(DispatchStatus), "traffic_center_ids": None,
            "most": 100, "skip": 0,
        }  # fmt: skip
        named = {"created_from": None, "created_to": None, "dispatch_ids": None, "name": "ROBE"}
        claim, sweep, dispatch = Statements("claim"), Statements("sweep"), Statements("dispatch")
        return [
            await self._cost(claim.pick_dispatches, lowest=3, channel_types=["SMS"], most=16),
            await self._cost(sweep.find_settling, after=0),
            await self._cost(sweep.wake_scheduled),
            await self._cost(sweep.find_completing),
            await self._cost(sweep.find_outlived),
            await self._cost(Statements("halt").find_halting),
            await self._cost(Statements("metric").count_open_dispatches),
            await self._cost(dispatch.find_dispatches, **listed),
            await self._cost(dispatch.search_dispatches, **listed, **named),
        ]

    async def plan_of_claim(self) -> str:
        """Return the plan of pick_dispatches as text."""
        statement, *values = Statements("claim").pick_dispatches(lowest=3, channel_types=["SMS"], most=16)
        async with self._rolled_back():
            rows = await self._connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS off) {statement}", *values)
        return "\n".join(row[0] for row in rows)

    async def _cost(self, statement: Statement, **values: object) -> Cost:
        text, *given = statement(**values)
        took, buffers = [], []
        for _ in range(_LOOKS):
            async with self._rolled_back():
                explained = await self._connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", *given)
            [plan] = msgspec.json.decode(explained)
            took.append(plan["Execution Time"] / 1000)
            buffers.append(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
        return Cost(statement.name, statistics.median(took), int(statistics.median(buffers)))

    @contextlib.asynccontextmanager
    async def _rolled_back(self) -> AsyncIterator[None]:
        """Keep nothing of what statements change or lock: the server is at work."""
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            yield
        finally:
            await transaction.rollback()


@contextlib.asynccontextmanager
async def looking(dsn: str) -> AsyncIterator[Store]:
    """Connect."""
    connection = await asyncpg.connect(dsn, command_timeout=300)
    try:
        yield Store(connection)
    finally:
        await connection.close()
