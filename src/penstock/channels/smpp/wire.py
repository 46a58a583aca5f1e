"""
A TCP connection, plain or TLS, whose gated octets never wait where the gate cannot see them.

A transport of asyncio keeps what the kernel would not take and writes it later by itself: a
process that was frozen meanwhile would hand over messages after its lease has ended.  So the socket
is ours.  What the kernel does not take at once stays here, and the gate is looked at again
immediately before each further `send` of it; a shut gate ends the connection.  The kernel's own
buffer is kept small, because what is in it can no longer be held back.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable

from penstock.channels.port import Gate

#: Octets that the kernel may hold for a connection; Linux doubles the number for its own needs.
SEND_BUFFER = 32 * 1024
#: Octets not yet on the network above which the kernel takes no more.
NOTSENT_LOWAT = 16 * 1024
#: Octets read in one go.
READ_SIZE = 128 * 1024
#: A write that seems to have taken so many seconds was interrupted: the process stood still before it or after it.
INTERRUPTION = 0.1
#: The beginning of Linux's tcp_info, up to the milliseconds since data were last sent.
_TCP_INFO = struct.Struct("8B10I")


class GateShut(ConnectionError):
    """The gate was shut while gated octets were still to be written."""


class PeerClosed(ConnectionError):
    """The other side closed the connection."""


class Wire:
    """One connection; its callbacks are synchronous, and what they raise ends it."""

    def __init__(
        self,
        sock: socket.socket,
        gate: Gate,
        *,
        on_data: Callable[[bytes], None],
        on_drained: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        #: When octets last went to the kernel; never earlier than they did.
        self.sent_at = 0.0
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._gate = gate
        self._on_data = on_data
        self._on_drained = on_drained
        self._unsent = b""
        self._unsent_is_gated = False
        #: Nothing can be written any more; what was said to us may still be read.
        self._is_broken = False
        self._tls: Tls | None = None
        #: Done when the connection is over; holds what broke it, if it broke.
        self.ended: asyncio.Future[None] = self._loop.create_future()

    async def start(self, context: ssl.SSLContext | None = None, server_name: str | None = None) -> None:
        """Shake hands if *context* is given, and begin to read."""
        if context is not None:
            self._tls = Tls(context, server_name)
            await self._tls.shake_hands(self._loop, self._socket)
        self._loop.add_reader(self._socket, self._read)
        if self._tls is not None and not self.ended.done():
            self.call(self._deliver, self._tls.decrypt(b""))

    @property
    def is_writable(self) -> bool:
        """Whether all that was written is with the kernel, and the connection lives."""
        return not self._unsent and not self._is_broken and not self.ended.done()

    def write(self, data: bytes, *, gated: bool = False) -> bool:
        """Write; False when nothing of gated *data* was written: the gate is shut, or the connection broken."""
        if self._is_broken or self.ended.done():
            return not gated
        if gated and not self._gate():
            return False
        if self._tls is not None:
            data = self._tls.encrypt(data)
            # Encrypted octets cannot be taken back: `_send` looks once more, and ends the connection.
            gate_seen = False
        else:
            gate_seen = True
        if self._unsent:
            self._unsent += data
            self._unsent_is_gated |= gated
        else:
            self._unsent, self._unsent_is_gated = data, gated
            if not self._send(gate_seen=gate_seen):
                return not gated
            if self._unsent:
                self._loop.add_writer(self._socket, self._write_on)
        return True

    def end(self, error: BaseException | None = None) -> None:
        """Close the connection; safe to call more than once."""
        if self.ended.done():
            return
        self._unsent = b""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
            self.ended.exception()  # whoever waits hears of it; who does not, need not

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Call *function*; what it raises ends the connection and reaches whoever waits for `ended`."""
        try:
            function(*args)
        except Exception as error:  # noqa: BLE001 - handed on: the task that waits raises it
            self.end(error)

    def _send(self, *, gate_seen: bool = False) -> bool:
        """Offer what is unsent to the kernel; False when it took nothing and the connection is over."""
        if self._unsent_is_gated and not gate_seen and not self._gate():
            self.end(GateShut("the gate is shut and gated octets are not written yet"))
            return False
        before = self._clock()
        try:
            sent = self._socket.send(self._unsent)
            self.sent_at = self._clock()
            if self.sent_at - before > INTERRUPTION:
                self.sent_at = max(before, self._left_at())
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            self._unsent = b""
            self._is_broken = True
            self._loop.remove_writer(self._socket)
            # Not from within: whoever writes is in the middle of its own bookkeeping.
            self._loop.call_soon(self._break_off, error)
            return False
        self._unsent = self._unsent[sent:] if sent < len(self._unsent) else b""
        return True

    def _left_at(self) -> float:
        """Return when data last left, to a few milliseconds, for when our own clock was read too late to tell."""
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            milliseconds: int = _TCP_INFO.unpack(info)[-1]
        except (AttributeError, OSError, struct.error):
            # Not Linux, or not TCP.
            milliseconds = 0
        return self._clock() - milliseconds / 1000

    def _write_on(self) -> None:
        if self._send() and not self._unsent:
            self._loop.remove_writer(self._socket)
            self.call(self._on_drained)

    def _break_off(self, error: OSError) -> None:
        """Take the answers that came before the connection broke, then end it."""
        while not self.ended.done() and self._read():
            pass
        self.end(error)

    def _read(self) -> bool:
        """Read once; False when there was nothing to read."""
        try:
            data = self._socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self.end(error)
            return False
        if not data:
            self.end(PeerClosed("the other side closed the connection"))
            return False
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        if self._tls is None:
            self.call(self._on_data, data)
            return
        try:
            data = self._tls.decrypt(data)
        except ssl.SSLError as error:
            self.end(error)
            return
        self.call(self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if self._tls is not None and self._tls.has_output:
            self.write(b"")
        if data:
            self._on_data(data)
        if self._tls is not None and self._tls.is_over:
            self.end(PeerClosed("the other side closed the TLS session"))


class Tls:
    """TLS over octets in memory."""

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.is_over = False

    @property
    def has_output(self) -> bool:
        """Whether TLS itself has something to say."""
        return self._outgoing.pending > 0

    async def shake_hands(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Agree on keys; raises SSLError when there is no agreeing."""
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(sock, self._outgoing.read())
                data = await loop.sock_recv(sock, READ_SIZE)
                if not data:
                    raise PeerClosed("the other side closed the connection in the handshake") from None
                self._incoming.write(data)
            else:
                await loop.sock_sendall(sock, self._outgoing.read())
                return

    def encrypt(self, data: bytes) -> bytes:
        """Return the octets to be sent for *data*, and whatever else TLS has to say."""
        if data:
            self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> bytes:
        """Return what the received octets *data* say."""
        self._incoming.write(data)
        found = []
        try:
            while piece := self._object.read(READ_SIZE):
                found.append(piece)
            self.is_over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_over = True
        return b"".join(found)


async def connect(host: str, port: int, user_timeout: float) -> socket.socket:
    """Connect to the first address of *host* that answers; raises OSError of the last one."""
    loop = asyncio.get_running_loop()
    last: OSError = ConnectionError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            _tune(sock, user_timeout)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise last


def _tune(sock: socket.socket, user_timeout: float) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Not every platform has these two.
    for name, value in (("TCP_NOTSENT_LOWAT", NOTSENT_LOWAT), ("TCP_USER_TIMEOUT", int(user_timeout * 1000))):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
