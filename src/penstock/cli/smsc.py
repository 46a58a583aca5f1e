"""
`penstock smsc`: our own SMSC, for trying things out and for proofs.
"""

import asyncio
import re
import signal
import sys
from typing import Annotated

import msgspec
import typer
import uvloop

from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_commands import BadCommand, obey
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from penstock.cli.language import t

_RANGE = re.compile(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?", re.ASCII)
_DEFAULT_PORT = 2775  #: SMPP's port at IANA


def smsc(
    host: Annotated[str, typer.Option(help=t("Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option(help=t("Port to listen on; 0 takes a free one."), min=0, max=65_535)] = (
        _DEFAULT_PORT
    ),
    log: Annotated[str | None, typer.Option(help=t("File for the wire log, one line of JSON for each PDU."))] = None,
    latency: Annotated[
        str, typer.Option(metavar="MS", help=t("Milliseconds to an answer, such as 10 or 0-50 for any between."))
    ] = "0",
    dlr: Annotated[float, typer.Option(help=t("Share of messages that get a receipt."), min=0, max=1)] = 1.0,
    dlr_delay: Annotated[
        float, typer.Option(metavar="MS", help=t("Milliseconds from an answer to its receipt."), min=0)
    ] = 0.0,
    dlr_failed: Annotated[float, typer.Option(help=t("Share of receipts that say UNDELIV."), min=0, max=1)] = 0.0,
    dlr_as: Annotated[str, typer.Option(help=t("Form of receipts: text, tlv or both."))] = "both",
    dlr_anywhere: Annotated[  # noqa: FBT002 - a switch of the command line
        bool, typer.Option("--dlr-anywhere", help=t("Send receipts on any connection of the account."))
    ] = False,
    early_dlr: Annotated[  # noqa: FBT002 - a switch of the command line
        bool, typer.Option("--early-dlr", help=t("Send the receipt before the answer."))
    ] = False,
    throttle: Annotated[float, typer.Option(help=t("Share of messages throttled."), min=0, max=1)] = 0.0,
    refuse: Annotated[float, typer.Option(help=t("Share of messages refused."), min=0, max=1)] = 0.0,
    lose: Annotated[float, typer.Option(help=t("Share of messages taken and never answered."), min=0, max=1)] = 0.0,
    id_format: Annotated[str, typer.Option(help=t("Form of message ids: dec, hex or uuid."))] = "dec",
    max_window: Annotated[
        int, typer.Option(help=t("Unanswered messages above which the queue is full; 0: no limit."), min=0)
    ] = 0,
    cut_after: Annotated[
        int, typer.Option(help=t("Close each connection after this many messages; 0: never."), min=0)
    ] = 0,
    seed: Annotated[int | None, typer.Option(help=t("Make chance repeatable."))] = None,
    system_id: Annotated[str | None, typer.Option(help=t("The only system_id let in."))] = None,
    password: Annotated[str | None, typer.Option(help=t("The only password let in."))] = None,
    commands: Annotated[  # noqa: FBT002 - a switch of the command line
        bool, typer.Option("--commands", help=t("Change settings by lines of JSON on standard input."))
    ] = False,
) -> None:
    """Run an SMSC that answers as the options say."""
    try:
        settings = msgspec.convert(
            {
                "host": host,
                "port": port,
                "log": log,
                "latency": _seconds(latency),
                "dlr": dlr,
                "dlr_delay": dlr_delay / 1000,
                "dlr_failed": dlr_failed,
                "dlr_as": dlr_as,
                "dlr_anywhere": dlr_anywhere,
                "early_dlr": early_dlr,
                "throttle": throttle,
                "refuse": refuse,
                "lose": lose,
                "id_format": id_format,
                "max_window": max_window,
                "cut_after": cut_after,
                "seed": seed,
                "system_id": system_id,
                "password": password,
            },
            SimulatorSettings,
        )
    except msgspec.ValidationError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        uvloop.run(_serve(settings, commands=commands))
    except OSError as error:
        typer.echo(t("penstock smsc: {reason}", reason=error), err=True)
        raise typer.Exit(1) from error


async def _serve(settings: SimulatorSettings, *, commands: bool) -> None:
    """Serve until SIGTERM or SIGINT, then close the log."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    simulator = Simulator(settings)
    port = await simulator.start()
    sys.stdout.write(f"penstock smsc ready {settings.host}:{port}\n")
    sys.stdout.flush()
    listening = asyncio.create_task(_listen(simulator)) if commands else None
    await stop.wait()
    if listening is not None:
        listening.cancel()
    await simulator.stop()


async def _listen(simulator: Simulator) -> None:
    """Obey one line after the other, and answer each with one."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        try:
            answer = f"done, {obey(simulator, line)} cut"
        except BadCommand as error:
            answer = f"not done: {error}"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def _seconds(milliseconds: str) -> tuple[float, float]:
    """Read "10" or "0-50"."""
    found = _RANGE.fullmatch(milliseconds.strip())
    low, high = (0.0, -1.0) if found is None else (float(found[1]), float(found[2] or found[1]))
    if high < low:
        raise typer.BadParameter(
            t("--latency: expected milliseconds such as 10, or a range such as 0-50, not {given!r}", given=milliseconds)
        )
    return low / 1000, high / 1000
