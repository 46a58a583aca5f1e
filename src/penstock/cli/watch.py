"""
Watching a dispatch: live on a terminal, a plain line a second elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from penstock.cli.client import Client
from penstock.cli.language import t
from penstock.domain.lifecycle import FINAL
from penstock.http.shapes import ProgressAnswer

_LIVE_PERIOD = 0.25
_PLAIN_PERIOD = 1.0


async def watch(client: Client, dispatch_id: int, console: Console, until: str | None) -> ProgressAnswer:
    """Show a dispatch until it is *until*, or final; return the last look."""
    if console.is_terminal:
        return await _watch_live(client, dispatch_id, console, until)
    async for now in looks(client, dispatch_id, until, _PLAIN_PERIOD):
        console.print(line(now), highlight=False, soft_wrap=True)
    return now


async def looks(client: Client, dispatch_id: int, until: str | None, period: float) -> AsyncIterator[ProgressAnswer]:
    """Look every *period* seconds; the last look is the one that is *until*, or final."""
    while True:
        now = await client.progress(dispatch_id)
        yield now
        if now.status == until or now.status in FINAL:
            return
        await asyncio.sleep(period)


def handed_over(now: ProgressAnswer) -> int:
    """Return how many messages have left."""
    return now.messages.sent + now.messages.delivered + now.messages.undelivered


def line(now: ProgressAnswer) -> str:
    """Say where a dispatch stands, in one line."""
    messages = now.messages
    return t(
        "{status}: {left} of {total} handed over, {delivered} delivered, {undelivered} undelivered, "
        "{unsent} unsent, {rate} a second",
        status=t(now.status),
        left=handed_over(now),
        total=messages.total,
        delivered=messages.delivered,
        undelivered=messages.undelivered,
        unsent=messages.unsent,
        rate=round(now.rate_now),
    )


async def _watch_live(client: Client, dispatch_id: int, console: Console, until: str | None) -> ProgressAnswer:
    with Live(console=console, auto_refresh=False, transient=False) as live:
        async for now in looks(client, dispatch_id, until, _LIVE_PERIOD):
            live.update(panel(now), refresh=True)
    return now


def panel(now: ProgressAnswer) -> RenderableType:
    """Draw where a dispatch stands."""
    messages = now.messages
    head = Text.assemble((now.dispatch_name, "bold"), f"  {now.dispatch_id}  ", (t(now.status), "bold cyan"))
    bar = Table.grid(padding=(0, 1))
    settled = messages.total - messages.sending
    bar.add_row(
        ProgressBar(total=max(messages.total, 1), completed=settled, width=40),
        f"{_number(settled)} / {_number(messages.total)}",
        t("{rate} a second", rate=_number(round(now.rate_now))),
    )
    counts = Table.grid(padding=(0, 2))
    for word, count, style in (
        (t("delivered"), messages.delivered, "green"),
        (t("undelivered"), messages.undelivered, "red"),
        (t("sent, awaiting receipts"), messages.sent, "cyan"),
        (t("unsent"), messages.unsent, "yellow"),
        (t("waiting"), messages.sending, "dim"),
    ):
        counts.add_row(word, Text(_number(count), style=style, justify="right"))
    channels = Text("  ".join(f"{one.name} {one.connected}/{one.configured}" for one in now.channels), style="dim")
    return Group(head, bar, counts, channels)


def _number(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")
