"""
Penstock: a dispatch that is filled and started, or one message a request.
"""

import contextlib
import functools
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

from penstock.prove.processes import Process, descendants
from penstock.prove.programs import Program
from penstock.prove.serving import serving
from tests.bench.peers.load import Load, Request, post
from tests.bench.peers.peer import SENDER, Line, Offered, Way, text_to
from tests.bench.wire import Connection
from tests.harness.waiting import until

_FILLERS = 4  #: connections that fill at once
_POSTERS = 64  #: connections that post single messages
_FILL = 1000  #: messages of a request, as many as the API takes
_IN_DOUBT = 7064  #: the error code of a message that may or may not have left
_TEMPLATE = "Hello {name}, code {code}"


class _Penstock:
    """A whole Penstock with one sender."""

    def __init__(self, server: Program, key: str, connections: int) -> None:
        self.roots = [server.pid]
        self._url = server.ready
        self._key = key
        self._connections = connections
        self._sender: Process | None = None

    async def kill(self) -> None:
        """Kill -9 the sender."""
        self._sender = await until(self._find_sender, what="a sender", seconds=20)
        self._sender.send(signal.SIGKILL)

    async def restart(self) -> None:
        """Wait until its supervisor has started another."""

        async def has_another() -> bool:
            found = await self._find_sender()
            return found is not None and (self._sender is None or found.pid != self._sender.pid)

        await until(has_another, what="another sender", seconds=20)
        await self.until_bound()

    async def until_bound(self) -> None:
        """Wait until all connections to the carrier are there."""
        connection = await Connection.open(self._url, self._key)
        probe = await _create(connection)

        async def are_connected() -> bool:
            answer = msgspec.json.decode(await connection.ask("GET", f"/api/penstock/v1/dispatch/{probe}"))
            return sum(channel["connected"] for channel in answer["channels"]) >= self._connections

        await until(are_connected, what="the connections to the carrier", seconds=30)
        connection.close()

    async def _find_sender(self) -> Process | None:
        found = [one for one in descendants(self.roots[0]) if "penstock.child sender" in one.command]
        return found[0] if found else None

    def _load(self, path: str, requests: Iterator[tuple[bytes, range]]) -> Load:
        address = urlsplit(self._url)
        made = (
            Request(post(address.netloc, path, body, f"Authorization: Basic {self._key}"), numbers)
            for body, numbers in requests
        )
        return Load(str(address.hostname), int(address.port or 80), made, _is_good)


class _Dispatching(_Penstock):
    """Gives messages as a dispatch."""

    _dispatch_id = 0

    async def offer(self, numbers: range, until: float) -> Offered:
        """Create a dispatch, fill it, start it."""
        connection = await Connection.open(self._url, self._key)
        self._dispatch_id = await _create(connection)
        path = f"/api/v1/dispatch/{self._dispatch_id}"
        offered = await self._load(f"{path}/messages", _fills(numbers)).run(_FILLERS, until)
        await connection.ask("POST", f"{path}/start")
        connection.close()
        return offered

    async def named(self, missing: Sequence[int]) -> set[int]:
        """Return those that the export of the dispatch calls in doubt."""
        async with aiohttp.ClientSession(self._url, headers={"Authorization": f"Basic {self._key}"}) as session:
            path = f"/api/penstock/v1/dispatch/{self._dispatch_id}/messages?format=json"
            async with session.get(path, raise_for_status=True) as answer:
                lines = await answer.json()
        return {int(line["destination"]) for line in lines if _is_in_doubt(line)} & set(missing)


class _Posting(_Penstock):
    """Gives messages one a request."""

    _answers: Sequence[tuple[Sequence[int], bytes]] = ()

    async def offer(self, numbers: range, until: float) -> Offered:
        """Post them."""
        load = self._load("/api/v1/message", _singles(numbers))
        offered = await load.run(_POSTERS, until)
        self._answers = load.answers
        return offered

    async def named(self, missing: Sequence[int]) -> set[int]:
        """Return those that are in doubt when asked about one by one."""
        connection = await Connection.open(self._url, self._key)
        uuids = {
            number: msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["items"][0]["messageUuid"]
            for (number,), answer in self._answers
        }
        found = set()
        for number in missing:
            line = msgspec.json.decode(await connection.ask("GET", f"/api/v1/message/{uuids[number]}"))
            if _is_in_doubt(line):
                found.add(number)
        connection.close()
        return found


def _is_in_doubt(line: dict[str, object]) -> bool:
    return line.get("errorCode") == _IN_DOUBT


def _is_good(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200")


async def _create(connection: Connection) -> int:
    body = msgspec.json.encode({"dispatchName": "peers", "senderName": SENDER, "content": _TEMPLATE})
    return int(msgspec.json.decode(await connection.ask("POST", "/api/v1/dispatch", body))["dispatchId"])


def _fills(numbers: range) -> Iterator[tuple[bytes, range]]:
    for at in range(0, len(numbers), _FILL):
        some = numbers[at : at + _FILL]
        entries = [
            {"destination": str(number), "substitutions": {"name": "Maria", "code": f"{number % 10_000:04}"}}
            for number in some
        ]
        yield msgspec.json.encode(entries), some


def _singles(numbers: range) -> Iterator[tuple[bytes, range]]:
    for number in numbers:
        message = {"channelType": "SMS", "senderName": SENDER, "destination": str(number), "content": text_to(number)}
        yield msgspec.json.encode([message]), range(number, number + 1)


@contextlib.asynccontextmanager
async def _open(kind: type[_Penstock], folder: Path, line: Line) -> AsyncIterator[_Penstock]:
    settings = {"name": "peers", "window": line.window, "connections": line.connections}
    async with serving(folder, f"{line.host}:{line.port}", settings) as (server, _, key):
        penstock = kind(server, key, line.connections)
        await penstock.until_bound()
        yield penstock


_DURABILITY = "kill and power cut: committed to PostgreSQL with fsync before the answer"
_RECEIPTS = "committed to PostgreSQL before the acknowledgement"

WAYS = [
    Way(
        "penstock", "Penstock, dispatch", "1,000 messages a request", _DURABILITY, _RECEIPTS, 200_000, 40_000,
        functools.partial(_open, _Dispatching),
    ),
    Way(
        "penstock-single", "Penstock, single messages", "one message a request", _DURABILITY, _RECEIPTS, 50_000, 20_000,
        functools.partial(_open, _Posting),
    ),
]  # fmt: skip
