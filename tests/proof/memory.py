"""
Memory over a dispatch of a million messages: `python -m tests.proof.memory [COUNT]`.

Prints the memory of each process at every hundred thousand messages, while filling and while
sending, and at the end how far the largest strays from the first.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from penstock.prove.processes import Process
from tests.harness.client import Client
from tests.harness.programs import Serve, running_serve, running_smsc
from tests.harness.waiting import until

STEP = 100_000
MIB = 2**20
FILLS_AT_ONCE = 4


def main() -> None:
    """Fill, send, and look now and then."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("count", type=int, nargs="?", default=1_000_000, help="messages in the dispatch")
    options.add_argument("--claim-limit", type=int, default=1_000, help="messages claimed for each connection")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), given.count, given.claim_limit))


async def measure(folder: Path, count: int, claim_limit: int) -> None:
    """Send *count* messages and print a table."""
    async with (
        running_smsc(folder, "--latency", "5", "--dlr-delay", "50") as smsc,
        running_serve(folder, smsc.port, claim_limit=claim_limit) as serve,
    ):
        table = Table(serve)
        dispatch_id = await serve.client.create(content="Hello {name}, your order is ready")
        began = time.monotonic()
        for done in range(0, count, STEP):
            await fill(serve.client, dispatch_id, range(done, min(done + STEP, count)))
            table.look("filled", min(done + STEP, count))
        filled = time.monotonic() - began
        await serve.client.start(dispatch_id)
        began = time.monotonic()
        for wanted in range(STEP, count + STEP, STEP):
            wanted = min(wanted, count)  # noqa: PLW2901 - the last step may be shorter

            async def has_come(wanted: int = wanted) -> bool:
                counts = await serve.client.counts(dispatch_id)
                return counts["delivered"] + counts["undelivered"] >= wanted

            await until(has_come, what=f"{wanted} delivered", seconds=600)
            table.look("delivered", wanted)
        table.end()
        sent = time.monotonic() - began
        print(f"filled {count / filled:,.0f} a second, sent and delivered {count / sent:,.0f} a second")  # noqa: T201


async def fill(client: Client, dispatch_id: int, numbers: range) -> None:
    """Put messages into a dispatch, some requests at a time."""
    gate = asyncio.Semaphore(FILLS_AT_ONCE)

    async def put(some: range) -> None:
        entries = [
            {"destination": str(79_000_000_000 + number), "substitutions": {"name": f"customer {number}"}}
            for number in some
        ]
        async with gate:
            await client.ask_ok("POST", f"/api/v1/dispatch/{dispatch_id}/messages", json=entries)

    await asyncio.gather(*(put(numbers[at : at + 1000]) for at in range(0, len(numbers), 1000)))


class Table:
    """Memory of each process over time."""

    def __init__(self, serve: Serve) -> None:
        self._processes: dict[str, Process] = {
            **{f"api {number}": process for number, process in enumerate(serve.apis())},
            **{f"sender {number}": process for number, process in enumerate(serve.senders())},
        }
        self._rows: list[dict[str, int]] = []
        self._say("", 0, list(self._processes))

    def look(self, what: str, count: int) -> None:
        """Print a line."""
        row = {name: process.rss for name, process in self._processes.items()}
        self._rows.append(row)
        self._say(what, count, [f"{size / MIB:.1f}" for size in row.values()])

    def end(self) -> None:
        """Print how much each process has grown since the first line, and since the middle."""
        middle = self._rows[len(self._rows) // 2]
        for name, first in self._rows[0].items():
            sizes = [row[name] for row in self._rows]
            grown = (sizes[-1] - middle[name]) / MIB
            print(  # noqa: T201
                f"{name}: {first / MIB:.1f} MiB first, {max(sizes) / MIB:.1f} most, {grown:+.1f} since the middle"
            )

    @staticmethod
    def _say(what: str, count: int, cells: list[str]) -> None:
        print(f"{what:>10} {count:>10,} " + " ".join(f"{cell:>10}" for cell in cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
