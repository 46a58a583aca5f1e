"""
The installed program as processes: `penstock serve` and, as the carrier, `penstock smsc`.
"""

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from penstock.prove.parts import Parts
from penstock.prove.processes import Process
from penstock.prove.programs import Program, running
from penstock.prove.serving import Served, serving
from tests.harness.client import Client, Dispatch
from tests.harness.waiting import until, until_true
from tests.harness.wirelog import WireLog

PENSTOCK = Path(sys.executable).with_name("penstock")


class Smsc:
    """The carrier."""

    def __init__(self, program: Program, log: WireLog) -> None:
        self.program = program
        self.log = log
        self.port = int(program.ready.rpartition(":")[2])


class Serve:
    """A whole Penstock on one machine."""

    def __init__(self, served: Served) -> None:
        self.program, self.data, key = served
        self.client = Client(self.program.ready, key)
        self._parts = Parts(self.program, self.data)

    def senders(self) -> list[Process]:
        """Return the living sender processes."""
        return self._parts.senders()

    def apis(self) -> list[Process]:
        """Return the living API processes."""
        return self._parts.apis()

    def postmaster(self) -> Process:
        """Return the embedded PostgreSQL's first process."""
        postmaster = self._parts.postmaster()
        assert postmaster is not None
        return postmaster

    async def wait_for_senders(self, count: int, *, without: Process | None = None) -> None:
        """Wait until *count* senders live, *without* not being one of them."""
        await until_true(
            lambda: len([one for one in self.senders() if without is None or one.pid != without.pid]) >= count,
            what=f"{count} senders",
            seconds=20,
        )

    async def wait_for_links(self, count: int) -> None:
        """Wait until *count* connections to carriers are bound."""

        async def connected() -> bool:
            body = await self.client.look(self._probe)
            return sum(channel["connected"] for channel in body["channels"]) >= count

        self._probe = await self.client.create()
        await until(connected, what=f"{count} connections", seconds=20)


@contextlib.asynccontextmanager
async def running_smsc(folder: Path, *options: str) -> AsyncIterator[Smsc]:
    """Run a carrier."""
    log = folder / "wire.log"
    smsc = ("smsc", "--port", "0", "--log", str(log), "--seed", "1", *options)
    async with running(*smsc, said=folder / "smsc.log") as program:
        yield Smsc(program, WireLog(log))


@contextlib.asynccontextmanager
async def running_serve(
    folder: Path, port: int, *, senders: int = 2, connections: int = 2, window: int = 100, claim_limit: int = 1000
) -> AsyncIterator[Serve]:
    """Run a Penstock whose carrier listens on *port*; the same *folder* again goes on where the last one ended."""
    carrier = {"name": "main", "window": window, "connections": connections, "response_timeout": 3.0}
    address = f"127.0.0.1:{port}"
    async with serving(folder, address, carrier, senders=senders, claim_limit=claim_limit) as served:
        serve = Serve(served)
        try:
            await serve.wait_for_links(senders * connections)
            yield serve
        finally:
            await serve.client.close()


@contextlib.asynccontextmanager
async def sending(
    folder: Path, size: int, seen: int, *, latency: str, **options: int
) -> AsyncIterator[tuple[Smsc, Serve, Dispatch]]:
    """
    Run a Penstock in the middle of a dispatch of *size* messages, of which *seen* are on the wire.

    The carrier answers within *latency* milliseconds; *options* are those of `running_serve`.
    """
    async with (
        running_smsc(folder, "--latency", latency) as smsc,
        running_serve(folder, smsc.port, **options) as serve,
    ):
        dispatch = await serve.client.begin(size)
        await smsc.log.wait_for(dispatch.numbers, seen)
        yield smsc, serve, dispatch
