# ruff: noqa: D102 - the class says what its one method does
"""
Ways in which an SMSC can misbehave, one small class each.
"""

import asyncio
from typing import Self

from penstock.channels.smpp import pdu
from penstock.channels.smpp.spec import RESPONSE, Command, Status


class Smsc:
    """Behaves well; what others change is a method."""

    def __init__(self) -> None:
        self.port = 0
        self.binds = 0
        self.texts: list[bytes] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def on_bind(self, writer: asyncio.StreamWriter, command_id: int, number: int) -> None:
        """Accept."""
        writer.write(pdu.encode_bind_answer(command_id, number, "smsc"))

    def on_submit(self, writer: asyncio.StreamWriter, number: int) -> None:
        """Accept."""
        writer.write(self.answer(number))

    def on_enquire(self, writer: asyncio.StreamWriter, number: int) -> None:
        """Be there."""
        writer.write(pdu.encode_header_only(Command.ENQUIRE_LINK_RESP, number))

    def answer(self, number: int, status: int = 0) -> bytes:
        """Make a submit_sm_resp whose id is the sequence number."""
        if status:
            return pdu.encode_header_only(Command.SUBMIT_SM_RESP, number, status)
        return pdu.encode_id_answer(Command.SUBMIT_SM_RESP, number, b"%d" % number)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._tasks.add(asyncio.current_task())
        try:
            while True:
                header = await reader.readexactly(pdu.HEADER_SIZE)
                length, command_id, _, number = pdu.HEADER.unpack(header)
                body = await reader.readexactly(length - pdu.HEADER_SIZE)
                self._take(writer, command_id, number, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _take(self, writer: asyncio.StreamWriter, command_id: int, number: int, body: bytes) -> None:
        match command_id:
            case Command.BIND_TRANSCEIVER | Command.BIND_TRANSMITTER | Command.BIND_RECEIVER:
                self.binds += 1
                self.on_bind(writer, command_id, number)
            case Command.SUBMIT_SM:
                self.texts.append(pdu.parse_short_message(body, 0, len(body)).short_message)
                self.on_submit(writer, number)
            case Command.ENQUIRE_LINK:
                self.on_enquire(writer, number)
            case Command.UNBIND:
                writer.write(pdu.encode_header_only(Command.UNBIND | RESPONSE, number))


class NeverAnswersBind(Smsc):
    """Takes the connection and says nothing."""

    def on_bind(self, writer, command_id, number):
        pass


class RefusesFirstBind(Smsc):
    """Lets nobody in at first."""

    def on_bind(self, writer, command_id, number):
        status = Status.RINVPASWD if self.binds == 1 else 0
        writer.write(pdu.encode_bind_answer(command_id, number, "smsc", status))


class CutsInTheMiddleOfAPdu(Smsc):
    """Writes half an answer to the third message and hangs up, once."""

    def on_submit(self, writer, number):
        if len(self.texts) == 3:
            writer.write(self.answer(number)[:-1])
            writer.close()
        elif not writer.is_closing():
            writer.write(self.answer(number))


class AnswersOutOfOrder(Smsc):
    """Keeps ten messages waiting and answers the last first."""

    def __init__(self):
        super().__init__()
        self._waiting = []

    def on_submit(self, writer, number):
        self._waiting.append(number)
        if len(self._waiting) == 10:
            writer.write(b"".join(self.answer(one) for one in reversed(self._waiting)))
            self._waiting.clear()


class AnswersGarbage(Smsc):
    """Answers the first message with what is no PDU."""

    def on_submit(self, writer, number):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" if len(self.texts) == 1 else self.answer(number))


class AnswersTheUnasked(Smsc):
    """Answers a message that was never sent, then the right one, then that again."""

    def on_submit(self, writer, number):
        writer.write(self.answer(number + 1_000_000) + self.answer(number) * 2)


class AnswersLate(Smsc):
    """Answers when it is told to."""

    def __init__(self):
        super().__init__()
        self._late = []

    def on_submit(self, writer, number):
        self._late.append((writer, number))

    def answer_now(self):
        """Answer what has waited."""
        for writer, number in self._late:
            writer.write(self.answer(number))


class AnswersByOctets(Smsc):
    """Lets every octet of an answer travel alone."""

    def on_submit(self, writer, number):
        self._tasks.add(asyncio.ensure_future(self._dribble(writer, self.answer(number))))

    async def _dribble(self, writer, octets):
        for at in range(len(octets)):
            writer.write(octets[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0)


class ThrottlesTheSecondPart(Smsc):
    """Takes the second submit_sm only when it comes again."""

    def on_submit(self, writer, number):
        writer.write(self.answer(number, Status.RTHROTTLED if len(self.texts) == 2 else 0))


class AlwaysThrottlesTheSecondPart(Smsc):
    """Never takes what is not the first submit_sm."""

    def on_submit(self, writer, number):
        writer.write(self.answer(number, Status.RTHROTTLED if len(self.texts) >= 2 else 0))


class ThrottlesTenTimes(Smsc):
    """Is busy for ten messages."""

    def on_submit(self, writer, number):
        writer.write(self.answer(number, Status.RMSGQFUL if len(self.texts) <= 10 else 0))


class UnbindsInTheMiddle(Smsc):
    """Takes leave at the third message, once."""

    def on_submit(self, writer, number):
        if len(self.texts) == 3:
            writer.write(pdu.encode_header_only(Command.UNBIND, 1))
        else:
            writer.write(self.answer(number))


class FallsSilent(Smsc):
    """Does not answer when asked whether it is there."""

    def on_enquire(self, writer, number):
        pass


class WritesBrokenReceipts(Smsc):
    """Sends a receipt that cannot be read, then a good one."""

    def __init__(self):
        super().__init__()
        self.answers: list[tuple[int, int]] = []

    def on_submit(self, writer, number):
        good = pdu.head_of(b"", (1, 1, b"7999")) + b"Shop"
        text = b"id:%d stat:DELIVRD err:000" % number
        writer.write(
            self.answer(number)
            + pdu.encode(Command.DELIVER_SM, 1, b"no end")
            + pdu.encode(Command.DELIVER_SM, 2, good + pdu.tail_of(4, b"", 0, 0, b"id:1 stat:TELEPORTED err:000"))
            + pdu.encode(Command.DELIVER_SM, 3, good + pdu.tail_of(0, b"", 0, 0, b"STOP"))
            + pdu.encode(Command.DELIVER_SM, 4, good + pdu.tail_of(4, b"", 0, 0, text))
        )


class NeverReads(Smsc):
    """Answers the bind, then leaves everything in its socket until told to read."""

    def __init__(self):
        super().__init__()
        self.reads = asyncio.Event()
        self.taken = asyncio.Event()
        self.octets = b""

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        self._tasks.add(asyncio.current_task())
        header = await reader.readexactly(pdu.HEADER_SIZE)
        length, command_id, _, number = pdu.HEADER.unpack(header)
        await reader.readexactly(length - pdu.HEADER_SIZE)
        self.on_bind(writer, command_id, number)
        self.binds += 1
        if self.binds > 1:
            await self.reads.wait()
            return
        writer.transport.pause_reading()
        await self.reads.wait()
        writer.transport.resume_reading()
        try:
            while data := await reader.read(65_536):
                self.octets += data
        except ConnectionError:
            pass
        self.taken.set()
