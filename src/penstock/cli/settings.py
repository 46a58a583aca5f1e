"""
Options that several commands share, and the settings they make.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from penstock.bootstrap import NoSuchData
from penstock.cli.language import t
from penstock.config import Settings, load
from penstock.store.embedded import connect_or_start

Config = Annotated[
    Path | None, typer.Option("--config", envvar="PENSTOCK_CONFIG", metavar="FILE", help=t("File with settings, TOML."))
]
Data = Annotated[str | None, typer.Option("--data", metavar="DIR", help=t("Folder of the embedded PostgreSQL."))]
Database = Annotated[
    str | None, typer.Option("--database", metavar="DSN", help=t("Address of a PostgreSQL of your own."))
]


def read_settings(config: Path | None, **options: object) -> Settings:
    """Put the settings of a command together; raises BadSettings."""
    return load(config, os.environ, options)


@contextlib.asynccontextmanager
async def reach_database(settings: Settings) -> AsyncIterator[str]:
    """Lend the address of the database to a short command; raises NoSuchData."""
    if settings.database:
        yield settings.database
        return
    data = Path(settings.data)
    if not (data / "postgres").exists():
        raise NoSuchData(
            t("{data} holds no data: begin with penstock serve, or name another folder with --data", data=data)
        )
    async with connect_or_start(data) as dsn:
        yield dsn
