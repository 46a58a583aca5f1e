"""
Sending a file of contacts, with a progress bar on a terminal.
"""

from collections.abc import AsyncIterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeElapsedColumn, TransferSpeedColumn

from penstock.cli.client import Client
from penstock.cli.contacts import Contacts
from penstock.http.shapes import FileAnswer


async def upload(client: Client, dispatch_id: int, contacts: Contacts, console: Console) -> FileAnswer:
    """Stream *contacts* into a dispatch and return what the server made of them."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        return await client.fill(dispatch_id, _shown(contacts, progress), contacts.headers, contacts.name)


async def _shown(contacts: Contacts, progress: Progress) -> AsyncIterator[bytes]:
    """Yield the pieces of a file and move the bar as they are read."""
    task = progress.add_task("", total=contacts.size)
    for piece in contacts.pieces():
        yield piece
        progress.update(task, completed=contacts.position)
