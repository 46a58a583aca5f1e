"""
What a carrier saw, read from the wire log of `penstock smsc`: the only witness of what has left.

A destination names its message: whoever reads gives each dispatch numbers of its own.
"""

import enum
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

import msgspec


class Answer(enum.StrEnum):
    """What the carrier did with a submit_sm."""

    ACCEPTED = "accepted"
    THROTTLED = "throttled"  #: not taken; it will be sent again
    REFUSED = "refused"
    LOST = "lost"  #: taken, and never answered


class Submit(msgspec.Struct, frozen=True, gc=False):
    """One submit_sm as it came in."""

    mono: float  #: CLOCK_MONOTONIC of this machine when it arrived
    destination: int
    answer: Answer
    connection: int
    part: int


class _Line(msgspec.Struct, gc=False):
    """What we want to know of a line of the log; a submit_sm that came after its unbind has no destination."""

    command: str
    mono: float
    connection: int = 0
    destination: str = ""
    answer: Answer = Answer.ACCEPTED
    part: int = 1
    system_id: str = ""


_DECODER = msgspec.json.Decoder(_Line)


class WireLog:
    """Reads a wire log as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._tail = b""
        self.submits: list[Submit] = []
        self.accounts: dict[int, str] = {}  #: the system_id that each connection was bound with

    def read_on(self) -> list[Submit]:
        """Read on to the present end and return what is new."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        self._position += len(data)
        whole, newline, self._tail = (self._tail + data).rpartition(b"\n")
        lines = _DECODER.decode_lines(whole + newline)
        self.accounts.update((line.connection, line.system_id) for line in lines if line.system_id)
        new = [
            Submit(line.mono, int(line.destination), line.answer, line.connection, line.part)
            for line in lines
            if line.command == "submit_sm" and line.destination
        ]
        self.submits += new
        return new

    def read(self) -> list[Submit]:
        """Read on to the present end and return all that was submitted so far."""
        self.read_on()
        return self.submits

    def of(self, numbers: Container[int]) -> list[Submit]:
        """Return what was taken of these destinations so far: throttled ones were not."""
        return taken(one for one in self.read() if one.destination in numbers)


def taken(submits: Iterable[Submit]) -> list[Submit]:
    """Return what the carrier took, whatever it answered; what it throttled is sent again."""
    return [one for one in submits if one.answer is not Answer.THROTTLED]


def duplicates(submits: Sequence[Submit]) -> list[int]:
    """Return the destinations to which the same part of a message was submitted more than once."""
    counted = Counter((one.destination, one.part) for one in submits)
    return sorted({destination for (destination, _), count in counted.items() if count > 1})


def after(submits: Sequence[Submit], instant: float) -> list[Submit]:
    """Return what came after an instant of CLOCK_MONOTONIC."""
    return [one for one in submits if one.mono > instant]
