"""
One run: a fresh carrier, a fresh peer, a load, and what came of it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from penstock.prove.programs import running
from tests.bench.peers.peer import Line, Peer, Way
from tests.bench.peers.watch import Memory, Wire, cpu_of

_FIRST = 79_000_000_000
_WARM = 0.02  #: share of the messages that is sent before, unmeasured
_QUIET = 5.0  #: seconds without a PDU after which nothing more is expected
_DLR_DELAY = "500"  #: milliseconds to a receipt, which never comes together with the answer
_KILL_LATENCY = "20"  #: milliseconds; so that much is outstanding whenever a kill comes


class Speed(NamedTuple):
    """How fast a peer was, in messages a second counted from the first request, and what it took."""

    accepted: float  #: until the last answer
    submitted: float  #: until the last submit_sm was on the wire
    receipted: float  #: until the last receipt was acknowledged
    cpu: float  #: seconds per million messages
    peak_mb: float
    missing: int  #: accepted, and not on the wire within the time of the run
    generator: float  #: CPU seconds per million messages of the load


class Losses(NamedTuple):
    """What became of messages while a peer was killed again and again."""

    kills: int
    accepted: int
    refused: int  #: requests
    lost: int  #: accepted, never on the wire, and nobody says so
    named: int  #: accepted, never on the wire, and named as in doubt by the program itself
    doubled: int  #: more than once on the wire


class Bounds(NamedTuple):
    """What holds for all runs."""

    connections: int
    window: int
    seconds: float  #: the longest that a measured load is given, and waited for after that
    kills: int
    patience: float  #: seconds to wait for messages after the last restart


async def measure_speed(way: Way, folder: Path, bounds: Bounds, count: int) -> Speed:
    """Send *count* messages one *way* and measure it."""
    async with _stage(way, folder, bounds, latency="0") as (peer, wire):
        warm = range(_FIRST, _FIRST + max(10, int(count * _WARM)))
        deadline = time.monotonic() + bounds.seconds
        await peer.offer(warm, deadline)
        await wire.wait(len(warm), len(warm), quiet=_QUIET, deadline=deadline)
        submits, acknowledged = wire.submits, wire.acknowledged
        numbers = range(warm.stop, warm.stop + count)
        async with Memory(lambda: peer.roots) as memory, asyncio.timeout(4 * bounds.seconds):
            own, spent, began = time.process_time(), cpu_of(peer.roots), time.monotonic()
            offered = await peer.offer(numbers, began + bounds.seconds)
            used = time.process_time() - own
            deadline = time.monotonic() + bounds.seconds
            await wire.wait(submits + count, acknowledged + count, quiet=_QUIET, deadline=deadline)
            spent = cpu_of(peer.roots) - spent
    seen = wire.read(numbers, began)
    sent = len(seen.times)
    return Speed(
        len(offered.accepted) / offered.took if offered.took else 0.0,
        sent / (seen.last_at - began) if sent else 0.0,
        seen.acknowledged / (seen.acknowledged_at - began) if seen.acknowledged else 0.0,
        spent * 1e6 / max(1, sent),
        memory.peak_mb,
        len(set(offered.accepted) - seen.times.keys()),
        used * 1e6 / max(1, sent),
    )


async def measure_losses(way: Way, folder: Path, bounds: Bounds, count: int) -> Losses:
    """Send *count* messages one *way*, and kill what sends them again and again meanwhile."""
    numbers = range(_FIRST, _FIRST + count)
    async with _stage(way, folder, bounds, latency=_KILL_LATENCY) as (peer, wire):
        began = time.monotonic()
        deadline = began + bounds.seconds * (bounds.kills + 2)
        offering = asyncio.create_task(peer.offer(numbers, deadline))
        try:
            kills = await _kill(peer, wire, count, bounds, deadline)
            offered = await offering
        finally:
            offering.cancel()
        # More than can come: what is waited for is quiet.
        await wire.wait(10 * count, 0, quiet=bounds.patience, deadline=time.monotonic() + bounds.seconds * 10)
        seen = wire.read(numbers, began)
        missing = set(offered.accepted) - seen.times.keys()
        named = await peer.named(sorted(missing)) if missing else set()
    doubled = sum(times > 1 for times in seen.times.values())
    return Losses(kills, len(offered.accepted), offered.refused, len(missing - named), len(named), doubled)


async def _kill(peer: Peer, wire: Wire, count: int, bounds: Bounds, deadline: float) -> int:
    """Kill a peer each time that so many more messages have been sent; return how often that could be done."""
    for number in range(1, bounds.kills + 1):
        wanted = count * number // (bounds.kills + 2)
        await wire.wait(wanted, 0, quiet=bounds.patience, deadline=deadline)
        if wire.submits < wanted:
            return number - 1
        await peer.kill()
        await peer.restart()
    return bounds.kills


@contextlib.asynccontextmanager
async def _stage(way: Way, folder: Path, bounds: Bounds, *, latency: str) -> AsyncIterator[tuple[Peer, Wire]]:
    """Run a carrier and a peer, with files in *folder*."""
    log = folder / "wire.jsonl"
    home = folder / "peer"
    home.mkdir()
    smsc = ["smsc", "--port", "0", "--latency", latency, "--dlr", "1", "--dlr-delay", _DLR_DELAY, "--log", str(log)]
    async with running(*smsc, said=folder / "smsc.log") as carrier:
        host, _, port = carrier.ready.rpartition(":")
        async with way.open(home, Line(host, int(port), bounds.connections, bounds.window)) as peer:
            yield peer, Wire(log)
