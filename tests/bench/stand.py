"""
A server and a carrier that is ours, running for a measurement.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from penstock.prove.programs import running
from penstock.prove.serving import serving
from penstock.store.postmaster import address, read_running


class Shape(NamedTuple):
    """How the server is set up."""

    senders: int
    connections: int
    window: int


class Stand(NamedTuple):
    """What a measurement needs to know."""

    url: str
    key: str
    server: int  #: pid
    carrier: int  #: pid
    log: Path  #: of the wire
    dsn: str  #: of the server's PostgreSQL
    starts: "itertools.count[int]"  #: first destinations of dispatches, so that all differ

    def destinations(self) -> int:
        """Return the first of a million destinations that nobody else uses."""
        return next(self.starts)


@contextlib.asynccontextmanager
async def stand(home: Path, shape: Shape, *, latency: int, logged: bool) -> AsyncIterator[Stand]:
    """Run a server on a carrier that answers after *latency* milliseconds; files go to *home*."""
    log = home / "wire.jsonl"
    smsc = ["smsc", "--port", "0", "--latency", str(latency), "--dlr", "1", *(["--log", str(log)] if logged else [])]
    async with running(*smsc, said=home / "smsc.log") as carrier:
        settings = {"name": "bench", "window": shape.window, "connections": shape.connections}
        async with serving(home, carrier.ready, settings, senders=shape.senders) as (server, data, key):
            starts = itertools.count(79_000_000_000, 1_000_000)
            running_postgres = read_running(data / "postgres")
            if running_postgres is None:
                raise RuntimeError("the server runs, and its PostgreSQL does not")
            dsn = address(running_postgres.socket_folder)
            yield Stand(server.ready, key, server.pid, carrier.pid, log, dsn, starts)
