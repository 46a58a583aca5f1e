"""
Growth: the same operations on ten thousand messages and on ten million: `python -m tests.bench.growth --help`.

Three installations one after another: one small dispatch; one huge dispatch; a huge number of
dispatches, all being sent at once.  In each the same is asked for, and the table shows the ratio.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from penstock.engine.retention import Retention
from penstock.store.database import Database
from penstock.store.embedded import connect_or_start
from tests.bench import growth_tables
from tests.bench.growth_measures import RUN_UP, Client, resident
from tests.bench.growth_store import Store, looking
from tests.bench.growth_tables import HUGE, MANY, SMALL, Case
from tests.bench.stand import Shape, stand

_LATENCY = 10  #: milliseconds in which the carrier answers
_DAYS = 1  #: of retention, at the end
#: Messages needed for each that leaves before a halt: more leave until it is looked at, and the last needs some left.
_SPARE = 2.5


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="messages of the small dispatch and of each probe")
    parser.add_argument("--huge", type=int, default=10_000_000, help="messages of the huge dispatch")
    parser.add_argument("--dispatches", type=int, default=10_000, help="dispatches of the third installation")
    parser.add_argument("--each", type=int, default=1_000, help="messages of each of them")
    parser.add_argument(
        "--send", type=int, default=1_000_000,
        help="messages sent of each large installation, at least; as many as it has: all, and it is not stopped",
    )  # fmt: skip
    parser.add_argument("--probes", type=int, default=20, help="dispatches taken from creation to stop, for times")
    parser.add_argument("--asks", type=int, default=50, help="requests of each kind, for times")
    parser.add_argument("--cases", nargs="+", choices=(SMALL, HUGE, MANY), default=[SMALL, HUGE, MANY])
    parser.add_argument("--markdown", type=Path, help="file for the tables as Markdown")
    parser.add_argument("--quick", action="store_true", help="small sizes, for a look at whether it works")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(huge=300_000, dispatches=300, send=60_000, probes=3, asks=10)
    left = options.huge - min(options.send, options.huge * 9 // 10)
    for what, given, needed in (
        ("--small", options.small, int(_SPARE * 2 * RUN_UP)),
        ("--huge less what is sent before its pauses", left, int(_SPARE * options.probes * RUN_UP)),
    ):
        if given < needed:
            parser.error(f"{what}: {given:,} messages, expected at least {needed:,}; each halt comes after {RUN_UP:,}")
    return options


async def measure(case: Case, options: argparse.Namespace, home: Path) -> None:
    """Measure one installation with files in *home*."""
    shape = Shape(senders=1, connections=2, window=500)
    async with (
        stand(home, shape, latency=_LATENCY, logged=False) as here,
        Client.open(here) as client,
        connect_or_start(home / "data") as dsn,
        looking(dsn) as store,
    ):
        case.times = client.times
        if case.name == SMALL:
            dispatch_ids = [await client.probe(case.each) for _ in range(options.probes)]
            case.costs["at rest"] = await store.costs()
        else:
            dispatch_ids = await _fill(case, client, store)
            await (_send_one if case.dispatches == 1 else _send_many)(case, client, store, dispatch_ids, options)
        if case.dispatches == 1:
            await client.ask_around(dispatch_ids[-1], case.each, options.asks)
        case.export = await client.export(dispatch_ids[0])
        _say(f"{case.name}: exported {case.export.lines:,} lines")
        if case.name == HUGE:
            client.times = case.beside
            for _ in range(options.probes):
                await client.probe(options.small)
            await _drop(case, client, store, dsn, options)
        case.memory = resident(here.server)


async def _fill(case: Case, client: Client, store: Store) -> list[int]:
    before = await store.sizes(), await store.wal()
    # In the many nothing is to move at first: each sends one message and sleeps.
    rate = {"unit": "d", "value": 1} if case.dispatches > 1 else None
    dispatch_ids = [await client.create("bulk", rate) for _ in range(case.dispatches)]
    case.fill_rates = await client.fill(dispatch_ids, case.each)
    after = await store.sizes(), await store.wal()
    case.filled = _grown(before[0], after[0])
    case.fill_wal = (after[1] - before[1]) / case.messages
    _say(f"{case.name}: filled {case.messages:,}, {_ends(case.fill_rates)} msg/s")
    return dispatch_ids


async def _send_one(
    case: Case, client: Client, store: Store, dispatch_ids: Sequence[int], options: argparse.Namespace
) -> None:
    """Start a dispatch, send a part of it, pause and resume it on the way, and stop it or send the rest."""
    [dispatch_id] = dispatch_ids
    await client.start(dispatch_id)
    await _send(case, store, options)
    case.costs["at work"] = await store.costs()
    for _ in range(options.probes):
        await client.halt_for_a_moment(dispatch_id)
    if options.send < case.messages:
        await client.stop(dispatch_id)
    else:
        await _send_rest(case, store)


async def _send_many(
    case: Case, client: Client, store: Store, dispatch_ids: Sequence[int], options: argparse.Namespace
) -> None:
    """Start all dispatches, ask around while all sleep, send all at once, and stop some or send the rest."""
    for dispatch_id in dispatch_ids:
        await client.start(dispatch_id)
    await store.until_sent(case.dispatches)
    case.costs["all asleep"] = await store.costs()
    await client.ask_around(dispatch_ids[-1], case.each, options.asks)
    await store.lift_rates()
    await _send(case, store, options)
    case.costs["at work"] = await store.costs()
    case.plan = await store.plan_of_claim()
    for dispatch_id in dispatch_ids[-options.probes :]:
        await client.pause(dispatch_id)
        await client.resume(dispatch_id)
        if options.send < case.messages:
            await client.stop(dispatch_id)
    if options.send >= case.messages:
        await _send_rest(case, store)


async def _send(case: Case, store: Store, options: argparse.Namespace) -> None:
    """Let some messages be sent, nine tenths of all at most, and measure the rate of each fifth of them."""
    before, done = (await store.sizes(), await store.wal()), await store.sent()
    began, wanted = time.perf_counter(), min(options.send, case.messages * 9 // 10 - done)
    first = done
    for portion in range(1, 6):
        reached = await store.until_sent(first + wanted * portion // 5)
        now = time.perf_counter()
        case.send_rates.append((reached - done) / (now - began))
        began, done = now, reached
    # It goes on meanwhile: what is being recorded just then is a few thousand messages.
    after = await store.sizes(), await store.wal()
    case.sent = done - first
    case.submitted = _grown(before[0], after[0])
    case.send_wal = (after[1] - before[1]) / case.sent
    _say(f"{case.name}: sent {case.sent:,}, {_ends(case.send_rates)} msg/s")


async def _send_rest(case: Case, store: Store) -> None:
    """Let all that is left be sent."""
    began, done = time.perf_counter(), await store.sent()
    await store.until_sent(case.messages)
    case.rest_rate = (case.messages - done) / (time.perf_counter() - began)
    _say(f"{case.name}: sent the rest, {case.messages - done:,}, {case.rest_rate:,.0f} msg/s")


async def _drop(case: Case, client: Client, store: Store, dsn: str, options: argparse.Namespace) -> None:
    """Let the whole period of the huge dispatch go, while small ones are sent."""
    database = await Database.connect(dsn, size=2)
    retention = Retention(database, days=_DAYS, lifetime=1)
    await retention.begin_period(largest=-1)
    await store.let_days_pass(_DAYS + 1)
    await retention.let_go()
    await store.let_days_pass(_DAYS + 1)
    client.times = case.meanwhile
    began = time.perf_counter()
    dropping = asyncio.create_task(retention.let_go())
    while not dropping.done():
        await client.probe(options.small)
    await dropping
    case.dropping = time.perf_counter() - began
    await database.close()
    _say(f"{case.name}: dropped in {case.dropping:.1f} s")


def _grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: size - before.get(name, 0) for name, size in after.items()}


def _ends(rates: Sequence[float]) -> str:
    """Say the first and the last rate."""
    return f"{rates[0]:,.0f} first, {rates[-1]:,.0f} last"


def _say(what: str) -> None:
    """Tell how far it is, apart from the result."""
    Console(stderr=True).print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {what}", highlight=False)


async def bench(options: argparse.Namespace, home: Path, done: list[Case]) -> None:
    """Measure all installations, each in a folder that is gone before the next one; *done* gets one after another."""
    cases = [
        Case(SMALL, 1, options.small),
        Case(HUGE, 1, options.huge),
        Case(MANY, options.dispatches, options.each),
    ]
    for case in cases:
        if case.name in options.cases:
            folder = home / case.name
            folder.mkdir()
            await measure(case, options, folder)
            done.append(case)
            shutil.rmtree(folder)


def _print(cases: Sequence[Case], markdown: Path | None) -> None:
    tables = growth_tables.tables(cases)
    for table in tables:
        Console().print(table.drawn())
    for case in cases:
        if case.plan:
            Console().print(f"pick_dispatches, {case.dispatches:,} dispatches being sent:", case.plan, highlight=False)
    if markdown:
        markdown.write_text("\n\n".join(table.written() for table in tables) + "\n", encoding="utf-8")


def main() -> None:
    """Measure in a directory that is gone afterwards, and print; what was measured before a failure is printed too."""
    options = _options()
    home = Path(tempfile.mkdtemp(prefix="penstock-growth-"))
    began = time.monotonic()
    done: list[Case] = []
    try:
        asyncio.run(bench(options, home, done))
    finally:
        shutil.rmtree(home, ignore_errors=True)
        _print(done, options.markdown)
        Console().print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
