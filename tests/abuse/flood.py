"""
A flood of wrong credentials against the installed program, measured: ``python -m tests.abuse.flood``.

The attackers come from 127.0.0.2, a good client asks from 127.0.0.1 and, as from behind the same
proxy, from 127.0.0.2.  Printed are the answers a second, the processor time of the API process for
each, and how long the good client waited, alone and in the flood.
"""

import asyncio
import base64
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.harness.programs import Serve, running_serve, running_smsc

ATTACKERS = 50
SECONDS = 5.0
_PATH = "/api/v1/dispatch?per_page=1"
_CHANCE = random.Random(1)


def malformed() -> str:
    """Return what is not a key at all."""
    return _CHANCE.randbytes(30).hex()


def unknown() -> str:
    """Return a key that nobody was given."""
    return base64.b64encode(f"{_CHANCE.randrange(10**6, 10**12)}:{_CHANCE.randbytes(32).hex()}".encode()).decode()


def wrong_secret() -> str:
    """Return a guess at a key that exists."""
    return base64.b64encode(f"100001:{_CHANCE.randbytes(32).hex()}".encode()).decode()


GUESSES = {guess.__name__: guess for guess in (malformed, unknown, wrong_secret)}


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> int:
    """Ask once with *key* and return the status."""
    writer.write(f"GET {_PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {key}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])


async def attack(port: int, guess: Callable[[], str], until: float, statuses: Counter[int]) -> None:
    """Guess again and again on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
    while time.monotonic() < until:
        statuses[await ask(reader, writer, guess())] += 1
    writer.close()


async def flood(port: int, name: str, seconds: float) -> Counter[int]:
    """Let a process of its own attack, so that it is not what a good client waits for; returns the answers."""
    if name not in GUESSES:
        return Counter()
    arguments = ("-m", "tests.abuse.flood", name, str(port), str(seconds))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return Counter({int(status): count for status, count in json.loads(said).items()})


async def attack_from_here(name: str, port: int, seconds: float) -> None:
    """Be that process."""
    statuses: Counter[int] = Counter()
    until = time.monotonic() + seconds
    await asyncio.gather(*(attack(port, GUESSES[name], until, statuses) for _ in range(ATTACKERS)))
    print(json.dumps(statuses))  # noqa: T201 - for `flood`


async def wait_times(port: int, key: str, address: str, until: float) -> list[float]:
    """Ask every hundredth of a second with a good key; returns how long each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    times = []
    while time.monotonic() < until:
        asked_at = time.monotonic()
        status = await ask(reader, writer, key)
        assert status == 200, status
        times.append(time.monotonic() - asked_at)
        await asyncio.sleep(0.01)
    writer.close()
    return sorted(times)


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(serve: Serve, key: str, guess: Callable[[], str] | None, seconds: float = SECONDS) -> str:
    """Flood for some *seconds* and return what was seen as one line."""
    port = int(serve.program.ready.rpartition(":")[2])
    pid = serve.apis()[0].pid
    name = "none" if guess is None else guess.__name__
    before = processor_seconds(pid)
    flooding = asyncio.create_task(flood(port, name, seconds))
    until = time.monotonic() + seconds
    near, far = await asyncio.gather(
        wait_times(port, key, "127.0.0.2", until), wait_times(port, key, "127.0.0.1", until)
    )
    statuses = await flooding
    spent = processor_seconds(pid) - before
    each = f"{spent / max(1, statuses.total()) * 1e6:4.0f} µs each" if statuses else " " * 12
    told = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    waits = "; ".join(
        f"{place} p50 {times[len(times) // 2] * 1000:.1f} p99 {times[len(times) * 99 // 100] * 1000:.1f} ms"
        for place, times in (("behind the same address", near), ("elsewhere", far))
    )
    return f"{name:13} {statuses.total() / seconds:7.0f}/s  {each}  {waits}  {told}"


async def main() -> None:
    """Measure each kind of guess and print a line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_smsc(folder) as smsc, running_serve(folder, smsc.port, senders=1) as serve:
            key = serve.client._session.headers["Authorization"].split()[1]
            for guess in itertools.chain([None], GUESSES.values()):
                print(await measure(serve, key, guess))  # noqa: T201 - that is what it is for
                sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(attack_from_here(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    else:
        asyncio.run(main())
