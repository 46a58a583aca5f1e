"""
`penstock prove`: stop after stop at full rate, with faults, judged by the wire.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from penstock.cli import verdict
from penstock.cli.language import t
from penstock.prove.programs import until_terminated
from penstock.prove.proof import Orders, parse_faults
from penstock.prove.proof import prove as play
from penstock.prove.stage import Shape
from penstock.prove.verdict import Verdict


def prove(
    stops: Annotated[int, typer.Option(help=t("How many stops to make."), min=1)] = 200,
    seed: Annotated[int, typer.Option(help=t("What all decisions are drawn from."))] = 1,
    faults: Annotated[
        str,
        typer.Option(
            help=t(
                "What goes wrong meanwhile: none, all, or some of kill, freeze, cut, slow, lost, throttle, postgres."
            )
        ),
    ] = "all",
    senders: Annotated[int, typer.Option(help=t("Sender processes."), min=1, max=16)] = 2,
    connections: Annotated[int, typer.Option(help=t("Connections of each sender to the carrier."), min=1, max=16)] = 2,
    size: Annotated[int, typer.Option(help=t("Messages in a dispatch."), min=100, max=100_000)] = 5_000,
    as_json: Annotated[  # noqa: FBT002 - a switch of the command line
        bool, typer.Option("--json", help=t("Print the verdict as JSON."))
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help=t("Empty folder for the wire log and all else; it is kept."))
    ] = None,
    without_gate: Annotated[  # noqa: FBT002 - a switch of the command line
        bool,
        typer.Option("--without-gate", help=t("Test the proof itself: let senders ignore their gate; it must fail.")),
    ] = False,
) -> int:
    """Prove that nothing leaves after a stop; the exit code is 0 only if all of it holds."""
    kinds = parse_faults(faults)
    if kinds is None:
        raise typer.BadParameter(
            t("--faults: expected none, all or names with commas between, got {text}", text=faults)
        )
    orders = Orders(stops, seed, kinds, size, Shape(senders, connections, gate_off=without_gate))
    home = _home(keep)
    progress = verdict.Telling(Console(stderr=True))
    try:
        found = asyncio.run(until_terminated(play(orders, home, progress.tell)))
    except asyncio.CancelledError:
        _leave(home, is_kept=keep is not None)
        raise typer.Abort from None
    except BaseException:
        typer.echo(t("The logs are in {folder}", folder=home), err=True)
        raise
    finally:
        progress.end()
    _say(found, as_json=as_json)
    is_kept = keep is not None or not found.passed
    if is_kept:
        typer.echo(t("The logs are in {folder}", folder=home), err=True)
    _leave(home, is_kept=is_kept)
    return 0 if found.passed else 1


def _home(keep: Path | None) -> Path:
    """Return the folder for all files."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="penstock-prove-"))
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise typer.BadParameter(t("--keep: {folder} is not empty", folder=keep))
    return keep.absolute()


def _leave(home: Path, *, is_kept: bool) -> None:
    if not is_kept:
        shutil.rmtree(home, ignore_errors=True)


def _say(found: Verdict, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        Console().print(verdict.draw(found))
