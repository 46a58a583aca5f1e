"""
The composition root: builds the parts of a process and wires them; what they do is written elsewhere.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import structlog
import uvicorn

from penstock.channels.port import Gate, Link, LinkEvents
from penstock.channels.smpp.client import SmppLink
from penstock.config import Settings
from penstock.engine.dispatches import Dispatches
from penstock.engine.filling import Filling
from penstock.engine.gateless import GatelessSender, without_gate
from penstock.engine.keys import Keys
from penstock.engine.lease import clock
from penstock.engine.messages import Messages
from penstock.engine.metrics import Metrics
from penstock.engine.retention import Retention
from penstock.engine.sender import LinkFactory, Sender, SenderSettings
from penstock.engine.stop import Stops
from penstock.engine.sweeper import Sweeper
from penstock.http.app import build
from penstock.http.limits import Limits
from penstock.http.protocol import BoundedProtocol
from penstock.http.service import Services
from penstock.store import halts
from penstock.store.database import PLANNED_ONCE, Database

log = structlog.get_logger(__name__)

#: A variable of the environment, for `penstock prove --without-gate` alone and never for production: a sender
#: that finds it keeps no stop (`penstock.engine.gateless`).  So it has no place among the settings.
GATE_OFF = "PENSTOCK_TEST_ONLY_SENDERS_WITHOUT_GATE"

#: Connections to PostgreSQL of one API process, the one that listens not counted; and how they are shared out.
API_CONNECTIONS = 20
QUICK_CONNECTIONS, HALT_CONNECTIONS = 10, 4
#: Connections to PostgreSQL that one sender needs at most.
SENDER_CONNECTIONS = 12
#: Seconds that answers under way are waited for when the API ends.
GRACE_SECONDS = 8
#: A client's idle connection stays open for this many seconds.
KEEP_ALIVE_SECONDS = 65


class _Pools(NamedTuple):
    """The connections of one API process to PostgreSQL."""

    database: Database  #: for searches, exports and the sweeper, whose statements may be planned each time
    quick: Database  #: for what is asked often, by key, and planned once
    halting: Database  #: for stops alone, which so never wait for a filling


@contextlib.asynccontextmanager
async def _open_pools(dsn: str) -> AsyncIterator[_Pools]:
    async with contextlib.AsyncExitStack() as stack:

        async def connect(size: int, settings: Mapping[str, str]) -> Database:
            database = await Database.connect(dsn, size=size, name="penstock api", settings=settings)
            stack.push_async_callback(database.close)
            return database

        yield _Pools(
            await connect(API_CONNECTIONS - QUICK_CONNECTIONS - HALT_CONNECTIONS, {}),
            await connect(QUICK_CONNECTIONS, PLANNED_ONCE),
            await connect(HALT_CONNECTIONS, halts.SESSION),
        )


@contextlib.asynccontextmanager
async def _open_services(pools: _Pools, settings: Settings) -> AsyncIterator[Services]:
    """Lend what the HTTP side asks for, with everything that has to run beside it."""
    database, quick, halting = pools
    stops = Stops(halting, lifetime=settings.default_lifetime, timeout=settings.stop_timeout)
    messages = Messages(quick, default_zone=settings.default_zone, lifetime=settings.default_lifetime)
    sweeper = Sweeper(database, stops, lifetime=settings.default_lifetime)
    retention = Retention(database, days=settings.retention_days, lifetime=settings.default_lifetime)
    async with asyncio.TaskGroup() as group:
        beside = [
            group.create_task(messages.run()),
            group.create_task(sweeper.run()),
            group.create_task(retention.run()),
            group.create_task(database.listen(stops.hear)),
        ]
        yield Services(
            keys=Keys(database),
            dispatches=Dispatches(quick, database),
            stops=stops,
            filling=Filling(quick),
            messages=messages,
        )
        for task in beside:
            task.cancel()


async def run_api(
    settings: Settings, dsn: str, listening: socket.socket, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Answer HTTP on *listening* until *stop* is set; *ready* is called when it begins."""
    async with _open_pools(dsn) as pools, _open_services(pools, settings) as services:
        limits = Limits(settings.max_json_bytes, settings.max_file_bytes, settings.default_zone)
        server = _Server(
            uvicorn.Config(
                build(services, limits, Metrics(pools.database).read),
                loop="none",
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            ),
            ready,
        )
        ending = asyncio.create_task(server.end_when(stop))
        await server.serve(sockets=[listening])
        ending.cancel()


async def run_sender(settings: Settings, dsn: str, name: str, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Send under *name* until *stop* is set; *ready* is called when the lease is held."""
    kind, links = Sender, link_factory(settings)
    if os.environ.get(GATE_OFF):
        log.error("GATE_IS_OFF", variable=GATE_OFF, meaning="stops are NOT kept; this is for a test of the proof alone")
        kind, links = GatelessSender, without_gate(links)
    sender = kind(
        dsn,
        SenderSettings(
            name=name,
            claim_limit=settings.claim_limit,
            channel_types=tuple(sorted({channel for carrier in settings.carrier for channel in carrier.channels})),
            lifetime=settings.default_lifetime,
        ),
        links,
    )
    await sender.run(stop, ready)


def link_factory(settings: Settings) -> LinkFactory:
    """Return what makes all links of one sender."""

    def make(gate: Gate, events: LinkEvents) -> Sequence[Link]:
        return [
            SmppLink(carrier, carrier.name, gate, events, clock)
            for carrier in settings.carrier
            for _ in range(carrier.connections)
        ]

    return make


class _Server(uvicorn.Server):
    """Uvicorn that tells when it is ready and leaves signals to its process."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them."""
        yield

    async def end_when(self, stop: asyncio.Event) -> None:
        """End once *stop* is set."""
        await stop.wait()
        self.should_exit = True
