"""
A child process of `penstock serve`: an API process, a sender or the simulator.

Its orders come as one line of JSON on stdin, which then stays open for as long as the supervisor
lives: when it closes, the child drains and ends, so that a killed supervisor leaves nobody behind.
It says one line on stdout when it is ready.  SIGTERM makes it drain and end.
"""

import asyncio
import contextlib
import gc
import resource
import signal
import socket
import sys

import msgspec
import structlog
import uvloop

from penstock import logs
from penstock.app import run_api, run_sender
from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from penstock.config import Settings
from penstock.domain.errors import StoreUnavailable
from penstock.engine.lease import LeaseLost

log = structlog.get_logger(__name__)


class ApiOrder(msgspec.Struct, frozen=True, tag="api"):
    """Answer HTTP on a socket that was inherited."""

    settings: Settings
    dsn: str
    listening: int  #: its file descriptor


class SenderOrder(msgspec.Struct, frozen=True, tag="sender"):
    """Send under a name that no sender had before."""

    settings: Settings
    dsn: str
    name: str


class SimulatorOrder(msgspec.Struct, frozen=True, tag="simulator"):
    """Be the carrier."""

    settings: Settings
    port: int  #: 0 takes a free one; its ready line tells which


Order = ApiOrder | SenderOrder | SimulatorOrder


async def obey(order: Order, stop: asyncio.Event) -> None:
    """Do what was ordered until *stop* is set."""
    match order:
        case ApiOrder(settings, dsn, listening):
            await run_api(settings, dsn, socket.socket(fileno=listening), stop, say_ready)
        case SenderOrder(settings, dsn, name):
            await run_sender(settings, dsn, name, stop, say_ready)
        case SimulatorOrder(_, port):
            simulator = Simulator(SimulatorSettings(port=port))
            say_ready(str(await simulator.start()))
            await stop.wait()
            await simulator.stop()


def say_ready(more: str = "") -> None:
    """Tell the supervisor; a supervisor that is gone is told nothing."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"ready {more}\n")
        sys.stdout.flush()


async def _live(line: bytes, stdin: asyncio.StreamReader) -> None:
    order = msgspec.json.decode(line, type=Order)
    logs.set_up(order.settings.log_level)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    watching = asyncio.create_task(_watch(stdin, stop))
    try:
        await obey(order, stop)
    finally:
        watching.cancel()


async def _watch(stdin: asyncio.StreamReader, stop: asyncio.Event) -> None:
    await stdin.read()
    if not stop.is_set():
        log.warning("supervisor_gone")
        stop.set()


async def _main() -> None:
    stdin = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    line = await stdin.readline()
    if line.endswith(b"\n"):
        await _live(line, stdin)


def _raise_file_limit() -> None:
    """Allow as many open connections as the system lets us: the usual 1024 are few for an API."""
    wanted, most = 65_536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def main() -> int:
    """Live and return the exit code."""
    _raise_file_limit()
    # A Ctrl-C is the supervisor's to hear.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is imported stays.  Messages in flight are many small tuples without cycles: with the usual
    # thresholds the collector walks them over and over, a tenth of a sender's time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    code = 0
    try:
        uvloop.run(_main())
    except* StoreUnavailable as errors:
        # It is what it says; where in our code it was met is of no interest.
        log.error("store_unavailable", error=repr(errors.exceptions[0].__cause__))  # noqa: TRY400
        code = 1
    except* LeaseLost:
        # Said where it was met; another sender goes on with the rest.
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
