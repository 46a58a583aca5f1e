"""
One SMPP session without I/O: octets in, events out.

The session knows what may be said in which state (2.2), numbers the PDUs, remembers which
submit_sm are unanswered, and notices silence.  It reads no clock: instants are arguments, in the
seconds of any clock that does not go back.

What `receive` returns lists answers and deliveries for the owner, and the octets to be written in
return (enquire_link_resp, unbind_resp, generic_nack).
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from penstock.channels.smpp import pdu
from penstock.channels.smpp.pdu import Bind, Malformed
from penstock.channels.smpp.spec import LAST_SEQUENCE_NUMBER, RESPONSE, Command, Status
from penstock.channels.smpp.states import BOUND, BOUND_BY, MAY_SUBMIT, MOVES, Event, IllegalMove, State

#: An enumeration's member is compared at three times the price of an integer.
_SUBMIT_SM_RESP, _DELIVER_SM = Command.SUBMIT_SM_RESP.value, Command.DELIVER_SM.value


class Answer(NamedTuple):
    """What came of one submit_sm; *entry* is what was given to `submit`."""

    entry: object
    command_status: int
    message_id: str


class Delivery(NamedTuple):
    """A deliver_sm that wants a deliver_sm_resp with its *sequence_number*."""

    sequence_number: int
    message: Any  #: as it was read, see `Session`


class Received:
    """What some octets meant."""

    __slots__ = ("answers", "bind_status", "deliveries", "fault", "late", "reply", "unreadable")

    def __init__(self) -> None:
        self.answers: list[tuple[object, int, str]] = []  #: plain tuples in the form of `Answer`
        self.deliveries: list[tuple[int, Any]] = []  #: plain tuples in the form of `Delivery`
        self.reply = b""  #: to be written now
        self.bind_status: int | None = None  #: the bind was answered
        self.late = 0  #: answers to nothing that we wait for: come too late, or never asked
        self.unreadable: list[str] = []  #: what was wrong with each deliver_sm that was refused here
        self.fault: Malformed | IllegalMove | None = None  #: the session is over because of this


class Session:
    """
    One side of one connection: ours, the ESME's.

    *read* makes of the body of a deliver_sm (its buffer, start and end) what the owner wants to
    have of it; it may raise Malformed, and the PDU is then refused.
    """

    def __init__(
        self,
        command: Command,
        *,
        response_timeout: float,
        enquire_link: float,
        read: Callable[[bytes, int, int], object] = pdu.parse_short_message,
    ) -> None:
        self.state = State.OPEN
        self._command = command
        self._read = read
        self._response_timeout = response_timeout
        self._enquire_link = enquire_link
        self._outstanding: dict[int, object] = {}
        self._deadlines: deque[tuple[float, int, int]] = deque()
        self._next = 1
        self._tail = b""
        self._heard_at = 0.0
        self._asked_at: float | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the bind was accepted and nobody has taken leave."""
        return self.state in BOUND

    @property
    def may_submit(self) -> bool:
        """Whether `submit` is legal now."""
        return self.state in MAY_SUBMIT

    @property
    def outstanding(self) -> int:
        """How many submit_sm are unanswered."""
        return len(self._outstanding)

    def bind(self, bind: Bind, now: float) -> bytes:
        """Return the bind to be written."""
        self._move(Event.BIND)
        self._heard_at = now
        return pdu.encode_bind(self._command, self._number(), bind)

    def submit(self, bodies: Sequence[bytes], entries: Sequence[object], now: float) -> bytes:
        """
        Return one submit_sm for each of *bodies*, to be written in one go right now.

        They are outstanding from here on; *entries* come back with the answers.
        """
        if self.state not in MAY_SUBMIT:
            raise IllegalMove(self.state, Event.SUBMIT)
        first = self._next
        if first + len(bodies) > LAST_SEQUENCE_NUMBER:
            first = 1
        self._next = first + len(bodies)
        pack = pdu.HEADER.pack
        numbers = range(first, self._next)
        written: list[bytes] = []
        for number, body in zip(numbers, bodies, strict=True):
            written += (pack(16 + len(body), 4, 0, number), body)
        self._outstanding.update(zip(numbers, entries, strict=True))
        self._deadlines.append((now + self._response_timeout, first, self._next))
        return b"".join(written)

    def revoke(self) -> None:
        """Take the last `submit` back: its octets were not written."""
        _, first, end = self._deadlines.pop()
        for number in range(first, end):
            self._outstanding.pop(number, None)
        self._next = first

    def receive(self, data: bytes, now: float) -> Received:
        """Take octets from the socket."""
        received = Received()
        self._heard_at = now
        self._asked_at = None
        if self._tail:
            data = self._tail + data
        end = 0
        answers, outstanding, deliveries = received.answers, self._outstanding, received.deliveries
        parse_message_id, read = pdu.parse_message_id, self._read
        may_answer, may_deliver = self._admits(Event.ANSWER), self._admits(Event.DELIVERY)
        try:
            for command_id, status, number, start, end in pdu.split(data):
                if command_id == _SUBMIT_SM_RESP and may_answer:
                    entry = outstanding.pop(number, None)
                    if entry is None:
                        received.late += 1
                    elif status:
                        answers.append((entry, status, ""))
                    else:
                        answers.append((entry, 0, parse_message_id(data, start, end)))
                elif command_id == _DELIVER_SM and may_deliver:
                    try:
                        deliveries.append((number, read(data, start, end)))
                    except Malformed as fault:
                        # Breaking the connection would bring the same PDU back for ever.
                        received.unreadable.append(str(fault))
                        received.reply += pdu.encode_id_answer(Command.DELIVER_SM_RESP, number, b"", Status.RX_P_APPN)
                else:
                    self._take(received, (command_id, status, number))
                    may_answer, may_deliver = self._admits(Event.ANSWER), self._admits(Event.DELIVERY)
        except (Malformed, IllegalMove) as fault:
            received.fault = fault
            self.state = State.CLOSED
        self._tail = data[end:]
        return received

    def tick(self, now: float) -> tuple[list[object], bytes, bool]:
        """
        Let time pass.

        Returns the entries whose answer is overdue (they are forgotten here), octets to write (an
        enquire_link, after silence), and whether the peer has to be given up as dead.
        """
        overdue: list[object] = []
        deadlines, outstanding = self._deadlines, self._outstanding
        while deadlines:
            at, first, end = deadlines[0]
            if at <= now:
                found = (outstanding.pop(number, None) for number in range(first, end))
                overdue += [entry for entry in found if entry is not None]
            elif any(number in outstanding for number in range(first, end)):
                break
            deadlines.popleft()
        if not self.is_bound:
            return overdue, b"", False
        if self._asked_at is not None:
            return overdue, b"", now >= self._asked_at + self._response_timeout
        if now < self._heard_at + self._enquire_link:
            return overdue, b"", False
        self._asked_at = now
        return overdue, pdu.encode_header_only(Command.ENQUIRE_LINK, self._number()), False

    def unbind(self) -> bytes:
        """Return the unbind to be written; answers are still taken until the peer agrees."""
        self._move(Event.UNBIND)
        return pdu.encode_header_only(Command.UNBIND, self._number())

    def abandon(self) -> list[object]:
        """End the session, for the connection is gone; returns the entries that have no answer."""
        self.state = State.CLOSED
        entries = list(self._outstanding.values())
        self._outstanding.clear()
        self._deadlines.clear()
        return entries

    def _admits(self, event: Event) -> bool:
        """Tell whether an event is legal now and leaves the state as it is."""
        return MOVES[self.state].get(event) is self.state

    def _take(self, received: Received, head: tuple[int, int, int]) -> None:
        """Take any PDU that is not taken where it is found."""
        command_id, status, number = head
        match command_id:
            case Command.ENQUIRE_LINK:
                received.reply += pdu.encode_header_only(Command.ENQUIRE_LINK_RESP, number)
            case Command.ENQUIRE_LINK_RESP | Command.OUTBIND | Command.ALERT_NOTIFICATION:
                pass
            case Command.BIND_TRANSMITTER_RESP | Command.BIND_RECEIVER_RESP | Command.BIND_TRANSCEIVER_RESP:
                asked = Command(command_id & ~RESPONSE)
                if asked is not self._command:
                    raise IllegalMove(self.state, BOUND_BY[asked])
                self._move(Event.REFUSED if status else BOUND_BY[asked])
                received.bind_status = status
            case Command.GENERIC_NACK:
                self._take_nack(received, status, number)
            case Command.UNBIND:
                self._move(Event.UNBIND_HEARD)
                received.reply += pdu.encode_header_only(Command.UNBIND_RESP, number)
            case Command.UNBIND_RESP:
                self._move(Event.UNBOUND)
            case Command.SUBMIT_SM_RESP | Command.DELIVER_SM:
                event = Event.DELIVERY if command_id == Command.DELIVER_SM else Event.ANSWER
                raise IllegalMove(self.state, event)
            case _ if command_id & RESPONSE:
                received.late += 1
            case _:
                received.reply += pdu.encode_header_only(Command.GENERIC_NACK, number, Status.RINVCMDID)

    def _take_nack(self, received: Received, status: int, number: int) -> None:
        entry = self._outstanding.pop(number, None)
        if entry is not None:
            received.answers.append((entry, status or Status.RUNKNOWNERR, ""))
        elif self.state is State.BINDING:
            self._move(Event.REFUSED)
            received.bind_status = status or Status.RUNKNOWNERR
        else:
            received.late += 1

    def _move(self, event: Event) -> None:
        after = MOVES[self.state].get(event)
        if after is None:
            raise IllegalMove(self.state, event)
        self.state = after

    def _number(self) -> int:
        number = self._next
        self._next = 1 if number >= LAST_SEQUENCE_NUMBER else number + 1
        return number
