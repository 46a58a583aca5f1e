"""
Answers of the server as people read them.
"""

from rich import box
from rich.table import Table

from penstock.cli.language import t
from penstock.http.shapes import DispatchPage, ReceiptAnswer


def stop_line(account: ReceiptAnswer) -> str:
    """Say what a stop did, in one line."""
    counts = account.counts
    return t(
        "stopped in {ms} ms: accepted {accepted}, refused {refused}, in doubt {in_doubt}, never sent {never_sent}",
        ms=round(account.took_ms),
        accepted=counts.accepted,
        refused=counts.refused,
        in_doubt=counts.in_doubt,
        never_sent=counts.never_sent,
    )


def dispatches(page: DispatchPage) -> Table:
    """Draw one page of a list, so that it fits a terminal of 80 columns; the counters add up to the total."""
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        caption=t("{shown} of {total}", shown=len(page.items), total=page.total),
        caption_justify="left",
    )
    table.add_column(t("id"), no_wrap=True)
    table.add_column(t("name"), overflow="fold")
    table.add_column(t("status"), no_wrap=True)
    for heading in (t("total"), t("delivered"), t("not delivered"), t("in progress")):
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for one in page.items:
        counts = one.messages
        numbers = (counts.total, counts.delivered, counts.undelivered + counts.unsent, counts.sent + counts.sending)
        table.add_row(str(one.dispatch_id), one.dispatch_name, t(one.status), *map(str, numbers))
    return table


def receipt(account: ReceiptAnswer) -> Table:
    """Draw the account of a stop."""
    counts = account.counts
    table = Table(title=t("Stop of dispatch {id}", id=account.dispatch_id), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row(t("requested"), account.requested)
    table.add_row(t("effective"), account.effective)
    table.add_row(t("asked for by key"), str(account.key_id))
    table.add_row(t("milliseconds to the reply"), f"{account.took_ms:.1f}")
    table.add_section()
    table.add_row(t("accepted by the carrier"), str(counts.accepted))
    table.add_row(t("refused by the carrier"), str(counts.refused))
    table.add_row(t("in doubt"), str(counts.in_doubt))
    table.add_row(t("never sent"), str(counts.never_sent))
    table.add_row(t("total"), str(account.total))
    table.add_section()
    table.add_row(t("written after the stop (must be 0)"), str(account.late))
    table.add_section()
    for share in account.carriers:
        shares = (share.accepted, share.refused, share.in_doubt)
        name = share.carrier or t("carrier not known")
        table.add_row(t("{name}: accepted / refused / in doubt", name=name), " / ".join(map(str, shares)))
    return table
