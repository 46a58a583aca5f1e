"""
Measure Penstock and its peers in turns, and print a table: `python -m tests.bench.peers --help`.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop
from rich.console import Console

from tests.bench.peers import jasmin, kannel, penstock, queues
from tests.bench.peers.peer import Way
from tests.bench.peers.programs import DidNotStart
from tests.bench.peers.run import Bounds, Losses, Speed, measure_losses, measure_speed
from tests.bench.peers.table import Results, as_markdown, as_tables

_WAYS = {way.name: way for way in [*penstock.WAYS, *kannel.WAYS, *jasmin.WAYS, *queues.WAYS]}
#: Kannel's other durable store is slower, and so it is measured only when asked for.
_USUAL = [name for name in _WAYS if name != "kannel-spool"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="times that each way is measured, in turns")
    parser.add_argument("--ways", nargs="+", choices=list(_WAYS), default=_USUAL, help="what to measure")
    parser.add_argument("--share", type=float, default=1.0, help="share of the usual numbers of messages")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="the longest that a load is given, and waited for after that"
    )
    parser.add_argument("--connections", type=int, default=2, help="binds to the carrier, where it can be set")
    parser.add_argument("--window", type=int, default=500, help="unanswered messages on each, where it can be set")
    parser.add_argument("--kills", type=int, default=3, help="kill -9 in the run that counts losses; 0: no such run")
    parser.add_argument("--quick", action="store_true", help="one run each, a fifth of the messages, one kill")
    parser.add_argument("--markdown", type=Path, help="file to write the tables to")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(runs=1, share=0.2, kills=min(options.kills, 1))
    return options


async def _measure(options: argparse.Namespace, home: Path, console: Console) -> Results:
    bounds = Bounds(options.connections, options.window, options.seconds, options.kills, patience=30.0)
    ways = [_WAYS[name] for name in options.ways]
    speeds: dict[str, list[Speed]] = {way.name: [] for way in ways}
    losses: dict[str, Losses] = {}
    failed: dict[str, str] = {}
    for number in range(1, options.runs + 1):
        for way in ways:
            with _folder(home) as folder, _noting(way, failed, console):
                speed = await measure_speed(way, folder, bounds, max(100, int(way.count * options.share)))
                speeds[way.name].append(speed)
                console.print(f"run {number}: {way.title}: {speed.submitted:,.0f} messages a second", highlight=False)
    for way in ways:
        if options.kills and way.killed:
            with _folder(home) as folder, _noting(way, failed, console):
                loss = await measure_losses(way, folder, bounds, max(100, int(way.killed * options.share)))
                losses[way.name] = loss
                console.print(f"killed: {way.title}: {loss.lost:,} lost, {loss.doubled:,} doubled", highlight=False)
    return Results(ways, speeds, losses, failed)


@contextlib.contextmanager
def _noting(way: Way, failed: dict[str, str], console: Console) -> Iterator[None]:
    """Let the others go on when one does not run, and say so in the end."""
    try:
        yield
    except (DidNotStart, AssertionError, OSError, TimeoutError) as error:
        failed[way.name] = f"{way.title}: {error}"
        console.print(f"failed: {failed[way.name]}", highlight=False, markup=False)


@contextlib.contextmanager
def _folder(home: Path) -> Iterator[Path]:
    """Make a folder for one run, and delete it after it."""
    folder = Path(tempfile.mkdtemp(dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(options: argparse.Namespace, home: Path) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        # What was started is stopped by the contexts that are left.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    console = Console(stderr=True)
    began = time.monotonic()
    results = await _measure(options, home, console)
    note = (
        f"{options.runs} runs in turns, {options.connections} connections with a window of {options.window}; "
        f"{_machine()}; {time.strftime('%Y-%m-%d')}; {(time.monotonic() - began) / 60:.0f} minutes in all"
    )
    Console(width=None if sys.stdout.isatty() else 180).print(*as_tables(results, note))
    if options.markdown:
        options.markdown.write_text(as_markdown(results, note), encoding="utf-8")
    return 1 if results.failed else 0


def _machine() -> str:
    """Describe this machine in a few words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GB, Linux {platform.release().split('-')[0]}"


def main() -> int:
    """Measure in a directory that is gone afterwards."""
    options = _options()
    home = Path(tempfile.mkdtemp(prefix="penstock-peers-"))
    try:
        return uvloop.run(_run(options, home))
    except asyncio.CancelledError:
        return 130
    finally:
        shutil.rmtree(home, ignore_errors=True)


sys.exit(main())
