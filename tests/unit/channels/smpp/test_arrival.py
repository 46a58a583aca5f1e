"""
The instant at which octets arrived.
"""

import contextlib
import socket
import sys
import time

import pytest

from penstock.channels.smpp.arrival import receive, stamp

#: Seconds by which a reader is late.
LATE = 0.05


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what arrives")
def test_octets_that_were_read_late_are_stamped_when_they_came():
    """
    A reader that comes late still learns when the octets had come.

    Not at the first try: Linux begins to stamp some time after the first socket of the machine has asked for it.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        writing = socket.create_connection(server.getsockname())
        reading, _ = server.accept()
    with contextlib.closing(writing), contextlib.closing(reading):
        stamp(reading)
        deadline = time.monotonic() + 10
        is_stamped = False
        while not is_stamped and time.monotonic() < deadline:
            before = time.monotonic()
            writing.send(b"hello")
            after = time.monotonic()
            while time.monotonic() - after < LATE:  # the reader is busy with other things
                pass
            data, arrived_at = receive(reading)
            assert data == b"hello"
            assert before - 0.001 <= arrived_at
            is_stamped = arrived_at <= after + LATE / 5

    assert is_stamped


def test_without_a_stamp_octets_come_when_they_are_read():
    """
    Where the kernel does not tell, the moment of reading stands, which is never too early.
    """
    reading, writing = socket.socketpair()
    with contextlib.closing(writing), contextlib.closing(reading):
        writing.send(b"hello")
        before = time.monotonic()
        _, arrived_at = receive(reading)

    assert before <= arrived_at <= time.monotonic()
