"""
The verdict of a proof as people read it, and how far it is while it runs.
"""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from penstock.cli.language import t
from penstock.prove.proof import Progress
from penstock.prove.verdict import Reply, Verdict

_PLAIN_PERIOD = 5.0  #: seconds between lines where there is no terminal
_SHOWN = 15  #: findings


class Telling:
    """Tells how far a proof is: live on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._told_at = -_PLAIN_PERIOD
        if self._live is not None:
            self._live.start()

    def tell(self, now: Progress) -> None:
        """Show where it stands."""
        said = t(
            "{done} of {stops} stops, {messages} messages on the wire, {faults} faults, {seconds} s",
            done=now.done,
            stops=now.stops,
            messages=now.on_wire,
            faults=now.faults,
            seconds=round(now.seconds),
        )
        if self._live is not None:
            bar = Table.grid(padding=(0, 1))
            bar.add_row(ProgressBar(total=now.stops, completed=now.done, width=30), said)
            self._live.update(bar, refresh=True)
        elif now.seconds - self._told_at >= _PLAIN_PERIOD:
            self._told_at = now.seconds
            self._console.print(said, highlight=False, soft_wrap=True)

    def end(self) -> None:
        """Take it away."""
        if self._live is not None:
            self._live.stop()


def draw(found: Verdict) -> RenderableType:
    """Draw a verdict; the first line says it all."""
    parts: list[RenderableType] = [_headline(found), _counts(found), _faults(found)]
    if found.wrong:
        parts.append(_wrong(found))
    return Group(*parts)


def _headline(found: Verdict) -> Text:
    word = Text(
        f" {t('PASS') if found.passed else t('FAIL')} ", "bold white on green" if found.passed else "bold white on red"
    )
    said = t(
        "{stops} stops: {leaks} leaks, {duplicates} duplicates, {lost} lost",
        stops=found.stops,
        leaks=found.leaks,
        duplicates=found.duplicates,
        lost=found.lost,
    )
    return Text.assemble("\n", word, "  ", (said, "bold"), "\n")


def _counts(found: Verdict) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")

    def row(name: str, value: object, *, is_good: bool | None = None) -> None:
        style = "" if is_good is None else "green" if is_good else "bold red"
        table.add_row(name, Text(str(value), style))

    row(t("stops"), found.stops)
    row(t("of them in the middle"), found.in_the_middle)
    row(t("messages on the wire"), found.messages)
    row(t("leaks: came after the answer to a stop"), found.leaks, is_good=found.leaks == 0)
    row(t("duplicates: came twice"), found.duplicates, is_good=found.duplicates == 0)
    row(t("lost: in no account, or not where it says"), found.lost, is_good=found.lost == 0)
    row(
        t("in doubt, and at most to be explained by the faults"),
        f"{found.in_doubt} / {found.in_doubt_bound}",
        is_good=found.in_doubt <= found.in_doubt_bound and not found.in_doubt_unexplained,
    )
    row(t("receipts compared with the wire"), found.receipts)
    row(t("contradictions between them"), found.receipts_wrong, is_good=found.receipts_wrong == 0)
    row(t("messages stopped by uuid"), found.by_uuid)
    row(t("reply in ms: p50 / p99 / max"), _times(found.reply))
    row(t("seconds, seed"), f"{found.seconds:.0f}, {found.seed}")
    return table


def _faults(found: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(t("fault"))
    for heading in (t("made"), t("stops meanwhile"), t("leaks"), "p50", "p99", "max"):
        table.add_column(heading.replace(" ", "\n"), justify="right")
    for name, row in found.by_fault.items():
        times = ("", "", "") if row.reply is None else (row.reply.p50, row.reply.p99, row.reply.max)
        cells = [str(cell) for cell in (row.faults or "", row.stops, row.leaks, *times)]
        table.add_row(t(name), *cells, style="bold red" if row.leaks else None)
    return table


def _wrong(found: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=t("What is wrong"), title_justify="left")
    for heading in (t("what"), t("act"), t("destination"), t("details")):
        table.add_column(heading, overflow="fold")
    for one in found.wrong[:_SHOWN]:
        table.add_row(t(one.what), str(one.act), str(one.destination or ""), one.details)
    return table


def _times(reply: Reply | None) -> str:
    return "-" if reply is None else f"{reply.p50:.1f} / {reply.p99:.1f} / {reply.max:.1f}"
