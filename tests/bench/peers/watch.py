"""
What a run is judged by: the carrier's wire log, and what /proc says of the peer's processes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from tests.bench.usage import usage_below

_LOOK = 0.05  #: seconds between looks at the log
_SAMPLE = 0.5  #: seconds between looks at the memory


class _Pdu(msgspec.Struct):
    """What is needed of a line of the wire log."""

    command: str
    mono: float
    destination: str = ""


class Seen(NamedTuple):
    """What a carrier saw of some destinations."""

    last_at: float  #: monotonic, of the last submit_sm; 0 when there was none
    times: Counter[int]  #: submit_sm by destination
    acknowledged_at: float  #: monotonic, of the last deliver_sm_resp; 0 when there was none
    acknowledged: int


class Wire:
    """A wire log that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self.submits = 0
        self.acknowledged = 0
        self._tail = b""

    def count(self) -> None:
        """Count on to the present end, by the names of the PDUs alone: it must cost next to nothing."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        self._position += len(data)
        data = self._tail + data
        end = data.rfind(b"\n") + 1
        self._tail = data[end:]
        self.submits += data.count(b'"command":"submit_sm"', 0, end)
        self.acknowledged += data.count(b'"command":"deliver_sm_resp"', 0, end)

    async def wait(self, submits: int, acknowledged: int, *, quiet: float, deadline: float) -> None:
        """Wait for so many PDUs since the beginning, until nothing has come for *quiet* seconds, or a deadline."""
        last, changed = (-1, -1), time.monotonic()
        while True:
            self.count()
            now = time.monotonic()
            if self.submits >= submits and self.acknowledged >= acknowledged:
                return
            if (self.submits, self.acknowledged) != last:
                last, changed = (self.submits, self.acknowledged), now
            if now - changed > quiet or now > deadline:
                return
            await asyncio.sleep(_LOOK)

    def read(self, numbers: range, since: float) -> Seen:
        """Read all of it, and return what was seen of these destinations."""
        times: Counter[int] = Counter()
        last_at = acknowledged_at = 0.0
        acknowledged = 0
        data = self._path.read_bytes()
        for pdu in msgspec.json.Decoder(_Pdu).decode_lines(data[: data.rfind(b"\n") + 1]):
            if pdu.command == "submit_sm" and int(pdu.destination or 0) in numbers:
                times[int(pdu.destination)] += 1
                last_at = max(last_at, pdu.mono)
            elif pdu.command == "deliver_sm_resp" and pdu.mono >= since:
                acknowledged += 1
                acknowledged_at = max(acknowledged_at, pdu.mono)
        return Seen(last_at, times, acknowledged_at, acknowledged)


def cpu_of(roots: Sequence[int]) -> float:
    """Return the CPU seconds so far of these processes and all below them."""
    return sum(usage.cpu for root in roots for usage in usage_below(root).values())


class Memory:
    """Looks now and then how much memory a peer holds, shared pages counted once; keeps the most."""

    def __init__(self, roots: Callable[[], Sequence[int]]) -> None:
        self._roots = roots
        self._looking: asyncio.Task[None] | None = None
        self.peak_mb = 0.0

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            self._looking.cancel()

    async def _run(self) -> None:
        while True:
            pids = {pid for root in self._roots() for pid in usage_below(root)}
            self.peak_mb = max(self.peak_mb, sum(map(_proportional_mb, pids)))
            await asyncio.sleep(_SAMPLE)


def _proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024
