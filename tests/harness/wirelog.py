"""
Waiting for what a wire log shows.
"""

from penstock.prove import wirelog
from tests.harness.waiting import until_true


class WireLog(wirelog.WireLog):
    """A wire log that can be waited for."""

    async def wait_for(self, numbers: range, count: int, *, seconds: float = 30.0) -> None:
        """Wait until *count* messages to these destinations have come."""
        await until_true(lambda: len(self.of(numbers)) >= count, what=f"{count} messages on the wire", seconds=seconds)

    async def wait_to_show(self, numbers: set[int]) -> None:
        """Wait until the log, which is written a little later, shows all these destinations."""
        await until_true(lambda: numbers <= {one.destination for one in self.read()}, what="the wire log", seconds=5)
