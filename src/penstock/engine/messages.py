"""
Single messages: one-time codes and notices.

What many requests bring at the same time is stored by one transaction (group commit): while one
commits the next ones gather, and those who were just answered and ask again join them; a client that
is alone waits for nobody.  Messages that share all their settings become one anonymous
dispatch, whose template is the text itself; so one engine sends everything.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import asyncpg

from penstock.domain.errors import ItemCode, MessageNotFound, StoreUnavailable
from penstock.domain.lifecycle import FinalStatus
from penstock.domain.model import Caller, Idempotency, MessageView, Priority, SingleMessage
from penstock.domain.msisdn import parse_msisdn
from penstock.domain.parts import MAX_PARTS, count_parts
from penstock.domain.slicing import cut
from penstock.domain.uuids import message_uuid, parse_message_uuid
from penstock.domain.zones import zone_of
from penstock.engine import once as only_once
from penstock.engine.filling import is_zoned
from penstock.engine.lease import clock
from penstock.engine.signals import WORK
from penstock.store import claims, facts, messages, sweeps
from penstock.store.database import Connection, Database
from penstock.store.messages import Anonymous, Run, Single
from penstock.store.rows import ANY_ZONE, BEGINNING

_IDS_DRAWN = 200
#: Seconds that ids wait to be used: later their period may have been closed, much later dropped.
_IDS_KEPT = 60.0
#: Messages that one transaction stores at most, but for a single request of more.
_GROUP = 5000
#: Seconds in which whoever was just answered may ask again before the next transaction: so many for each message that
#: came lately, about what it takes to take one in, and so many at most.  Of 64 clients that post one message after the
#: other it stores all then, not half of them; and two that came together by chance wait for no third.
_GATHER_EACH, _GATHER_MOST = 0.0002, 0.015

_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404


@dataclass(slots=True)
class _Ready:
    """A message that can be stored."""

    position: int  #: where its answer goes
    message: SingleMessage
    destination: int
    parts: int
    zone: str


@dataclass(slots=True)
class _Request:
    """Messages that wait for the next transaction."""

    caller: Caller
    ready: list[_Ready]
    answer: list[str | int]
    stored: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Messages:
    """Takes in single messages and looks after them; `run` must be running."""

    def __init__(self, database: Database, *, default_zone: str, lifetime: int) -> None:
        self._database = database
        self._default_zone = default_zone
        self._lifetime = lifetime
        self._waiting: list[_Request] = []
        self._coming = 0  #: messages that wait
        self._enough = 1  #: messages with which the next transaction waits for no more
        self._enough_came = asyncio.Event()
        self._ids: list[int] = []
        self._drawn_at = 0.0

    async def run(self) -> None:
        """Store what comes, for ever."""
        while True:
            await self._gather()
            group, size = self._take()
            try:
                with self._drawn_for_good():
                    async with self._database.transaction() as connection:
                        await self._store(connection, group)
            except (StoreUnavailable, asyncpg.PostgresError) as error:
                for request in group:
                    if not request.stored.done():
                        request.stored.set_exception(error)
            else:
                for request in group:
                    if not request.stored.done():
                        request.stored.set_result(None)
            self._enough = min(_GROUP, size + self._coming)

    async def _gather(self) -> None:
        """Wait for messages: a moment for as many as came lately, and then for any."""
        self._enough_came.clear()
        if self._coming < self._enough:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_GATHER_EACH * self._enough, _GATHER_MOST)):
                    await self._enough_came.wait()
        self._enough = 1
        if not self._waiting:
            await self._enough_came.wait()

    def _take(self) -> tuple[list[_Request], int]:
        """Return the requests that one transaction stores, and how many messages they are."""
        sizes = accumulate(len(one.ready) for one in self._waiting)
        count = max(1, sum(size <= _GROUP for size in sizes))
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        size = sum(len(one.ready) for one in group)
        self._coming -= size
        return group, size

    async def send(self, caller: Caller, wanted: Sequence[SingleMessage], once: Idempotency | None) -> list[str | int]:
        """Store messages durably and let them go; returns for each its messageUuid or the code that kept it out."""
        request = self._prepare(caller, wanted)
        if once is not None:

            async def store(connection: Connection) -> list[str | int]:
                await self._store(connection, [request])
                return request.answer

            with self._drawn_for_good():
                return await only_once.carry_out(self._database, caller, once, list[str | int], store)
        if request.ready:
            self._waiting.append(request)
            self._coming += len(request.ready)
            if self._coming >= self._enough:
                self._enough_came.set()
            await request.stored
        return request.answer

    async def view(self, caller: Caller, uuid: str) -> MessageView:
        """Look at one message; raises MessageNotFound."""
        key = parse_message_uuid(uuid)
        if key is not None:
            async with self._database.connection() as connection:
                found = await messages.view(connection, caller.account_id, *key)
            if found is not None:
                return found
        raise MessageNotFound

    async def stop(self, caller: Caller, uuids: Sequence[str]) -> list[int]:
        """Return for each message 200 (it will not leave), 403 (it is leaving or has left) or 404."""
        keys = [parse_message_uuid(uuid) for uuid in uuids]
        asked = sorted({key for key in keys if key is not None})
        codes: dict[tuple[int, int], int] = {}
        if asked:
            async with self._database.transaction() as connection:
                codes = await self._stop(connection, caller, asked)
            async with self._database.connection() as connection:
                await sweeps.settle(connection, {key[0] for key in codes}, lifetime=self._lifetime)
        return [_NOT_FOUND if key is None else codes.get(key, _NOT_FOUND) for key in keys]

    async def _stop(
        self, connection: Connection, caller: Caller, asked: Sequence[tuple[int, int]]
    ) -> dict[tuple[int, int], int]:
        known = await messages.find(connection, caller.account_id, asked)
        dispatch_ids = sorted({key[0] for key in known})
        await claims.lock_dispatches(connection, dispatch_ids)
        # Looked at again: only under the lock is it certain that nobody claims them.
        known = await messages.find(connection, caller.account_id, sorted(known))
        open_keys = [key for key, message in known.items() if not message.is_over]
        slices = await messages.find_slices(connection, open_keys)
        codes = {key: _OK if message.is_stopped else _FORBIDDEN for key, message in known.items()}
        pieces: list[Run] = []
        gone: list[tuple[int, int]] = []
        for one in slices:
            inside = sorted(
                seq for dispatch_id, seq in open_keys
                if dispatch_id == one.dispatch_id and one.next_seq <= seq < one.end_seq
            )  # fmt: skip
            gone += [(one.dispatch_id, seq) for seq in inside]
            pieces += [
                Run(one.dispatch_id, first, end, one.zone, 0) for first, end in cut((one.next_seq, one.end_seq), inside)
            ]
        if not gone:
            return codes
        await messages.replace_slices(connection, slices, pieces)
        now = await sweeps.read_clock(connection)
        rows = [(*key, FinalStatus.UNSENT, ItemCode.STOPPED, None, now) for key in gone]
        tallied = Counter((key[0], facts.NO_CARRIER, int(FinalStatus.UNSENT), known[key].parts) for key in gone)
        await facts.record_receipts(connection, 0, rows, tallied)
        codes.update(dict.fromkeys(gone, _OK))
        await sweeps.sleep_if_empty(connection, dispatch_ids)
        return codes

    def _prepare(self, caller: Caller, wanted: Sequence[SingleMessage]) -> _Request:
        answer: list[str | int] = [0] * len(wanted)
        ready = []
        for position, message in enumerate(wanted):
            destination = parse_msisdn(message.destination)
            parts = count_parts(message.content)
            if destination is None:
                answer[position] = int(ItemCode.DESTINATION_INVALID)
            elif not message.content or parts > MAX_PARTS:
                answer[position] = int(ItemCode.TEXT_LENGTH)
            else:
                zone = zone_of(destination, self._default_zone) if is_zoned(message.schedule) else ANY_ZONE
                ready.append(_Ready(position, message, destination, parts, zone))
        return _Request(caller, ready, answer)

    async def _store(self, connection: Connection, requests: Sequence[_Request]) -> None:
        groups: dict[tuple[object, ...], list[tuple[_Request, _Ready]]] = {}
        for request in requests:
            for one in request.ready:
                groups.setdefault(_settings(request.caller, one.message), []).append((request, one))
        ids = await self._draw(connection, len(groups))
        singles: list[Single] = []
        runs: list[Run] = []
        made: list[Anonymous] = []
        for dispatch_id, group in zip(ids, groups.values(), strict=True):
            group.sort(key=lambda member: member[1].zone)
            for seq, (request, one) in enumerate(group, 1):
                singles.append(
                    Single(dispatch_id, seq, one.destination, one.parts, one.message.content, one.message.external_id)
                )
                request.answer[one.position] = message_uuid(dispatch_id, seq)
                if runs and runs[-1].dispatch_id == dispatch_id and runs[-1].zone == one.zone:
                    runs[-1] = runs[-1]._replace(end_seq=seq + 1)
                else:
                    runs.append(Run(dispatch_id, seq, seq + 1, one.zone, 0))
            made.append(_anonymous(dispatch_id, group))
        if made:
            await messages.store_singles(
                connection, made, singles, runs, wake_at=BEGINNING, lifetime=self._lifetime, said=WORK
            )

    @contextlib.contextmanager
    def _drawn_for_good(self) -> Iterator[None]:
        """Forget the ids that are left when their transaction fails: after a crash PostgreSQL may draw them again."""
        try:
            yield
        except BaseException:
            self._ids.clear()
            raise

    async def _draw(self, connection: Connection, count: int) -> list[int]:
        if clock() - self._drawn_at > _IDS_KEPT:
            self._ids = []
        while len(self._ids) < count:
            self._drawn_at = clock()
            self._ids = await messages.next_ids(connection, max(_IDS_DRAWN, count))
        drawn, self._ids = self._ids[:count], self._ids[count:]
        return drawn


def _settings(caller: Caller, message: SingleMessage) -> tuple[object, ...]:
    """Return all that messages of one anonymous dispatch share."""
    return (
        caller.account_id,
        caller.traffic_center_id,
        message.channel_type,
        message.sender_name,
        message.schedule,
        message.ttl,
        message.tags,
        message.short_url,
        message.callback_url,
        message.callback_events,
    )


def _anonymous(dispatch_id: int, group: Sequence[tuple[_Request, _Ready]]) -> Anonymous:
    caller, message = group[0][0].caller, group[0][1].message
    return Anonymous(
        dispatch_id,
        caller.account_id,
        caller.traffic_center_id or 0,
        message.channel_type,
        message.sender_name,
        Priority.TRANSACT,
        message.schedule,
        message.ttl,
        message.tags,
        message.short_url,
        message.callback_url,
        message.callback_events,
        len(group),
        sum(one.parts for _, one in group),
        tuple(sorted({one.zone for _, one in group})),
    )
