"""
How fast a link and our own SMSC are, over loopback and in two processes; prints numbers.

    python tests/bench/smpp_link.py [--messages N] [--window N] [--log FILE]
"""

import argparse
import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import uvloop

from penstock.channels.port import Link
from penstock.channels.smpp.client import SmppLink
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from penstock.domain.outcome import Accepted, Outcome, Outgoing, Receipt


class Load:
    """Keeps a link full until all messages have their outcome and all receipts have come."""

    def __init__(self, messages: int, receipts: int, text: Callable[[int], str]) -> None:
        self._left = [Outgoing(1, seq, "MyShop", 79_990_000_000 + seq, text(seq), None) for seq in range(messages)]
        self._left.reverse()
        self._outcomes, self._receipts = messages, receipts
        self.accepted = 0
        self.done = asyncio.Event()

    def on_room(self, link: Link) -> None:
        """Write what there is room for."""
        while room := link.room:
            batch = self._left[-room:]
            batch.reverse()
            taken = link.submit(batch) if batch else 0
            if not taken:
                return
            del self._left[-taken:]

    def on_outcomes(self, link: Link, outcomes: Sequence[tuple[Outgoing, Outcome]]) -> None:
        """Count, and write on."""
        self._outcomes -= len(outcomes)
        self.accepted += sum(type(outcome) is Accepted for _, outcome in outcomes)
        self.on_room(link)
        self._look()

    def on_receipts(self, link: Link, receipts: Sequence[Receipt], acknowledge: Callable[[], None]) -> None:
        """Count and acknowledge."""
        del link
        self._receipts -= len(receipts)
        acknowledge()
        self._look()

    def _look(self) -> None:
        if self._outcomes <= 0 and self._receipts <= 0:
            self.done.set()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def serve(dlr: float, log: str | None) -> None:
    """Run the SMSC until SIGTERM; prints its port."""

    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        simulator = Simulator(SimulatorSettings(dlr=dlr, log=log))
        say(str(await simulator.start()))
        await stop.wait()
        await simulator.stop()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        say(f"{usage.ru_utime + usage.ru_stime:.3f}")

    uvloop.run(main())


def measure(arguments: argparse.Namespace, dlr: float, text: Callable[[int], str], what: str) -> None:
    """Send everything once and print how it went."""
    command = [sys.executable, __file__, "--serve", str(dlr)]
    if arguments.log:
        command += ["--log", arguments.log]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline())

    async def main() -> tuple[float, float]:
        load = Load(arguments.messages, int(arguments.messages * dlr), text)
        settings = SmppSettings(port=port, window=arguments.window)
        link = SmppLink(settings, "bench", lambda: True, load)
        running = asyncio.ensure_future(link.run())
        began, spent = time.monotonic(), time.process_time()
        await load.done.wait()
        took, spent = time.monotonic() - began, time.process_time() - spent
        await link.close(asyncio.get_running_loop().time() + 1)
        await running
        assert load.accepted == arguments.messages
        return took, spent

    took, spent = uvloop.run(main())
    server.terminate()
    served = float(server.stdout.read())
    server.wait()
    count = arguments.messages
    say(
        f"{what:34} {count / took:9,.0f} msg/s   client {count / spent:9,.0f} per core second"
        f"   simulator {count / served:9,.0f}"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--window", type=int, default=500)
    parser.add_argument("--log")
    parser.add_argument("--serve", type=float)
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve, arguments.log)
        return
    say(f"{os.cpu_count()} cores, window {arguments.window}, {arguments.messages} messages")
    cases: list[tuple[float, Callable[[int], str], str]] = [
        (0, lambda _: "Sale! 50% off until Sunday.", "one text, no receipts"),
        (0, lambda seq: f"Dear {seq}, your order is ready, come and get it.", "each its own text, no receipts"),
        (1, lambda _: "Sale! 50% off until Sunday.", "one text, receipts"),
        (1, lambda seq: f"Уважаемый {seq}, заказ готов", "each its own Cyrillic text, receipts"),
    ]
    for number, case in enumerate(cases):
        if arguments.only is None or arguments.only == number:
            measure(arguments, *case)


if __name__ == "__main__":
    main()
