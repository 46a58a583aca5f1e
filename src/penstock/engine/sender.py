"""
A sender: claims messages, hands them to its links, records what comes of it.

Whatever one of its tasks does not expect ends the whole process; its claims say what it may have
written, and another sender goes on with the rest.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

import msgspec
import structlog

from penstock.channels.port import Gate, Link, LinkEvents
from penstock.domain.errors import StoreUnavailable
from penstock.domain.lifecycle import SubmissionOutcome
from penstock.domain.model import Priority
from penstock.domain.outcome import Accepted, Lost, Outcome, Outgoing, Receipt, Rejected, Throttled
from penstock.engine.claimer import Claimer
from penstock.engine.lease import Lease, LeaseLost, clock
from penstock.engine.outbox import Held, Outbox
from penstock.engine.persistence import Settler
from penstock.engine.receipt_recorder import ReceiptRecorder
from penstock.engine.receipts import Delivery, ReceiptBook
from penstock.engine.recorder import Recorder
from penstock.engine.signals import WORK, Halted, hear
from penstock.store import facts
from penstock.store.database import PLANNED_ONCE, Database
from penstock.store.facts import SubmissionRow

log = structlog.get_logger(__name__)

#: Messages of better priority than adverts that may be claimed when adverts fill the sender.
EXPRESS = 100
#: How long a claimed message may wait for room before it goes back, in seconds.
STALE_SECONDS = 2.0
#: A claim of fewer messages than this is followed by the next one no sooner than so many seconds after it began.
FEW, SHORTEST_ROUND = 100, 0.02
#: How often an idle sender looks for work that nobody told it of, in seconds.
IDLE_SECONDS = 0.1

_ACCEPTED = SubmissionOutcome.ACCEPTED.value
_OUTCOMES = {
    Rejected: SubmissionOutcome.REJECTED,
    Lost: SubmissionOutcome.IN_DOUBT,
}

LinkFactory = Callable[[Gate, LinkEvents], Sequence[Link]]


class SenderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender is told."""

    name: str  #: unique among all senders that ever were
    claim_limit: int = 1000  #: messages claimed and without outcome, for each link
    channel_types: tuple[str, ...] = ("SMS",)
    lifetime: int = 90_000  #: seconds to wait for a receipt when the dispatch does not say
    drain_timeout: float = 15.0  #: seconds for outstanding answers when it ends


class Sender:
    """One sender process; also the events of its links."""

    def __init__(self, dsn: str, settings: SenderSettings, make_links: LinkFactory) -> None:
        self._dsn = dsn
        self._settings = settings
        self._lease = Lease(dsn, settings.name)
        self._outbox = Outbox()
        self._links = tuple(make_links(self._lease.is_open, self))
        self._books: dict[str, ReceiptBook] = {}
        self._room = asyncio.Event()
        self._work = asyncio.Event()
        self._draining = False
        self._claiming = asyncio.Lock()
        self._is_unsure = False
        self._speed = 0.0
        self._submitted = 0

    async def run(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """
        Send until *stop* is set, then finish what is on the wire and give the rest back.

        *started* is called once the lease is held.  Raises LeaseLost when this sender was taken
        for dead.
        """
        await self._lease.begin()
        database = await Database.connect(
            self._dsn, size=6, name=f"penstock sender {self._lease.sender_id}", settings=PLANNED_ONCE
        )
        try:
            async with database.connection() as connection:
                for carrier in sorted({link.carrier for link in self._links}):
                    self._books[carrier] = ReceiptBook(await facts.make_carrier(connection, carrier))
            self._settler = Settler(database, lifetime=self._settings.lifetime)
            self._receipts = ReceiptRecorder(database, self._lease, self._books.values(), self._settler)
            self._recorder = Recorder(database, self._lease, self._outbox, self._receipts, self._settler)
            claimer = Claimer(database, self._lease.sender_id, self._settings.channel_types)
            try:
                await self._work_until(stop, database, claimer, started)
            except BaseExceptionGroup as errors:
                if errors.subgroup(LeaseLost) is not None:
                    late = await self._recorder.tell_late()
                    log.error("lease_lost", sender=self._settings.name, claims=len(self._outbox.held), late=late)  # noqa: TRY400 - the group is raised on
                raise
        finally:
            await database.close()

    async def _work_until(
        self, stop: asyncio.Event, database: Database, claimer: Claimer, started: Callable[[], None]
    ) -> None:
        async with asyncio.TaskGroup() as group:
            keeping = [
                group.create_task(self._lease.keep(self._link_states, self._halt_found)),
                group.create_task(self._recorder.run()),
                group.create_task(self._receipts.run()),
                group.create_task(self._settler.run()),
                group.create_task(database.listen(self._hear)),
                *(group.create_task(link.run()) for link in self._links),
            ]
            claiming = [
                group.create_task(self._claim_all(claimer)),
                group.create_task(self._claim_express(claimer)),
                group.create_task(self._watch(claimer)),
            ]
            log.info("sender_started", sender=self._settings.name, links=len(self._links))
            started()
            await stop.wait()
            for task in claiming:
                task.cancel()
            await asyncio.wait(claiming)
            await self._drain(claimer)
            for task in keeping:
                task.cancel()
        log.info("sender_ended", sender=self._settings.name)

    async def _drain(self, claimer: Claimer) -> None:
        self._draining = True
        self._outbox.return_older(float("inf"))
        deadline = asyncio.get_running_loop().time() + self._settings.drain_timeout
        await asyncio.gather(*(link.close(deadline) for link in self._links))
        self._outbox.return_older(float("inf"))
        self._recorder.wake(hurry=True)
        while not self._recorder.is_idle or self._outbox.held:
            await self._recorder.written.wait()
        while not self._receipts.is_idle:
            await self._receipts.written.wait()
        await self._settler.settle()
        if self._is_unsure:
            await claimer.return_unknown(self._recorder.known_claims)
        if not await self._lease.end():
            log.error("sender_left_claims", sender=self._settings.name)

    # What the links tell.

    def on_room(self, link: Link) -> None:
        """Fill the link again."""
        self._fill(link)
        self._room.set()

    def on_outcomes(self, link: Link, outcomes: Sequence[tuple[Outgoing, Outcome]]) -> None:
        """Turn outcomes into rows, and fill the places they leave."""
        book = self._books[link.carrier]
        recorder, outbox = self._recorder, self._outbox
        carrier_id = book.carrier_id
        instant = self._lease.instant(clock())
        named = [(outcome.carrier_message_id, message) for message, outcome in outcomes if type(outcome) is Accepted]
        rows: list[SubmissionRow] = [
            (message.dispatch_id, message.seq, _ACCEPTED, carrier_id, None, instant, name, message.parts)
            for name, message in named
        ]
        back = []
        if len(named) < len(outcomes):
            for message, outcome in outcomes:
                if type(outcome) is Throttled:
                    back.append(message)
                elif type(outcome) is not Accepted:
                    code = outcome.code if type(outcome) is Rejected else None
                    rows.append(
                        (message.dispatch_id, message.seq, _OUTCOMES[type(outcome)], carrier_id, code, instant, None,
                         message.parts)
                    )  # fmt: skip
            going = set(map(id, back))
            tickets = Counter([message.ticket for message, _ in outcomes if id(message) not in going])
        else:
            tickets = Counter([message.ticket for message, _ in outcomes])
        resolved = cast("Counter[Held]", tickets)  # tickets are ours alone
        recorder.add_submissions(rows, resolved)
        for held, count in resolved.items():
            outbox.resolve(held, count)
        early = book.accepted(named)
        if early:
            recorder.add_receipts(early)
        if back:
            outbox.put_back(back)
            if self._draining:
                outbox.return_older(float("inf"))
        self._fill(link)
        recorder.wake(hurry=outbox.is_waited_for)
        self._room.set()

    def on_receipts(self, link: Link, receipts: Sequence[Receipt], acknowledge: Callable[[], None]) -> None:
        """Match receipts to messages; the carrier hears of them once they are recorded."""
        if not receipts:
            acknowledge()
            return
        now = clock()
        delivery = Delivery(acknowledge, len(receipts))
        book = self._books[link.carrier]
        self._recorder.add_receipts(book.receive(receipts, delivery, now, self._lease.instant(now)))
        if book.is_to_ask:
            self._receipts.wake()

    def _fill(self, link: Link) -> None:
        room = link.room
        while room > 0 and len(self._outbox):
            messages = self._outbox.take(room)
            taken = link.submit(messages)
            if taken:
                self._submitted += taken
                _note_writes(messages[:taken], link.wrote_at)
            if taken < len(messages):
                self._outbox.put_back(messages[taken:])
                return
            room = link.room

    # Claiming.

    async def _claim_all(self, claimer: Claimer) -> None:
        """Keep enough messages waiting that the links never run dry."""
        loop = asyncio.get_running_loop()
        while True:
            wanted, began = self._wanted(), loop.time()
            if wanted and (found := await self._claim(claimer, wanted, Priority.PROMO)):
                if found < FEW:
                    # What trickles in, one message a request, is claimed together.
                    await asyncio.sleep(began + SHORTEST_ROUND - loop.time())
                continue
            await _either(self._room, self._work, IDLE_SECONDS if wanted else STALE_SECONDS)

    async def _claim_express(self, claimer: Claimer) -> None:
        """Look for better messages while adverts fill the sender."""
        while True:
            held = sum(map(self._outbox.waiting, range(Priority.PROMO)))
            wanted = EXPRESS - held if self._is_able and not self._wanted() else 0
            if wanted <= 0 or not await self._claim(claimer, wanted, Priority.SERVICE):
                await asyncio.sleep(IDLE_SECONDS / 2)

    async def _claim(self, claimer: Claimer, most: int, lowest: Priority) -> int:
        """Claim up to *most* messages and return how many there were."""
        async with self._claiming:
            try:
                if self._is_unsure:
                    await claimer.return_unknown(self._recorder.known_claims)
                    self._is_unsure = False
                if not most:
                    return 0
                # From here until the claim is held, a failure leaves open whether it was made.
                self._is_unsure = True
                found = await claimer.claim(most, lowest=lowest)
            except StoreUnavailable:
                await asyncio.sleep(IDLE_SECONDS)
                return 0
            for held, messages in found:
                self._outbox.add(held, messages)
            self._is_unsure = False
        for link in self._links:
            self._fill(link)
        if self._outbox.ended:
            self._recorder.wake(hurry=True)
        return sum(len(messages) for _, messages in found)

    @property
    def _is_able(self) -> bool:
        return self._lease.is_open() and any(link.is_up for link in self._links)

    def _wanted(self) -> int:
        """Return how many messages to claim now: a twentieth of a second's worth, within the limit."""
        if not self._is_able:
            return 0
        up = [link for link in self._links if link.is_up]
        free = len(up) * self._settings.claim_limit - EXPRESS - self._outbox.unresolved
        # Below this the next claim would come too late.
        low = sum(link.room for link in up) + int(self._speed * 0.05)
        waiting = len(self._outbox)
        if waiting > low or free <= 0:
            return 0
        return max(0, min(free, 2 * low + 50 - waiting, self._settings.claim_limit))

    # Halts, and time that passes.

    def _hear(self, said: str) -> None:
        match hear(said):
            case Halted(dispatch_id, halts):
                self._halt_found({dispatch_id: halts})
            case signal if signal == WORK:
                self._work.set()

    def _halt_found(self, halted: dict[int, int]) -> None:
        for dispatch_id, halts in halted.items():
            if self._outbox.halt(dispatch_id, halts):
                self._recorder.wake(hurry=self._outbox.is_waited_for)
                if self._outbox.is_halting:
                    self._receipts.stand_back()

    async def _watch(self, claimer: Claimer) -> None:
        """Measure the speed, and give back what no link takes."""
        while True:
            before = self._submitted
            await asyncio.sleep(0.25)
            self._speed = 0.7 * self._speed + 0.3 * (self._submitted - before) / 0.25
            self._outbox.return_older(clock() - STALE_SECONDS)
            if self._outbox.ended:
                self._recorder.wake(hurry=True)
            for link in self._links:
                self._fill(link)
            if self._is_unsure and not self._claiming.locked():
                await self._claim(claimer, 0, Priority.PROMO)

    def _link_states(self) -> dict[str, object]:
        states: dict[str, list[int]] = {}
        for link in self._links:
            state = states.setdefault(link.carrier, [0, 0])
            state[0] += link.is_up
            state[1] += 1
        return dict(states)


def _note_writes(messages: Sequence[Outgoing], at: float) -> None:
    """Note in each claim when how much of it was written."""
    for held, count in Counter([message.ticket for message in messages]).items():
        assert isinstance(held, Held)  # noqa: S101 - tickets are ours alone
        held.writes.append((at, count))


async def _either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Wait for one of two events, at most *seconds*, and clear both."""
    waiting = [asyncio.ensure_future(first.wait()), asyncio.ensure_future(second.wait())]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    first.clear()
    second.clear()
