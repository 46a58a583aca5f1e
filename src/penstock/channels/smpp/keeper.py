"""
The connections of one link: bound, lost, and bound again until the link is closed.

A link has one transceiver, or a transmitter and a receiver.  Each is kept by a task of its own,
which connects again with back-off whenever its connection breaks.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Protocol

import structlog

from penstock.channels.port import Gate
from penstock.channels.smpp.connection import Connection, ConnectionEvents
from penstock.channels.smpp.pace import Pause
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.spec import Command

log = structlog.get_logger(__name__)

#: Seconds that we wait for the answer to an unbind.
LEAVE_TIMEOUT = 1.0
#: Seconds that a connection lives to be called good; others make the next pause longer.
GOOD_SECONDS = 0.5


class KeeperEvents(ConnectionEvents, Protocol):
    """What a keeper and its connections tell their link."""

    def on_bound(self, connection: Connection) -> None:
        """The carrier has let us in."""

    def on_over(self, connection: Connection, *, transmitted: bool) -> None:
        """A connection is over, or was not made; *transmitted*: it was the one to submit on."""


class Keeper:
    """Keeps the connections of one link."""

    def __init__(
        self,
        settings: SmppSettings,
        carrier: str,
        gate: Gate,
        events: KeeperEvents,
        clock: Callable[[], float],
        read: Callable[[bytes, int, int], object],
    ) -> None:
        #: What messages are submitted on, while it is bound.
        self.transmitter: Connection | None = None
        #: Connections that broke or were not made.
        self.failures = 0
        self._settings = settings
        self._carrier = carrier
        self._gate = gate
        self._events = events
        self._clock = clock
        self._read = read
        self._receiver: Connection | None = None
        self._closing = asyncio.Event()

    @property
    def is_closing(self) -> bool:
        """Whether it connects no more."""
        return self._closing.is_set()

    async def run(self) -> None:
        """Connect, and connect again with back-off, until cancelled or closed."""
        async with asyncio.TaskGroup() as group:
            if self._settings.bind == "transceiver":
                group.create_task(self._keep(Command.BIND_TRANSCEIVER))
            else:
                group.create_task(self._keep(Command.BIND_RECEIVER))
                group.create_task(self._keep(Command.BIND_TRANSMITTER))

    def begin_closing(self) -> None:
        """Connect no more; what is bound stays until `leave`."""
        self._closing.set()

    async def leave(self, deadline: float) -> None:
        """Take leave of the carrier, until *deadline* (loop time) at most."""
        leave_by = min(deadline, asyncio.get_running_loop().time() + LEAVE_TIMEOUT)
        connections = [one for one in (self.transmitter, self._receiver) if one is not None]
        await asyncio.gather(*(one.leave(leave_by) for one in connections))

    async def _keep(self, command: Command) -> None:
        """Keep one connection bound."""
        pause = Pause(random.Random())  # noqa: S311 - spreads reconnects, keeps no secret
        while not self._closing.is_set():
            connection = Connection(self._settings, command, self._gate, self._events, self._clock, self._read)
            bound_at = float("inf")
            try:
                await self._open(connection)
                bound_at = self._clock()
                log.info("carrier_bound", carrier=self._carrier, bind=command.name.lower())
                self._events.on_bound(connection)
                await connection.wait_ended()
            except OSError as error:
                if self._clock() - bound_at >= GOOD_SECONDS:
                    pause.reset()
                self._log_end(command, error)
            finally:
                connection.end()
                self._forget(connection)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause.next())

    async def _open(self, connection: Connection) -> None:
        opening = asyncio.ensure_future(connection.open())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((opening, closing), return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                opening.cancel()
            await opening
        except asyncio.CancelledError:
            if self._closing.is_set() and opening.cancelled():
                raise ConnectionAbortedError("the link is being closed") from None
            opening.cancel()
            raise
        finally:
            closing.cancel()
        if connection.session.may_submit:
            self.transmitter = connection
        else:
            self._receiver = connection

    def _log_end(self, command: Command, error: OSError) -> None:
        reason = str(error) or type(error).__name__
        if self._closing.is_set():
            log.info("carrier_left", carrier=self._carrier, bind=command.name.lower(), reason=reason)
        else:
            self.failures += 1
            log.warning("carrier_lost", carrier=self._carrier, bind=command.name.lower(), reason=reason)

    def _forget(self, connection: Connection) -> None:
        if self._receiver is connection:
            self._receiver = None
        transmitted = self.transmitter is connection
        if transmitted:
            self.transmitter = None
        self._events.on_over(connection, transmitted=transmitted)
