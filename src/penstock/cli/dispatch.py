"""
`penstock dispatch …`: a client of the HTTP API.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console

from penstock.cli import tables
from penstock.cli.client import Client, Refused, Unreachable
from penstock.cli.contacts import BrokenFile, open_contacts
from penstock.cli.draft import BadOption, make_draft
from penstock.cli.language import t
from penstock.cli.upload import upload
from penstock.cli.watch import watch as watch_dispatch
from penstock.domain.lifecycle import DispatchStatus
from penstock.http.shapes import FileAnswer, ReceiptAnswer

T = TypeVar("T")

_SHOWN_ERRORS = 20


class Exit(enum.IntEnum):
    """What a script learns from the exit code."""

    DONE = 0
    REFUSED = 1  #: by the server, which said why
    USAGE = 2
    PARTLY = 3  #: some rows were not taken, or the status waited for did not come
    UNREACHABLE = 4


app = typer.Typer(
    no_args_is_help=True,
    help=t("Create, fill, start, watch and stop dispatches over the HTTP API."),
    epilog=t("Exit codes: 0 done, 1 the server refused, 2 usage, 3 done in part, 4 no server reached."),
)

Url = Annotated[str, typer.Option("--url", envvar="PENSTOCK_URL", help=t("Address of the server."))]
Key = Annotated[
    str,
    typer.Option("--key", envvar="PENSTOCK_KEY", show_envvar=True, show_default=False, help=t("API key, a TOKEN_1.")),
]
Id = Annotated[int, typer.Argument(metavar="ID", help=t("Id of the dispatch."), min=1)]
AsJson = Annotated[bool, typer.Option("--json", help=t("Print JSON as the server sent it."))]

_URL = "http://127.0.0.1:8080"


@app.command(help=t("Create a dispatch and print its id."))
def create(
    name: Annotated[str, typer.Option(help=t("Name of the dispatch."))],
    sender: Annotated[str, typer.Option(help=t("Sender name that handsets show."))],
    text: Annotated[str, typer.Option(help=t("The text; {name} stands for the column of that name."))],
    send_time: Annotated[str | None, typer.Option(help=t("Local time to begin: YYYY-MM-DD hh:mm:ss."))] = None,
    completion_time: Annotated[str | None, typer.Option(help=t("Local time to end: YYYY-MM-DD hh:mm:ss."))] = None,
    hours: Annotated[str | None, typer.Option(help=t("Allowed hours, such as 9-20 or 9,10,18."))] = None,
    days: Annotated[str | None, typer.Option(help=t("Allowed weekdays, Monday is 1, such as 1-5."))] = None,
    local_time: Annotated[  # noqa: FBT002 - a switch of the command line
        bool, typer.Option("--local-time/--no-local-time", help=t("Read times in the subscriber's zone."))
    ] = True,
    rate: Annotated[str | None, typer.Option(help=t("At most so many a day, hour or minute: 100/m."))] = None,
    ttl: Annotated[int | None, typer.Option(help=t("Seconds that the carrier may try, 60 to 86400."))] = None,
    tag: Annotated[list[str] | None, typer.Option(help=t("A tag; may be repeated."))] = None,
    url: Url = _URL,
    key: Key = "",
) -> None:
    """Create a dispatch; only its id goes to standard output, for scripts."""
    try:
        draft = make_draft(
            name=name,
            sender=sender,
            text=text,
            send_time=send_time,
            completion_time=completion_time,
            hours=hours,
            days=days,
            local_time=local_time,
            rate=rate,
            ttl=ttl,
            tags=tag,
        )
    except BadOption as error:
        _fail(Exit.USAGE, str(error))
    typer.echo(_run(url, key, lambda client: client.create(draft)))


@app.command(help=t("Fill a dispatch from a CSV or NDJSON file (.gz too); - reads standard input."))
def fill(
    dispatch_id: Id,
    file: Annotated[str, typer.Argument(metavar="FILE", help=t("CSV with a header, or NDJSON."))],
    url: Url = _URL,
    key: Key = "",
) -> None:
    """Fill a dispatch from a file."""

    async def send(client: Client) -> FileAnswer:
        with open_contacts(file) as contacts:
            return await upload(client, dispatch_id, contacts, Console(stderr=True))

    try:
        answer = _run(url, key, send)
    except BrokenFile as error:
        _fail(Exit.USAGE, f"{file}: {error}")
    except OSError as error:
        _fail(Exit.USAGE, f"{file}: {error.strerror}")
    typer.echo(t("accepted {accepted} of {total}", accepted=answer.accepted, total=answer.total))
    for one in answer.errors[:_SHOWN_ERRORS]:
        place = {"row": one.row, "destination": one.destination, "code": one.error_code}
        typer.echo(t("row {row}: {destination}: error {code}", **place), err=True)
    if len(answer.errors) > _SHOWN_ERRORS:
        typer.echo(t("… and {count} more rows", count=len(answer.errors) - _SHOWN_ERRORS), err=True)
    if answer.accepted < answer.total:
        raise typer.Exit(Exit.PARTLY)


@app.command(help=t("Start a dispatch; nothing can be added afterwards."))
def start(dispatch_id: Id, url: Url = _URL, key: Key = "") -> None:
    """Complete the creation of a dispatch."""
    _run(url, key, lambda client: client.start(dispatch_id))
    typer.echo(t("started"))


@app.command(help=t("Stop a dispatch: once this returns, not one more message of it leaves."))
def stop(dispatch_id: Id, url: Url = _URL, key: Key = "") -> None:
    """Stop a dispatch and say what became of it."""

    async def stop_and_account(client: Client) -> ReceiptAnswer:
        await client.stop(dispatch_id)
        return await client.receipt(dispatch_id)

    typer.echo(tables.stop_line(_run(url, key, stop_and_account)))


@app.command(help=t("Pause a dispatch: once this returns, nothing more leaves until it is resumed."))
def pause(dispatch_id: Id, url: Url = _URL, key: Key = "") -> None:
    """Pause a dispatch."""
    _run(url, key, lambda client: client.pause(dispatch_id))
    typer.echo(t("paused"))


@app.command(help=t("Go on with a paused dispatch."))
def resume(dispatch_id: Id, url: Url = _URL, key: Key = "") -> None:
    """Resume a dispatch."""
    _run(url, key, lambda client: client.resume(dispatch_id))
    typer.echo(t("resumed"))


@app.command(help=t("Show the progress of a dispatch until it has ended."))
def watch(
    dispatch_id: Id,
    until: Annotated[DispatchStatus | None, typer.Option(help=t("End as soon as it has this status."))] = None,
    url: Url = _URL,
    key: Key = "",
) -> None:
    """Watch a dispatch."""
    last = _run(url, key, lambda client: watch_dispatch(client, dispatch_id, Console(), until))
    if until is not None and last.status != until:
        raise typer.Exit(Exit.PARTLY)


@app.command("list", help=t("List dispatches, newest first."))
def list_page(
    name: Annotated[str | None, typer.Option(help=t("A part of the name."))] = None,
    status: Annotated[list[DispatchStatus] | None, typer.Option(help=t("In this status; may be repeated."))] = None,
    page: Annotated[int, typer.Option(min=1, help=t("Page, from 1."))] = 1,
    per_page: Annotated[int, typer.Option(min=1, help=t("Dispatches on a page."))] = 20,
    as_json: AsJson = False,  # noqa: FBT002 - a switch of the command line
    url: Url = _URL,
    key: Key = "",
) -> None:
    """List dispatches."""
    query = [("page", str(page)), ("per_page", str(per_page))]
    query += [("status", one.value) for one in status or ()]
    query += [] if name is None else [("dispatch_name", name)]
    found = _run(url, key, lambda client: client.find(query))
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        Console().print(tables.dispatches(found))


@app.command(help=t("Show the account of a stop."))
def receipt(
    dispatch_id: Id,
    as_json: AsJson = False,  # noqa: FBT002 - a switch of the command line
    url: Url = _URL,
    key: Key = "",
) -> None:
    """Show the account of a stop."""
    account = _run(url, key, lambda client: client.receipt(dispatch_id))
    if as_json:
        typer.echo(msgspec.json.encode(account))
    else:
        Console().print(tables.receipt(account))


def _run(url: str, key: str, ask: Callable[[Client], Awaitable[T]]) -> T:
    """Carry out one conversation with the server; what goes wrong ends the program with one line."""
    if not key:
        _fail(Exit.USAGE, t("no API key: give --key or set PENSTOCK_KEY"))

    async def converse() -> T:
        async with Client(url, key) as client:
            return await ask(client)

    try:
        return asyncio.run(converse())
    except Refused as error:
        _fail(Exit.REFUSED, str(error))
    except Unreachable as error:
        _fail(Exit.UNREACHABLE, t("no server reached: {error}", error=error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _fail(code: Exit, sentence: str) -> NoReturn:
    typer.echo(f"penstock: {sentence}", err=True)
    raise typer.Exit(code)
