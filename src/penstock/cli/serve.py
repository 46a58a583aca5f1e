"""
`penstock serve`: the server.
"""

import asyncio
import signal
from typing import Annotated

import typer

from penstock import logs
from penstock.cli.language import t
from penstock.cli.settings import Config, Data, Database, read_settings
from penstock.config import Settings
from penstock.supervisor import Supervisor


def serve(
    config: Config = None,
    data: Data = None,
    database: Database = None,
    host: Annotated[str | None, typer.Option(help=t("Address of the HTTP API."))] = None,
    port: Annotated[str | None, typer.Option(metavar="PORT", help=t("Its port; 0 takes a free one."))] = None,
    role: Annotated[str | None, typer.Option(metavar="ROLE", help=t("What runs here: all, api or sender."))] = None,
    senders: Annotated[str | None, typer.Option(metavar="N", help=t("Sender processes."))] = None,
    api_workers: Annotated[str | None, typer.Option(metavar="N", help=t("API processes."))] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help=t("What is logged: debug, info, warning or error."))
    ] = None,
) -> None:
    """Run the server."""
    settings = read_settings(
        config,
        data=data,
        database=database,
        host=host,
        port=port,
        role=role,
        senders=senders,
        api_workers=api_workers,
        log_level=log_level,
    )
    logs.set_up(settings.log_level)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Supervisor(settings).run(stop, typer.echo)
