"""
The measurements: each drives a running server and returns numbers.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from penstock.http.shapes import ProgressAnswer
from tests.bench.stand import Stand
from tests.bench.usage import usage_below
from tests.bench.wire import Connection, Pool, bodies, create

_FILLERS = 4  #: connections that fill at once
_LOOK = 0.02  #: seconds between looks at a dispatch


class Bulk(NamedTuple):
    """One dispatch filled and sent."""

    fill_rate: float
    send_rate: float
    fill_cpu: dict[str, float]  #: CPU seconds per million messages, by process
    send_cpu: dict[str, float]


class Singles(NamedTuple):
    """Messages posted one a request."""

    rate: float  #: requests a second
    cpu: dict[str, float]  #: seconds per million, by process


class Stop(NamedTuple):
    """One stop."""

    reply: float  #: seconds
    answered_at: float  #: monotonic
    first: int  #: destination
    left: int  #: messages that had left when last looked


class Code(NamedTuple):
    """One one-time code."""

    destination: str
    posted_at: float  #: monotonic


async def bulk(stand: Stand, size: int) -> Bulk:
    """Fill a dispatch of *size*, send all of it, wait until all is delivered and recorded."""
    connection = await Connection.open(stand.url, stand.key)
    pool = await Pool.open(stand.url, stand.key, _FILLERS)
    requests = bodies(stand.destinations(), size)
    dispatch_id = await create(connection, "bulk")
    before, began = _cpu(stand), time.monotonic()
    await pool.post_all(f"/api/v1/dispatch/{dispatch_id}/messages", requests)
    filled, between = time.monotonic(), _cpu(stand)
    await connection.ask("POST", f"/api/v1/dispatch/{dispatch_id}/start")
    await _until(connection, dispatch_id, lambda now: now.status == "done", _LOOK * 10)
    sent, after = time.monotonic(), _cpu(stand)
    pool.close()
    connection.close()
    return Bulk(
        size / (filled - began), size / (sent - filled), _per_million(before, between, size),
        _per_million(between, after, size),
    )  # fmt: skip


async def singles(stand: Stand, count: int, connections: int) -> Singles:
    """Post messages one a request on *connections* at once, while they are sent too."""
    first = stand.destinations()
    requests = [_single(first + number, "SMS code 1234") for number in range(count)]
    pool = await Pool.open(stand.url, stand.key, connections)
    before, began = _cpu(stand), time.monotonic()
    await pool.post_all("/api/v1/message", requests)
    took, after = time.monotonic() - began, _cpu(stand)
    pool.close()
    return Singles(count / took, _per_million(before, after, count))


async def stops(stand: Stand, count: int, size: int) -> list[Stop]:
    """Stop fresh dispatches of *size* while they are sent at full rate, somewhere in the middle."""
    # Not a secret: where a stop falls.
    chance = random.Random(1)
    connection = await Connection.open(stand.url, stand.key)
    pool = await Pool.open(stand.url, stand.key, _FILLERS)
    done = []
    for _ in range(count):
        first = stand.destinations()
        dispatch_id = await create(connection, "stop")
        await pool.post_all(f"/api/v1/dispatch/{dispatch_id}/messages", bodies(first, size))
        await connection.ask("POST", f"/api/v1/dispatch/{dispatch_id}/start")
        wanted = size * chance.uniform(0.1, 0.5)
        left = size - await _until(
            connection, dispatch_id, lambda now, most=size - wanted: now.messages.sending <= most
        )
        asked = time.monotonic()
        await connection.ask("POST", f"/api/v1/dispatch/{dispatch_id}/stop")
        answered = time.monotonic()
        done.append(Stop(answered - asked, answered, first, left))
    pool.close()
    connection.close()
    return done


async def codes(stand: Stand, count: int, size: int, period: float) -> tuple[list[Code], int]:
    """Post one-time codes, one every *period*, while a dispatch of *size* is sent; and say how many left meanwhile."""
    connection = await Connection.open(stand.url, stand.key)
    pool = await Pool.open(stand.url, stand.key, _FILLERS)
    dispatch_id = await create(connection, "huge")
    await pool.post_all(f"/api/v1/dispatch/{dispatch_id}/messages", bodies(stand.destinations(), size))
    first = stand.destinations()
    await connection.ask("POST", f"/api/v1/dispatch/{dispatch_id}/start")
    await _until(connection, dispatch_id, lambda now: now.messages.sending < size)
    posted = []
    for number in range(first, first + count):
        posted.append(Code(str(number), time.monotonic()))
        await connection.ask("POST", "/api/v1/message", _single(number, "Your code is 1234"))
        await asyncio.sleep(period)
    waiting = (await _look(connection, dispatch_id)).messages.sending
    if waiting:
        await connection.ask("POST", f"/api/v1/dispatch/{dispatch_id}/stop")
    pool.close()
    connection.close()
    return posted, size - waiting


async def _until(
    connection: Connection, dispatch_id: int, is_there: Callable[[ProgressAnswer], bool], period: float = _LOOK
) -> int:
    """Look at a dispatch until it is where it should be; return how many messages wait then."""
    while True:
        now = await _look(connection, dispatch_id)
        if is_there(now):
            return now.messages.sending
        await asyncio.sleep(period)


async def _look(connection: Connection, dispatch_id: int) -> ProgressAnswer:
    answer = await connection.ask("GET", f"/api/penstock/v1/dispatch/{dispatch_id}")
    return msgspec.json.decode(answer, type=ProgressAnswer)


def _single(destination: int, text: str) -> bytes:
    message = {"channelType": "SMS", "senderName": "MyShop", "destination": str(destination), "content": text}
    return msgspec.json.encode([message])


def _cpu(stand: Stand) -> dict[str, float]:
    """Return the CPU seconds so far of server and carrier, by kind of process."""
    total: dict[str, float] = {}
    for root in (stand.server, stand.carrier):
        for usage in usage_below(root).values():
            total[usage.name] = total.get(usage.name, 0.0) + usage.cpu
    return total


def _per_million(before: dict[str, float], after: dict[str, float], size: int) -> dict[str, float]:
    return {name: (seconds - before.get(name, 0.0)) * 1e6 / size for name, seconds in after.items()}
