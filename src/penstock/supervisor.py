"""
`penstock serve`: runs PostgreSQL, the API, the senders and perhaps the simulator, each a process.

The supervisor holds the listening socket and the database's life in its hands and nothing else.
What ends is started again; a sender that died is reported to the database at once, so that nobody
waits for its lease.  The end goes in the order in which the parts need one another: the API
finishes the requests it has, the senders finish what is on the wire and give the rest back, then
the simulator and PostgreSQL go.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import structlog

from penstock.app import API_CONNECTIONS, SENDER_CONNECTIONS
from penstock.bootstrap import make_first_keys
from penstock.child import ApiOrder, SenderOrder, SimulatorOrder
from penstock.config import Settings, SmppCarrier
from penstock.part import FIRST_PAUSE, LONGEST_PAUSE, Part
from penstock.store import leases
from penstock.store.database import UNREACHABLE
from penstock.store.embedded import EmbeddedPostgres
from penstock.store.installation import NoPostgres
from penstock.store.migrate import migrate

log = structlog.get_logger(__name__)

#: Seconds for each step of the end; together they stay below 30.
API_SECONDS = 9.0
SENDER_SECONDS = 18.0
SIMULATOR_SECONDS = 2.0

BACKLOG = 2048
#: Connections to PostgreSQL for the supervisor, short commands and whoever looks.
SPARE_CONNECTIONS = 30


class CannotListen(Exception):
    """The address of the API is not to be had."""


class Supervisor:
    """Runs a whole Penstock until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._data = Path(settings.data).absolute()
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._dsn = settings.database
        self._inherited: tuple[int, ...] = ()

    async def run(self, stop: asyncio.Event, announce: Callable[[str], None]) -> None:
        """
        Start everything, call *announce* with the ready line, and end everything once *stop* is set.

        Raises CannotListen, DataInUse, NoPostgres, PartFailed and StoreUnavailable.
        """
        settings = self._settings
        listening = _listen(settings) if settings.role != "sender" else None
        with contextlib.closing(listening) if listening else contextlib.nullcontext():
            async with self._database() as keeping:
                await migrate(self._dsn)
                await make_first_keys(self._dsn, self._data, settings.default_zone)
                await self._run_parts(listening, keeping, stop, announce)
        log.info("ended")

    async def _run_parts(
        self,
        listening: socket.socket | None,
        keeping: asyncio.Task[None] | None,
        stop: asyncio.Event,
        announce: Callable[[str], None],
    ) -> None:
        apis: list[Part] = []
        senders: list[Part] = []
        simulators: list[Part] = []
        tasks = [keeping] if keeping is not None else []
        try:
            if self._settings.role != "api":
                if not self._settings.carrier:
                    await self._start_simulator(simulators, tasks, stop)
                senders += [self._sender(index) for index in range(self._settings.senders)]
            if listening is not None:
                apis += [self._api(index, listening) for index in range(self._settings.api_workers)]
            parts = [*senders, *apis]
            tasks += [part.start() for part in parts]
            if await _first(_all_ready(parts), tasks, stop):
                announce(f"penstock ready {_address(listening)}")
                await _first(stop.wait(), tasks, stop)
        finally:
            log.info("ending")
            await _stop(apis, API_SECONDS)
            await _stop(senders, SENDER_SECONDS)
            await _stop(simulators, SIMULATOR_SECONDS)

    def _api(self, index: int, listening: socket.socket) -> Part:
        descriptor = listening.fileno()
        return Part(
            f"api-{index}",
            lambda _: ApiOrder(self._settings, self._dsn, descriptor),
            inherited=(*self._inherited, descriptor),
        )

    def _sender(self, index: int) -> Part:
        def name(number: int) -> str:
            return f"{self._name}:{index}:{number}"

        return Part(
            f"sender-{index}",
            lambda number: SenderOrder(self._settings, self._dsn, name(number)),
            inherited=self._inherited,
            died=lambda number: self._bury(name(number)),
        )

    async def _start_simulator(
        self, simulators: list[Part], tasks: list[asyncio.Task[None]], stop: asyncio.Event
    ) -> None:
        """Run a simulator and make it the only carrier; after a restart it is found where it was."""
        simulator = Part(
            "simulator",
            lambda _: SimulatorOrder(self._settings, int(simulator.said or 0)),
            inherited=self._inherited,
        )
        simulators.append(simulator)
        tasks.append(simulator.start())
        if not await _first(simulator.ready.wait(), tasks, stop):
            return
        port = int(simulator.said)
        self._settings = msgspec.structs.replace(self._settings, carrier=(SmppCarrier(name="simulator", port=port),))
        log.warning(
            "SIMULATOR_ONLY",
            port=port,
            meaning="no carrier is configured: messages go to a simulator and to no telephone",
        )

    async def _bury(self, sender_name: str) -> None:
        """End the lease of a dead sender; if that fails, it ends by itself in two seconds."""
        try:
            connection = await asyncpg.connect(self._dsn, timeout=2, command_timeout=2)
            try:
                await leases.bury(connection, sender_name)
            finally:
                connection.terminate()
        except UNREACHABLE as error:
            log.warning("sender_not_buried", sender=sender_name, error=repr(error))
        else:
            log.warning("sender_buried", sender=sender_name)

    @contextlib.asynccontextmanager
    async def _database(self) -> AsyncIterator[asyncio.Task[None] | None]:
        """Run the embedded PostgreSQL, if it is that; lends the task that starts it again when it ends."""
        if self._settings.database:
            yield None
            return
        settings = self._settings
        needed = (
            settings.senders * SENDER_CONNECTIONS + settings.api_workers * (API_CONNECTIONS + 1) + SPARE_CONNECTIONS
        )
        postgres = EmbeddedPostgres(self._data, connections=max(100, needed))
        self._dsn = await postgres.start()
        keeping = asyncio.create_task(_keep(postgres), name="postgres")
        try:
            async with self._warden():
                yield keeping
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            await postgres.stop()
            log.info("postgres_stopped")

    @contextlib.asynccontextmanager
    async def _warden(self) -> AsyncIterator[None]:
        """Have somebody stop PostgreSQL should we be killed."""
        reading, writing = os.pipe()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "penstock.warden",
            str(self._data),
            str(reading),
            pass_fds=[reading],
            start_new_session=True,
        )
        os.close(reading)
        self._inherited = (writing,)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            os.close(writing)


async def _keep(postgres: EmbeddedPostgres) -> None:
    """Start PostgreSQL again whenever it ends."""
    pause = FIRST_PAUSE
    while True:
        log.error("postgres_ended", code=await postgres.wait())
        while True:
            try:
                await postgres.start()
            except NoPostgres as error:
                log.error("postgres_not_started", error=str(error), again_in=pause)  # noqa: TRY400 - it says all
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                break


async def _first(wanted: Coroutine[Any, Any, object], tasks: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> bool:
    """Wait for *wanted* and return True; False when *stop* came first.  What a task raises is raised."""
    waiting = asyncio.ensure_future(wanted)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({waiting, stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        return waiting.done() and not stop.is_set()
    finally:
        waiting.cancel()
        stopping.cancel()


async def _all_ready(parts: Sequence[Part]) -> None:
    for part in parts:
        await part.ready.wait()


async def _stop(parts: Sequence[Part], seconds: float) -> None:
    await asyncio.gather(*(part.stop(seconds) for part in parts))


def _listen(settings: Settings) -> socket.socket:
    """Take the address of the API; raises CannotListen."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        reason = str(error) if isinstance(error, socket.gaierror) or not error.errno else os.strerror(error.errno)
        raise CannotListen(f"cannot listen on {settings.host}:{settings.port}: {reason}") from error


def _address(listening: socket.socket | None) -> str:
    """Write where the API is found; a machine that only sends has none."""
    if listening is None:
        return "sender"
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
