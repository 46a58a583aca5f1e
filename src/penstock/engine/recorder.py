"""
The recorder of a sender: outcomes and receipts become facts.

What has come since the last transaction goes into the next one, so that the batches grow with the
load: submissions and receipts by COPY, the tallies they move, the claims they end, what goes back
to the slices.  A claim that is missing was taken over by a stop or a recovery: its messages are
facts already (in doubt), and this sender has lost its lease.
"""

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import asyncpg
import structlog

from penstock.domain.errors import StoreUnavailable
from penstock.engine.lease import Lease, LeaseLost, clock
from penstock.engine.outbox import Held, Outbox
from penstock.engine.receipts import ASK_AFTER, PATIENCE, Matched, ReceiptBook, Unmatched, stray_of
from penstock.engine.signals import Released, say
from penstock.store import facts, halts, sweeps
from penstock.store.copying import SubmissionRow
from penstock.store.database import Connection, Database
from penstock.store.facts import Tallies
from penstock.store.rows import BEGINNING

log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")

#: Pause between transactions while nobody waits, in seconds: fuller batches cost less each.
GATHER = 0.005
#: Facts that are worth a transaction without a pause.
FULL = 500
#: Receipts that one transaction records.
MOST_RECEIPTS = 1000


@dataclass(slots=True)
class Batch:
    """What one transaction records."""

    submissions: list[SubmissionRow] = field(default_factory=list)
    held: set[Held] = field(default_factory=set)  #: the claims of the submissions
    receipts: list[Matched] = field(default_factory=list)
    ended: list[Held] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.submissions or self.receipts or self.ended)


class Recorder:
    """Records what the links of one sender tell."""

    def __init__(
        self, database: Database, lease: Lease, outbox: Outbox, books: Iterable[ReceiptBook], *, lifetime: int
    ) -> None:
        self._database = database
        self._lease = lease
        self._outbox = outbox
        self._books = tuple(books)
        self._lifetime = lifetime
        self._wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        self._next = Batch()
        self._writing = Batch()
        self._touched: set[int] = set()
        self._had_receipts = False
        self.written = asyncio.Event()  #: set after each transaction

    def add_submissions(self, submissions: Sequence[SubmissionRow], held: Iterable[Held]) -> None:
        """Take in outcomes, and the claims that they belong to."""
        self._next.submissions += submissions
        self._next.held.update(held)

    def add_receipts(self, matched: Sequence[Matched]) -> None:
        """Take in receipts whose message is known and recorded, or about to be in the same transaction."""
        self._next.receipts.extend(matched)

    def wake(self, *, hurry: bool = False) -> None:
        """There is something to record; *hurry* when somebody waits for it."""
        self._wanted.set()
        if hurry:
            self._hurry.set()

    def known_claims(self) -> set[tuple[int, int]]:
        """Return the keys of all claims that this sender holds or is just ending."""
        return {held.key for held in (*self._outbox.held, *self._outbox.ended, *self._writing.ended)}

    @property
    def is_idle(self) -> bool:
        """Whether all that came has been recorded."""
        return not (self._next or self._writing or self._outbox.ended or self._wanted.is_set())

    async def run(self) -> None:
        """Record for ever; raises LeaseLost when this sender was taken for dead."""
        while True:
            await self._wait()
            batch = await self._gather()
            self._writing = batch
            if batch:
                await self._write(batch)
            self._writing = Batch()
            self.written.set()
            self.written.clear()

    async def _gather(self) -> Batch:
        """
        Take what the next transaction records.

        Receipts go with it up to a number, so that no transaction lasts long; while somebody waits
        for outcomes they go with every other one.
        """
        urgent = self._hurry.is_set()
        self._wanted.clear()
        self._hurry.clear()
        most = 0 if urgent and self._had_receipts else MOST_RECEIPTS
        if most:
            await self._look_up()
        batch, self._next = self._next, Batch()
        batch.ended, self._outbox.ended = self._outbox.ended, []
        batch.receipts, self._next.receipts = batch.receipts[:most], batch.receipts[most:]
        self._had_receipts = bool(batch.receipts)
        if self._next.receipts:
            self._wanted.set()
        return batch

    async def _wait(self) -> None:
        # Receipts that wait for their message are looked at now and then.
        try:
            async with asyncio.timeout(ASK_AFTER if any(book.is_to_ask for book in self._books) else PATIENCE):
                await self._wanted.wait()
        except TimeoutError:
            return
        if len(self._next.submissions) + len(self._next.receipts) < FULL:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER):
                    await self._hurry.wait()

    async def _look_up(self) -> None:
        """Find the messages of receipts that memory does not know; what is not there either becomes a stray."""
        for book in self._books:
            ids = book.take_unasked(clock() - ASK_AFTER)
            if ids:
                found = await self._persist(partial(self._find, book.carrier_id, ids))
                self._next.receipts.extend(book.find(found))
            strays = book.take_strays(clock() - PATIENCE)
            if strays:
                await self._persist(partial(self._keep, book.carrier_id, strays))
                for stray in strays:
                    stray.delivery.settle()

    async def _find(self, carrier_id: int, ids: list[str]) -> dict[str, facts.Found]:
        async with self._database.connection() as connection:
            return await facts.find_submissions(connection, carrier_id, ids)

    async def _keep(self, carrier_id: int, strays: list[Unmatched]) -> None:
        async with self._database.connection() as connection:
            await facts.keep_strays(connection, carrier_id, [stray_of(stray) for stray in strays])

    async def _write(self, batch: Batch) -> None:
        try:
            await self._persist(partial(self._transact, batch, receipts_are_new=True))
        except asyncpg.UniqueViolationError:
            await self._persist(partial(self._transact, batch, receipts_are_new=False))
        for delivery, count in Counter([delivery for _, _, _, delivery in batch.receipts]).items():
            delivery.settle(count)
        await self._settle(batch)

    async def _persist(self, step: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do *step* as soon as the database can be reached, however long that takes."""
        while True:
            try:
                return await step()
            except StoreUnavailable as error:
                log.warning("recorder_waits_for_store", error=repr(error.__cause__))
                await asyncio.sleep(0.1)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                log.warning("recorder_tries_again", error=repr(error))

    async def _transact(self, batch: Batch, *, receipts_are_new: bool) -> None:
        tallies = Tallies()
        async with self._database.transaction(patience=math.inf) as connection:
            back = [
                (held.dispatch_id, first, end, held.zone) for held in batch.ended for first, end in held.unwritten()
            ]
            if back:
                await facts.lock_dispatches(connection, {run[0] for run in back})
            mine = {held.key for held in batch.held} | {held.key for held in batch.ended}
            if mine:
                kept = await facts.lock_claims(connection, self._lease.sender_id, sorted(mine))
                if len(kept) < len(mine):
                    # Some were taken over: what they held is in doubt, and recorded so.
                    self._lease.shut()
                    raise LeaseLost(self._lease.name)
            if batch.submissions:
                await facts.copy_submissions(connection, batch.submissions)
                facts.count_submissions(tallies, batch.submissions)
            await self._write_receipts(connection, batch, tallies, are_new=receipts_are_new)
            await facts.add_tallies(connection, self._lease.sender_id, tallies)
            if back:
                await facts.give_back(connection, back, wake_at=BEGINNING)
            if batch.ended:
                await facts.release_claims(connection, [held.key for held in batch.ended])
                for dispatch_id in {held.dispatch_id for held in batch.ended if self._outbox.is_halted(held)}:
                    await halts.notify(connection, say(Released(dispatch_id)))

    @staticmethod
    async def _write_receipts(connection: Connection, batch: Batch, tallies: Tallies, *, are_new: bool) -> None:
        receipts = batch.receipts
        if not receipts:
            return
        if are_new:
            await facts.copy_receipts(connection, [row for row, _, _, _ in receipts])
        else:
            firsts: dict[tuple[int, int], Matched] = {}
            for matched in receipts:
                firsts.setdefault(matched[0][:2], matched)
            new = await facts.insert_receipts(connection, [row for row, _, _, _ in firsts.values()])
            receipts = [firsts[key] for key in new]
        counted = Counter([(row[0], carrier_id, row[2], parts) for row, parts, carrier_id, _ in receipts])
        for (dispatch_id, carrier_id, status, parts), times in counted.items():
            facts.count_receipts(tallies.of(dispatch_id, carrier_id), status, parts, times)

    async def tell_late(self) -> int:
        """Record how much this sender, which lost its lease, had written after a stop took effect."""
        held = {*self._outbox.held, *self._outbox.ended, *self._writing.ended, *self._writing.held}
        writes = [(one.dispatch_id, self._lease.instant(at), count) for one in held for at, count in one.writes]
        async with self._database.transaction() as connection:
            return await sweeps.note_late(connection, self._lease.sender_id, writes)

    async def _settle(self, batch: Batch) -> None:
        """Move on the dispatches that this batch may have completed; what is missed the sweeper finds."""
        self._touched |= {held.dispatch_id for held in batch.ended}
        self._touched |= {row[0] for row, _, _, _ in batch.receipts}
        is_busy = self._hurry.is_set() or bool(self._next.submissions)
        if is_busy and len(self._touched) < 50:  # noqa: PLR2004 - together with the next batches
            return
        touched, self._touched = self._touched, set()
        try:
            async with self._database.connection() as connection:
                await sweeps.settle(connection, touched, lifetime=self._lifetime)
        except StoreUnavailable:
            self._touched |= touched
