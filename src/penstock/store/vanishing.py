"""
Connections to PostgreSQL that end soon after the machine at the other end has vanished.

A machine that loses its power, or a network that is cut, says nothing that would end a connection.
By default, who waits for an answer then waits for two hours, who has written waits for a quarter
of one, and the server keeps the sessions of the vanished, which count against its limit, as long.
Here both sides look after two seconds of silence and give up after five.
"""

import socket
from typing import Any

#: Octets that were not acknowledged for so long end the connection.
GONE_MILLISECONDS = 5000
#: Seconds of silence before the other side is asked whether it is there, between such questions, and how many.
IDLE, INTERVAL, COUNT = 2, 1, 3

#: The same for the server's side, as settings of the session; they do nothing on a Unix socket.
SERVER_SETTINGS = {
    "tcp_user_timeout": str(GONE_MILLISECONDS),
    "tcp_keepalives_idle": str(IDLE),
    "tcp_keepalives_interval": str(INTERVAL),
    "tcp_keepalives_count": str(COUNT),
}


def watch(connection: Any) -> None:  # noqa: ANN401 - whatever asyncpg made
    """Let the connection end when the server's machine has vanished."""
    # asyncpg has no setting for it.
    sock = connection._transport.get_extra_info("socket")  # noqa: SLF001
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Not every platform has these.
    for name, value in (
        ("TCP_USER_TIMEOUT", GONE_MILLISECONDS),
        ("TCP_KEEPIDLE", IDLE),
        ("TCP_KEEPINTVL", INTERVAL),
        ("TCP_KEEPCNT", COUNT),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
