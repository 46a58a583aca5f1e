"""
`penstock key`: API keys.
"""

import asyncio
from typing import Annotated

import typer

from penstock.bootstrap import FIRST_ACCOUNT, FIRST_TRAFFIC_CENTER, make_key
from penstock.cli.language import t
from penstock.cli.settings import Config, Data, Database, reach_database, read_settings
from penstock.config import Settings
from penstock.store.migrate import migrate

app = typer.Typer(no_args_is_help=True, help=t("API keys."))


@app.callback()
def key() -> None:
    """Have subcommands, also while there is only one."""


@app.command(help=t("Make an API key and print it; it cannot be shown again."))
def create(
    kind: Annotated[
        int, typer.Option(min=1, max=4, help=t("1 dispatches and messages, 2 sender names, 3 verifier, 4 widget."))
    ],
    account: Annotated[str, typer.Option(help=t("Account; made if there is none of that name."))] = FIRST_ACCOUNT,
    traffic_center: Annotated[
        str, typer.Option(help=t("Traffic centre of a key of kind 1; made if there is none of that name."))
    ] = FIRST_TRAFFIC_CENTER,
    config: Config = None,
    data: Data = None,
    database: Database = None,
) -> None:
    """Make a key and print it, and nothing else."""
    for option, value in (("--account", account), ("--traffic-center", traffic_center)):
        if not value.strip():
            raise typer.BadParameter(t("{option}: expected a name", option=option))
    settings = read_settings(config, data=data, database=database)
    typer.echo(asyncio.run(_create(settings, kind, account.strip(), traffic_center.strip())))


async def _create(settings: Settings, kind: int, account: str, traffic_center: str) -> str:
    async with reach_database(settings) as dsn:
        await migrate(dsn)
        return await make_key(dsn, kind, account, traffic_center, settings.default_zone)
