"""
Filling a dispatch: arrays of up to a thousand, and files of any size.

Either way what is answered with success is in the dispatch whole.  An array is one transaction
under the lock of the dispatch, so that it races fairly with the start.  A file is stored in
portions that belong to nobody yet; the last transaction makes them part of the dispatch.
"""

import itertools
from collections.abc import AsyncIterator, Sequence

import msgspec
import structlog

from penstock.domain.errors import DispatchNotFound, InappropriateStatus, StoreUnavailable
from penstock.domain.filling import Prepared, prepare
from penstock.domain.lifecycle import may_fill
from penstock.domain.model import Caller, Entry, FileFill, Idempotency, RowError, Schedule, StreamedIdempotency
from penstock.domain.template import Template
from penstock.domain.uuids import uuid_maker
from penstock.engine import once as only_once
from penstock.store import dispatches, messages
from penstock.store.database import Connection, Database
from penstock.store.messages import MessageRow, Run
from penstock.store.rows import ANY_ZONE

log = structlog.get_logger(__name__)

_RECIPES_KEPT = 1000

#: Rows of a file of which it is told why they were not taken; those beyond are only counted.
ERRORS_TOLD = 100_000
#: Characters of what such a row has for a destination: it may be a whole book.
_TOLD_LENGTH = 64


class _Recipe(msgspec.Struct, frozen=True):
    """What does not change of a dispatch."""

    template: Template
    zoned: bool
    default_zone: str


class Filling:
    """Puts messages into dispatches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recipes: dict[tuple[int, int], _Recipe] = {}

    async def fill(
        self, caller: Caller, dispatch_id: int, entries: Sequence[Entry], once: Idempotency | None
    ) -> list[str | int]:
        """
        Store the good entries durably and return for each its messageUuid or the code that kept it out.

        Raises DispatchNotFound, InappropriateStatus, IdempotencyConflict.
        """
        recipe = await self._recipe(caller, dispatch_id)
        prepared, errors = prepare(recipe.template, entries, zoned=recipe.zoned, fallback_zone=recipe.default_zone)

        async def store(connection: Connection) -> list[str | int]:
            answer: list[str | int] = [0] * len(entries)
            for index, code in errors.items():
                answer[index] = int(code)
            if not prepared:
                await self._check_fillable(connection, caller, dispatch_id)
                return answer
            runs = _runs(dispatch_id, 0, prepared)
            first = await messages.reserve(
                connection,
                caller.account_id,
                dispatch_id,
                count=len(prepared),
                parts=sum(run.parts for run in runs),
                zones=sorted({run.zone for run in runs}),
            )
            if first is None:
                raise InappropriateStatus
            await messages.copy(connection, _rows(dispatch_id, first, prepared))
            await messages.add_slices(connection, _runs(dispatch_id, first, prepared))
            name = uuid_maker(dispatch_id)
            for seq, one in enumerate(prepared, first):
                answer[one.position] = name(seq)
            return answer

        return await only_once.carry_out(self._database, caller, once, list[str | int], store)

    async def fill_from(
        self,
        caller: Caller,
        dispatch_id: int,
        name: str,
        rows: AsyncIterator[Sequence[Entry]],
        once: StreamedIdempotency | None,
    ) -> FileFill:
        """
        Store a whole file or nothing of it; rows that cannot be messages are told in the answer.

        Raises DispatchNotFound, InappropriateStatus, IdempotencyConflict, and whatever *rows* raises.
        """
        recipe = await self._recipe(caller, dispatch_id)
        if once is not None and await only_once.is_known(self._database, caller, once.key):
            return await self._answer_again(caller, rows, once)
        async with self._database.transaction() as connection:
            await self._check_fillable(connection, caller, dispatch_id)
            upload_id = await messages.begin_upload(connection, dispatch_id, name)
        try:
            total, errors = await self._upload(dispatch_id, upload_id, recipe, rows)
            settled = None if once is None else once.finish()
            return await self._adopt(caller, dispatch_id, upload_id, name, total, errors, settled)
        except BaseException:
            await self._give_up(dispatch_id, upload_id)
            raise

    async def _answer_again(
        self, caller: Caller, rows: AsyncIterator[Sequence[Entry]], once: StreamedIdempotency
    ) -> FileFill:
        """Return what was answered to a file; only its end tells whether this is the same."""
        async for _ in rows:
            pass
        known = await only_once.known_answer(self._database, caller, once.finish(), FileFill)
        if known is None:  # forgotten meanwhile, after its day: the client sends it again as new
            raise StoreUnavailable
        return known

    async def _upload(
        self, dispatch_id: int, upload_id: int, recipe: _Recipe, rows: AsyncIterator[Sequence[Entry]]
    ) -> tuple[int, list[RowError]]:
        total = 0
        errors: list[RowError] = []
        async for entries in rows:
            prepared, wrong = prepare(recipe.template, entries, zoned=recipe.zoned, fallback_zone=recipe.default_zone)
            errors += [
                RowError(total + index + 1, entries[index].destination[:_TOLD_LENGTH], int(code))
                for index, code in sorted(wrong.items())[: ERRORS_TOLD - len(errors)]
            ]
            total += len(entries)
            if not prepared:
                continue
            async with self._database.transaction() as connection:
                first = await messages.reserve_for_upload(connection, dispatch_id, len(prepared))
                if first is None:
                    raise InappropriateStatus
                await messages.copy(connection, _rows(dispatch_id, first, prepared))
                if not await messages.add_upload_runs(connection, upload_id, _runs(dispatch_id, first, prepared)):
                    raise InappropriateStatus
        return total, errors

    async def _adopt(
        self,
        caller: Caller,
        dispatch_id: int,
        upload_id: int,
        name: str,
        total: int,
        errors: list[RowError],
        once: Idempotency | None,
    ) -> FileFill:
        adopted = False

        async def adopt(connection: Connection) -> FileFill:
            nonlocal adopted
            await dispatches.lock(connection, caller.account_id, dispatch_id)
            runs = await messages.take_upload(connection, upload_id, dispatch_id)
            if runs is None:
                raise InappropriateStatus
            count = sum(run.end_seq - run.first_seq for run in runs)
            if not await messages.adopt_upload(
                connection,
                dispatch_id,
                name,
                count=count,
                parts=sum(run.parts for run in runs),
                zones=sorted({run.zone for run in runs}),
            ):
                raise InappropriateStatus
            if runs:
                await messages.add_slices(connection, _joined(runs))
            adopted = True
            return FileFill(total, count, tuple(errors))

        filled = await only_once.carry_out(self._database, caller, once, FileFill, adopt)
        if not adopted:  # a twin was faster
            await self._give_up(dispatch_id, upload_id)
        return filled

    async def _give_up(self, dispatch_id: int, upload_id: int) -> None:
        """Delete what was stored of a file; when that cannot be done now the sweeper does it."""
        try:
            async with self._database.transaction() as connection:
                await messages.give_up_upload(connection, upload_id)
            more = True
            while more:
                async with self._database.transaction() as connection:
                    more = await messages.drop_upload(connection, upload_id)
        except Exception as error:  # noqa: BLE001 - the error that brought us here is the one to tell
            log.warning("upload_left_behind", dispatch_id=dispatch_id, upload_id=upload_id, error=repr(error))

    async def _recipe(self, caller: Caller, dispatch_id: int) -> _Recipe:
        key = (caller.account_id, dispatch_id)
        known = self._recipes.get(key)
        if known is None:
            async with self._database.connection() as connection:
                found = await dispatches.get(connection, *key)
            if found is None:
                raise DispatchNotFound(dispatch_id)
            if len(self._recipes) >= _RECIPES_KEPT:
                self._recipes.clear()
            known = _Recipe(Template.parse(found.content), is_zoned(found.schedule), found.default_zone)
            self._recipes[key] = known
        return known

    @staticmethod
    async def _check_fillable(connection: Connection, caller: Caller, dispatch_id: int) -> None:
        status = await dispatches.lock(connection, caller.account_id, dispatch_id)
        if status is None:
            raise DispatchNotFound(dispatch_id)
        if not may_fill(status):
            raise InappropriateStatus


def is_zoned(schedule: Schedule) -> bool:
    """Tell whether it matters in which zone a number is."""
    return schedule.use_local_time and any(
        (schedule.send_time, schedule.completion_time, schedule.hours, schedule.days)
    )


def _rows(dispatch_id: int, first: int, prepared: Sequence[Prepared]) -> list[MessageRow]:
    return [
        MessageRow(dispatch_id, seq, one.destination, one.parts, one.values, None)
        for seq, one in enumerate(prepared, first)
    ]


def _runs(dispatch_id: int, first: int, prepared: Sequence[Prepared]) -> list[Run]:
    """Return the runs of one zone each; *prepared* is grouped by zone."""
    runs = []
    for zone, group in itertools.groupby(prepared, key=lambda one: one.zone):
        parts = [one.parts for one in group]
        runs.append(Run(dispatch_id, first, first + len(parts), zone or ANY_ZONE, sum(parts)))
        first += len(parts)
    return runs


def _joined(runs: Sequence[Run]) -> list[Run]:
    """Join neighbours of one zone."""
    joined: list[Run] = []
    for run in runs:
        last = joined[-1] if joined else None
        if last is not None and last.end_seq == run.first_seq and last.zone == run.zone:
            joined[-1] = last._replace(end_seq=run.end_seq, parts=last.parts + run.parts)
        else:
            joined.append(run)
    return joined
