"""
Senders that freeze, and wake when everybody has gone on without them.
"""

import signal
import time
from pathlib import Path

from tests.harness.accounting import check_sent, check_stopped
from tests.harness.programs import sending
from tests.harness.waiting import until_true

CLAIM_LIMIT = 300
CONNECTIONS = 2
#: Some 1,250 messages a second and connection: a dispatch lasts long enough to freeze in its middle.
WINDOW, LATENCY = 50, "20-60"
SETUP = {"latency": LATENCY, "connections": CONNECTIONS, "window": WINDOW, "claim_limit": CLAIM_LIMIT}
LEASE_SECONDS = 2.0
#: What a machine that is busy with other things may add.
SLACK_SECONDS = 1.5


async def test_a_frozen_sender_cannot_delay_a_stop_nor_break_it(tmp_path: Path) -> None:
    """A stop waits for a frozen sender no longer than its lease; when the sender wakes it writes nothing more."""
    async with sending(tmp_path, 12_000, 2_000, **SETUP) as (smsc, serve, dispatch):
        frozen = serve.senders()[0]
        frozen.send(signal.SIGSTOP)
        try:
            asked_at = time.monotonic()
            answer = await serve.client.stop(dispatch.id)
        finally:
            frozen.send(signal.SIGCONT)
        assert answer.status == 200
        assert answer.read_at - asked_at < LEASE_SECONDS + SLACK_SECONDS

        await until_true(lambda: not frozen.is_alive, what="the frozen sender to end")
        await serve.wait_for_senders(2, without=frozen)
        # Whatever the frozen one had in mind, others have worked through the new sender meanwhile.
        other = await serve.client.begin(2_000)
        await check_sent(serve.client, smsc.log, other, most_in_doubt=0)
        await check_stopped(
            serve.client, smsc.log, dispatch, instant=answer.read_at, most_in_doubt=CLAIM_LIMIT * CONNECTIONS
        )


async def test_the_others_go_on_without_a_frozen_sender(tmp_path: Path) -> None:
    """While a sender is frozen, and after it has woken, everything is sent once."""
    async with sending(tmp_path, 8_000, 1_000, **SETUP) as (smsc, serve, dispatch):
        frozen = serve.senders()[0]
        frozen.send(signal.SIGSTOP)
        try:
            await serve.client.wait_for_status(dispatch.id, "awaiting", "done")
        finally:
            frozen.send(signal.SIGCONT)
        await until_true(lambda: not frozen.is_alive, what="the frozen sender to end")
        await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=CLAIM_LIMIT * CONNECTIONS)


async def test_a_short_freeze_costs_nothing(tmp_path: Path) -> None:
    """A sender that freezes for less than its lease goes on as if nothing had been."""
    async with sending(tmp_path, 8_000, 1_000, senders=1, **SETUP | {"claim_limit": 1_000}) as (smsc, serve, dispatch):
        [frozen] = serve.senders()
        frozen.send(signal.SIGSTOP)
        frozen_at = time.monotonic()
        await until_true(lambda: time.monotonic() - frozen_at > LEASE_SECONDS / 4, what="half a second")
        frozen.send(signal.SIGCONT)
        await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=0)
        assert frozen.is_alive
