"""
The recorder of a sender: outcomes become facts.

What has come since the last transaction goes into the next one, so that the batches grow with the
load: submissions, the tallies they move, the claims they end, what goes back to the slices.
A claim that is missing was taken over by a stop or a recovery: its messages are facts already (in
doubt), and this sender has lost its lease.

A receipt passes here on its way to `penstock.engine.receipt_recorder`: it waits until the submission
of its message is recorded.
"""

import asyncio
import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from penstock.engine.lease import Lease, LeaseLost, clock
from penstock.engine.outbox import Held, Outbox
from penstock.engine.persistence import Settler, insist
from penstock.engine.receipt_recorder import ReceiptRecorder
from penstock.engine.receipts import Matched
from penstock.store import facts, sweeps
from penstock.store.database import Database
from penstock.store.facts import Outcomes, SubmissionRow

#: From the beginning of a transaction to that of the next, in seconds at the least, while nobody waits: fuller batches
#: cost less each.
GATHER = 0.01
#: Outcomes that are worth a transaction without a pause.
FULL = 1000
#: Seconds that the last outcomes of a halted dispatch are waited for, to be recorded with what came before them.
HALT_PATIENCE = 0.05


@dataclass(slots=True)
class Batch:
    """What one transaction records."""

    submissions: list[SubmissionRow] = field(default_factory=list)
    held: set[Held] = field(default_factory=set)  #: the claims of the submissions
    receipts: list[Matched] = field(default_factory=list)  #: of messages that are recorded with it or before
    ended: list[Held] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.submissions or self.receipts or self.ended)


class Recorder:
    """Records what the links of one sender tell."""

    def __init__(
        self, database: Database, lease: Lease, outbox: Outbox, receipts: ReceiptRecorder, settler: Settler
    ) -> None:
        self._database = database
        self._lease = lease
        self._outbox = outbox
        self._receipts = receipts
        self._settler = settler
        self._wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        self._next = Batch()
        self._writing = Batch()
        self._began_at = 0.0
        self.written = asyncio.Event()  #: set after each transaction

    def add_submissions(self, submissions: Sequence[SubmissionRow], held: Iterable[Held]) -> None:
        """Take in outcomes, and the claims that they belong to."""
        self._next.submissions += submissions
        self._next.held.update(held)

    def add_receipts(self, matched: Sequence[Matched]) -> None:
        """Take in receipts whose message has its outcome."""
        if self._next.submissions or self._writing.submissions:
            self._next.receipts.extend(matched)
            self._wanted.set()
        else:
            self._receipts.add(matched)

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
            batch = self._gather()
            self._writing = batch
            if batch.submissions or batch.ended:
                await insist(partial(self._write, batch))
            self._writing = Batch()
            self._receipts.add(batch.receipts)
            if not self._outbox.is_halting:
                self._receipts.go_on()
            self._settler.touch({held.dispatch_id for held in batch.ended})
            self.written.set()
            self.written.clear()

    async def _wait(self) -> None:
        await self._wanted.wait()
        if self._outbox.is_halting:
            # A transaction begun just before the last outcomes that a stop waits for would hold them up.
            await self._wait_for_hurry(HALT_PATIENCE)
        elif len(self._next.submissions) < FULL:
            await self._wait_for_hurry(self._began_at + GATHER - clock())
        self._began_at = clock()

    async def _wait_for_hurry(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    def _gather(self) -> Batch:
        """Take what the next transaction records."""
        self._wanted.clear()
        self._hurry.clear()
        batch, self._next = self._next, Batch()
        batch.ended, self._outbox.ended = self._outbox.ended, []
        return batch

    async def _write(self, batch: Batch) -> None:
        outcomes = Outcomes(
            batch.submissions,
            held=[held.key for held in batch.held.union(batch.ended)],
            ended=[held.key for held in batch.ended],
            back=[(held.dispatch_id, first, end, held.zone) for held in batch.ended for first, end in held.unwritten()],
            # Whoever halts them looks then; before the last claim it would only stand in our way.
            released=[
                dispatch_id
                for dispatch_id in {held.dispatch_id for held in batch.ended if self._outbox.is_halted(held)}
                if not self._outbox.holds(dispatch_id)
            ],
        )
        record = partial(facts.record_outcomes, sender_id=self._lease.sender_id, outcomes=outcomes)
        if not await self._database.write(record, patience=math.inf):
            # Claims were taken over: what they held is in doubt, and recorded so.
            self._lease.shut()
            raise LeaseLost(self._lease.name)

    async def tell_late(self) -> int:
        """Record how much this sender, which lost its lease, had written after a stop took effect."""
        held = {*self._outbox.held, *self._outbox.ended, *self._writing.ended, *self._writing.held}
        writes = [(one.dispatch_id, self._lease.instant(at), count) for one in held for at, count in one.writes]
        async with self._database.transaction() as connection:
            return await sweeps.note_late(connection, self._lease.sender_id, writes)
