"""
A database with an account, and senders that a test plays by hand.

The senders are the real claimer, outbox and recorder; only the carrier is played: the test says
which messages were written and what came of them.
"""

import asyncio
import contextlib
import datetime as dt
import math
from collections.abc import AsyncIterator, Sequence

from penstock.domain.lifecycle import DispatchStatus, SubmissionOutcome
from penstock.domain.model import Caller, Counts, DispatchDraft, DispatchView, Entry, Priority, Rate, Schedule
from penstock.domain.outcome import Outgoing, ReceiptStatus
from penstock.engine.claimer import Claimer
from penstock.engine.dispatches import Dispatches
from penstock.engine.filling import Filling
from penstock.engine.lease import Lease, clock
from penstock.engine.outbox import Held, Outbox
from penstock.engine.persistence import Settler
from penstock.engine.receipt_recorder import ReceiptRecorder
from penstock.engine.receipts import Delivery
from penstock.engine.recorder import Recorder
from penstock.engine.retention import Retention
from penstock.engine.stop import Stops
from penstock.store import dispatches, facts, halts, keys, leases
from penstock.store.database import Database

LIFETIME = 90_000
#: Seconds between looks at what goes on by itself.
_LOOK = 0.002
LEASE = dt.timedelta(seconds=2)
FIRST_DESTINATION = 79_160_000_000


class CountedStops(Stops):
    """Stops that tell how many callers have begun or joined a halt."""

    waiting = 0

    async def _see_through(self, dispatch_id: int, released: asyncio.Event, *, is_held: bool) -> None:
        self.waiting += 1
        await super()._see_through(dispatch_id, released, is_held=is_held)


class Player:
    """A sender whose carrier is played by the test: claimer, outbox, recorder and lease are the real ones."""

    def __init__(self, database: Database, lease: Lease, carrier_id: int) -> None:
        self.database = database
        self.lease = lease
        self.carrier_id = carrier_id
        self.outbox = Outbox()
        self.written: list[Outgoing] = []
        self._claimer = Claimer(database, lease.sender_id, ("SMS",))
        self._settler = Settler(database, lifetime=LIFETIME)
        self._receipts = ReceiptRecorder(database, lease, (), self._settler)
        self._recorder = Recorder(database, lease, self.outbox, self._receipts, self._settler)
        self._recording = asyncio.create_task(self._recorder.run())
        self._recording_receipts = asyncio.create_task(self._receipts.run())

    @property
    def sender_id(self) -> int:
        """Its id in the database."""
        return self.lease.sender_id

    async def claim(self, most: int, *, lowest: Priority = Priority.PROMO) -> list[Outgoing]:
        """Claim up to *most* messages and hold them; returns those of this claim."""
        found = await self._claimer.claim(most, lowest=lowest)
        for held, messages in found:
            self.outbox.add(held, messages)
        return [message for _, messages in found for message in messages]

    def write(self, most: int) -> list[Outgoing]:
        """Hand over up to *most* messages to the carrier."""
        messages = self.outbox.take(most)
        self.written += messages
        return messages

    def answer(self, messages: Sequence[Outgoing], outcome: SubmissionOutcome) -> None:
        """Let the carrier answer to messages that were written."""
        for message in messages:
            self.written.remove(message)
            held = message.ticket
            assert isinstance(held, Held)
            name = carrier_name(message) if outcome is SubmissionOutcome.ACCEPTED else None
            instant = self.lease.instant(clock())
            row = (message.dispatch_id, message.seq, outcome, self.carrier_id, None, instant, name, message.parts)
            self._recorder.add_submissions([row], [held])
            self.outbox.resolve(held)

    def receive(self, messages: Sequence[Outgoing], status: ReceiptStatus) -> None:
        """Let receipts for accepted messages come in, of which some may have come before."""
        instant = self.lease.instant(clock())
        code = None if status is ReceiptStatus.DELIVERED else facts.UNDELIVERED_CODE
        delivery = Delivery(lambda: None, len(messages))
        self._recorder.add_receipts(
            [
                (
                    (message.dispatch_id, message.seq, status, code, None, instant),
                    message.parts,
                    self.carrier_id,
                    delivery,
                )
                for message in messages
            ]
        )

    def hear_halt(self, dispatch_id: int, halts: int) -> None:
        """Hear that a dispatch must not be written any more."""
        self.outbox.halt(dispatch_id, halts)

    def give_back(self) -> None:
        """Return all that is claimed and not written."""
        self.outbox.return_older(math.inf)

    async def record(self) -> None:
        """Record all that came; raises LeaseLost when this sender was taken for dead."""
        self._recorder.wake(hurry=True)
        recording = (self._recording, self._recording_receipts)
        while not (self._recorder.is_idle and self._receipts.is_idle):
            done, _ = await asyncio.wait(recording, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        await self._settler.settle()

    async def tell_late(self) -> int:
        """Do what a sender does last when it was taken for dead."""
        return await self._recorder.tell_late()

    async def send(self, most: int) -> list[Outgoing]:
        """Claim, write and record as accepted up to *most* messages."""
        messages = await self.claim(most)
        self.answer(self.write(len(messages)), SubmissionOutcome.ACCEPTED)
        await self.record()
        return messages

    async def beat(self) -> bool:
        """Renew the lease once and hear of halts; False when the lease was ended."""
        async with self.database.connection() as connection:
            if await leases.renew(connection, self.sender_id, LEASE, "{}") is None:
                return False
            for dispatch_id, halts in (await leases.find_halted(connection, self.sender_id)).items():
                self.hear_halt(dispatch_id, halts)
        return True

    async def die(self) -> None:
        """End as a process that was killed, whose supervisor has seen it."""
        self.leave_off()
        await self.presume_dead()

    async def presume_dead(self) -> None:
        """Be taken for dead, and live on."""
        async with self.database.connection() as connection:
            await leases.bury(connection, self.lease.name)

    def leave_off(self) -> None:
        """Record nothing more; only the database knows what was held."""
        self._recording.cancel()
        self._recording_receipts.cancel()
        if self.lease._connection is not None:
            self.lease._connection.terminate()


class Stage:
    """An account, and what its owner and its senders do."""

    def __init__(self, database: Database, halting: Database, caller: Caller) -> None:
        self.database = database
        self._halting = halting
        self.caller = caller
        self.dispatches = Dispatches(database, database)
        self.filling = Filling(database)
        self.stops = CountedStops(halting, lifetime=LIFETIME, timeout=10)
        self._players: list[Player] = []

    @classmethod
    async def set_up(cls, database: Database, name: str = "first") -> "Stage":
        """Make an account."""
        async with database.connection() as connection:
            account_id = await keys.create_account(connection, name, "Europe/Moscow")
            center_id = await keys.find_or_create_traffic_center(connection, account_id, "main")
        halting = await Database.connect(database.dsn, size=8, settings=halts.SESSION)
        return cls(database, halting, Caller(account_id, 1, 1, center_id))

    async def create(
        self, *, rate: Rate | None = None, schedule: Schedule | None = None, content: str = "hello"
    ) -> int:
        """Create a dispatch."""
        draft = self.draft(rate=rate, schedule=schedule, content=content)
        return await self.dispatches.create(self.caller, draft, None)

    @staticmethod
    def draft(*, rate: Rate | None = None, schedule: Schedule | None = None, content: str = "hello") -> DispatchDraft:
        """Return what a client asks for."""
        return DispatchDraft(
            name="spring",
            channel_type="SMS",
            sender_name="shop",
            content=content,
            schedule=schedule or Schedule(use_local_time=False),
            rate=rate,
        )

    async def fill(self, dispatch_id: int, count: int) -> list[str | int]:
        """Put *count* messages into it."""
        entries = [Entry(str(FIRST_DESTINATION + number)) for number in range(count)]
        return await self.filling.fill(self.caller, dispatch_id, entries, None)

    async def begin(
        self, count: int, *, rate: Rate | None = None, schedule: Schedule | None = None, content: str = "hello"
    ) -> int:
        """Create a dispatch of *count* messages and start it."""
        dispatch_id = await self.create(rate=rate, schedule=schedule, content=content)
        for first in range(0, count, 1000):
            await self.fill(dispatch_id, min(1000, count - first))
        await self.dispatches.start(self.caller, dispatch_id)
        return dispatch_id

    async def strike(self) -> None:
        """Send everybody home."""
        for player in self._players:
            player.leave_off()
        await self._halting.close()

    @contextlib.asynccontextmanager
    async def sender(self) -> AsyncIterator[Player]:
        """Let a sender begin, and leave off at the end of the block whatever it holds."""
        player = await self.enter()
        try:
            yield player
        finally:
            player.leave_off()

    async def enter(self) -> Player:
        """Let a sender begin."""
        lease = Lease(self.database.dsn, f"{self.caller.account_id}:{len(self._players)}")
        await lease.begin()
        async with self.database.connection() as connection:
            carrier_id = await facts.make_carrier(connection, "main")
        self._players.append(Player(self.database, lease, carrier_id))
        return self._players[-1]

    async def let_days_pass(self, days: int) -> None:
        """Begin a new period, and make all that is noted of the old ones older."""
        assert await Retention(self.database, days=days, lifetime=LIFETIME).begin_period(largest=-1) is not None
        await self.fetch(
            "UPDATE period SET opened_at = opened_at - $1::interval,"
            " closed_at = closed_at - $1::interval, ended_at = ended_at - $1::interval",
            dt.timedelta(days=days),
        )

    async def look(self, dispatch_id: int) -> DispatchView:
        """Return a dispatch as its owner sees it."""
        async with self.database.connection() as connection:
            [(view, _)] = await dispatches.look(connection, self.caller.account_id, [dispatch_id])
        return view

    async def status(self, dispatch_id: int) -> DispatchStatus:
        """Return where a dispatch stands."""
        return DispatchStatus((await self.look(dispatch_id)).status)

    async def fetch(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the database."""
        async with self.database.connection() as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]

    async def facts_of(self, dispatch_id: int) -> Counts:
        """Count the messages of a dispatch by the status that their facts tell."""
        rows = await self.fetch(
            "SELECT status, count(*) FROM message_status v WHERE dispatch_id = $1 AND NOT EXISTS (SELECT FROM"
            " upload_run u WHERE u.dispatch_id = v.dispatch_id AND u.first_seq <= v.seq AND u.end_seq > v.seq)"
            " GROUP BY status",
            dispatch_id,
        )
        found = {str(status): int(str(count)) for status, count in rows}
        return Counts(
            sum(found.values()),
            *(found.get(name, 0) for name in ("delivered", "undelivered", "unsent", "sent", "sending")),
        )


def carrier_name(message: Outgoing) -> str:
    """Return how the carrier calls a message."""
    return f"{message.dispatch_id:x}-{message.seq:x}"
