"""
Our own SMSC is told to behave otherwise while it runs.
"""

from collections.abc import AsyncIterator

import pytest

from penstock.channels.smpp.client import SmppLink
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_commands import BadCommand, obey
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from penstock.domain.outcome import Accepted, Rejected
from tests.channels.contract import is_open, running
from tests.channels.ledger import Ledger, outgoing
from tests.harness.waiting import until_true


@pytest.fixture
async def smsc() -> AsyncIterator[tuple[Simulator, int]]:
    """Run an SMSC."""
    simulator = Simulator(SimulatorSettings(seed=1))
    port = await simulator.start()
    yield simulator, port
    await simulator.stop()


async def test_a_change_holds_from_the_next_message_on(smsc):
    """
    What is named changes at once, what is not named stays.
    """
    simulator, port = smsc
    ledger = Ledger()
    async with running(SmppLink(SmppSettings(port=port), "main", is_open, ledger)):
        ledger.send([outgoing(1)])
        await until_true(lambda: len(ledger.outcomes) == 1, what="the first outcome")
        obey(simulator, b'{"refuse": 1, "latency": [0.001, 0.002]}')
        ledger.send([outgoing(2)])
        await until_true(lambda: len(ledger.outcomes) == 2, what="the second outcome")

    assert [type(outcome) for outcome in ledger.outcomes.values()] == [Accepted, Rejected]
    assert simulator.settings == SimulatorSettings(seed=1, refuse=1, latency=(0.001, 0.002))


async def test_as_many_connections_break_as_were_asked_for(smsc):
    """
    One of two connections is cut, and comes again.
    """
    simulator, port = smsc
    links = [SmppLink(SmppSettings(port=port), "main", is_open, Ledger()) for _ in range(2)]
    async with running(links[0]), running(links[1]):
        await until_true(lambda: all(link.is_up for link in links), what="both connections")

        assert obey(simulator, b'{"cut": 1}') == 1
        await until_true(lambda: simulator.counters.binds == 3, what="the new connection")

    assert sum(link.failures for link in links) == 1


@pytest.mark.parametrize("line", [b"cut", b'{"lose": 2}', b'{"port": 1}', b'{"cut": -1}'])
async def test_what_is_not_a_command_changes_nothing(smsc, line):
    """
    A command that is not understood is refused whole.
    """
    simulator, _ = smsc
    with pytest.raises(BadCommand):
        obey(simulator, line)

    assert simulator.settings == SimulatorSettings(seed=1)
