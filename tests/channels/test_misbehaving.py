"""
A link survives whatever a carrier does, and each message still has one outcome.
"""

import pytest

from penstock.channels.smpp import pdu
from penstock.channels.smpp.client import SmppLink
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from penstock.domain.outcome import Accepted, Lost, Throttled
from tests.channels import misbehaving
from tests.channels.contract import is_open, running
from tests.channels.ledger import Ledger, outgoing
from tests.harness.waiting import until_true

#: A text of three parts.
LONG = "A" * 400


def link_to(smsc, ledger, gate=is_open, **settings):
    """Make a link to a misbehaving SMSC."""
    return SmppLink(SmppSettings(port=smsc.port, **settings), "main", gate, ledger)


async def settle(ledger, count):
    """Wait for outcomes."""
    await until_true(lambda: len(ledger.outcomes) >= count, what=f"{count} outcomes")


async def test_a_bind_that_is_not_answered_is_tried_again():
    """
    A carrier that says nothing is left and called again.
    """
    ledger = Ledger()
    async with misbehaving.NeverAnswersBind() as smsc:
        link = link_to(smsc, ledger, connect_timeout=0.1)
        async with running(link):
            await until_true(lambda: smsc.binds >= 2, what="a second bind")
            assert not link.is_up


async def test_a_refused_bind_is_tried_again():
    """
    A carrier that refuses the password is tried again, for it may be the carrier's fault.
    """
    ledger = Ledger()
    async with misbehaving.RefusesFirstBind() as smsc:
        link = link_to(smsc, ledger)
        async with running(link):
            await until_true(lambda: link.is_up, what="the link to come up")

    assert (smsc.binds, link.failures) == (2, 1)


@pytest.mark.parametrize("smsc", [misbehaving.CutsInTheMiddleOfAPdu, misbehaving.UnbindsInTheMiddle])
async def test_a_connection_that_ends_in_the_middle_leaves_doubt_and_comes_back(smsc):
    """
    Two messages were answered and one is lost; the next connection takes the rest.
    """
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(10))
    async with smsc() as carrier:
        async with running(link_to(carrier, ledger, window=1)):
            await settle(ledger, 10)

        assert ledger.kinds == ["Accepted"] * 9 + ["Lost"]
        assert ledger.outcomes[2] == Lost()
        assert carrier.binds == 2


async def test_garbage_ends_the_connection():
    """
    What is not SMPP ends the connection at once; its message is in doubt, and the link comes back.
    """
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(3))
    async with misbehaving.AnswersGarbage() as smsc, running(link_to(smsc, ledger, window=1)):
        await settle(ledger, 3)

    assert ledger.outcomes[0] == Lost()
    assert ledger.kinds == ["Accepted", "Accepted", "Lost"]


async def test_answers_out_of_order_find_their_messages():
    """
    The id of each message is its own, in whatever order answers come.
    """
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(20))
    async with misbehaving.AnswersOutOfOrder() as smsc, running(link_to(smsc, ledger, window=10)):
        await settle(ledger, 20)

    # The bind has the first sequence number.
    assert ledger.outcomes == {seq: Accepted(str(seq + 2)) for seq in range(20)}


async def test_answers_to_nothing_change_nothing():
    """
    An answer that nobody waits for is counted and ignored.
    """
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(5))
    async with misbehaving.AnswersTheUnasked() as smsc:
        link = link_to(smsc, ledger)
        async with running(link):
            await settle(ledger, 5)
            await until_true(lambda: link.late == 10, what="ten answers to nothing")

    assert ledger.kinds == ["Accepted"] * 5


async def test_an_answer_after_the_time_out_changes_nothing():
    """
    What is in doubt stays in doubt, and its place in the window is free again.
    """
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(3))
    async with misbehaving.AnswersLate() as smsc:
        link = link_to(smsc, ledger, response_timeout=0.2)
        async with running(link):
            await settle(ledger, 3)
            assert link.outstanding == 0
            assert link.room == 100
            smsc.answer_now()
            await until_true(lambda: link.late == 3, what="the late answers")

    assert ledger.kinds == ["Lost"] * 3


async def test_answers_in_single_octets_are_read():
    """
    However small the pieces, the answers are whole.
    """
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(3))
    async with misbehaving.AnswersByOctets() as smsc, running(link_to(smsc, ledger, window=1)):
        await settle(ledger, 3)

    assert ledger.kinds == ["Accepted"] * 3


async def test_a_throttled_part_is_written_again():
    """
    A long message that was begun is finished by the link itself.
    """
    ledger = Ledger()
    ledger.send([outgoing(0, LONG)])
    async with misbehaving.ThrottlesTheSecondPart() as smsc, running(link_to(smsc, ledger)):
        await settle(ledger, 1)

    assert ledger.kinds == ["Accepted"]
    assert len(smsc.texts) == 4
    assert smsc.texts[3] == smsc.texts[1]


async def test_a_throttled_part_is_not_written_through_a_shut_gate():
    """
    Where the gate shuts before the throttled part goes again, the message is in doubt.
    """
    ledger, gate = Ledger(), [True]
    async with misbehaving.ThrottlesTheSecondPart() as smsc:
        link = link_to(smsc, ledger, lambda: gate[0])
        ledger.send([outgoing(0, LONG)])
        async with running(link):
            await until_true(lambda: len(smsc.texts) == 3, what="three parts")
            gate[0] = False
            await settle(ledger, 1)
            assert link.outstanding == 0

    assert ledger.outcomes == {0: Lost()}
    assert len(smsc.texts) == 3


async def test_a_part_that_is_throttled_for_ever_is_given_up():
    """
    A stop never waits longer than the response time-out for a message that was begun.
    """
    ledger = Ledger()
    ledger.send([outgoing(0, LONG)])
    async with misbehaving.AlwaysThrottlesTheSecondPart() as smsc:
        link = link_to(smsc, ledger, response_timeout=0.5)
        async with running(link):
            await settle(ledger, 1)
            assert link.outstanding == 0

    assert ledger.outcomes == {0: Lost()}


async def test_a_throttling_carrier_is_left_alone_for_longer_and_longer():
    """
    The link asks a busy carrier again and again, never at full speed, and goes on once it may.
    """
    ledger, seq = Ledger(), iter(range(1_000))
    async with misbehaving.ThrottlesTenTimes() as smsc:
        link = link_to(smsc, ledger, window=5)
        ledger.send(outgoing(next(seq)) for _ in range(10))
        async with running(link):
            await until_true(lambda: ledger.kinds == ["Throttled"] * 10, what="ten throttled messages")
            assert link.room == 0
            ledger.send(outgoing(next(seq)) for _ in range(10))
            await until_true(lambda: ledger.kinds.count("Accepted") == 10, what="ten accepted messages")

    assert set(ledger.outcomes.values()) >= {Throttled()}


async def test_a_peer_that_falls_silent_is_left():
    """
    Where no answer to enquire_link comes, the connection is made anew.
    """
    ledger = Ledger()
    async with misbehaving.FallsSilent() as smsc:
        link = link_to(smsc, ledger, enquire_link=0.1, response_timeout=0.2)
        async with running(link):
            await until_true(lambda: smsc.binds >= 2, what="a second bind")


async def test_broken_and_strange_receipts_do_not_stop_the_good_ones():
    """
    What cannot be read is answered and left; the next receipt counts.
    """
    ledger = Ledger()
    ledger.send([outgoing(0)])
    async with misbehaving.WritesBrokenReceipts() as smsc:
        link = link_to(smsc, ledger)
        async with running(link):
            await until_true(lambda: ledger.receipts, what="the good receipt")
            assert link.is_up

    assert [receipt.carrier_message_id for receipt in ledger.receipts] == list(ledger.accepted)


async def test_what_the_kernel_would_not_take_stays_behind_a_gate_that_shuts():
    """
    A process whose gate shuts while octets wait in it writes none of them, also when the carrier reads again.
    """
    ledger, gate = Ledger(), [True]
    async with misbehaving.NeverReads() as smsc:
        link = link_to(smsc, ledger, lambda: gate[0], window=10_000)
        async with running(link):
            await until_true(lambda: link.is_up, what="the link to come up")
            # The kernels of both sides hold a few hundred kilobytes at the most.
            batch = [outgoing(seq, "x" * 160) for seq in range(10_000)]
            taken = 0
            while link.room:
                taken += link.submit(batch[taken:])
                await until_true(lambda: True, what="a turn of the loop")
            assert link.outstanding == taken > 0
            gate[0] = False
            smsc.reads.set()
            await smsc.taken.wait()
            await settle(ledger, taken)

    assert set(ledger.outcomes.values()) == {Lost()}
    arrived = sum(1 for _ in pdu.split(smsc.octets))
    assert 0 < arrived < taken


async def test_receipts_that_come_before_the_answer_are_told():
    """
    A receipt is passed on though its message has no answer yet.
    """
    ledger = Ledger()
    simulator = Simulator(SimulatorSettings(early_dlr=True, latency=(0.05, 0.05)))
    smsc = misbehaving.Smsc()
    smsc.port = await simulator.start()
    link = link_to(smsc, ledger)
    ledger.send([outgoing(0)])
    async with running(link):
        await until_true(lambda: ledger.receipts, what="a receipt")
        assert not ledger.outcomes
        await settle(ledger, 1)
    await simulator.stop()

    assert ledger.accepted == {ledger.receipts[0].carrier_message_id: 0}


async def test_receipts_on_another_connection_are_told_there():
    """
    Of two links to one account either may hear of the other's messages; together they hear of all.
    """
    first, second = Ledger(), Ledger()
    simulator = Simulator(SimulatorSettings(dlr_anywhere=True, seed=1))
    smsc = misbehaving.Smsc()
    smsc.port = await simulator.start()
    async with running(link_to(smsc, first)), running(link_to(smsc, second)):
        await until_true(lambda: first.rooms and second.rooms, what="both links")
        first.send(outgoing(seq) for seq in range(200))
        await until_true(lambda: len(first.receipts) + len(second.receipts) == 200, what="all receipts")
        await settle(first, 200)
    await simulator.stop()

    assert first.receipts
    assert second.receipts
    told = {receipt.carrier_message_id for receipt in first.receipts + second.receipts}
    assert told == set(first.accepted)


async def test_receipts_that_were_not_acknowledged_come_again():
    """
    Our SMSC keeps a receipt until it is acknowledged, over a broken connection too.
    """
    ledger = Ledger(acknowledges=False)
    simulator = Simulator(SimulatorSettings())
    smsc = misbehaving.Smsc()
    smsc.port = await simulator.start()
    ledger.send([outgoing(0)])
    async with running(link_to(smsc, ledger)):
        await until_true(lambda: len(ledger.receipts) == 1, what="the receipt")
        for peer in list(simulator.peers):
            peer.abort()
        await until_true(lambda: len(ledger.receipts) == 2, what="the receipt again")
        ledger.withheld[1]()
        await until_true(lambda: simulator.counters.receipts_acknowledged == 1, what="the acknowledgement")
    await simulator.stop()

    assert ledger.receipts[0] == ledger.receipts[1]


async def test_a_rate_is_kept_on_the_wire():
    """
    A link with a rate of its own sends no faster.
    """
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(100))
    now = [0.0]
    async with misbehaving.Smsc() as smsc:
        settings = SmppSettings(port=smsc.port, rate=50)
        link = SmppLink(settings, "main", is_open, ledger, clock=lambda: now[0])
        async with running(link):
            await settle(ledger, 5)
            assert (len(ledger.outcomes), link.room) == (5, 0)
            now[0] += 0.1
            await settle(ledger, 10)
            assert (len(ledger.outcomes), link.room) == (10, 0)
