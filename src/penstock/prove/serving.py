"""
A server in a folder of its own, whose only carrier is a simulator.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

from penstock.prove.programs import Program, running


class Served(NamedTuple):
    """A running server and what one needs to use it."""

    program: Program
    data: Path
    key: str  #: that opens dispatches


@contextlib.asynccontextmanager
async def serving(
    home: Path,
    smsc: str,
    carrier: Mapping[str, object],
    *,
    environment: Mapping[str, str] | None = None,
    **server: object,
) -> AsyncIterator[Served]:
    """
    Run a server with its files in *home*; the same *home* again goes on where the last one ended.

    *carrier* and *server* are settings, see `configuration`.
    """
    config, data = home / "penstock.toml", home / "data"
    config.write_text(configuration(smsc, carrier, **server), encoding="utf-8")
    serve = ("serve", "--config", str(config), "--data", str(data), "--port", "0")
    async with running(*serve, said=home / "serve.log", environment=environment) as program:
        yield Served(program, data, read_key(data))


def configuration(smsc: str, carrier: Mapping[str, object], **server: object) -> str:
    """Return a file of settings: those of the *server*, and one *carrier* that listens at *smsc* (host:port)."""
    host, _, port = smsc.rpartition(":")
    login: dict[str, object] = {"host": host, "port": int(port), "system_id": "penstock", "password": "secret"}
    return "\n".join([*_lines(server), "", "[[carrier]]", *_lines({**login, **carrier}), ""])


def read_key(data: Path) -> str:
    """Return the key that opens dispatches, of a server that keeps its files in *data*."""
    return str(json.loads((data / "keys.json").read_text(encoding="utf-8"))["TOKEN_1"])


def _lines(settings: Mapping[str, object]) -> list[str]:
    # Text and numbers are written alike in JSON and in TOML.
    return [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
