"""
The tables: on a terminal, and as Markdown.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.table import Table

from tests.bench.peers.peer import Way
from tests.bench.peers.run import Losses, Speed


class Results(NamedTuple):
    """All that was measured."""

    ways: Sequence[Way]
    speeds: Mapping[str, Sequence[Speed]]
    losses: Mapping[str, Losses]
    failed: Mapping[str, str]  #: why some of it was not


class _Sheet(NamedTuple):
    """A table as words."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_tables(results: Results, note: str) -> Iterable[Table | str]:
    """Return the tables for a terminal."""
    for sheet in _sheets(results):
        table = Table(*sheet.head, title=sheet.title, title_justify="left")
        for row in sheet.rows:
            table.add_row(*row)
        yield table
    yield note


def as_markdown(results: Results, note: str) -> str:
    """Return the tables as Markdown."""
    parts = []
    for sheet in _sheets(results):
        lines = [sheet.head, ["---:" if cell[:1].isdigit() else "---" for cell in sheet.rows[0]], *sheet.rows]
        parts.append(f"**{sheet.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*parts, note]) + "\n"


def _sheets(results: Results) -> Iterable[_Sheet]:
    measured = [way for way in results.ways if results.speeds[way.name]]
    if measured:
        yield _speeds(measured, results.speeds)
    if results.losses:
        yield _losses([way for way in results.ways if way.name in results.losses], results.losses)
    yield _Sheet(
        "What each keeps",
        ["", "an accepted message survives", "a receipt is"],
        [[way.title, way.durability, way.receipts] for way in results.ways],
    )
    if results.failed:
        yield _Sheet("Failed", ["what"], [[reason] for reason in results.failed.values()])


def _speeds(ways: Sequence[Way], speeds: Mapping[str, Sequence[Speed]]) -> _Sheet:
    best = _median(speeds[ways[0].name], _submitted)
    rows = []
    for way in ways:
        runs = speeds[way.name]
        submitted = _median(runs, _submitted)
        rows.append(
            [
                f"{way.title}; {way.how}",
                _spread([one.accepted for one in runs]),
                _spread([one.submitted for one in runs]),
                f"{best / submitted:.1f}" if submitted else "-",
                _spread([one.receipted for one in runs]),
                _number(_median(runs, lambda one: one.cpu)),
                _number(_median(runs, lambda one: one.peak_mb)),
                _number(max(one.missing for one in runs)),
                _number(_median(runs, lambda one: one.generator)),
            ]
        )
    head = [
        "messages a second, median (min..max)", "accepted", "submitted", "× slower", "receipt acknowledged",
        "CPU s per million", "peak MB", "not sent in time", "CPU of the load",
    ]  # fmt: skip
    return _Sheet(f"Speed; × slower than: {ways[0].title}", head, rows)


def _losses(ways: Sequence[Way], losses: Mapping[str, Losses]) -> _Sheet:
    head = [
        "kill -9 of what sends",
        "kills",
        "accepted",
        "lost in silence",
        "not sent, and named as in doubt",
        "doubled",
    ]
    rows = []
    for way in ways:
        one = losses[way.name]
        rows.append([way.title, *map(_number, (one.kills, one.accepted, one.lost, one.named, one.doubled))])
    return _Sheet("Loss", head, rows)


def _submitted(speed: Speed) -> float:
    return speed.submitted


def _median(runs: Sequence[Speed], of: Callable[[Speed], float]) -> float:
    return statistics.median(map(of, runs))


def _spread(values: Sequence[float]) -> str:
    middle = _number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({_number(min(values))}..{_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}"
