"""
What a case takes for given before its first step: accounts, keys, and a dispatch in some status.
"""

import asyncio
import base64
import datetime as dt
import zoneinfo
from collections.abc import Awaitable, Callable

from penstock.domain.lifecycle import SubmissionOutcome
from penstock.domain.model import Schedule
from penstock.engine.retention import Retention
from penstock.store import keys, sweeps
from tests.harness.stage import LIFETIME, Player, Stage
from tests.harness.waiting import until, until_true
from tests.wire.matching import Variables

_COUNT = 2


class Scene:
    """What was set up for one case, and what goes on behind it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.variables: Variables = {}
        self._sender: Player | None = None
        self._halting: asyncio.Task[None] | None = None

    async def set_up(self, given: dict[str, str]) -> None:
        """Make the keys, name the times, and bring the dispatch where it is wanted."""
        await self._make_keys()
        self._name_times()
        if "dispatch" in given:
            dispatch_id = await _STATUSES[given["dispatch"]](self)
            self.variables["dispatch"] = dispatch_id
            assert await self.stage.status(dispatch_id) == given["dispatch"]
        if given.get("messages") == "dropped":
            await self._drop()

    async def release(self) -> None:
        """Let the carrier answer once the request waits for the stop too, so that both can end."""
        sender, stops = self._sender, self.stage.stops
        assert sender is not None
        await until_true(lambda: stops.waiting == 2, what="a second caller of the stop")
        dispatch_id = self.variables["dispatch"]
        assert isinstance(dispatch_id, int)
        sender.hear_halt(dispatch_id, 99)
        sender.give_back()
        sender.answer(list(sender.written), SubmissionOutcome.ACCEPTED)
        await sender.record()

    async def strike(self) -> None:
        """End what goes on."""
        if self._halting is not None:
            self._halting.cancel()
            await asyncio.gather(self._halting, return_exceptions=True)

    async def initiated(self) -> int:
        """A dispatch that is being filled."""
        dispatch_id = await self.stage.create()
        await self._fill(dispatch_id)
        return dispatch_id

    async def scheduled(self) -> int:
        """A dispatch whose time has not come."""
        send_time = dt.datetime.now(zoneinfo.ZoneInfo("Europe/Moscow")).replace(tzinfo=None) + dt.timedelta(days=1)
        return await self._begin(Schedule(use_local_time=False, send_time=send_time))

    async def sending(self) -> int:
        """A dispatch that no sender has taken up yet."""
        return await self._begin()

    async def awaiting(self) -> int:
        """A dispatch that is sent, without receipts."""
        dispatch_id = await self._begin()
        sender = await self.stage.enter()
        await sender.send(_COUNT)
        async with self.stage.database.connection() as connection:
            await sweeps.settle(connection, [dispatch_id], lifetime=LIFETIME)
        return dispatch_id

    async def paused(self) -> int:
        """A dispatch that was paused before anything was sent."""
        dispatch_id = await self._begin()
        await self.stage.stops.pause(self.stage.caller, dispatch_id)
        return dispatch_id

    async def changing(self) -> int:
        """A dispatch whose stop waits for the answer to a message that was written."""
        dispatch_id = await self._begin()
        self._sender = await self.stage.enter()
        self._sender.write(len(await self._sender.claim(_COUNT)))
        self._halting = asyncio.create_task(self.stage.stops.stop(self.stage.caller, dispatch_id))

        async def is_changing() -> bool:
            return await self.stage.status(dispatch_id) == "changing"

        await until(is_changing, what="a stop under way")
        return dispatch_id

    async def done(self) -> int:
        """A dispatch that was started empty."""
        dispatch_id = await self.stage.create()
        await self.stage.dispatches.start(self.stage.caller, dispatch_id)
        return dispatch_id

    async def stopped(self) -> int:
        """A dispatch of which one message was accepted before the stop."""
        dispatch_id = await self._begin()
        sender = await self.stage.enter()
        await sender.claim(1)
        sender.answer(sender.write(1), SubmissionOutcome.ACCEPTED)
        sender.give_back()
        await sender.record()
        await self.stage.stops.stop(self.stage.caller, dispatch_id)
        return dispatch_id

    async def _drop(self) -> None:
        """Let the dispatch end, and so much time pass that its messages are no longer kept."""
        await self.stage.fetch("UPDATE dispatch SET settle_at = NULL")
        for _ in range(2):
            await self.stage.let_days_pass(31)
            await Retention(self.stage.database, days=30, lifetime=LIFETIME).let_go()

    async def _begin(self, schedule: Schedule | None = None) -> int:
        dispatch_id = await self.stage.create(schedule=schedule)
        await self._fill(dispatch_id)
        await self.stage.dispatches.start(self.stage.caller, dispatch_id)
        return dispatch_id

    async def _fill(self, dispatch_id: int) -> None:
        self.variables["first"], self.variables["second"] = await self.stage.fill(dispatch_id, _COUNT)

    async def _make_keys(self) -> None:
        async with self.stage.database.connection() as connection:
            account_id, center_id = self.stage.caller.account_id, self.stage.caller.traffic_center_id
            for kind in (1, 2, 3, 4):
                self.variables[f"token_{kind}"] = await keys.create_key(connection, account_id, kind, center_id)
            revoked = await keys.create_key(connection, account_id, 1, center_id)
            revoked_id = int(base64.b64decode(revoked).partition(b":")[0])
            await connection.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", revoked_id)
            other_id = await keys.create_account(connection, "second", "Europe/Moscow")
            other_center_id = await keys.find_or_create_traffic_center(connection, other_id, "main")
            self.variables["foreign"] = await keys.create_key(connection, other_id, 1, other_center_id)
        self.variables["revoked"] = revoked
        self.variables["wrong_secret"] = base64.b64encode(f"{revoked_id - 1}:guess".encode()).decode()
        self.variables["unknown_key"] = base64.b64encode(b"99999999:guess").decode()

    def _name_times(self) -> None:
        now = dt.datetime.now(dt.UTC)
        local = now.astimezone(zoneinfo.ZoneInfo("Europe/Moscow"))
        for name, days in {"yesterday": -1, "tomorrow": 1, "in_2_days": 2, "in_8_days": 8, "in_71_days": 71}.items():
            self.variables[f"local_{name}"] = (local + dt.timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
            self.variables[f"instant_{name}"] = (now + dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


_STATUSES: dict[str, Callable[[Scene], Awaitable[int]]] = {
    "initiated": Scene.initiated,
    "scheduled": Scene.scheduled,
    "sending": Scene.sending,
    "awaiting": Scene.awaiting,
    "paused": Scene.paused,
    "changing": Scene.changing,
    "done": Scene.done,
    "stopped": Scene.stopped,
}
