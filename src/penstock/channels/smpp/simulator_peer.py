"""
One connection of our own SMSC: what comes in, what is answered, what is delivered.
"""

import asyncio
import random
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from penstock.channels.smpp import pdu
from penstock.channels.smpp.arrival import Arrivals
from penstock.channels.smpp.pdu import Malformed, ShortMessage
from penstock.channels.smpp.simulator_receipts import SentMessage, receipt_body
from penstock.channels.smpp.spec import LAST_SEQUENCE_NUMBER, RESPONSE, Command, Status

if TYPE_CHECKING:
    from penstock.channels.smpp.simulator import Simulator

#: The answer comes this much after an early receipt at the least, in seconds.
_AFTER_EARLY_RECEIPT = 0.005

_BINDS = {
    Command.BIND_TRANSMITTER: (True, False),
    Command.BIND_RECEIVER: (False, True),
    Command.BIND_TRANSCEIVER: (True, True),
}


class Peer(asyncio.Protocol):
    """One connection from an ESME."""

    def __init__(self, simulator: "Simulator") -> None:
        simulator.counters.connections += 1
        self.number = simulator.counters.connections
        self.system_id = ""
        self.submits = False  #: whether bound so that it may submit
        self.receives = False  #: whether bound so that it takes receipts
        #: Receipts that wait for room in the window.
        self.pending: deque[SentMessage] = deque()
        #: Whether there may be something to write.
        self.is_dirty = False
        self._simulator = simulator
        self._counters = simulator.counters
        self._transport: asyncio.Transport | None = None
        self._arrivals: Arrivals | None = None
        self._tail = b""
        self._out: list[bytes] = []
        self._unanswered = 0
        self._taken = 0
        self._delivered: dict[int, SentMessage] = {}
        self._next = 1

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        if transport.get_extra_info("sslcontext") is None:
            self._arrivals = Arrivals(self._transport, self._take_in)
        self._simulator.peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Give what was not acknowledged to another connection."""
        self._transport = None
        if self._arrivals is not None:
            self._arrivals.close()
        self.submits = self.receives = False
        self._simulator.peers.discard(self)
        for message in (*self._delivered.values(), *self.pending):
            self._simulator.route(message, None)
        self._delivered.clear()
        self.pending.clear()

    def pause_writing(self) -> None:
        """Read no more: who does not read our answers is not read either."""
        if self._arrivals is not None:
            self._arrivals.pause()
        elif self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        if self._transport is None:
            return
        if self._arrivals is None:
            self._transport.resume_reading()
        elif not self._transport.is_closing():
            self._arrivals.resume()
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take what came over TLS, whose packets nobody has stamped."""
        self._take_in(data, time.monotonic())

    def _take_in(self, data: bytes, arrived_at: float) -> None:
        """Take PDUs, and answer all of them in one write."""
        at = (arrived_at, time.time() - (time.monotonic() - arrived_at))
        if self._tail:
            data = self._tail + data
        end = 0
        try:
            for command_id, status, number, start, end in pdu.split(data):
                if command_id == Command.SUBMIT_SM and self.submits:
                    self._submit(at, number, pdu.parse_short_message(data, start, end))
                else:
                    self._take(at, data, (command_id, status, number, start, end))
        except Malformed:
            self._counters.malformed += 1
            self._out.append(pdu.encode_header_only(Command.GENERIC_NACK, 0, Status.RINVCMDLEN))
            self.flush()
            self._close()
            return
        self._tail = data[end:]
        self.flush()

    # What is done with each PDU.

    def _submit(self, at: tuple[float, float], number: int, message: ShortMessage) -> None:
        simulator, counters = self._simulator, self._counters
        settings = simulator.settings
        counters.submits += 1
        self._taken += 1
        status, word = self._verdict()
        message_id = b""
        if status == Status.ROK:
            counters.accepted += 1
            message_id = simulator.next_id()
        if simulator.log is not None:
            simulator.log.submit(at, self.number, number, message, message_id, word)
        if word == "lost":
            counters.lost += 1
        else:
            self._unanswered += 1
            self._settle(at[0], number, message, message_id, status)
        if settings.cut_after and self._taken >= settings.cut_after:
            self.flush()
            self._close()

    def _settle(self, now: float, number: int, message: ShortMessage, message_id: bytes, status: int) -> None:
        """Answer now or later, and see to the receipt."""
        simulator = self._simulator
        settings = simulator.settings
        low, high = settings.latency
        latency = low if low == high else simulator.chance.uniform(low, high)
        if status:
            answer = pdu.encode_header_only(Command.SUBMIT_SM_RESP, number, status)
        else:
            answer = pdu.encode_id_answer(Command.SUBMIT_SM_RESP, number, message_id)
        receipt = None
        if status == 0 and message.registered_delivery & 1 and _happens(simulator.chance, settings.dlr):
            is_failed = _happens(simulator.chance, settings.dlr_failed)
            receipt = SentMessage(self.system_id, message.source, message.destination, message_id, is_failed)
            if settings.early_dlr:
                latency = max(latency, _AFTER_EARLY_RECEIPT)
        if latency:
            simulator.schedule(now + latency, self, answer)
        else:
            self.answer(answer)
        if receipt is None:
            return
        receipt_at = settings.dlr_delay if settings.early_dlr else latency + settings.dlr_delay
        if receipt_at:
            simulator.schedule(now + receipt_at, self, receipt)
        else:
            simulator.route(receipt, self)

    def _verdict(self) -> tuple[Status, str]:
        settings, chance = self._simulator.settings, self._simulator.chance
        if settings.max_window and self._unanswered >= settings.max_window:
            self._counters.throttled += 1
            return Status.RMSGQFUL, "throttled"
        if settings.throttle and chance.random() < settings.throttle:
            self._counters.throttled += 1
            return Status.RTHROTTLED, "throttled"
        if settings.refuse and chance.random() < settings.refuse:
            self._counters.refused += 1
            return Status.RSUBMITFAIL, "refused"
        if settings.lose and chance.random() < settings.lose:
            return Status.ROK, "lost"
        return Status.ROK, "accepted"

    def _take(self, at: tuple[float, float], data: bytes, frame: tuple[int, int, int, int, int]) -> None:
        """Take any PDU but a submit_sm of somebody who may submit."""
        command_id, status, number, start, end = frame
        system_id = ""
        match command_id:
            case Command.DELIVER_SM_RESP:
                if self._delivered.pop(number, None) is not None:
                    self._counters.receipts_acknowledged += 1
                    self.is_dirty = True
            case Command.ENQUIRE_LINK:
                self._out.append(pdu.encode_header_only(Command.ENQUIRE_LINK_RESP, number))
            case Command.BIND_TRANSMITTER | Command.BIND_RECEIVER | Command.BIND_TRANSCEIVER:
                system_id = self._bind(command_id, number, pdu.parse_bind(data, start, end))
            case Command.UNBIND:
                self._out.append(pdu.encode_header_only(Command.UNBIND_RESP, number))
                self.submits = self.receives = False
                self.flush()
                self._close()
            case _ if command_id & RESPONSE:
                pass
            case Command.SUBMIT_SM:
                self._out.append(pdu.encode_header_only(Command.SUBMIT_SM_RESP, number, Status.RINVBNDSTS))
            case _:
                self._out.append(pdu.encode_header_only(Command.GENERIC_NACK, number, Status.RINVCMDID))
        if self._simulator.log is not None:
            self._simulator.log.pdu(at, self.number, command_id, number, status, system_id)

    def _bind(self, command_id: int, number: int, bind: pdu.Bind) -> str:
        settings = self._simulator.settings
        status = Status.ROK
        if settings.system_id is not None and bind.system_id != settings.system_id:
            status = Status.RINVSYSID
        elif settings.password is not None and bind.password != settings.password:
            status = Status.RINVPASWD
        elif self.submits or self.receives:
            status = Status.RALYBND
        else:
            self._counters.binds += 1
            self.system_id = bind.system_id
            self.submits, self.receives = _BINDS[Command(command_id)]
            if self.receives:
                self.pending.extend(self._simulator.homeless.pop(self.system_id, ()))
        self._out.append(pdu.encode_bind_answer(command_id, number, "penstock", status))
        return bind.system_id

    # Writing.

    def answer(self, octets: bytes) -> None:
        """Add the answer to a submit_sm to what `flush` writes."""
        self._unanswered -= 1
        self._counters.answered += 1
        self._out.append(octets)

    def flush(self) -> None:
        """Write answers, and as many receipts as the window allows."""
        self.is_dirty = False
        if self._transport is None:
            self._out.clear()
            return
        pending, delivered, out = self.pending, self._delivered, self._out
        if pending:
            settings = self._simulator.settings
            receipts, date = [], self._simulator.dates.now()
            for _ in range(min(len(pending), settings.dlr_window - len(delivered))):
                message = pending.popleft()
                number = self._next
                self._next = number % LAST_SEQUENCE_NUMBER + 1
                delivered[number] = message
                receipts.append(pdu.encode(Command.DELIVER_SM, number, receipt_body(message, settings.dlr_as, date)))
            self._counters.receipts_sent += len(receipts)
            out += receipts
        if out:
            self._transport.write(b"".join(out))
            out.clear()

    def flush_soon(self) -> None:
        """Flush in the next turn of the loop, once."""
        asyncio.get_running_loop().call_soon(self._flush_if_dirty)

    def abort(self) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _flush_if_dirty(self) -> None:
        if self.is_dirty:
            self.flush()

    def _close(self) -> None:
        if self._arrivals is not None:
            self._arrivals.pause()
        if self._transport is not None:
            self._transport.close()
        self.submits = self.receives = False


def _happens(chance: random.Random, share: float) -> bool:
    return share >= 1 or (share > 0 and chance.random() < share)
