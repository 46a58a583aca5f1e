"""
HTTP over one connection, with an end to the patience: what uvicorn's protocol lets a client do for ever.

A client that says nothing, or little, must not hold what others need:

* the head of a request has to come within `Bounds.head_seconds` and be no larger than `Bounds.head_bytes`;
* its body has to bring `Bounds.body_bytes` in every `Bounds.body_seconds` in which we wanted to read;
* who takes nothing of an answer for `Bounds.answer_seconds` is cut off;
* few requests may wait on one connection, and of too many connections idle ones are closed, those
  of the address that holds the most first.

One timer serves a connection for its whole life: it looks when the nearest deadline may have
passed, so a request costs no timer of its own.  What is refused here is answered in the words of
the wire, and is not logged: whoever can send a byte could fill the disk.
"""

import asyncio
import enum
import resource
from collections import Counter
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
import msgspec
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from penstock.domain.errors import BadRequest, CallerError, RequestTimeout, StoreUnavailable
from penstock.http.answers import answer_error
from penstock.http.whole import EXTENSION


class Bounds(msgspec.Struct, frozen=True):
    """What one connection may ask of our patience and memory."""

    head_seconds: float = 10.0  #: for the whole head, and for the first byte of a new connection
    head_bytes: int = 65_536  #: of request line and headers, and of whatever else frames a body
    headers: int = 100
    body_seconds: float = 20.0  #: of each look at the pace of a body
    body_bytes: int = 10_000  #: that it brings at least meanwhile: 500 a second
    answer_seconds: float = 60.0  #: without room for the answer
    waiting: int = 100  #: requests on one connection behind the one that is being answered
    connections: int = 8_000  #: less where the system allows fewer open files


#: Open files that are not connections of clients.
_OTHER_FILES = 200


class _Phase(enum.Enum):
    IDLE = enum.auto()  #: nothing of a next request has come
    HEAD = enum.auto()
    BODY = enum.auto()


# Bound once: they are read several times in each request.
_IDLE, _HEAD, _BODY = _Phase


class _Flow(FlowControl):
    """Remembers that we did not want to read: a pause is not held against the client."""

    was_paused = False

    def pause_reading(self) -> None:
        """Read no more for now."""
        self.was_paused = True
        super().pause_reading()


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    bounds: ClassVar[Bounds] = Bounds()
    _watched_flow: _Flow

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **named)
        self._phase = _IDLE
        self._since = self.loop.time()  #: when the phase began, or of a body the look at its pace
        self._received = 0  #: octets since the request before
        self._body = 0  #: octets of the body
        self._body_before = 0  #: those of earlier looks
        self._extensions: dict[str, Any] = {EXTENSION: self._answer_whole}
        self._stalled_at: float | None = None
        self._look_later: asyncio.TimerHandle | None = None
        self._fault: CallerError | None = None
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most_connections = min(self.bounds.connections, max(_OTHER_FILES, allowed - _OTHER_FILES))

    # What the transport tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin, if there is room."""
        super().connection_made(transport)
        self.flow = self._watched_flow = _Flow(transport)
        self._look_later = self.loop.call_later(self.bounds.head_seconds, self._look)
        if len(self.connections) > self._most_connections and not self._make_room():
            self._refuse(StoreUnavailable())

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._look_later is not None:
            self._look_later.cancel()
        super().connection_lost(exc)
        self._extensions.clear()  # they lead back here: only the garbage collector would find that

    def data_received(self, data: bytes) -> None:
        """Take octets."""
        self._unset_keepalive_if_required()
        if self._phase is _IDLE:
            self._phase = _HEAD
            self._since = self.loop.time()
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(self._fault or BadRequest("head or framing: expected HTTP/1.1"))
        except httptools.HttpParserUpgrade:
            # Answered as if no upgrade had been asked for; what follows in the other protocol is not for us.
            self.cycle.keep_alive = False
        else:
            if self._received > self.bounds.head_bytes:
                self._check_framing()

    def pause_writing(self) -> None:
        """Wait: the client does not take what it asked for."""
        super().pause_writing()
        self._stalled_at = self.loop.time()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._stalled_at = None

    # What the parser tells.

    def on_headers_complete(self) -> None:
        """Begin to answer, if the request is one that may be."""
        bounds = self.bounds
        if len(self.headers) > bounds.headers or (
            self._received > bounds.head_bytes
            and len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > bounds.head_bytes
        ):
            self._fault = self._too_large()
        elif len(self.pipeline) >= bounds.waiting:
            self._fault = BadRequest(f"pipeline: expected at most {bounds.waiting} requests that wait")
        if self._fault is not None:
            raise self._fault  # ends the parsing; `data_received` refuses
        super().on_headers_complete()
        self.scope["extensions"] = self._extensions
        self._phase = _BODY
        self._body = self._body_before = 0

    def on_body(self, body: bytes) -> None:
        """Take some of a body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; its answer may take its time."""
        self._phase = _IDLE
        self._since = self.loop.time()
        self._received = 0
        super().on_message_complete()

    # Answers.

    def _answer_whole(self, scope: Scope, response: Response) -> bool:
        """Do at once what the two events of an answer make a `RequestResponseCycle` do, for the usual one."""
        cycle = self.cycle
        is_usual = (
            cycle.scope is scope  # no other request waits behind it
            and response.status_code == HTTPStatus.OK
            and scope["method"] != "HEAD"
            and cycle.keep_alive
            and not (cycle.disconnected or cycle.response_started or self.flow.write_paused)
        )
        if is_usual:
            lines = [STATUS_LINE[HTTPStatus.OK]]
            for name, value in (*cycle.default_headers, *response.raw_headers):
                lines += (name, b": ", value, b"\r\n")
            self.transport.write(b"".join((*lines, b"\r\n", response.body)))
            cycle.response_started = cycle.response_complete = True
            cycle.waiting_for_100_continue = False
            cycle.message_event.set()
            cycle.on_response()
        return is_usual

    # Patience.

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being answered and no body comes."""
        return self._phase is not _BODY and self._unanswered is None

    @property
    def _unanswered(self) -> RequestResponseCycle | None:
        """The newest request, if its answer is not complete."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first one, whatever uvicorn says
        return None if cycle is None or cycle.response_complete else cycle

    def _look(self) -> None:
        """See whether a deadline has passed, and look again when the next one can have."""
        now = self.loop.time()
        bounds = self.bounds
        look_at = now + bounds.head_seconds
        if self._stalled_at is not None and now >= self._stalled_at + bounds.answer_seconds:
            self.transport.abort()
            return
        if self._phase is _BODY:
            look_at = self._since + bounds.body_seconds
            if now >= look_at:
                if not self._keeps_pace():
                    self._refuse(RequestTimeout())
                    return
                self._since = now
                look_at = now + bounds.body_seconds
        elif self._unanswered is None and self.timeout_keep_alive_task is None:
            look_at = self._since + bounds.head_seconds
            if now >= look_at:
                self._refuse(RequestTimeout())
                return
        elif self._phase is _HEAD:
            self._since = now  # it counts from the end of the answer before
        self._look_later = self.loop.call_at(look_at, self._look)

    def _keeps_pace(self) -> bool:
        """Tell whether enough of a body came since the last look, or could not."""
        came, self._body_before = self._body - self._body_before, self._body
        flow = self._watched_flow
        excused, flow.was_paused = flow.read_paused or flow.was_paused, False
        if self.cycle.response_complete:
            return False  # it was answered unread, and had time to hear that
        return excused or self.cycle.waiting_for_100_continue or came >= self.bounds.body_bytes

    def _check_framing(self) -> None:
        """Refuse a head without end, and a body that is nearly all frame: chunk extensions, trailers."""
        frame = self._received - self._body
        # A chunk of one octet has a frame of five.
        if self._phase is _HEAD or (self._phase is _BODY and frame > 2 * self.bounds.head_bytes + 8 * self._body):
            self._refuse(self._too_large())

    def _too_large(self) -> CallerError:
        bounds = self.bounds
        return BadRequest(f"head: expected at most {bounds.headers} headers and {bounds.head_bytes} bytes")

    def _make_room(self) -> bool:
        """Close idle connections of the address that holds the most; False when nothing is idle."""
        idle = [one for one in self.connections if isinstance(one, BoundedProtocol) and one.is_idle and one is not self]
        if not idle:
            return False
        most, _ = Counter(one._host for one in idle).most_common(1)[0]  # noqa: SLF001 - ours
        theirs = sorted((one for one in idle if one._host == most), key=lambda one: one._since)  # noqa: SLF001 - ours
        # Several at once: to find them costs a look at all.
        for one in theirs[: 1 + self.bounds.connections // 16]:
            one.transport.close()
        return True

    @property
    def _host(self) -> str:
        return self.client[0] if self.client else ""

    def _refuse(self, error: CallerError) -> None:
        """Answer *error* if nothing else is being answered and a request is there, and close the connection."""
        cycle = self._unanswered
        if cycle is None:
            # Nothing was asked, or it was answered already: then nothing is said, but for the lack of room.
            may_answer = self._phase is _HEAD or isinstance(error, StoreUnavailable)
        else:
            may_answer = self._phase is _BODY and not cycle.response_started and not self.pipeline
            cycle.disconnected = True
            cycle.message_event.set()
        if may_answer:
            response = answer_error(error)
            lines = [name + b": " + value + b"\r\n" for name, value in response.raw_headers if name != b"connection"]
            self.transport.write(
                b"".join((STATUS_LINE[error.status], *lines, b"connection: close\r\n\r\n", bytes(response.body)))
            )
        self.transport.close()
