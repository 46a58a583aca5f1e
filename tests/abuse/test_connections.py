"""
Slow, endless and flooding requests on bare sockets.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from tests.abuse.hasty import PATIENCE, Line, Server, hasty_server
from tests.harness.waiting import until_true

GET = b"GET /count HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /count HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

TIMED_OUT = (408, {"error": {"code": 4080, "msg": "Request Timeout"}})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Run a server with little patience."""
    async with hasty_server() as server:
        yield server


@pytest.fixture
async def line(server: Server) -> Line:
    """Open a connection to it."""
    return await server.connect()


async def drip(line: Line, piece: bytes, *, every: float = 0.05) -> None:
    """Say the same again and again, slowly, for ever."""
    while True:
        await line.say(piece)
        await asyncio.sleep(every)


async def test_who_says_nothing_is_hung_up(line: Line) -> None:
    """A connection without a request is closed, without a word."""
    assert await line.rest() == b""


@pytest.mark.parametrize(
    ("begin", "piece"),
    [(GET[:-2], b"X-A: b\r\n"), (GET[:-2], b"a"), (b"", b"\r\n")],
    ids=["headers", "letters", "line ends"],
)
async def test_a_head_that_never_ends_is_given_up(line: Line, begin: bytes, piece: bytes) -> None:
    """However a client drips its headers, the time for them runs from the first byte."""
    await line.say(begin)
    dripping = asyncio.create_task(drip(line, piece))

    answer = await line.answer()
    dripping.cancel()

    assert answer == TIMED_OUT


async def test_a_second_head_is_given_up_too(line: Line) -> None:
    """A connection that has been served has no more patience with its next request."""
    await line.say(GET)
    assert await line.answer() == (200, {"size": 0})
    await line.say(GET[:20])

    assert await line.answer() == TIMED_OUT
    assert await line.rest() == b""


@pytest.mark.parametrize("head", [b"Content-Length: 1000000\r\n\r\n", CHUNKED], ids=["declared", "chunked"])
async def test_a_body_that_drips_is_given_up(server: Server, line: Line, head: bytes) -> None:
    """A body below the least pace ends the request, and whoever waited for it is told."""
    await line.say(POST + head)
    dripping = asyncio.create_task(drip(line, b"1\r\nx\r\n"))

    answer = await line.answer()
    dripping.cancel()

    assert answer == TIMED_OUT
    await until_true(lambda: server.application.left == 1, what="the request to end")


async def test_a_slow_body_that_keeps_the_pace_arrives(line: Line) -> None:
    """A big file over a slow line is taken for as long as it comes."""
    await line.say(POST + b"Content-Length: 2400\r\n\r\n")
    for _ in range(40):
        await line.say(bytes(60))
        await asyncio.sleep(PATIENCE / 10)

    assert await line.answer() == (200, {"size": 2400})


async def test_a_body_that_we_do_not_read_is_not_held_against_the_client(server: Server, line: Line) -> None:
    """While the server itself is busy, no client is too slow."""
    size = 4_000_000
    await line.say(b"POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    saying = asyncio.create_task(line.say(bytes(size)))
    await until_true(lambda: server.application.waiting, what="the request")
    await asyncio.sleep(3 * PATIENCE)
    server.application.go_on.set()

    assert await line.answer() == (200, {"size": size})
    await saying


async def test_an_endless_body_nobody_reads_ends(line: Line) -> None:
    """Who goes on with the body of a request that was answered is listened to for a while, no longer."""
    await line.say(b"POST /unread HTTP/1.1\r\nHost: a\r\n" + CHUNKED)
    assert await line.answer() == (404, {})
    dripping = asyncio.create_task(drip(line, b"fff\r\n" + bytes(4095) + b"\r\n", every=0.001))

    assert await line.rest() == b""
    dripping.cancel()


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-%d: a\r\n" % number for number in range(21)),
        b"X: " + b"a" * 9_000 + b"\r\n",
        b"X: " + b"a" * 1_000_000,
    ],
    ids=["many", "long", "endless"],
)
async def test_too_much_of_a_head_is_refused(line: Line, flood: bytes) -> None:
    """Headers have a bound in number and in size."""
    await line.say(b"GET /count HTTP/1.1\r\nHost: a\r\n" + flood + b"\r\n")

    assert await line.answer() == (
        400,
        {"error": {"code": 4000, "msg": "head: expected at most 20 headers and 8192 bytes"}},
    )


@pytest.mark.parametrize(
    "frame",
    [b"1;" + b"a" * 40_000 + b"\r\nx\r\n", b"0\r\n" + b"X: a\r\n" * 7_000],
    ids=["chunk extensions", "trailers"],
)
async def test_a_body_that_is_all_frame_is_refused(line: Line, frame: bytes) -> None:
    """What frames a body is no way round the bound of its head."""
    await line.say(POST + CHUNKED + frame)

    status, body = await line.answer()
    assert (status, body["error"]["code"]) == (400, 4000)


async def test_few_requests_wait_on_one_connection(server: Server, line: Line) -> None:
    """Requests that come before the answer to the first are bounded, and their connection is cut."""
    await line.say(GET.replace(b"/count", b"/wait"))
    await until_true(lambda: server.application.waiting, what="the request")
    await line.say(GET * 1000)

    assert await line.rest() == b""


async def test_a_few_pipelined_requests_are_answered_in_order(line: Line) -> None:
    """Pipelining itself is no crime."""
    bodies = [b"x" * size for size in range(1, 5)]
    await line.say(b"".join(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies))

    assert [await line.answer() for _ in bodies] == [(200, {"size": len(body)}) for body in bodies]


async def test_who_takes_no_answer_is_cut_off(server: Server, line: Line) -> None:
    """An answer that nobody takes does not wait for ever."""
    line.take_nothing()
    await line.say(GET.replace(b"/count", b"/flood"))

    await until_true(lambda: server.application.left == 1, what="the end of the flood")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"BOGUS\r\n\r\n",
        b"GET /p\x00 HTTP/1.1\r\n\r\n",
        b"GET http://a:99999999/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n012345",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + CHUNKED + b"zz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_nonsense_is_answered_in_the_words_of_the_wire(line: Line, nonsense: bytes) -> None:
    """What is not HTTP is refused with an error that a client can read."""
    await line.say(nonsense)

    status, body = await line.answer()
    assert (status, body) == (400, {"error": {"code": 4000, "msg": "head or framing: expected HTTP/1.1"}})
    assert await line.rest() == b""


async def test_nonsense_does_not_mix_with_an_answer_under_way(server: Server, line: Line) -> None:
    """Garbage behind a request never puts a second answer before the first."""
    await line.say(GET.replace(b"/count", b"/wait"))
    await until_true(lambda: server.application.waiting, what="the request")
    await line.say(b"BOGUS\r\n\r\n")

    assert await line.rest() == b""


async def test_an_upgrade_is_not_taken(line: Line) -> None:
    """Who asks for another protocol gets its answer in this one, and nothing after it."""
    await line.say(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + GET)

    assert await line.answer() == (200, {"size": 0})
    assert await line.rest() == b""


async def test_idle_connections_give_way(server: Server) -> None:
    """Whoever holds thousands of idle connections loses them to those who want to be served."""
    for _ in range(60):
        await server.connect()
    for _ in range(5):
        guest = await server.connect()
        await guest.say(GET)
        assert await guest.answer() == (200, {"size": 0})

    assert len(server.connections) <= 41


async def test_a_server_full_of_work_says_so(server: Server) -> None:
    """Where every connection is being served, one more is told to come again."""
    busy = [await server.connect() for _ in range(40)]
    for line in busy:
        await line.say(GET.replace(b"/count", b"/wait"))
    await until_true(lambda: server.application.waiting == 40, what="40 requests")

    guest = await server.connect()
    status, body = await guest.answer()
    server.application.go_on.set()

    assert (status, body["error"]["code"]) == (503, 5030)
    assert [await line.answer() for line in busy] == list(itertools.repeat((200, {"size": 0}), 40))
