"""
What every link to a carrier promises; each adapter passes these tests unchanged.

A module that runs them gives the fixtures `start` (runs a carrier and returns it) and `make_link`
(makes a link to it).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, Protocol

import pytest

from penstock.channels.port import Gate, Link, LinkEvents
from penstock.domain.outcome import Lost, ReceiptStatus, Rejected
from tests.channels.ledger import Ledger, outgoing
from tests.harness.waiting import until, until_true


class Seen(NamedTuple):
    """A message as the carrier read it, long ones put together."""

    source: str
    destination: str
    text: str


class Carrier(Protocol):
    """The other side."""

    async def seen(self) -> list[Seen]:
        """Return every message that the carrier has whole."""

    async def acknowledged(self) -> int:
        """Return how many receipts we acknowledged."""

    async def cut(self) -> None:
        """Break all connections."""

    async def stop(self) -> None:
        """End the carrier."""


MakeLink = Callable[[Carrier, Gate, LinkEvents], Link]

TEXTS = [
    "Plain text",
    "Extension: €{}[]~\\|^",
    "Greek and accents: ΔΦΓΛΩ èéùìò ÄÖÑÜ§¿",
    "Привет, мир!",
    "Ёмкость 😀 за пределами плоскости",
    "A long text in the GSM alphabet, of three parts, with a €. " * 6,
    "Длинный русский текст в трёх частях. " * 4,
    "😀" * 80,
]


def is_open() -> bool:
    """Let everything pass."""
    return True


@contextlib.asynccontextmanager
async def running(link: Link) -> AsyncIterator[None]:
    """Run a link, and close it in the end."""
    task = asyncio.ensure_future(link.run())
    try:
        yield
        await link.close(asyncio.get_running_loop().time() + 5)
        await task
    finally:
        task.cancel()
        await asyncio.wait((task,))


class LinkContract:
    """The suite."""

    async def test_a_link_comes_up_and_says_that_there_is_room(self, start, make_link):
        """
        Once bound, a link is up and has told so.
        """
        ledger = Ledger()
        link = make_link(await start(), is_open, ledger)
        assert not link.is_up
        assert link.room == 0

        async with running(link):
            await until_true(lambda: link.is_up, what="the link to come up")
            await until_true(lambda: ledger.rooms, what="word of room")
            assert link.room > 0
            assert link.outstanding == 0

        assert not link.is_up
        assert link.room == 0

    async def test_ten_thousand_messages_have_one_outcome_and_one_receipt_each(self, start, make_link):
        """
        Under load every message is accepted once, and its receipt names it.
        """
        carrier, ledger = await start(), Ledger()
        link = make_link(carrier, is_open, ledger)
        ledger.send(outgoing(seq) for seq in range(10_000))

        async with running(link):
            await until_true(lambda: len(ledger.receipts) >= 10_000, what="10,000 receipts", seconds=60)

        assert ledger.kinds == ["Accepted"] * 10_000
        accepted = ledger.accepted
        assert sorted(accepted[receipt.carrier_message_id] for receipt in ledger.receipts) == list(range(10_000))
        assert {receipt.status for receipt in ledger.receipts} == {ReceiptStatus.DELIVERED}
        assert sorted(one.destination for one in await carrier.seen()) == [
            str(79_990_000_000 + seq) for seq in range(10_000)
        ]

    async def test_texts_read_back_right(self, start, make_link):
        """
        The carrier reads every text as it was written, Cyrillic and long ones included, one receipt each.
        """
        carrier, ledger = await start(), Ledger()
        link = make_link(carrier, is_open, ledger)
        ledger.send(outgoing(seq, text) for seq, text in enumerate(TEXTS))

        async with running(link):
            await until_true(lambda: len(ledger.receipts) >= len(TEXTS), what="all receipts")

        assert sorted(await carrier.seen()) == sorted(
            Seen("Shop", str(79_990_000_000 + seq), text) for seq, text in enumerate(TEXTS)
        )
        accepted = ledger.accepted
        assert sorted(accepted[receipt.carrier_message_id] for receipt in ledger.receipts) == list(range(len(TEXTS)))

    async def test_nothing_leaves_through_a_shut_gate(self, start, make_link):
        """
        While the gate is shut nothing is taken and the carrier sees nothing; it goes on when it opens.
        """
        carrier, ledger, gate = await start(), Ledger(), [False]
        link = make_link(carrier, lambda: gate[0], ledger)
        ledger.send([outgoing(1)])

        async with running(link):
            await until_true(lambda: ledger.rooms, what="word of room")
            assert link.room > 0
            assert link.submit([outgoing(2)]) == 0
            assert link.outstanding == 0
            assert await carrier.seen() == []
            gate[0] = True
            await until_true(lambda: len(ledger.outcomes) == 1, what="the outcome")

        assert [one.destination for one in await carrier.seen()] == ["79990000001"]

    async def test_no_more_is_taken_than_there_is_room(self, start, make_link):
        """
        A link takes what its room says, from the front, and counts it as outstanding.
        """
        ledger = Ledger()
        link = make_link(await start(), is_open, ledger)

        async with running(link):
            await until_true(lambda: ledger.rooms, what="word of room")
            room = link.room
            assert link.submit([outgoing(seq) for seq in range(room + 5)]) == room
            assert (link.room, link.outstanding) == (0, room)
            await until_true(lambda: len(ledger.outcomes) == room, what="the outcomes")

        assert sorted(ledger.outcomes) == list(range(room))

    async def test_a_refused_message_is_rejected_with_its_code(self, start, make_link):
        """
        A carrier that says no says why.
        """
        ledger = Ledger()
        link = make_link(await start("refuse"), is_open, ledger)
        ledger.send([outgoing(1), outgoing(2, TEXTS[5])])

        async with running(link):
            await until_true(lambda: len(ledger.outcomes) == 2, what="the outcomes")

        assert ledger.outcomes == {1: Rejected(0x45), 2: Rejected(0x45)}

    async def test_a_throttled_message_comes_back_and_the_link_is_quiet(self, start, make_link):
        """
        A carrier that asks to slow down gets less, and nothing of the message was taken.
        """
        carrier, ledger = await start("throttle"), Ledger()
        link = make_link(carrier, is_open, ledger)
        ledger.send([outgoing(1), outgoing(2, TEXTS[5])])

        async with running(link):
            await until_true(lambda: len(ledger.outcomes) == 2, what="the outcomes")
            assert link.room == 0
            rooms = ledger.rooms
            await until_true(lambda: ledger.rooms > rooms, what="the link to try again")

        assert ledger.kinds == ["Throttled", "Throttled"]
        assert await carrier.seen() == []

    async def test_a_broken_connection_leaves_its_messages_in_doubt(self, start, make_link):
        """
        What has no answer when the connection breaks is lost, once, and the link comes back by itself.
        """
        carrier, ledger = await start("silent"), Ledger()
        link = make_link(carrier, is_open, ledger)
        ledger.send([outgoing(1), outgoing(2), outgoing(3, TEXTS[5])])

        async with running(link):
            await until_true(lambda: link.outstanding == 3, what="three messages on their way")
            await carrier.cut()
            await until_true(lambda: len(ledger.outcomes) == 3, what="the outcomes")
            assert link.outstanding == 0
            await until_true(lambda: link.is_up, what="the link to come back")

        assert set(ledger.outcomes.values()) == {Lost()}

    async def test_closing_waits_no_longer_than_its_deadline(self, start, make_link):
        """
        What is unanswered at the deadline of a close is lost, and the link ends.
        """
        ledger = Ledger()
        link = make_link(await start("silent"), is_open, ledger)
        ledger.send([outgoing(1)])
        task = asyncio.ensure_future(link.run())
        await until_true(lambda: link.outstanding == 1, what="a message on its way")

        await link.close(asyncio.get_running_loop().time() + 0.1)

        await asyncio.wait_for(task, 5)
        assert ledger.outcomes == {1: Lost()}

    async def test_closing_waits_for_answers(self, start, make_link):
        """
        A close takes nothing more, and loses nothing that is answered in time.
        """
        ledger = Ledger()
        link = make_link(await start(), is_open, ledger)
        ledger.send(outgoing(seq) for seq in range(20))
        task = asyncio.ensure_future(link.run())
        await until_true(lambda: link.is_up, what="the link to come up")
        taken = link.outstanding + len(ledger.outcomes)

        closing = asyncio.ensure_future(link.close(asyncio.get_running_loop().time() + 5))
        await asyncio.sleep(0)
        assert link.submit([outgoing(99)]) == 0
        await closing

        await asyncio.wait_for(task, 5)
        assert len(ledger.outcomes) >= taken
        assert set(ledger.kinds) <= {"Accepted"}
        assert link.outstanding == 0

    async def test_a_receipt_is_acknowledged_only_when_we_say_so(self, start, make_link):
        """
        The carrier hears of a receipt once it is recorded, not before.
        """
        carrier, ledger = await start(), Ledger(acknowledges=False)
        link = make_link(carrier, is_open, ledger)
        ledger.send(outgoing(seq) for seq in range(3))

        async with running(link):
            await until_true(lambda: len(ledger.receipts) == 3, what="three receipts")
            assert await carrier.acknowledged() == 0
            for acknowledge in ledger.withheld:
                acknowledge()
            await until(carrier.acknowledged, what="acknowledgements")
            await until_true(lambda: link.is_up, what="the link")

            async def is_all() -> bool:
                return await carrier.acknowledged() == 3

            await until(is_all, what="three acknowledgements")

    async def test_an_acknowledgement_after_the_end_does_nothing(self, start, make_link):
        """
        Recording a receipt after its connection broke is no error.
        """
        carrier, ledger = await start(), Ledger(acknowledges=False)
        link = make_link(carrier, is_open, ledger)
        ledger.send([outgoing(1)])

        async with running(link):
            await until_true(lambda: ledger.withheld, what="a receipt")
            await carrier.cut()
            await until_true(lambda: ledger.rooms >= 2, what="the link to come back")
            ledger.withheld[0]()

        assert await carrier.acknowledged() <= 1

    async def test_an_error_in_the_engine_ends_the_link_loudly(self, start, make_link):
        """
        A bug in whoever hears the link is not swallowed.
        """

        class Broken(Ledger):
            def on_outcomes(self, link, outcomes):
                del link, outcomes
                raise ZeroDivisionError

        ledger = Broken()
        link = make_link(await start(), is_open, ledger)
        ledger.send([outgoing(1)])

        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(link.run(), 5)

        assert raised.group_contains(ZeroDivisionError)
