"""
A link to a carrier over SMPP: the adapter of `penstock.channels.port`.

A link owns one transceiver, or a transmitter and a receiver, and connects them again whenever they
break.  `submit` encodes what there is room for and hands it to the kernel in one `send`, with the
gate looked at immediately before; answers and receipts go to the engine in batches, one for each
read from the socket.  There is no task, timer or future per message.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import structlog

from penstock.channels.port import Gate, LinkEvents
from penstock.channels.smpp import pdu
from penstock.channels.smpp.connection import Connection
from penstock.channels.smpp.inbox import Inbox
from penstock.channels.smpp.outbound import LongMessage, Writer, outcome_of
from penstock.channels.smpp.pace import Bucket, Pause, Quiet
from penstock.channels.smpp.receipts import id_rules
from penstock.channels.smpp.session import Received
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.spec import SLOW_DOWN, Command
from penstock.domain.outcome import Accepted, Lost, Outcome, Outgoing

log = structlog.get_logger(__name__)

#: Seconds that we wait for the answer to an unbind.
LEAVE_TIMEOUT = 1.0
#: Seconds that a connection lives to be called good; others make the next pause longer.
GOOD_SECONDS = 0.5
#: Seconds between two looks at a rate: a high one is spent in small batches.
SHORTEST_SLEEP = 0.005

_Outcomes = list[tuple[Outgoing, Outcome]]


class SmppLink:
    """One connection to one carrier."""

    def __init__(
        self,
        settings: SmppSettings,
        name: str,
        gate: Gate,
        events: LinkEvents,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.carrier = name
        self.wrote_at = 0.0
        #: Answers to nothing that we wait for: they came after the response time-out.
        self.late = 0
        #: Connections that broke or were not made.
        self.failures = 0
        self._settings = settings
        self._gate = gate
        self._events = events
        self._clock = clock
        self._writer = Writer(settings)
        self._inbox = Inbox(settings, name)
        self._id_rule = id_rules(settings.dlr_id).answer
        self._bucket = Bucket(settings.rate) if settings.rate else None
        self._quiet = Quiet()
        self._transmitter: Connection | None = None
        self._receiver: Connection | None = None
        self._unresolved = 0
        self._retries: deque[LongMessage] = deque()
        self._had_room = False
        self._wakeup: asyncio.TimerHandle | None = None
        self._closing = asyncio.Event()
        self._idle = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether the carrier lets us submit now."""
        return self._transmitter is not None and self._transmitter.session.may_submit and not self._closing.is_set()

    @property
    def outstanding(self) -> int:
        """How many messages have no outcome yet."""
        return self._unresolved

    @property
    def room(self) -> int:
        """How many one-part messages `submit` would write now."""
        connection = self._transmitter
        if connection is None or not connection.is_writable or self._retries or self._closing.is_set():
            return 0
        room = self._settings.window - connection.session.outstanding
        if self._quiet.is_known and self._quiet.left(self._clock()):
            return 0
        if self._bucket is not None:
            room = min(room, self._bucket.available(self._clock()))
        return max(0, room)

    def submit(self, messages: Sequence[Outgoing]) -> int:
        """Write messages from the front while there is room, in one go; returns how many were taken."""
        room = self.room
        connection = self._transmitter
        if room <= 0 or connection is None or not self._gate():
            self._had_room = False
            return 0
        now = self._clock()
        bodies: list[bytes] = []
        entries: list[object] = []
        taken = 0
        is_alone = connection.session.outstanding == 0
        for message in messages:
            encoded = self._writer.bodies(message)
            if len(bodies) + len(encoded) > room and (bodies or not is_alone):
                break
            if len(encoded) == 1:
                entries.append(message)
            else:
                whole = LongMessage(message, encoded, now)
                entries += ((whole, part) for part in range(len(encoded)))
            bodies += encoded
            taken += 1
            if len(bodies) >= room:
                break
        if not taken or not connection.submit(bodies, entries, now):
            self._had_room = False
            return 0
        self.wrote_at = connection.sent_at
        self._unresolved += taken
        if self._bucket is not None:
            self._bucket.spend(len(bodies), now)
        self._had_room = self.room > 0
        if self._bucket is not None and not self._had_room:
            self._wake_in(max(SHORTEST_SLEEP, self._bucket.ready_in(now)))
        return taken

    async def run(self) -> None:
        """Connect, and connect again with back-off, until cancelled or closed."""
        try:
            async with asyncio.TaskGroup() as group:
                if self._settings.bind == "transceiver":
                    group.create_task(self._keep(Command.BIND_TRANSCEIVER))
                else:
                    group.create_task(self._keep(Command.BIND_RECEIVER))
                    group.create_task(self._keep(Command.BIND_TRANSMITTER))
        finally:
            if self._wakeup is not None:
                self._wakeup.cancel()

    async def close(self, deadline: float) -> None:
        """Take nothing more, wait for outstanding answers until *deadline* (loop time), take leave."""
        self._closing.set()
        loop = asyncio.get_running_loop()
        if self._unresolved:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._idle.wait()
        leave_by = min(deadline, loop.time() + LEAVE_TIMEOUT)
        connections = [one for one in (self._transmitter, self._receiver) if one is not None]
        await asyncio.gather(*(one.leave(leave_by) for one in connections))
        if self._unresolved:
            # `run` gives them up in the next turns of the loop.
            await self._idle.wait()

    # Connecting.

    async def _keep(self, command: Command) -> None:
        """Keep one connection bound."""
        pause = Pause(random.Random())  # noqa: S311 - spreads reconnects, keeps no secret
        while not self._closing.is_set():
            connection = Connection(self._settings, command, self._gate, self, self._clock, self._inbox.read)
            bound_at = float("inf")
            try:
                await self._open(connection)
                bound_at = self._clock()
                log.info("carrier_bound", carrier=self.carrier, bind=command.name.lower())
                self._tell_room()
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
            self._transmitter = connection
            self._quiet = Quiet()
        else:
            self._receiver = connection

    def _log_end(self, command: Command, error: OSError) -> None:
        reason = str(error) or type(error).__name__
        if self._closing.is_set():
            log.info("carrier_left", carrier=self.carrier, bind=command.name.lower(), reason=reason)
        else:
            self.failures += 1
            log.warning("carrier_lost", carrier=self.carrier, bind=command.name.lower(), reason=reason)

    def _forget(self, connection: Connection) -> None:
        """Give up what was outstanding on a connection that is over."""
        if self._receiver is connection:
            self._receiver = None
        given_up: list[LongMessage] = []
        if self._transmitter is connection:
            self._transmitter = None
            self._had_room = False
            given_up = list(self._retries)
            self._retries.clear()
            for whole in given_up:
                whole.give_up()
        self._lose(connection.session.abandon())
        self._finish([], given_up)

    # What connections tell.

    def on_received(self, connection: Connection, received: Received) -> None:
        """Pass on what came, in one batch of each kind."""
        if received.answers:
            self._take_answers(received.answers)
        if received.deliveries:
            self._take_deliveries(connection, received)
        for fault in received.unreadable:
            self._inbox.complain("receipt_malformed", fault)
        if received.late:
            if not self.late:
                log.warning("answer_not_awaited", carrier=self.carrier, note="further ones are only counted")
            self.late += received.late

    def on_drained(self, connection: Connection) -> None:
        """Go on where the kernel had no room."""
        if connection is self._transmitter:
            self._write_again()

    def on_overdue(self, connection: Connection, entries: Sequence[object]) -> None:
        """Give up what was not answered in time."""
        if entries:
            log.warning("answers_overdue", carrier=self.carrier, count=len(entries))
            self._lose(entries)
        if connection is self._transmitter:
            self._write_again()

    def _take_answers(self, answers: Sequence[tuple[object, int, str]]) -> None:
        outcomes: _Outcomes = []
        wholes: list[LongMessage] = []
        rule = self._id_rule
        throttled = accepted = False
        for entry, status, message_id in answers:
            if status == 0:
                accepted = True
                message_id = rule(message_id)  # noqa: PLW2901 - the same id, as receipts name it
            elif status in SLOW_DOWN:
                throttled = True
            if type(entry) is Outgoing:
                outcomes.append((entry, Accepted(message_id) if status == 0 else outcome_of(status)))
            else:
                whole, part = cast("tuple[LongMessage, int]", entry)
                whole.answer(part, status, message_id)
                wholes.append(whole)
        if throttled or self._quiet.is_known:
            self._hear_throttling(throttled=throttled, accepted=accepted)
        self._finish(outcomes, wholes)

    def _hear_throttling(self, *, throttled: bool, accepted: bool) -> None:
        now = self._clock()
        if accepted:
            self._quiet.relax(now)
        if throttled:
            self._quiet.begin(now)
            self._had_room = False
            self._wake_in(self._quiet.left(now))

    def _lose(self, entries: Sequence[object]) -> None:
        outcomes: _Outcomes = []
        wholes: list[LongMessage] = []
        for entry in entries:
            if type(entry) is Outgoing:
                outcomes.append((entry, Lost()))
            else:
                whole, _ = cast("tuple[LongMessage, int]", entry)
                whole.lose()
                wholes.append(whole)
        self._finish(outcomes, wholes)

    def _finish(self, outcomes: _Outcomes, wholes: Sequence[LongMessage]) -> None:
        """Report outcomes, with those of long messages that are complete now."""
        for whole in dict.fromkeys(wholes):
            outcome = whole.outcome
            if outcome is not None:
                outcomes.append((whole.message, outcome))
            elif whole.is_to_write_again:
                self._retries.append(whole)
                self._had_room = False
        if not outcomes:
            return
        self._unresolved -= len(outcomes)
        had_room = self._had_room
        self._events.on_outcomes(self, outcomes)
        if self._unresolved == 0:
            self._idle.set()
        if not had_room:
            self._tell_room()

    def _write_again(self) -> None:
        """Write the throttled parts of long messages once the carrier's wish for quiet is over; then tell of room."""
        now = self._clock()
        given_up: list[LongMessage] = []
        while self._retries:
            whole = self._retries[0]
            if whole.begun_at + self._settings.response_timeout <= now or not self._is_rewritten(whole, now):
                whole.give_up()
                given_up.append(whole)
            elif whole.throttled:
                break
            self._retries.popleft()
        self._finish([], given_up)
        self._tell_room()

    def _is_rewritten(self, whole: LongMessage, now: float) -> bool:
        """Write the throttled parts of *whole* if that is possible now; False when the gate is shut."""
        connection = self._transmitter
        if connection is None or not connection.is_writable or self._quiet.left(now):
            return True
        parts = whole.throttled
        if not connection.submit([whole.bodies[at] for at in parts], [(whole, at) for at in parts], now):
            return False
        whole.await_again()
        return True

    def _take_deliveries(self, connection: Connection, received: Received) -> None:
        found, numbers, others = self._inbox.sort(received.deliveries)
        if others:
            _acknowledge(connection, others)
        if found:
            self._events.on_receipts(self, found, partial(_acknowledge, connection, numbers))

    # Room.

    def _tell_room(self) -> None:
        if not self._had_room and self.room > 0:
            self._had_room = True
            self._events.on_room(self)

    def _wake_in(self, seconds: float) -> None:
        if self._wakeup is not None:
            self._wakeup.cancel()
        # Not a hair too early: the clock is looked at again.
        self._wakeup = asyncio.get_running_loop().call_later(seconds + 0.001, self._wake)

    def _wake(self) -> None:
        connection = self._transmitter
        if connection is not None:
            connection.call(self._write_again)
            left = self._quiet.left(self._clock())
            if left:
                self._wake_in(left)


def _acknowledge(connection: Connection, numbers: Sequence[int]) -> None:
    """Answer deliver_sm in one write; if the connection is over, the carrier sends them again."""
    pack = pdu.HEADER.pack
    connection.write(b"".join([pack(17, Command.DELIVER_SM_RESP, 0, number) + b"\0" for number in numbers]))
