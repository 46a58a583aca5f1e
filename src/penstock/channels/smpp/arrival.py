"""
When octets arrived, as the kernel saw it, not when somebody came round to reading them.

A reader that is busy finds octets that have lain in the socket for a while.  Whoever has to tell
what was written before an instant from what was written after it needs the moment at which they
came: Linux notes it for each packet (SO_TIMESTAMPNS, socket(7)).  Of several packets read in one
go it tells that of the last, so a stamp may be too late by as much as the reader was, and never
too early.  On loopback a packet arrives while its `send` is under way.

The kernel's stamps are wall time; they become CLOCK_MONOTONIC by their age at the time of reading.
"""

import asyncio
import os
import socket
import struct
import sys
import time
from collections.abc import Callable

#: Octets read in one go.
READ_SIZE = 64 * 1024

_TIMESPEC = struct.Struct("@ll")
#: asm-generic/socket.h; Python has no name for it.  The kernel writes two 64-bit numbers where a long has 64 bits.
_SO_TIMESTAMPNS = 35
_IS_STAMPED = sys.platform == "linux" and _TIMESPEC.size == 16  # noqa: PLR2004
_SPACE = socket.CMSG_SPACE(16)


def stamp(sock: socket.socket) -> None:
    """Let the kernel note when octets come to *sock*; where it cannot, they come when they are read."""
    if _IS_STAMPED:
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        except OSError:
            return


def receive(sock: socket.socket) -> tuple[bytes, float]:
    """Read what is there, and tell when (CLOCK_MONOTONIC) the last of it had come."""
    data, notes, _, _ = sock.recvmsg(READ_SIZE, _SPACE)
    age = 0.0
    for level, kind, value in notes:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            age = time.time() - seconds - nanoseconds * 1e-9
    return data, time.monotonic() - max(0.0, age)


class Arrivals:
    """Reads in the place of a plain asyncio transport, which goes on writing and closing."""

    def __init__(self, transport: asyncio.Transport, on_data: Callable[[bytes, float], None]) -> None:
        transport.pause_reading()
        self._transport = transport
        self._on_data = on_data
        self._loop = asyncio.get_running_loop()
        # A descriptor of our own: event loops do not share theirs.
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        stamp(self._socket)
        self._is_reading = False
        self.resume()

    def pause(self) -> None:
        """Leave in the kernel what comes."""
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        """Read again."""
        if not self._is_reading and self._socket.fileno() >= 0:
            self._is_reading = True
            self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Read no more; the connection ends once the transport is closed too."""
        self.pause()
        self._socket.close()

    def _read(self) -> None:
        try:
            data, arrived_at = receive(self._socket)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.pause()
            self._transport.abort()
            return
        if data:
            self._on_data(data, arrived_at)
        else:
            self.pause()
            self._transport.close()
