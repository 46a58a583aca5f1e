"""
The promises of a link, kept by SMPP against our own SMSC.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from penstock.channels.smpp.client import SmppLink
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from tests.channels.contract import LinkContract, Seen

BEHAVIOURS = {
    "normal": SimulatorSettings(),
    "refuse": SimulatorSettings(refuse=1),
    "throttle": SimulatorSettings(throttle=1),
    "silent": SimulatorSettings(lose=1),
}


class OurSmsc:
    """Our simulator as a carrier of the contract."""

    def __init__(self, simulator: Simulator, port: int, log: str) -> None:
        self.simulator = simulator
        self.port = port
        self._log = log

    def lines(self) -> list[dict]:
        """Return the wire log."""
        self.simulator.log.flush()
        return [msgspec.json.decode(line) for line in Path(self._log).read_bytes().splitlines()]

    async def seen(self) -> list[Seen]:
        """Return every message, long ones put together."""
        whole: dict[tuple, dict[int, str]] = {}
        for line in self.lines():
            if line["command"] == "submit_sm" and line["answer"] == "accepted":
                key = (line["source"], line["destination"], line.get("reference", 0))
                whole.setdefault(key, {})[line.get("part", 1)] = line["text"]
        return [
            Seen(key[0], key[1], "".join(text for _, text in sorted(parts.items()))) for key, parts in whole.items()
        ]

    async def acknowledged(self) -> int:
        """Return how many receipts we acknowledged."""
        return self.simulator.counters.receipts_acknowledged

    async def cut(self) -> None:
        """Break all connections."""
        for peer in list(self.simulator.peers):
            peer.abort()

    async def stop(self) -> None:
        """End it."""
        await self.simulator.stop()


@pytest.fixture
async def start(tmp_path) -> AsyncIterator:
    """Start our SMSC."""
    started = []

    async def start(behaviour: str = "normal", **changes: object) -> OurSmsc:
        log = str(tmp_path / f"wire{len(started)}.log")
        simulator = Simulator(msgspec.structs.replace(BEHAVIOURS[behaviour], log=log, **changes))
        started.append(OurSmsc(simulator, await simulator.start(), log))
        return started[-1]

    yield start
    for carrier in started:
        await carrier.stop()


class TestTransceiver(LinkContract):
    """One connection for both directions."""

    @pytest.fixture
    def make_link(self):
        """Make a link with a transceiver."""
        return lambda carrier, gate, events: SmppLink(SmppSettings(port=carrier.port), "main", gate, events)


class TestTransmitterAndReceiver(LinkContract):
    """A connection for each direction."""

    @pytest.fixture
    def make_link(self):
        """Make a link with a transmitter and a receiver."""
        settings = {"bind": "transmitter", "window": 50, "long_text": "sar"}
        return lambda carrier, gate, events: SmppLink(SmppSettings(port=carrier.port, **settings), "main", gate, events)
