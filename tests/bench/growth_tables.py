"""
What was measured of growth, as tables.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table

from tests.bench.growth_measures import Export, Times
from tests.bench.growth_store import Cost

SMALL, HUGE, MANY = "small", "huge", "many"
_OPERATIONS = (
    "create", "start", "pause", "resume", "stop", "stop receipt", "list, first page", "list, by id",
    "list, by status", "list, by name", "one dispatch", "one message",
)  # fmt: skip


@dataclass
class Case:
    """One installation, and what was measured there."""

    name: str
    dispatches: int
    each: int  #: messages of each
    times: Times = field(default_factory=Times)
    beside: Times = field(default_factory=Times)  #: of small dispatches in the same installation
    meanwhile: Times = field(default_factory=Times)  #: of small dispatches while all else is dropped
    dropping: float = 0.0  #: seconds, until at least one of those was through
    fill_rates: list[float] = field(default_factory=list)
    send_rates: list[float] = field(default_factory=list)
    filled: dict[str, int] = field(default_factory=dict)  #: bytes by table
    fill_wal: float = 0.0  #: bytes a message
    rest_rate: float = 0.0  #: of those that were sent after all else was measured
    sent: int = 0  #: messages
    submitted: dict[str, int] = field(default_factory=dict)  #: bytes by table
    send_wal: float = 0.0
    costs: dict[str, list[Cost]] = field(default_factory=dict)  #: of statements, by what was going on
    plan: str = ""
    export: Export | None = None
    memory: dict[str, float] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        """How many messages it has."""
        return self.dispatches * self.each


class Figures:
    """A table that can be drawn on a terminal, and written as Markdown."""

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self.title = title
        self.columns = columns
        self.rows: list[Sequence[str]] = []

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def drawn(self) -> Table:
        """Return it for a terminal."""
        table = Table(*self.columns, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def written(self) -> str:
        """Return it as Markdown."""
        lines = [f"**{self.title}**", "", *map(_line, (self.columns, ["---"] * len(self.columns), *self.rows))]
        return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def tables(cases: Sequence[Case]) -> list[Figures]:
    """Return all that was measured."""
    if not cases:
        return []
    return [_operations(cases), _rates(cases), _bytes(cases), _memory(cases), _costs(cases)]


def _operations(cases: Sequence[Case]) -> Figures:
    columns: list[tuple[str, Times]] = []
    for case in cases:
        columns.append((_title(case), case.times))
        if case.beside.of:
            columns.append(("a small one beside it", case.beside))
        if case.meanwhile.of:
            columns.append(("a small one while it is dropped", case.meanwhile))
    table = Figures("Milliseconds, p50 / max, and p50 against the first column", ["", *(name for name, _ in columns)])
    base = columns[0][1].of
    for what in _OPERATIONS:
        table.add(what, *(_spread(times.of.get(what, []), base.get(what, [])) for _, times in columns))
    return table


def _spread(seconds: Sequence[float], base: Sequence[float]) -> str:
    if not seconds:
        return ""
    middle = statistics.median(seconds)
    text = f"{1000 * middle:.1f} / {1000 * max(seconds):.1f}"
    if base and base is not seconds:
        text += f" ({middle / statistics.median(base):.2f}×)"
    return (
        text
        if len(seconds) > 1
        else f"{text.split(' /')[0]} once"
        + (f" ({middle / statistics.median(base):.2f}×)" if base and base is not seconds else "")
    )


def _rates(cases: Sequence[Case]) -> Figures:
    table = Figures("Rates", ["", *map(_title, cases)])
    table.add("fill, first tenth, msg/s", *(f"{case.fill_rates[0]:,.0f}" if case.fill_rates else "" for case in cases))
    table.add("fill, last tenth, msg/s", *(f"{case.fill_rates[-1]:,.0f}" if case.fill_rates else "" for case in cases))
    table.add("send, first fifth, msg/s", *(f"{case.send_rates[0]:,.0f}" if case.send_rates else "" for case in cases))
    table.add("send, last fifth, msg/s", *(f"{case.send_rates[-1]:,.0f}" if case.send_rates else "" for case in cases))
    table.add("of how many sent", *(f"{case.sent:,}" if case.sent else "" for case in cases))
    if any(case.rest_rate for case in cases):
        table.add(
            "send, the rest to the last, msg/s", *(f"{case.rest_rate:,.0f}" if case.rest_rate else "" for case in cases)
        )
    table.add(
        "export, lines/s",
        *(f"{case.export.lines / case.export.seconds:,.0f}" if case.export else "" for case in cases),
    )
    table.add("exported lines", *(f"{case.export.lines:,}" if case.export else "" for case in cases))
    if any(case.dropping for case in cases):
        table.add("dropped, seconds", *(f"{case.dropping:.1f}" if case.dropping else "" for case in cases))
    return table


def _bytes(cases: Sequence[Case]) -> Figures:
    large = [case for case in cases if case.filled]
    table = Figures("Bytes a message with indexes, filled + sent", ["", *map(_title, large)])
    names = sorted({name for case in large for name in (*case.filled, *case.submitted)})
    for name in names:
        cells = [(case.filled.get(name, 0) / case.messages, case.submitted.get(name, 0) / case.sent) for case in large]
        if any(fill + sent >= 1 for fill, sent in cells):
            table.add(name, *(f"{fill:,.0f} + {sent:,.0f}" for fill, sent in cells))
    table.add(
        "all tables",
        *(
            f"{sum(case.filled.values()) / case.messages:,.0f} + {sum(case.submitted.values()) / case.sent:,.0f}"
            for case in large
        ),
    )
    table.add("WAL", *(f"{case.fill_wal:,.0f} + {case.send_wal:,.0f}" for case in large))
    return table


def _memory(cases: Sequence[Case]) -> Figures:
    table = Figures("Memory at the end, the largest process of each kind, MB", ["", *map(_title, cases)])
    for name in sorted({name for case in cases for name in case.memory}):
        table.add(name, *(f"{case.memory.get(name, 0):,.0f}" for case in cases))
    table.add(
        "api during the export, more than before",
        *(f"{case.export.grown_mb:+,.1f}" if case.export else "" for case in cases),
    )
    return table


def _costs(cases: Sequence[Case]) -> Figures:
    columns = [(f"{_title(case)}, {when}", costs) for case in cases for when, costs in case.costs.items()]
    table = Figures("Statements: milliseconds, and blocks looked at", ["", *(title for title, _ in columns)])
    found = [{cost.name: cost for cost in costs} for _, costs in columns]
    for name in found[0] if found else ():
        table.add(name, *(f"{1000 * one[name].seconds:.2f}, {one[name].buffers:,}" for one in found))
    return table


def _title(case: Case) -> str:
    return f"{case.each:,} in one" if case.dispatches == 1 else f"{case.dispatches:,} × {case.each:,}"
