"""
Carrying out a request once: the answer to an Idempotency-Key is kept in the transaction of what it tells.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from penstock.domain.errors import IdempotencyConflict
from penstock.domain.model import Caller, Idempotency
from penstock.store import dispatches
from penstock.store.database import Connection, Database

_Result = TypeVar("_Result")


class _TwinWasFaster(Exception):
    """The same request was carried out while this one was being."""


async def carry_out(
    database: Database,
    caller: Caller,
    once: Idempotency | None,
    kind: type[_Result],
    work: Callable[[Connection], Awaitable[_Result]],
) -> _Result:
    """
    Do *work* in a transaction, or return what it returned the first time.

    *kind* is the type of the result.  Raises IdempotencyConflict when the key came with another
    request.
    """
    if once is None:
        async with database.transaction() as connection:
            return await work(connection)
    known = await known_answer(database, caller, once, kind)
    if known is not None:
        return known
    try:
        async with database.transaction() as connection:
            result = await work(connection)
            await keep(connection, caller, once, result)
            return result
    except _TwinWasFaster:
        known = await known_answer(database, caller, once, kind)
        if known is None:  # the answer was a day old and is gone
            return await carry_out(database, caller, once, kind, work)
        return known


async def known_answer(database: Database, caller: Caller, once: Idempotency, kind: type[_Result]) -> _Result | None:
    """Return what was answered to a key; raises IdempotencyConflict when that was to another request."""
    async with database.connection() as connection:
        found = await dispatches.find_answer(connection, caller.account_id, once.key)
    if found is None:
        return None
    if found.digest != once.digest:
        raise IdempotencyConflict
    answer: _Result = msgspec.json.decode(found.answer, type=kind)
    return answer


async def is_known(database: Database, caller: Caller, key: str) -> bool:
    """Tell whether a key came before, with whatever request."""
    async with database.connection() as connection:
        return await dispatches.find_answer(connection, caller.account_id, key) is not None


async def keep(connection: Connection, caller: Caller, once: Idempotency, result: object) -> None:
    """Keep an answer; ends the transaction when a twin of the request was faster."""
    answer = msgspec.json.encode(result)
    if not await dispatches.keep_answer(connection, caller.account_id, once.key, once.digest, answer):
        raise _TwinWasFaster
