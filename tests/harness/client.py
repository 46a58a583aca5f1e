"""A client of the HTTP API, independent of the product's own."""

import itertools
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.harness.waiting import until

_STARTS = itertools.count(79_000_000_000, 10_000_000)


class Answer:
    """What came back, and when it was read."""

    def __init__(self, status: int, body: Any, read_at: float) -> None:
        self.status = status
        self.body = body
        self.read_at = read_at  #: CLOCK_MONOTONIC


class Dispatch:
    """A dispatch with destinations of its own."""

    def __init__(self, dispatch_id: int, numbers: range) -> None:
        self.id = dispatch_id
        self.numbers = numbers


class Client:
    """Speaks to one server with one key."""

    def __init__(self, url: str, key: str, connector: aiohttp.BaseConnector | None = None) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(
            url,
            headers={"Authorization": f"Basic {key}"},
            timeout=aiohttp.ClientTimeout(total=75),
            connector=connector,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Make one request and return the answer, whatever it is."""
        async with self._session.request(method, path, **options) as response:
            data = await response.read()
            read_at = time.monotonic()
            is_json = response.content_type == "application/json" and data
            return Answer(response.status, await response.json() if is_json else data, read_at)

    async def create(self, **fields: Any) -> int:
        """Create a dispatch and return its id."""
        body = {"dispatchName": "spring", "senderName": "shop", "content": "hello", "useLocalTime": False} | fields
        return (await self.ask_ok("POST", "/api/v1/dispatch", json=body)).body["dispatchId"]

    async def fill(self, dispatch_id: int, numbers: Sequence[int]) -> Answer:
        """Put up to a thousand messages into a dispatch."""
        entries = [{"destination": str(number)} for number in numbers]
        return await self.ask("POST", f"/api/v1/dispatch/{dispatch_id}/messages", json=entries)

    async def prepare(self, count: int, **fields: Any) -> Dispatch:
        """Create a dispatch of *count* messages."""
        first = next(_STARTS)
        dispatch = Dispatch(await self.create(**fields), range(first, first + count))
        for at in range(0, count, 1000):
            assert (await self.fill(dispatch.id, dispatch.numbers[at : at + 1000])).status == 200
        return dispatch

    async def begin(self, count: int, **fields: Any) -> Dispatch:
        """Create a dispatch of *count* messages and start it."""
        dispatch = await self.prepare(count, **fields)
        await self.start(dispatch.id)
        return dispatch

    async def start(self, dispatch_id: int) -> None:
        """Start a dispatch."""
        await self.ask_ok("POST", f"/api/v1/dispatch/{dispatch_id}/start")

    async def stop(self, dispatch_id: int) -> Answer:
        """Ask for the stop of a dispatch."""
        return await self.ask("POST", f"/api/v1/dispatch/{dispatch_id}/stop")

    async def receipt(self, dispatch_id: int) -> dict[str, Any]:
        """Return the account of a stop."""
        return (await self.ask_ok("GET", f"/api/penstock/v1/dispatch/{dispatch_id}/stop-receipt")).body

    async def look(self, dispatch_id: int) -> dict[str, Any]:
        """Return a dispatch, whose counters divide the total whenever one looks."""
        body = (await self.ask_ok("GET", f"/api/penstock/v1/dispatch/{dispatch_id}")).body
        for counts in (body["messages"], body["parts"]):
            assert sum(counts.values()) == 2 * counts["total"], counts
        return body

    async def counts(self, dispatch_id: int) -> dict[str, int]:
        """Return the five counters of a dispatch and their total."""
        return (await self.look(dispatch_id))["messages"]

    async def wait_for_status(self, dispatch_id: int, *statuses: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait until a dispatch has one of these statuses, whoever has to come back first."""

        async def look() -> dict[str, Any] | None:
            try:
                body = await self.look(dispatch_id)
            except (aiohttp.ClientError, Unanswered):
                return None
            return body if body["status"] in statuses else None

        return await until(look, what=f"{dispatch_id} to become {statuses}", seconds=seconds)

    async def lines(self, dispatch_id: int) -> list[dict[str, Any]]:
        """Return the outcome of every message."""
        path = f"/api/penstock/v1/dispatch/{dispatch_id}/messages"
        return (await self.ask_ok("GET", path, params={"format": "json"})).body

    async def ask_ok(self, method: str, path: str, **options: Any) -> Answer:
        """Make one request that must be answered with 200."""
        answer = await self.ask(method, path, **options)
        if answer.status != 200:
            raise Unanswered(method, path, answer.status, answer.body)
        return answer


class Unanswered(Exception):
    """A request that should have been answered with 200 was not."""
