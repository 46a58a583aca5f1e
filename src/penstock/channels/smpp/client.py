"""
A link to a carrier over SMPP: the adapter of `penstock.channels.port`.

`submit` encodes what there is room for and hands it to the kernel in one `send`, with the gate
looked at immediately before; answers and receipts go to the engine in batches, one for each read
from the socket.  There is no task, timer or future per message.  The connections come from a
`keeper.Keeper`, which connects again whenever one breaks.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import structlog

from penstock.channels.port import Gate, LinkEvents
from penstock.channels.smpp.connection import Connection
from penstock.channels.smpp.inbox import Inbox
from penstock.channels.smpp.keeper import Keeper
from penstock.channels.smpp.outbound import LongMessage, Outcomes, Writer, lost, outcome_of
from penstock.channels.smpp.pace import Bucket, Quiet
from penstock.channels.smpp.receipts import id_rules
from penstock.channels.smpp.session import Received
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.spec import SLOW_DOWN
from penstock.domain.outcome import Accepted, Outgoing

log = structlog.get_logger(__name__)

#: Seconds between two looks at a rate: a high one is spent in small batches.
SHORTEST_SLEEP = 0.005


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
        self._settings = settings
        self._gate = gate
        self._events = events
        self._clock = clock
        self._writer = Writer(settings)
        self._inbox = Inbox(settings, name)
        self._keeper = Keeper(settings, name, gate, self, clock, self._inbox.read)
        self._id_rule = id_rules(settings.dlr_id).answer
        self._bucket = Bucket(settings.rate) if settings.rate else None
        self._quiet = Quiet()
        self._unresolved = 0
        self._retries: deque[LongMessage] = deque()
        self._had_room = False
        self._wakeup: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether the carrier lets us submit now."""
        transmitter = self._keeper.transmitter
        return transmitter is not None and transmitter.session.may_submit and not self._keeper.is_closing

    @property
    def failures(self) -> int:
        """How many connections broke or were not made."""
        return self._keeper.failures

    @property
    def outstanding(self) -> int:
        """How many messages have no outcome yet."""
        return self._unresolved

    @property
    def room(self) -> int:
        """How many one-part messages `submit` would write now."""
        connection = self._keeper.transmitter
        if connection is None or not connection.is_writable or self._retries or self._keeper.is_closing:
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
        connection = self._keeper.transmitter
        if room <= 0 or connection is None or not self._gate():
            self._had_room = False
            return 0
        now = self._clock()
        is_alone = connection.session.outstanding == 0
        bodies, entries, taken = self._writer.take(messages, room, now, is_alone=is_alone)
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
            await self._keeper.run()
        finally:
            if self._wakeup is not None:
                self._wakeup.cancel()

    async def close(self, deadline: float) -> None:
        """Take nothing more, wait for outstanding answers until *deadline* (loop time), take leave."""
        self._keeper.begin_closing()
        if self._unresolved:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._idle.wait()
        await self._keeper.leave(deadline)
        if self._unresolved:
            # `run` gives them up in the next turns of the loop.
            await self._idle.wait()

    # What connections tell.

    def on_bound(self, connection: Connection) -> None:
        """Begin anew where messages can be submitted."""
        if connection is self._keeper.transmitter:
            self._quiet = Quiet()
        self._tell_room()

    def on_over(self, connection: Connection, *, transmitted: bool) -> None:
        """Give up what was outstanding on a connection."""
        given_up: list[LongMessage] = []
        if transmitted:
            self._had_room = False
            given_up = list(self._retries)
            self._retries.clear()
            for whole in given_up:
                whole.give_up()
        self._lose(connection.session.abandon())
        self._finish([], given_up)

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
        if connection is self._keeper.transmitter:
            self._write_again()

    def on_overdue(self, connection: Connection, entries: Sequence[object]) -> None:
        """Give up what was not answered in time."""
        if entries:
            log.warning("answers_overdue", carrier=self.carrier, count=len(entries))
            self._lose(entries)
        if connection is self._keeper.transmitter:
            self._write_again()

    def _take_answers(self, answers: Sequence[tuple[object, int, str]]) -> None:
        outcomes: Outcomes = []
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
        self._finish(*lost(entries))

    def _finish(self, outcomes: Outcomes, wholes: Sequence[LongMessage]) -> None:
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
        connection = self._keeper.transmitter
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
            connection.acknowledge(others)
        if found:
            self._events.on_receipts(self, found, partial(connection.acknowledge, numbers))

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
        connection = self._keeper.transmitter
        if connection is not None:
            connection.call(self._write_again)
            left = self._quiet.left(self._clock())
            if left:
                self._wake_in(left)
