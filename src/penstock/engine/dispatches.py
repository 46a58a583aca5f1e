"""
Dispatches as their owners make, start, change and see them.
"""

import datetime as dt
from collections.abc import AsyncIterator, Sequence

from penstock.domain.errors import DispatchNotFound, InappropriateStatus, MessagesDropped
from penstock.domain.lifecycle import FINAL, DispatchStatus, may_resume, may_start
from penstock.domain.model import (
    Caller,
    ChannelHealth,
    DispatchDraft,
    DispatchFilter,
    DispatchProgress,
    DispatchView,
    Idempotency,
    MessageLine,
    Rate,
)
from penstock.domain.rates import carry_over
from penstock.domain.windows import first_opening
from penstock.engine import once as only_once
from penstock.engine.signals import WORK
from penstock.store import dispatches, halts, messages, retention
from penstock.store.database import Connection, Database
from penstock.store.dispatches import Recipe
from penstock.store.rows import ANY_ZONE, BEGINNING, FOREVER

_EXPORT_PAGE = 5000


class Dispatches:
    """
    All that is done with a dispatch but filling and stopping it.

    *database* is for what is found by key or index, and may plan its statements once; *slow* is the same database for
    searches and exports, which so hold up nothing else.
    """

    def __init__(self, database: Database, slow: Database) -> None:
        self._database = database
        self._slow = slow

    async def create(self, caller: Caller, draft: DispatchDraft, once: Idempotency | None) -> int:
        """Store a new dispatch durably and return its id."""

        async def store(connection: Connection) -> int:
            return await dispatches.insert(connection, caller.account_id, caller.traffic_center_id or 0, draft)

        return await only_once.carry_out(self._database, caller, once, int, store)

    async def start(self, caller: Caller, dispatch_id: int) -> None:
        """Complete the creation; raises DispatchNotFound or InappropriateStatus."""
        async with self._database.transaction() as connection:
            recipe = await self._lock(connection, caller, dispatch_id)
            if not may_start(recipe.status):
                raise InappropriateStatus
            status, wake_at = _beginning(recipe)
            await dispatches.start(connection, dispatch_id, status, wake_at)
            await halts.notify(connection, WORK)

    async def resume(self, caller: Caller, dispatch_id: int) -> None:
        """Send exactly what was never sent; raises DispatchNotFound or InappropriateStatus."""
        async with self._database.transaction() as connection:
            recipe = await self._lock(connection, caller, dispatch_id)
            if not may_resume(recipe.status):
                raise InappropriateStatus
            status, wake_at = _beginning(recipe)
            if status is DispatchStatus.DONE:
                status, wake_at = DispatchStatus.SENDING, FOREVER
            await dispatches.resume(connection, dispatch_id, status, wake_at)
            await halts.notify(connection, WORK)

    async def set_rate(self, caller: Caller, dispatch_id: int, rate: Rate | None) -> None:
        """Change the rate of a dispatch that is not final; None lifts the limit."""
        async with self._database.transaction() as connection:
            recipe = await self._lock(connection, caller, dispatch_id)
            if recipe.status in FINAL:
                raise InappropriateStatus
            next_at = None
            if rate is not None and recipe.rate is not None and recipe.rate_next_at is not None:
                next_at = carry_over(recipe.rate, rate, recipe.rate_next_at)
            await dispatches.set_rate(connection, dispatch_id, rate, next_at)
            await halts.notify(connection, WORK)

    async def find(self, caller: Caller, wanted: DispatchFilter) -> tuple[int, list[DispatchView]]:
        """Return how many dispatches fit and one page of them, newest first."""
        async with (self._slow if dispatches.is_search(wanted) else self._database).connection() as connection:
            total, page = await dispatches.find(connection, caller.account_id, wanted)
        if not page:
            return total, []
        async with self._database.connection() as connection:
            found = await dispatches.look(connection, caller.account_id, page, wanted.statuses)
        return total, [view for view, _ in found]

    async def progress(self, caller: Caller, dispatch_id: int) -> DispatchProgress:
        """Look at one dispatch; raises DispatchNotFound."""
        async with self._database.connection() as connection:
            found = await dispatches.look(connection, caller.account_id, [dispatch_id])
            links = await dispatches.read_links(connection)
        if not found:
            raise DispatchNotFound(dispatch_id)
        [(view, speed)] = found
        estimate = None
        if speed > 0 and view.status == DispatchStatus.SENDING:
            estimate = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=view.messages.sending / speed)
        return DispatchProgress(
            dispatch=view,
            rate_now=speed if view.status == DispatchStatus.SENDING else 0.0,
            finish_estimate_at=estimate,
            channels=tuple(ChannelHealth(name, up, configured) for name, (up, configured) in sorted(links.items())),
        )

    async def lines(
        self, caller: Caller, dispatch_id: int, statuses: Sequence[str]
    ) -> AsyncIterator[list[MessageLine]]:
        """
        Stream the outcome of every message in order.

        Raises DispatchNotFound and MessagesDropped at the first step; MessagesDropped later, when
        they were dropped meanwhile: what has come is then not the whole.
        """
        async with self._database.connection() as connection:
            recipe = await dispatches.get(connection, caller.account_id, dispatch_id)
        if recipe is None:
            raise DispatchNotFound(dispatch_id)
        after = 0
        while True:
            async with self._slow.connection() as connection:
                page = await messages.lines(connection, dispatch_id, after, _EXPORT_PAGE)
                # Asked after the page was read: until then it was whole.
                if not await retention.is_kept(connection, dispatch_id):
                    raise MessagesDropped(dispatch_id)
            yield [line for line in page if line.status in statuses] if statuses else page
            after += _EXPORT_PAGE
            if after >= recipe.next_seq - 1:
                return

    @staticmethod
    async def _lock(connection: Connection, caller: Caller, dispatch_id: int) -> Recipe:
        recipe = await dispatches.lock_recipe(connection, caller.account_id, dispatch_id)
        if recipe is None:
            raise DispatchNotFound(dispatch_id)
        return recipe


def _beginning(recipe: Recipe) -> tuple[DispatchStatus, dt.datetime]:
    """Return with which status a dispatch (re)starts, and when something of it can be claimed."""
    if not recipe.messages:
        return DispatchStatus.DONE, FOREVER
    now = recipe.now or BEGINNING
    schedule = recipe.schedule
    zones = [recipe.default_zone if zone == ANY_ZONE else zone for zone in recipe.zones]
    if schedule.send_time is not None:
        opens_at = first_opening(schedule, zones, now)
        begins = [first_opening(schedule.__class__(schedule.use_local_time, schedule.send_time), zones, now)]
        if begins[0] is not None and begins[0] > now:
            return DispatchStatus.SCHEDULED, opens_at or begins[0]
    return DispatchStatus.SENDING, BEGINNING
