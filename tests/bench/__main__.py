"""
Measure and print a table: `python -m tests.bench --help`.
"""

import argparse
import asyncio
import math
import shutil
import statistics
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import measures
from tests.bench.burden import burdened
from tests.bench.histogram import draw
from tests.bench.stand import Shape, Stand, stand
from tests.bench.usage import usage_below


class _Line(msgspec.Struct):
    """What is needed of a line of the wire log."""

    command: str
    mono: float
    destination: str = ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="times that fill, send and singles are measured")
    parser.add_argument("--size", type=int, default=200_000, help="messages of the dispatch to fill and send")
    parser.add_argument("--singles", type=int, default=20_000, help="messages posted one by one")
    parser.add_argument("--at-once", type=int, default=64, help="connections that post them")
    parser.add_argument("--stops", type=int, default=200)
    parser.add_argument("--busy-stops", type=int, default=50, help="stops while the API is filled and PostgreSQL busy")
    parser.add_argument("--stop-size", type=int, default=30_000, help="messages of each dispatch to stop")
    parser.add_argument("--codes", type=int, default=500, help="one-time codes while a huge dispatch is sent")
    parser.add_argument("--huge", type=int, default=300_000, help="messages of that dispatch")
    parser.add_argument("--senders", type=int, default=1)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--window", type=int, default=100, help="unanswered submit_sm on each")
    parser.add_argument("--markdown", type=Path, help="file to write the table and the histograms to")
    parser.add_argument("--quick", action="store_true", help="small sizes, under a minute")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(
            runs=1, size=100_000, singles=5_000, stops=10, busy_stops=5, stop_size=20_000, codes=50, huge=100_000
        )
    return options


async def _throughput(here: Stand, options: argparse.Namespace, table: Table) -> None:
    bulks = [await measures.bulk(here, options.size) for _ in range(options.runs)]
    posts = [await measures.singles(here, options.singles, options.at_once) for _ in range(options.runs)]
    size = f"{options.size:,} messages"
    table.add_row("fill, 1,000 a request", f"{_median(one.fill_rate for one in bulks):,.0f} msg/s", size)
    table.add_row(
        "send until all are delivered and recorded", f"{_median(one.send_rate for one in bulks):,.0f} msg/s", size
    )
    table.add_row(
        "single messages, durable", f"{_median(one.rate for one in posts):,.0f} /s", f"{options.at_once} connections"
    )
    for what, used in (
        ("fill", [one.fill_cpu for one in bulks]),
        ("send", [one.send_cpu for one in bulks]),
        ("single messages", [one.cpu for one in posts]),
    ):
        names = sorted({name for one in used for name in one})
        seconds = {name: _median(one.get(name, 0.0) for one in used) for name in names}
        parts = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if value >= 0.05)
        table.add_row(f"CPU seconds per million, {what}", f"{sum(seconds.values()):.1f}", parts)
    _add_memory(here, table)


class _Latencies(NamedTuple):
    """What was asked while the wire log was written."""

    stops: list[measures.Stop]
    busy: list[measures.Stop]
    posted: list[measures.Code]
    meanwhile: int  #: adverts that left while the codes were posted


async def _latencies(here: Stand, options: argparse.Namespace) -> _Latencies:
    posted, meanwhile = await measures.codes(here, options.codes, options.huge, 0.02)
    stops = await measures.stops(here, options.stops, options.stop_size)
    async with burdened(here):
        busy = await measures.stops(here, options.busy_stops, options.stop_size)
    return _Latencies(stops, busy, posted, meanwhile)


def _add_memory(here: Stand, table: Table) -> None:
    peaks: dict[str, list[float]] = {}
    for root in (here.server, here.carrier):
        for usage in usage_below(root).values():
            peaks.setdefault(usage.name, []).append(usage.peak_mb)
    for name, values in sorted(peaks.items()):
        table.add_row(f"peak memory, {name}", f"{max(values):.0f} MB", f"largest of {len(values)}")


def _add_latencies(log: Path, seen_by_us: _Latencies, table: Table) -> list[str]:
    """Add what the wire log says to the table; returns the histograms."""
    lines = msgspec.json.Decoder(_Line).decode_lines(log.read_bytes())
    seen = {line.destination: line.mono for line in lines if line.command == "submit_sm"}
    for what, stops in (("stop reply", seen_by_us.stops), ("stop reply, API and PostgreSQL busy", seen_by_us.busy)):
        left = statistics.mean(stop.left for stop in stops)
        late = _late(seen, stops)
        note = f"{len(stops)} stops, carrier 10 ms, {left:,.0f} left of each; after the reply: {late}"
        table.add_row(f"{what}, p50 / p99 / max", _spread([stop.reply for stop in stops]), note)
    posted = seen_by_us.posted
    waits = [seen[code.destination] - code.posted_at for code in posted if code.destination in seen]
    note = f"{len(waits)} of {len(posted)} seen, {seen_by_us.meanwhile:,} adverts meanwhile"
    table.add_row("one-time code to the wire, p50 / p99 / max", _spread(waits), note)
    return [
        draw("Stop, from the request to the reply, at full rate", [stop.reply for stop in seen_by_us.stops]),
        draw("The same while the API is filled and PostgreSQL is busy", [stop.reply for stop in seen_by_us.busy]),
        draw("One-time code, from the POST to the wire, while a huge dispatch is sent", waits),
    ]


def _late(seen: Mapping[str, float], stops: Sequence[measures.Stop]) -> int:
    """Count what came to the wire after the stop of its dispatch was answered."""
    firsts = sorted((stop.first, stop.answered_at) for stop in stops)
    late = 0
    for destination, mono in seen.items():
        at = bisect_right(firsts, (int(destination), math.inf)) - 1
        late += at >= 0 and int(destination) - firsts[at][0] < 1_000_000 and mono > firsts[at][1]
    return late


def _median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def _spread(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[max(0, math.ceil(0.99 * len(ordered)) - 1)]
    return " / ".join(f"{1000 * value:.1f}" for value in (statistics.median(ordered), p99, ordered[-1])) + " ms"


async def bench(options: argparse.Namespace, home: Path) -> tuple[Table, list[str]]:
    """Measure everything with files in *home*; returns a table and histograms."""
    table = Table("what", "measured", "how", title="Penstock on this machine", title_justify="left")
    shape = Shape(options.senders, options.connections, options.window)
    async with stand(home / "throughput", shape, latency=0, logged=False) as here:
        await _throughput(here, options, table)
    async with stand(home / "latency", shape, latency=10, logged=True) as here:
        asked = await _latencies(here, options)
        log = here.log
    return table, _add_latencies(log, asked, table)


def _as_markdown(table: Table, histograms: Sequence[str]) -> str:
    columns = [list(column.cells) for column in table.columns]
    rows = [[str(column.header) for column in table.columns], ["---"] * len(columns), *zip(*columns, strict=True)]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([*lines, "", str(table.caption), "", "```", "\n\n".join(histograms), "```", ""])


def main() -> None:
    """Measure in a directory that is gone afterwards."""
    options = _options()
    home = Path(tempfile.mkdtemp(prefix="penstock-bench-"))
    for name in ("throughput", "latency"):
        (home / name).mkdir()
    began = time.monotonic()
    try:
        table, histograms = asyncio.run(bench(options, home))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    table.caption = f"{time.monotonic() - began:.0f} s; rates are medians of {options.runs} runs"
    console = Console()
    console.print(table)
    for histogram in histograms:
        console.print(histogram, end="\n\n")
    if options.markdown is not None:
        options.markdown.write_text(_as_markdown(table, histograms), encoding="utf-8")


main()
