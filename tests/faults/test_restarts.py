"""
PostgreSQL and Penstock itself are ended and started again in the middle of a sending.
"""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.harness.accounting import check_sent, check_stopped
from tests.harness.programs import running_serve, running_smsc, sending
from tests.harness.waiting import until_true

#: Some 1,250 messages a second and connection: a dispatch lasts long enough to be hit in its middle.
WINDOW, LATENCY = 50, "20-60"


@pytest.mark.anyio
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
async def test_postgres_restarts(tmp_path: Path, how: signal.Signals) -> None:
    """When PostgreSQL ends in the middle, sending goes on by itself: nothing twice, nothing lost, nothing in doubt."""
    async with sending(tmp_path, 8_000, 1_000, latency=LATENCY, window=WINDOW) as (smsc, serve, dispatch):
        senders = {one.pid for one in serve.senders()}
        postmaster = serve.postmaster()
        postmaster.send(how)
        await until_true(lambda: not postmaster.is_alive, what="PostgreSQL to end")
        await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=0)
        assert {one.pid for one in serve.senders()} == senders


async def test_postgres_restarts_in_the_middle_of_a_stop(tmp_path: Path) -> None:
    """A stop that PostgreSQL's restart meets half-way is finished, and holds."""
    async with sending(tmp_path, 8_000, 1_000, latency="400-600", window=400) as (smsc, serve, dispatch):
        stop = asyncio.create_task(serve.client.stop(dispatch.id))
        await serve.client.wait_for_status(dispatch.id, "changing")
        serve.postmaster().send(signal.SIGINT)
        answer = await stop
        assert answer.status == 200
        await check_stopped(serve.client, smsc.log, dispatch, instant=answer.read_at, most_in_doubt=0)


async def test_serve_is_ended_and_started_again(tmp_path: Path) -> None:
    """SIGTERM while sending: exit code 0 and nothing in doubt; started again, the rest is sent once."""
    async with running_smsc(tmp_path, "--latency", LATENCY) as smsc:
        async with running_serve(tmp_path, smsc.port, window=WINDOW) as serve:
            dispatch = await serve.client.begin(9_000)
            for sent in (1_000, 2_000):
                await smsc.log.wait_for(dispatch.numbers, sent)
            assert await serve.program.end() == 0
            assert "Traceback" not in serve.program.said
        sent_first = len(smsc.log.of(dispatch.numbers))
        assert sent_first < 9_000
        async with running_serve(tmp_path, smsc.port, window=WINDOW) as serve:
            assert await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=0) == 0
