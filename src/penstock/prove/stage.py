"""
A carrier and a server as processes, with the doors through which a proof does harm.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from penstock.app import GATE_OFF
from penstock.prove.calls import Server
from penstock.prove.parts import Parts
from penstock.prove.programs import Program, running
from penstock.prove.serving import Served, serving
from penstock.prove.wirelog import WireLog

#: Seconds that a sender waits for an answer: a stop waits for lost ones as long.
RESPONSE_TIMEOUT = 3.0
WINDOW = 100
#: Seconds to an answer of the carrier when nothing is wrong: any number between these two.
LATENCY = (0.0, 0.02)
_API_WORKERS = 2
_ANSWER_SECONDS = 10.0


class Shape(NamedTuple):
    """How the server is set up."""

    senders: int
    connections: int  #: of each sender
    claim_limit: int = 400  #: messages that each connection may have in hand
    gate_off: bool = False  #: let the senders not look at their gate, to see the proof fail


class StageFailed(Exception):
    """What a proof stands on gave way."""


class CarrierDisobeyed(StageFailed):
    """The simulator did not do what it was told."""


class Stage:
    """A running server on a running carrier."""

    def __init__(self, carrier: Program, served: Served, wire: WireLog, shape: Shape) -> None:
        self.wire = wire
        self.shape = shape
        self.parts = Parts(served.program, served.data)
        self._carrier = carrier
        self._telling = asyncio.Lock()
        self._latencies: list[tuple[float, float]] = []
        self.server = Server(served.program.ready, served.key)

    @property
    def api_workers(self) -> int:
        """How many API processes there should be."""
        return _API_WORKERS

    async def tell_carrier(self, **change: object) -> str:
        """Change how the carrier behaves and return what it says."""
        async with self._telling:
            await self._carrier.write_line(msgspec.json.encode(change))
            answer = await self._carrier.read_line(_ANSWER_SECONDS)
        if not answer.startswith("done"):
            raise CarrierDisobeyed(f"told {change}, the carrier said {answer!r}")
        return answer.strip()

    async def slow_down(self, latency: tuple[float, float]) -> None:
        """Let the carrier take its time, until `speed_up`; of several wishes the slowest counts."""
        self._latencies.append(latency)
        await self._tell_latency()

    async def speed_up(self, latency: tuple[float, float]) -> None:
        """Take back a wish to slow down."""
        self._latencies.remove(latency)
        await self._tell_latency()

    async def _tell_latency(self) -> None:
        slowest = max(self._latencies, key=lambda latency: latency[1], default=LATENCY)
        await self.tell_carrier(latency=slowest)


@contextlib.asynccontextmanager
async def staged(home: Path, shape: Shape, seed: int) -> AsyncIterator[Stage]:
    """Run a carrier and a server with their files in *home*."""
    wire = home / "wire.jsonl"
    latency = "-".join(f"{seconds * 1000:g}" for seconds in LATENCY)
    smsc = ("smsc", "--port", "0", "--log", str(wire), "--latency", latency, "--seed", str(seed), "--commands")
    async with running(*smsc, said=home / "smsc.log") as carrier:
        settings = {
            "name": "prove",
            "window": WINDOW,
            "connections": shape.connections,
            "response_timeout": RESPONSE_TIMEOUT,
        }
        environment = {GATE_OFF: "1"} if shape.gate_off else {}
        async with serving(
            home, carrier.ready, settings, environment=environment,
            senders=shape.senders, api_workers=_API_WORKERS, claim_limit=shape.claim_limit,
        ) as served:  # fmt: skip
            yield Stage(carrier, served, WireLog(wire), shape)
