"""
The lease of a sender and the gate that it holds open.

The database keeps the lease: two seconds of its own clock from each renewal.  The sender keeps the
gate: two seconds less a margin of *its* clock, counted from before the renewal was sent.  So the
sender always gives up first, and whoever sees the lease run out may say that nothing more leaves.

The gate is looked at immediately before each write to a carrier, with no await between the look
and the write.  A process that was frozen finds it shut when it wakes: the clock counts on through
SIGSTOP, and CLOCK_BOOTTIME through the suspension of the machine.
"""

import asyncio
import datetime as dt
import json
import time
from collections.abc import Callable, Mapping

import asyncpg
import structlog

from penstock.store import leases
from penstock.store.database import UNREACHABLE
from penstock.store.vanishing import SERVER_SETTINGS

log = structlog.get_logger(__name__)

LEASE_SECONDS = 2.0
RENEW_SECONDS = 0.5
#: What clocks may drift apart in two seconds, and then some.
MARGIN_SECONDS = 0.2

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Return seconds of this machine's clock that never stops or jumps."""
    return time.clock_gettime(_BOOTTIME)


class LeaseLost(Exception):
    """Another process ended this sender's lease: what it held is in doubt, and it must end."""


class Lease:
    """One sender's right to write, renewed for as long as `keep` runs."""

    def __init__(self, dsn: str, name: str) -> None:
        self.name = name
        self.sender_id = 0
        self._dsn = dsn
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._busy = asyncio.Lock()  # the connection takes one request at a time
        self._is_given_up = False
        self._shuts_at = 0.0
        self._offset = 0.0

    def is_open(self) -> bool:
        """Tell whether this process may write to carriers now."""
        return clock() < self._shuts_at

    def shut(self) -> None:
        """Shut the gate for good; only a process that gives up does so."""
        self._is_given_up = True
        self._shuts_at = 0.0

    def instant(self, at: float) -> dt.datetime:
        """Return the database's time at *at* of `clock`, as well as this process can tell."""
        return dt.datetime.fromtimestamp(at + self._offset, dt.UTC)

    async def begin(self) -> None:
        """Register under the lease's name and open the gate."""
        self._connection = await self._connect()
        sent = clock()
        registered = await leases.register(self._connection, self.name, dt.timedelta(seconds=LEASE_SECONDS))
        self.sender_id = registered.sender_id
        self._note(sent, clock(), registered.now)

    async def keep(self, links: Callable[[], Mapping[str, object]], halted: Callable[[dict[int, int]], None]) -> None:
        """
        Renew the lease until it is given up; raises LeaseLost when others ended it.

        Each beat tells *links* to the database and calls *halted* with the dispatches that must
        not be written any more: a notification may have been missed.
        """
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            async with self._busy:
                if self._is_given_up:
                    return
                try:
                    await self._renew(json.dumps(links()), halted)
                except UNREACHABLE as error:
                    log.warning("lease_not_renewed", error=repr(error), gate_open=self.is_open())
                    if self._connection is not None:
                        self._connection.terminate()
                        self._connection = None

    async def _renew(self, links: str, halted: Callable[[dict[int, int]], None]) -> None:
        if self._connection is None:
            self._connection = await self._connect()
        sent = clock()
        now = await leases.renew(self._connection, self.sender_id, dt.timedelta(seconds=LEASE_SECONDS), links)
        heard = clock()
        if now is None:
            self.shut()
            raise LeaseLost(self.name)
        # What must not be written is learnt before the gate may open again.
        found = await leases.find_halted(self._connection, self.sender_id)
        halted(found)
        self._note(sent, heard, now)

    async def end(self) -> bool:
        """Shut the gate and give the lease up; False when something is still claimed."""
        self.shut()
        async with self._busy:
            connection = self._connection or await self._connect()
            try:
                return await leases.leave(connection, self.sender_id)
            finally:
                await connection.close()
                self._connection = None

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            self._dsn,
            timeout=2,
            command_timeout=1.5,
            server_settings={"application_name": "penstock lease"} | SERVER_SETTINGS,
        )

    def _note(self, sent: float, heard: float, now: dt.datetime) -> None:
        self._offset = now.timestamp() - (sent + heard) / 2
        if not self._is_given_up:
            self._shuts_at = sent + LEASE_SECONDS - MARGIN_SECONDS
