"""
Dispatches: what clients make, ask for and change.
"""

import datetime as dt
import json
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from penstock.domain.lifecycle import DispatchStatus
from penstock.domain.model import DispatchDraft, DispatchFilter, DispatchView, Priority, Rate, Schedule
from penstock.store.database import Connection
from penstock.store.rows import rate_of, schedule_of, view_of
from penstock.store.statements import Statements

SQL = Statements("dispatch")


class Recipe(NamedTuple):
    """What filling and starting a dispatch need to know of it."""

    dispatch_id: int
    status: DispatchStatus
    content: str
    default_zone: str
    schedule: Schedule
    rate: Rate | None
    rate_next_at: dt.datetime | None
    zones: tuple[str, ...]
    messages: int
    next_seq: int
    now: dt.datetime | None  #: the database's clock; None when it was not asked


async def insert(connection: Connection, account_id: int, traffic_center_id: int, draft: DispatchDraft) -> int:
    """Store a new dispatch and return its id."""
    schedule = draft.schedule
    return int(
        await connection.fetchval(
            *SQL.insert_dispatch(
                account_id=account_id,
                traffic_center_id=traffic_center_id,
                name=draft.name,
                channel_type=draft.channel_type,
                sender_name=draft.sender_name,
                content=draft.content,
                priority=Priority.PROMO,
                use_local_time=schedule.use_local_time,
                send_time=schedule.send_time,
                completion_time=schedule.completion_time,
                hours=schedule.hours,
                days=schedule.days,
                ttl=draft.ttl,
                rate_unit=None if draft.rate is None else draft.rate.unit,
                rate_value=None if draft.rate is None else draft.rate.value,
                tags=draft.tags,
                short_url=draft.short_url,
                callback_url=draft.callback_url,
                callback_events=draft.callback_events,
            )
        )
    )


async def get(connection: Connection, account_id: int, dispatch_id: int) -> Recipe | None:
    """Read a dispatch of an account."""
    row = await connection.fetchrow(*SQL.get_dispatch(dispatch_id=dispatch_id, account_id=account_id))
    return None if row is None else _recipe(row, None)


async def lock_recipe(connection: Connection, account_id: int, dispatch_id: int) -> Recipe | None:
    """Lock a dispatch of an account for a move, and read it."""
    row = await connection.fetchrow(*SQL.lock_dispatch(dispatch_id=dispatch_id, account_id=account_id))
    return None if row is None else _recipe(row, row["now"])


async def lock(connection: Connection, account_id: int, dispatch_id: int) -> DispatchStatus | None:
    """Lock a dispatch of an account for a move; returns its status."""
    recipe = await lock_recipe(connection, account_id, dispatch_id)
    return None if recipe is None else recipe.status


async def start(connection: Connection, dispatch_id: int, status: DispatchStatus, wake_at: dt.datetime) -> None:
    """Complete the creation of a locked dispatch."""
    await connection.execute(*SQL.start_dispatch(status=status, wake_at=wake_at, dispatch_id=dispatch_id))


async def resume(connection: Connection, dispatch_id: int, status: DispatchStatus, wake_at: dt.datetime) -> None:
    """Go on with a locked dispatch that is paused."""
    await connection.execute(*SQL.resume_dispatch(status=status, wake_at=wake_at, dispatch_id=dispatch_id))


async def set_rate(
    connection: Connection, dispatch_id: int, rate: Rate | None, rate_next_at: dt.datetime | None
) -> None:
    """Change the rate of a locked dispatch, and when by it the next message may go."""
    await connection.execute(
        *SQL.set_rate(
            rate_unit=None if rate is None else rate.unit,
            rate_value=None if rate is None else rate.value,
            rate_next_at=rate_next_at,
            dispatch_id=dispatch_id,
        )
    )


def is_search(wanted: DispatchFilter) -> bool:
    """Tell whether every dispatch of the account has to be looked at to find those that fit."""
    restrictions = (wanted.created_from, wanted.created_to, wanted.name)
    return not wanted.dispatch_ids and any(value is not None for value in restrictions)


async def find(connection: Connection, account_id: int, wanted: DispatchFilter) -> tuple[int, list[int]]:
    """Return how many dispatches fit, and the ids of one page of them."""
    values = {
        "account_id": account_id,
        "statuses": sorted(set(wanted.statuses or DispatchStatus)),
        "traffic_center_ids": wanted.traffic_center_ids or None,
        "most": wanted.per_page,
        "skip": (wanted.page - 1) * wanted.per_page,
    }
    if wanted.dispatch_ids or is_search(wanted):
        statement = SQL.search_dispatches(
            **values,
            dispatch_ids=wanted.dispatch_ids or None,
            created_from=wanted.created_from,
            created_to=wanted.created_to,
            name=wanted.name,
        )
    else:
        statement = SQL.find_dispatches(**values)
    [(total, page)] = await connection.fetch(*statement)
    return total, page


async def look(
    connection: Connection, account_id: int, dispatch_ids: Sequence[int], statuses: Sequence[str] = ()
) -> list[tuple[DispatchView, float]]:
    """
    Return dispatches, newest first, with their counters and present speeds in messages a second.

    *statuses*, if there are any, leave out those that have none of them.
    """
    rows = await connection.fetch(
        *SQL.view_dispatches(
            account_id=account_id, dispatch_ids=dispatch_ids, statuses=list(statuses or DispatchStatus)
        )
    )
    return [(view_of(row), float(row["speed"])) for row in rows]


async def read_links(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return for each carrier how many connections are up and how many there should be, over all senders."""
    total: dict[str, tuple[int, int]] = {}
    for row in await connection.fetch(*SQL.read_links()):
        for carrier, (up, configured) in json.loads(row["links"]).items():
            before = total.get(carrier, (0, 0))
            total[carrier] = (before[0] + up, before[1] + configured)
    return total


class Answered(NamedTuple):
    """What was answered to an Idempotency-Key."""

    digest: bytes
    answer: bytes


async def find_answer(connection: Connection, account_id: int, key: str) -> Answered | None:
    """Read the answer that was given to an Idempotency-Key."""
    row = await connection.fetchrow(*SQL.find_answer(account_id=account_id, key=key))
    return None if row is None else Answered(row["digest"], row["answer"])


async def keep_answer(connection: Connection, account_id: int, key: str, digest: bytes, answer: bytes) -> bool:
    """Keep an answer in the transaction of what it tells; False when a twin of the request was faster."""
    kept = await connection.fetchval(*SQL.keep_answer(account_id=account_id, key=key, digest=digest, answer=answer))
    return kept is not None


def _recipe(row: asyncpg.Record, now: dt.datetime | None) -> Recipe:
    return Recipe(
        row["id"],
        DispatchStatus(row["status"]),
        row["content"],
        row["default_zone"],
        schedule_of(row),
        rate_of(row),
        row["rate_next_at"],
        tuple(row["zones"]),
        row["messages"],
        row["next_seq"],
        now,
    )
