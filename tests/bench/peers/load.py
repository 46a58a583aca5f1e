"""
The load: plain HTTP on kept-alive connections, made beforehand and sent by as little code as will do.

It shares the machine with what it measures, so it costs all of them the same: some ten microseconds a
request.  Whoever does not answer, or hangs up, is left alone for a while and tried again with the
*next* request; none is sent twice, so that what comes twice at the carrier was doubled by the peer.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

from tests.bench.peers.peer import Offered

_PAUSE = 0.05  #: seconds until a connection that was refused or lost is tried again
_SILENCE = 20.0  #: seconds without any answer after which the peer is given up


class Request(NamedTuple):
    """A request as its bytes, and the destinations in it."""

    octets: bytes
    numbers: Sequence[int]


def get(host: str, path: str) -> bytes:
    """Return a GET as its bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def post(host: str, path: str, body: bytes, *headers: str) -> bytes:
    """Return a POST of JSON as its bytes."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class _Connection(asyncio.Protocol):
    """One connection: request, answer, next request."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._asked: Request | None = None
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not _is_whole(self._answer):
            return
        answer, self._answer, asked, self._asked = self._answer, b"", self._asked, None
        if asked is not None and self._transport is not None:
            self._load.on_answer(asked, answer)
            if b"\r\nconnection: close" in answer[:512].lower():
                self._transport.close()
            else:
                self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        self._transport = None
        if self._asked is not None:
            self._load.on_refusal()
        self._load.on_loss()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        assert self._transport is not None
        self._asked = self._load.take()
        if self._asked is None:
            self._transport.close()
        else:
            self._transport.write(self._asked.octets)


class Load:
    """Gives requests to one address on a few connections at once."""

    def __init__(self, host: str, port: int, requests: Iterator[Request], is_good: Callable[[bytes], bool]) -> None:
        self._address = host, port
        self._requests = requests
        self._is_good = is_good
        self.answers: list[tuple[Sequence[int], bytes]] = []  #: the good ones, with the destinations they are about
        self._refused = 0
        self._is_empty = False
        self._until = math.inf
        self._open = 0
        self._connections: set[_Connection] = set()
        self._last_answer = time.monotonic()
        self._change = asyncio.Event()

    async def run(self, connections: int, until: float) -> Offered:
        """Give all requests that can be given *until* then; returns after the last answer, or when none comes."""
        self._until = until
        began = self._last_answer = time.monotonic()
        while True:
            while not self._is_empty and self._open < connections:
                try:
                    await self._connect()
                except OSError:
                    break
            if not self._open and (self._is_empty or time.monotonic() > until):
                break
            if time.monotonic() - self._last_answer > _SILENCE:
                self._give_up()
                break
            self._change.clear()
            try:
                await asyncio.wait_for(self._change.wait(), _SILENCE if self._open >= connections else _PAUSE)
            except TimeoutError:
                continue
        accepted = [number for numbers, _ in self.answers for number in numbers]
        return Offered(accepted, self._refused, self._last_answer - began)

    def take(self) -> Request | None:
        """Return the next request, if there is one and there is time."""
        found = next(self._requests, None) if time.monotonic() < self._until else None
        self._is_empty = self._is_empty or found is None
        return found

    def on_answer(self, asked: Request, answer: bytes) -> None:
        """Count an answer."""
        self._last_answer = time.monotonic()
        if self._is_good(answer):
            self.answers.append((asked.numbers, answer))
        else:
            self._refused += 1

    def on_refusal(self) -> None:
        """Count a request that was not answered."""
        self._refused += 1

    def on_loss(self) -> None:
        """Note that a connection is gone."""
        self._open -= 1
        self._change.set()

    async def _connect(self) -> None:
        self._open += 1
        try:
            _, protocol = await asyncio.get_running_loop().create_connection(lambda: _Connection(self), *self._address)
        except OSError:
            self._open -= 1
            raise
        self._connections.add(protocol)

    def _give_up(self) -> None:
        for connection in self._connections:
            connection.close()


def _is_whole(answer: bytes) -> bool:
    """Tell whether an answer has all of its body."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    at = head.find(b"content-length:")
    if at >= 0:
        return len(answer) - end - 4 >= int(head[at + 15 :].split(b"\r", 1)[0])
    return answer.endswith(b"0\r\n\r\n") if b"transfer-encoding: chunked" in head else True
