"""
Answers that leave in one piece.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from penstock.http import whole
from penstock.http.protocol import BoundedProtocol

Answer = Callable[[Response, Scope, Receive, Send], Awaitable[None]]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
REQUESTS = {
    "usual": GET,
    "two at once": GET + GET,
    "with a body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    "head": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    "the last one": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "old": b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
}


class _Transport(asyncio.Transport):
    """Remembers what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: "bytes | bytearray | memoryview[int]") -> None:
        """Remember."""
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """Tell."""
        return self.is_closed

    def close(self) -> None:
        """Remember."""
        self.is_closed = True

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


async def _say(request: bytes, answer: Answer) -> _Transport:
    """Serve what *request* asks for on one connection, and return what has become of that."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = Response(b"[1,2]", 200, {"X-A": "b"}, media_type="application/json")
        await answer(response, scope, receive, send)

    state, transport = ServerState(), _Transport()
    config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False)
    config.load()
    protocol = BoundedProtocol(config=config, server_state=state, app_state={})
    protocol.connection_made(transport)
    protocol.data_received(request)
    while state.tasks:
        await asyncio.gather(*state.tasks)
    protocol.connection_lost(None)
    return transport


async def _in_two(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    await response(scope, receive, send)


async def test_an_answer_is_one_write() -> None:
    """
    A client is woken once for an answer.
    """
    transport = await _say(GET, whole.answer)

    assert len(transport.written) == 1


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_whole_answer_is_the_usual_one(request_: bytes) -> None:
    """
    In one piece or in two, a client reads the same, and keeps or loses its connection alike.
    """
    one, two = await _say(request_, whole.answer), await _say(request_, _in_two)

    assert b"".join(one.written) == b"".join(two.written)
    assert one.is_closed == two.is_closed
