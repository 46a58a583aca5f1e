"""
The stop: after it has returned, nothing more of the dispatch leaves, whatever crashes.

1. `_begin`: one statement locks the dispatch, checks the move and marks it ``changing``.  From its
   commit on no claim of the dispatch can be made.  Every sender hears of it.
2. The senders write no further message of it, wait for the answers of what they have written,
   record them and release their claims (`penstock.engine.sender`).
3. `_finish` waits until no living sender holds a claim: released, or its lease has run out.
4. One statement that finds no claim writes the receipt and ends the halt; if dead senders left some,
   a transaction fences those off first and turns their claims into in-doubt facts.

Whoever finds a dispatch ``changing`` may go on with steps 3 and 4: the call that began it, a call
that joins it, or the sweeper of any node.  A pause is the same with another end.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator

import asyncpg
import structlog

from penstock.domain.errors import DispatchNotFound, InappropriateStatus, StopReceiptNotFound, StoreUnavailable
from penstock.domain.lifecycle import DispatchStatus, may_pause, may_stop
from penstock.domain.model import Caller, StopReceipt
from penstock.engine.signals import Released, hear
from penstock.store import dispatches, halts, leases
from penstock.store.database import Database

log = structlog.get_logger(__name__)

#: How long a stop waits for a signal before it looks for itself, in seconds.
LOOK_SECONDS = 0.05


class Stops:
    """Stops and pauses dispatches; the sessions of its database are `halts.SESSION`: they wait for no lock for long."""

    def __init__(self, database: Database, *, lifetime: int, timeout: float) -> None:
        self._database = database
        self._lifetime = lifetime
        self._timeout = timeout
        self._released: dict[int, set[asyncio.Event]] = defaultdict(set)

    async def stop(self, caller: Caller, dispatch_id: int) -> None:
        """
        Stop a dispatch and return when nothing more of it can leave.

        Raises DispatchNotFound, InappropriateStatus, and StoreUnavailable when the database was
        away for longer than the time-out; the stop then goes on by itself as soon as it is back.
        """
        await self._halt(caller, dispatch_id, DispatchStatus.STOPPED)

    async def pause(self, caller: Caller, dispatch_id: int) -> None:
        """Pause a dispatch and return when nothing more leaves; raises as `stop` does."""
        await self._halt(caller, dispatch_id, DispatchStatus.PAUSED)

    async def receipt(self, caller: Caller, dispatch_id: int) -> StopReceipt:
        """Return the account of a stop."""
        async with self._database.connection() as connection:
            if await dispatches.get(connection, caller.account_id, dispatch_id) is None:
                raise DispatchNotFound(dispatch_id)
            receipt = await halts.read_receipt(connection, dispatch_id)
        if receipt is None:
            raise StopReceiptNotFound(dispatch_id)
        return receipt

    def hear(self, said: str) -> None:
        """Take in a notification."""
        match hear(said):
            case Released(dispatch_id):
                for waiting in self._released.get(dispatch_id, ()):
                    waiting.set()

    async def finish_unattended(self) -> None:
        """Go on with halts whose caller may be gone."""
        async with self._database.connection() as connection:
            halting = await halts.find_unfinished(connection)
        for dispatch_id in halting:
            await self._finish(dispatch_id)

    async def bury_dead(self) -> None:
        """Turn the claims of dead senders into in-doubt facts, so that their dispatches go on."""
        async with self._database.connection() as connection:
            dead = await leases.find_dead(connection)
            if not dead:
                return
            # Before the rest: one that was just claiming has its own row locked.
            await leases.cut_sessions(connection, dead)
            dead = await leases.fence_off(connection, dead)
            claimed = await leases.find_claimed_dispatches(connection, dead)
        for dispatch_id in claimed:
            try:
                async with self._database.transaction() as connection:
                    await leases.cut_sessions(connection, dead)
                    await halts.lock(connection, dispatch_id)
                    await leases.doubt(connection, dispatch_id, dead)
            except asyncpg.LockNotAvailableError as error:
                # Their sessions have just been cut; the next round finds the locks gone.
                log.warning("burial_tries_again", dispatch_id=dispatch_id, error=repr(error))
                continue
            log.warning("claims_in_doubt", dispatch_id=dispatch_id, senders=dead)

    async def _halt(self, caller: Caller, dispatch_id: int, to: DispatchStatus) -> None:
        try:
            async with asyncio.timeout(self._timeout), self._waiting_for(dispatch_id) as released:
                is_held = await self._begin_for_sure(caller, dispatch_id, to)
                await self._see_through(dispatch_id, released, is_held=is_held)
        except TimeoutError as error:
            raise StoreUnavailable from error

    async def _begin_for_sure(self, caller: Caller, dispatch_id: int, to: DispatchStatus) -> bool:
        """Begin a halt or join one as soon as the database can be reached; tells whether a claim was held then."""
        unsure = False
        while True:
            try:
                return await self._begin(caller, dispatch_id, to, unsure=unsure)
            except StoreUnavailable as error:
                # It may have begun, and somebody else may have finished it meanwhile.
                unsure = True
                log.warning("halt_waits_for_store", dispatch_id=dispatch_id, error=repr(error.__cause__))
                await asyncio.sleep(LOOK_SECONDS)
            except asyncpg.LockNotAvailableError:
                await self._cut_gone()

    async def _begin(self, caller: Caller, dispatch_id: int, to: DispatchStatus, *, unsure: bool) -> bool:
        may = may_stop if to is DispatchStatus.STOPPED else may_pause
        async with self._database.connection() as connection:
            begun = await halts.begin(
                connection, caller.account_id, dispatch_id,
                changing_to=to, movable=[status for status in DispatchStatus if may(status)], key_id=caller.key_id,
            )  # fmt: skip
        if begun is None:
            raise DispatchNotFound(dispatch_id)
        if begun.halts is not None:
            log.info("halt_begun", dispatch_id=dispatch_id, to=to, key_id=caller.key_id)
        elif begun.changing_to != to and not (unsure and begun.status == to):
            # Neither joins a halt under way to the same end, nor has it happened already.
            raise InappropriateStatus
        return begun.is_held

    async def _see_through(self, dispatch_id: int, released: asyncio.Event, *, is_held: bool) -> None:
        """Finish a halt as soon as nobody holds a claim; *is_held*: somebody did just now, and will tell."""
        while True:
            if is_held:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await released.wait()
            released.clear()
            try:
                if await self._finish(dispatch_id):
                    return
            except StoreUnavailable as error:
                log.warning("halt_waits_for_store", dispatch_id=dispatch_id, error=repr(error.__cause__))
            is_held = True

    async def _finish(self, dispatch_id: int) -> bool:
        """Finish a halt if no living sender holds a claim; tells whether it is finished, by whomever."""
        try:
            return await self._try_to_finish(dispatch_id)
        except asyncpg.LockNotAvailableError as error:
            await self._cut_gone()
            log.warning("halt_tries_again", dispatch_id=dispatch_id, error=repr(error))
        except (asyncpg.DeadlockDetectedError, asyncpg.UniqueViolationError) as error:
            # A sender that was taken for dead was just recording.
            log.warning("halt_tries_again", dispatch_id=dispatch_id, error=repr(error))
        return False

    async def _cut_gone(self) -> None:
        """
        Take the locks from senders whose lease has run out: a frozen one keeps them otherwise.

        Not only from those that hold claims: the first may have been in the making.  And not only from
        those that are fenced off: the claim in the making locks the row that fencing off has to change.
        """
        async with self._database.connection() as connection:
            await leases.cut_gone(connection)

    async def _try_to_finish(self, dispatch_id: int) -> bool:
        async with self._database.connection() as connection:
            looked = await halts.finish(connection, dispatch_id, lifetime=self._lifetime)
            if looked is None or looked.status != DispatchStatus.CHANGING:
                if looked is not None and looked.is_ended:
                    log.info("halt_finished", dispatch_id=dispatch_id, to=looked.status)
                return True
            claimants = await leases.find_claimants(connection, dispatch_id) if looked.is_held else []
        if not claimants or not all(claimant.is_over for claimant in claimants):
            return False
        return await self._finish_for_dead(dispatch_id)

    async def _finish_for_dead(self, dispatch_id: int) -> bool:
        """Fence off the senders that hold the last claims, turn those into in-doubt facts and end the halt."""
        async with self._database.transaction(sure=False) as connection:
            if await halts.lock(connection, dispatch_id) != DispatchStatus.CHANGING:
                return True
            claimants = await leases.find_claimants(connection, dispatch_id)
            dead = await leases.fence_off(connection, [claimant.sender_id for claimant in claimants])
            if len(dead) < len(claimants):
                return False
            # Frozen ones may hold locks on what they claimed.
            await leases.cut_sessions(connection, dead)
            await leases.doubt(connection, dispatch_id, dead)
            looked = await halts.finish(connection, dispatch_id, lifetime=self._lifetime)
        if looked is None or not looked.is_ended:
            return False
        log.warning("halt_finished", dispatch_id=dispatch_id, to=looked.status, in_doubt_of=dead)
        return True

    @contextlib.asynccontextmanager
    async def _waiting_for(self, dispatch_id: int) -> AsyncIterator[asyncio.Event]:
        event = asyncio.Event()
        self._released[dispatch_id].add(event)
        try:
            yield event
        finally:
            self._released[dispatch_id].discard(event)
            if not self._released[dispatch_id]:
                del self._released[dispatch_id]
