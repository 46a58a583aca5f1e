"""A session on a wire: one bound connection, from connecting to taking leave."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol

from penstock.channels.port import Gate
from penstock.channels.smpp.pdu import HEADER, Bind
from penstock.channels.smpp.session import Received, Session
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.spec import Command, Status
from penstock.channels.smpp.states import IllegalMove, State
from penstock.channels.smpp.wire import Wire, connect

#: How often a connection looks for overdue answers and for silence, in seconds.
TICK = 0.1


class BindRefused(ConnectionError):
    """The carrier does not let us in."""

    def __init__(self, command_status: int) -> None:
        name = f"ESME_{Status(command_status).name}" if command_status in set(Status) else "unknown status"
        super().__init__(f"the carrier refused the bind: {name} (0x{command_status:08x})")
        self.command_status = command_status


class PeerBroken(ConnectionError):
    """The other side does not speak SMPP 3.4, or not at the right time."""


class PeerSilent(ConnectionError):
    """The other side did not answer an enquire_link."""


class PeerLeft(ConnectionError):
    """The other side took leave."""


class ConnectionEvents(Protocol):
    """What a connection tells its link."""

    def on_received(self, connection: "Connection", received: Received) -> None:
        """Answers and deliveries came."""

    def on_drained(self, connection: "Connection") -> None:
        """All that was written is with the kernel now."""

    def on_overdue(self, connection: "Connection", entries: Sequence[object]) -> None:
        """These were not answered in time; called at every tick, mostly with nothing."""


class Connection:
    """One connection to the SMSC; used once."""

    def __init__(
        self,
        settings: SmppSettings,
        command: Command,
        gate: Gate,
        events: ConnectionEvents,
        clock: Callable[[], float],
        read: Callable[[bytes, int, int], object],
    ) -> None:
        self.session = Session(
            command, response_timeout=settings.response_timeout, enquire_link=settings.enquire_link, read=read
        )
        self._settings = settings
        self._gate = gate
        self._events = events
        self._clock = clock
        self._wire: Wire | None = None
        self._bound: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect and bind; raises OSError (TimeoutError and BindRefused among them)."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(settings.connect_timeout):
            sock = await connect(settings.host, settings.port, settings.response_timeout)
            wire = self._wire = Wire(
                sock, self._gate, on_data=self._on_data, on_drained=self._on_drained, clock=self._clock
            )
            try:
                await wire.start(_tls_context(settings), settings.tls_server_name or settings.host)
                self._bound = loop.create_future()
                bind = Bind(settings.system_id, settings.password, settings.system_type)
                wire.write(self.session.bind(bind, self._clock()))
                await asyncio.wait((self._bound, wire.ended), return_when=asyncio.FIRST_COMPLETED)
                # Whichever is done raises what went wrong.
                (self._bound if self._bound.done() else wire.ended).result()
            except BaseException:
                wire.end()
                raise
        loop.call_later(TICK, self._tick)

    async def wait_ended(self) -> None:
        """Return when the connection is over; raises what broke it."""
        assert self._wire is not None  # noqa: S101 - only an opened connection is waited for
        await asyncio.shield(self._wire.ended)

    @property
    def is_writable(self) -> bool:
        """Whether a submit_sm would go straight to the kernel."""
        return self._wire is not None and self._wire.is_writable and self.session.may_submit

    @property
    def sent_at(self) -> float:
        """When something was last written, on the link's clock."""
        return self._wire.sent_at if self._wire is not None else 0.0

    def submit(self, bodies: Sequence[bytes], entries: Sequence[object], now: float) -> bool:
        """Write one submit_sm for each of *bodies* in one go; False when the gate is shut."""
        assert self._wire is not None  # noqa: S101 - callers look at is_writable
        if self._wire.write(self.session.submit(bodies, entries, now), gated=True):
            return True
        self.session.revoke()
        return False

    def write(self, data: bytes) -> None:
        """Write answers, which no gate holds back; after the end it does nothing."""
        if data and self._wire is not None:
            self._wire.write(data)

    def acknowledge(self, numbers: Sequence[int]) -> None:
        """Answer deliver_sm in one write; after the end the carrier sends them again."""
        pack = HEADER.pack
        self.write(b"".join([pack(17, Command.DELIVER_SM_RESP, 0, number) + b"\0" for number in numbers]))

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Call *function* so that what it raises ends the connection."""
        if self._wire is None:
            function(*args)
        else:
            self._wire.call(function, *args)

    def end(self, error: BaseException | None = None) -> None:
        """End the connection at once."""
        if self._wire is not None:
            self._wire.end(error)

    async def leave(self, deadline: float) -> None:
        """Unbind, wait for the answer until *deadline* (loop time), and end."""
        if self._wire is None:
            return
        if self.session.is_bound and not self._wire.ended.done():
            self._wire.write(self.session.unbind())
            try:
                async with asyncio.timeout_at(deadline):
                    await asyncio.wait((self._wire.ended,))
            except TimeoutError:
                pass
        self._wire.end()

    def _on_data(self, data: bytes) -> None:
        received = self.session.receive(data, self._clock())
        if received.reply and self._wire is not None:
            self._wire.write(received.reply)
        if received.bind_status is not None and self._bound is not None and not self._bound.done():
            if received.bind_status:
                self._bound.set_exception(BindRefused(received.bind_status))
            else:
                self._bound.set_result(None)
        self._events.on_received(self, received)
        if received.fault is not None:
            self.end(PeerBroken(_complaint(received.fault)))
        elif self.session.state is State.CLOSED:
            self.end(PeerLeft("the carrier took leave"))

    def _on_drained(self) -> None:
        self._events.on_drained(self)

    def _tick(self) -> None:
        if self._wire is not None and not self._wire.ended.done():
            self.call(self._look_at_clock)
            asyncio.get_running_loop().call_later(TICK, self._tick)

    def _look_at_clock(self) -> None:
        overdue, reply, is_dead = self.session.tick(self._clock())
        self._events.on_overdue(self, overdue)
        self.write(reply)
        if is_dead:
            self.end(PeerSilent("the carrier did not answer an enquire_link"))


def _complaint(fault: Exception) -> str:
    return f"illegal move: {fault}" if isinstance(fault, IllegalMove) else f"malformed PDU: {fault}"


def _tls_context(settings: SmppSettings) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=settings.tls_ca) if settings.tls else None
