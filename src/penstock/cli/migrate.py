"""
`penstock db`: the database.
"""

import asyncio

import typer

from penstock.cli.language import t
from penstock.cli.settings import Config, Data, Database, reach_database, read_settings
from penstock.config import Settings
from penstock.store.migrate import migrate as bring_up_to_date

app = typer.Typer(no_args_is_help=True, help=t("The database."))


@app.callback()
def db() -> None:
    """Have subcommands, also while there is only one."""


@app.command(help=t("Bring the database up to date; serve does so by itself."))
def migrate(config: Config = None, data: Data = None, database: Database = None) -> None:
    """Apply the migrations that are missing and say which."""
    settings = read_settings(config, data=data, database=database)
    applied = asyncio.run(_migrate(settings))
    for name in applied:
        typer.echo(t("applied {name}", name=name))
    if not applied:
        typer.echo(t("nothing to do"))


async def _migrate(settings: Settings) -> list[str]:
    async with reach_database(settings) as dsn:
        return await bring_up_to_date(dsn)
