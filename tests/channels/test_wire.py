"""
Gated octets leave through an open gate or not at all.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from penstock.channels.smpp.wire import GateShut, Wire, connect
from tests.harness.waiting import until_true

#: Long enough to be an interruption; the kernel tells to one tick of its own.
FROZEN_SECONDS, TICK = 0.3, 0.02


class Side:
    """Our side of a pair of sockets, and what is at the other."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        self.is_open = True
        self.read = b""
        self.drained = 0
        self.wire = Wire(
            ours, lambda: self.is_open, on_data=self._on_data, on_drained=self._on_drained, clock=time.monotonic
        )

    def _on_data(self, data: bytes) -> None:
        self.read += data

    def _on_drained(self) -> None:
        self.drained += 1

    def receive_all(self) -> bytes:
        """Take all that has arrived at the other side."""
        self.theirs.setblocking(False)
        found = b""
        try:
            while data := self.theirs.recv(65_536):
                found += data
        except BlockingIOError:
            pass
        return found


@pytest.fixture
async def side() -> Iterator[Side]:
    """Make a wire that reads."""
    side = Side()
    await side.wire.start()
    yield side
    side.wire.end()
    side.theirs.close()


async def test_nothing_gated_passes_a_shut_gate(side):
    """
    With the gate shut a gated write says so and writes nothing; any other is written.
    """
    side.is_open = False

    assert not side.wire.write(b"message", gated=True)
    assert side.wire.write(b"answer")

    assert side.receive_all() == b"answer"


async def test_what_did_not_fit_is_written_when_there_is_room(side):
    """
    While the gate is open, the rest follows as the other side reads.
    """
    data = bytes(range(256)) * 400
    side.wire.write(data, gated=True)
    assert not side.wire.is_writable
    found = side.receive_all()
    while len(found) < len(data):
        await asyncio.sleep(0)
        found += side.receive_all()

    assert found == data
    await until_true(lambda: side.drained == 1, what="word that all is written")
    assert side.wire.is_writable


async def test_what_did_not_fit_stays_behind_a_shut_gate(side):
    """
    The gate is looked at before every further octet, and a shut one ends the connection.
    """
    data = bytes(100_000)
    side.wire.write(data, gated=True)
    side.is_open = False
    found = side.receive_all()

    with pytest.raises(GateShut):
        await side.wire.ended

    assert len(found + side.receive_all()) < len(data)
    assert found


async def test_what_came_before_the_break_is_read(side):
    """
    A carrier that answers and hangs up is heard; what could not be written was not written.
    """
    side.theirs.sendall(b"answers")
    side.theirs.close()

    assert not side.wire.write(b"message", gated=True)
    assert not side.wire.is_writable
    with pytest.raises(ConnectionError):
        await side.wire.ended

    assert side.read == b"answers"


async def test_an_error_of_the_reader_ends_the_connection(side):
    """
    A bug in whoever reads reaches the task that waits for the end.
    """

    def fail(data: bytes) -> None:
        raise ZeroDivisionError(data)

    side.wire._on_data = fail
    side.theirs.sendall(b"x")

    with pytest.raises(ZeroDivisionError):
        await side.wire.ended


class FreezingClock:
    """A monotonic clock in which the process stands still once, *before* or *after* the first write."""

    def __init__(self, moment: str) -> None:
        # It is read once before the write and once after it.
        self._moment = moment
        self._moments = iter(["before", "after"])

    def __call__(self) -> float:
        """Read the clock."""
        moment = next(self._moments, None)
        is_frozen = moment == self._moment
        if is_frozen and moment == "after":
            time.sleep(FROZEN_SECONDS)
        now = time.monotonic()
        if is_frozen and moment == "before":
            time.sleep(FROZEN_SECONDS)
        return now


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when data last left")
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_that_stood_still_knows_when_its_octets_left(moment):
    """
    Frozen before `send` or after it, *sent_at* is when the kernel sent, not when the process woke.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = await connect("127.0.0.1", server.getsockname()[1], user_timeout=1)
        theirs, _ = server.accept()
        wire = Wire(ours, lambda: True, on_data=str, on_drained=str, clock=FreezingClock(moment))
        try:
            asked_at = time.monotonic()
            assert wire.write(b"message", gated=True)
            woke_at = time.monotonic()
        finally:
            wire.end()
            theirs.close()

    assert woke_at - asked_at >= FROZEN_SECONDS
    if moment == "before":
        assert asked_at + FROZEN_SECONDS - TICK <= wire.sent_at <= woke_at
    else:
        assert asked_at <= wire.sent_at <= woke_at - FROZEN_SECONDS + TICK
