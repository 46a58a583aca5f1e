"""
What an SMSC saw, read from its wire log: the only witness of what has left.

A destination names its message: each dispatch of a test has numbers of its own, in the order of
the fill.
"""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.harness.waiting import until_true


class Submit(NamedTuple):
    """One submit_sm as it came in."""

    mono: float  #: CLOCK_MONOTONIC of this machine
    destination: int
    answer: str  #: "accepted", "throttled", "refused" or "lost"
    connection: int
    part: int


class WireLog:
    """Reads a wire log as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._tail = b""
        self.submits: list[Submit] = []

    def read(self) -> list[Submit]:
        """Read on to the present end and return all that was submitted so far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
            self._position += len(data)
            *lines, self._tail = (self._tail + data).split(b"\n")
            for line in lines:
                pdu = json.loads(line)
                # One that came after its connection was closed was not even looked at.
                if pdu["command"] == "submit_sm" and "destination" in pdu:
                    self.submits.append(
                        Submit(
                            pdu["mono"], int(pdu["destination"]), pdu["answer"], pdu["connection"], pdu.get("part", 1)
                        )
                    )
        return self.submits

    def of(self, numbers: range) -> list[Submit]:
        """Return what was taken of these destinations so far: throttled ones were not."""
        return [one for one in self.read() if one.destination in numbers and one.answer != "throttled"]

    async def wait_for(self, numbers: range, count: int, *, seconds: float = 30.0) -> None:
        """Wait until *count* messages to these destinations have come."""
        await until_true(lambda: len(self.of(numbers)) >= count, what=f"{count} messages on the wire", seconds=seconds)

    async def wait_to_show(self, numbers: set[int]) -> None:
        """Wait until the log, which is written a little later, shows all these destinations."""
        await until_true(lambda: numbers <= {one.destination for one in self.read()}, what="the wire log", seconds=5)


def duplicates(submits: list[Submit]) -> list[int]:
    """Return the destinations that were submitted more than once."""
    return [number for number, count in Counter(one.destination for one in submits).items() if count > 1]


def after(submits: list[Submit], instant: float) -> list[Submit]:
    """Return what came after an instant of CLOCK_MONOTONIC."""
    return [one for one in submits if one.mono > instant]
