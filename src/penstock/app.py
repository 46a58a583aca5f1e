"""
The composition root: builds the parts of a process and wires them; what they do is written elsewhere.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

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
from penstock.store.database import PLANNED_ONCE, Database

log = structlog.get_logger(__name__)

#: A variable of the environment, for `penstock prove --without-gate` alone and never for production: a sender
#: that finds it keeps no stop (`penstock.engine.gateless`).  So it has no place among the settings.
GATE_OFF = "PENSTOCK_TEST_ONLY_SENDERS_WITHOUT_GATE"

#: Connections to PostgreSQL of one API process, the one that listens not counted.
API_CONNECTIONS = 20
#: Those of them that plan their statements once.
QUICK_CONNECTIONS = 12
#: Connections to PostgreSQL that one sender needs at most.
SENDER_CONNECTIONS = 12
#: Seconds that answers under way are waited for when the API ends.
GRACE_SECONDS = 8
#: A client's idle connection stays open for this many seconds.
KEEP_ALIVE_SECONDS = 65


@contextlib.asynccontextmanager
async def open_services(database: Database, quick: Database, settings: Settings) -> AsyncIterator[Services]:
    """
    Lend what the HTTP side asks for, with everything that has to run beside it.

    *quick* is the same database with statements planned once: for what is asked often, by key.
    """
    stops = Stops(quick, lifetime=settings.default_lifetime, timeout=settings.stop_timeout)
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
            dispatches=Dispatches(database),
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
    database = await Database.connect(dsn, size=API_CONNECTIONS - QUICK_CONNECTIONS, name="penstock api")
    quick = await Database.connect(dsn, size=QUICK_CONNECTIONS, name="penstock api", settings=PLANNED_ONCE)
    try:
        async with open_services(database, quick, settings) as services:
            limits = Limits(settings.max_json_bytes, settings.max_file_bytes, settings.default_zone)
            server = _Server(
                uvicorn.Config(
                    build(services, limits, Metrics(database).read),
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
    finally:
        await quick.close()
        await database.close()


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
