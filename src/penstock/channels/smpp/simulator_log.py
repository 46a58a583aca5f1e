"""
The wire log of our own SMSC: one line of JSON for each PDU received.

Lines are kept for at most 50 ms, encoded and written in one go, so that the log costs a microsecond
or two a message.  `mono` is CLOCK_MONOTONIC, which all processes of a machine share, at the moment when the
PDU arrived in the kernel (`penstock.channels.smpp.arrival`), however late it was read.
"""

import asyncio
from pathlib import Path

import msgspec

from penstock.channels.smpp import texts
from penstock.channels.smpp.pdu import ShortMessage
from penstock.channels.smpp.spec import Command

#: How long a line may wait, in seconds.
FLUSH_SECONDS = 0.05
#: Lines that are written at once, however young.
FLUSH_LINES = 1_000

_NAMES = {int(command): command.name.lower() for command in Command}


class PduLine(msgspec.Struct, omit_defaults=True, gc=False):
    """A PDU without a short message."""

    mono: float
    wall: float
    connection: int
    command: str
    sequence_number: int
    status: int = 0
    system_id: str = ""


class SubmitLine(msgspec.Struct, omit_defaults=True, gc=False):
    """A submit_sm; *answer* says what was done with it, *part* and *parts* are there for long texts."""

    mono: float
    wall: float
    connection: int
    command: str
    sequence_number: int
    source: str
    destination: str
    text: str
    message_id: str
    answer: str
    part: int = 1
    parts: int = 1
    reference: int = 0


class WireLog:
    """Appends to one file."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - closed by `close`
        self._lines: list[PduLine | SubmitLine] = []
        self._encode = msgspec.json.Encoder().encode_lines
        self._timer: asyncio.TimerHandle | None = None

    def pdu(
        self, at: tuple[float, float], connection: int, command_id: int, number: int, status: int, system_id: str = ""
    ) -> None:
        """Log any PDU but a submit_sm."""
        name = _NAMES.get(command_id) or f"0x{command_id:08x}"
        self._add(PduLine(*at, connection, name, number, status, system_id))

    def submit(
        self,
        at: tuple[float, float],
        connection: int,
        number: int,
        message: ShortMessage,
        message_id: bytes,
        answer: str,
    ) -> None:
        """Log a submit_sm."""
        text, reference, part, parts = texts.decode(message)
        source, destination = message.source.decode("latin-1"), message.destination.decode("latin-1")
        self._add(
            SubmitLine(
                *at, connection, "submit_sm", number, source, destination, text, message_id.decode("ascii"), answer,
                part, parts, reference,
            )
        )  # fmt: skip

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            self._file.write(self._encode(self._lines))
            self._lines.clear()

    def close(self) -> None:
        """Write what waits and close the file."""
        self.flush()
        self._file.close()

    def _add(self, line: PduLine | SubmitLine) -> None:
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
