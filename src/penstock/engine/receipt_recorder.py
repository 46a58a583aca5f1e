"""
The recorder of receipts: they become facts, and then the carrier hears that we have them.

It works beside the recorder of outcomes, in transactions of its own, so that neither the links nor
a stop ever wait for receipts.  What it is given belongs to messages whose submission is recorded;
what belongs to a message that memory does not know is looked up, and kept as a stray if it is not
there either.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

import asyncpg

from penstock.engine.lease import Lease, clock
from penstock.engine.persistence import Settler, insist
from penstock.engine.receipts import ASK_AFTER, PATIENCE, Matched, ReceiptBook, Unmatched, stray_of
from penstock.store import facts
from penstock.store.database import Database

#: From the beginning of a transaction to that of the next, in seconds at the least: fuller batches cost less each.
#: What a carrier has outstanding waits for it, so it is short.
GATHER = 0.005
#: Receipts that are worth a transaction without a pause.
FULL = 500
#: Receipts that one transaction records.
MOST = 2000
#: Transactions at once.  A carrier sends no more until it hears of what it has sent, and a transaction mostly waits:
#: with one, all was sent and recorded at 34,000 messages a second, with two at 37,000.
WRITERS = 2
#: Seconds that they stand back at the most while a stop waits for outcomes.
STAND_BACK = 0.05


class ReceiptRecorder:
    """Records the receipts that the links of one sender get."""

    def __init__(self, database: Database, lease: Lease, books: Iterable[ReceiptBook], settler: Settler) -> None:
        self._database = database
        self._lease = lease
        self._books = tuple(books)
        self._settler = settler
        self._next: list[Matched] = []
        self._writing = 0  #: transactions under way
        self._began_at = 0.0
        self._wanted = asyncio.Event()
        self._way = asyncio.Event()
        self._way.set()
        self.written = asyncio.Event()  #: set after each transaction

    def add(self, matched: Sequence[Matched]) -> None:
        """Take in receipts whose message is recorded."""
        if matched:
            self._next.extend(matched)
            self._wanted.set()

    def wake(self) -> None:
        """There may be receipts to look up."""
        self._wanted.set()

    def stand_back(self) -> None:
        """Begin no transaction for a moment: a stop waits, and all share one machine."""
        self._way.clear()

    def go_on(self) -> None:
        """The moment is over."""
        self._way.set()

    @property
    def is_idle(self) -> bool:
        """Whether all that came has been recorded."""
        return not (self._next or self._writing)

    async def run(self) -> None:
        """Record for ever."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._wait()
            await self._look_up()
            batch, self._next = self._next[:MOST], self._next[MOST:]
            if self._next:
                self._wanted.set()
            if batch:
                self._writing += 1
                await self._write(batch)
                self._writing -= 1
            self.written.set()
            self.written.clear()

    async def _wait(self) -> None:
        # Receipts that wait for their message are looked at now and then.
        try:
            async with asyncio.timeout(ASK_AFTER if any(book.is_to_ask for book in self._books) else PATIENCE):
                await self._wanted.wait()
        except TimeoutError:
            return
        if len(self._next) < FULL:
            await asyncio.sleep(self._began_at + GATHER - clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STAND_BACK):
                await self._way.wait()
        self._way.set()
        self._began_at = clock()
        self._wanted.clear()

    async def _look_up(self) -> None:
        """Find the messages of receipts that memory does not know; what is not there either becomes a stray."""
        for book in self._books:
            ids = book.take_unasked(clock() - ASK_AFTER)
            if ids:
                found = await insist(partial(self._find, book.carrier_id, ids))
                self._next.extend(book.find(found))
            strays = book.take_strays(clock() - PATIENCE)
            if strays:
                await insist(partial(self._keep, book.carrier_id, strays))
                for stray in strays:
                    stray.delivery.settle()

    async def _find(self, carrier_id: int, ids: list[str]) -> dict[str, facts.Found]:
        async with self._database.connection() as connection:
            return await facts.find_submissions(connection, carrier_id, ids)

    async def _keep(self, carrier_id: int, strays: list[Unmatched]) -> None:
        async with self._database.connection() as connection:
            await facts.keep_strays(connection, carrier_id, [stray_of(stray) for stray in strays])

    async def _write(self, batch: list[Matched]) -> None:
        try:
            await insist(partial(self._record, batch))
        except (asyncpg.UniqueViolationError, asyncpg.CheckViolationError):
            # A receipt came again; or so late that its partition has been dropped.
            await insist(partial(self._record_new, batch))
        for delivery, count in Counter([delivery for _, _, _, delivery in batch]).items():
            delivery.settle(count)
        self._settler.touch({row[0] for row, _, _, _ in batch})

    async def _record(self, batch: list[Matched]) -> None:
        async with self._database.connection() as connection:
            await facts.record_receipts(
                connection, self._lease.sender_id, [row for row, _, _, _ in batch], _tallied(batch)
            )

    async def _record_new(self, batch: list[Matched]) -> None:
        """Record those receipts whose message has none yet."""
        firsts: dict[tuple[int, int], Matched] = {}
        for matched in batch:
            firsts.setdefault(matched[0][:2], matched)
        async with self._database.transaction(sure=False) as connection:
            new = await facts.insert_receipts(connection, [row for row, _, _, _ in firsts.values()])
            tallied = _tallied([firsts[key] for key in new])
            await facts.record_receipts(connection, self._lease.sender_id, (), tallied)


def _tallied(batch: Iterable[Matched]) -> facts.Tallied:
    return Counter([(row[0], carrier_id, row[2], parts) for row, parts, carrier_id, _ in batch])
