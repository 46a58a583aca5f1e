"""
Processes that are killed without a word, between any two steps.
"""

import asyncio
import signal
import time
from pathlib import Path

import aiohttp

from penstock.prove.wirelog import after, duplicates
from tests.harness.accounting import check_sent, check_stopped
from tests.harness.programs import running_serve, running_smsc, sending

CLAIM_LIMIT = 300
CONNECTIONS = 2
#: Some 1,250 messages a second and connection: a dispatch lasts long enough to be hit in its middle.
WINDOW, LATENCY = 50, "20-60"
SETUP = {"latency": LATENCY, "connections": CONNECTIONS, "window": WINDOW, "claim_limit": CLAIM_LIMIT}


async def test_a_sender_is_killed(tmp_path: Path) -> None:
    """When a sender is killed while sending, the rest is sent by others, nothing twice, little is in doubt."""
    async with sending(tmp_path, 12_000, 2_000, **SETUP) as (smsc, serve, dispatch):
        victim = serve.senders()[0]
        victim.send(signal.SIGKILL)
        await serve.wait_for_senders(2, without=victim)
        await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=CLAIM_LIMIT * CONNECTIONS)


async def test_the_only_sender_is_killed_again_and_again(tmp_path: Path) -> None:
    """When the only sender is killed, another one takes its place and goes on, as often as it takes."""
    kills = 3
    async with (
        running_smsc(tmp_path, "--latency", LATENCY) as smsc,
        running_serve(
            tmp_path, smsc.port, senders=1, connections=CONNECTIONS, window=WINDOW, claim_limit=CLAIM_LIMIT
        ) as serve,
    ):
        dispatch = await serve.client.begin(9_000)
        for kill in range(1, kills + 1):
            await smsc.log.wait_for(dispatch.numbers, kill * 2_000)
            victim = serve.senders()[0]
            victim.send(signal.SIGKILL)
            await serve.wait_for_senders(1, without=victim)
        await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=kills * CLAIM_LIMIT * CONNECTIONS)


async def test_a_sender_is_killed_before_a_stop(tmp_path: Path) -> None:
    """A stop after the death of a sender is as quick and as exact as ever."""
    async with sending(tmp_path, 12_000, 2_000, **SETUP) as (smsc, serve, dispatch):
        serve.senders()[0].send(signal.SIGKILL)
        asked_at = time.monotonic()
        answer = await serve.client.stop(dispatch.id)

        assert answer.status == 200
        assert answer.read_at - asked_at < 3.0
        await check_stopped(
            serve.client, smsc.log, dispatch, instant=answer.read_at, most_in_doubt=CLAIM_LIMIT * CONNECTIONS
        )


async def test_the_api_is_killed_in_the_middle_of_a_stop(tmp_path: Path) -> None:
    """When the process that took the stop is killed, the stop goes on; asked again, it joins or says it is done."""
    async with sending(tmp_path, 8_000, 1_000, latency="700-900", window=400) as (smsc, serve, dispatch):
        stop = asyncio.create_task(serve.client.stop(dispatch.id))
        await serve.client.wait_for_status(dispatch.id, "changing")
        [api] = serve.apis()
        api.send(signal.SIGKILL)
        [broken] = await asyncio.gather(stop, return_exceptions=True)
        assert isinstance(broken, aiohttp.ClientError), broken

        await serve.client.wait_for_status(dispatch.id, "changing", "stopped")
        again = await serve.client.stop(dispatch.id)
        assert again.status == 200 or again.body["error"]["code"] == 4031
        view = await serve.client.look(dispatch.id)
        assert view["status"] == "stopped"
        await check_stopped(serve.client, smsc.log, dispatch, instant=again.read_at, most_in_doubt=0)


async def test_what_a_fill_answered_is_there(tmp_path: Path) -> None:
    """A fill that was answered with 200 is in the dispatch whole, also when everything is killed right after."""
    async with running_smsc(tmp_path) as smsc:
        async with running_serve(tmp_path, smsc.port, senders=1) as serve:
            dispatch = await serve.client.prepare(1_000)
            more = range(dispatch.numbers.stop, dispatch.numbers.stop + 1_000)
            assert (await serve.client.fill(dispatch.id, more)).status == 200
            [api] = serve.apis()
            api.send(signal.SIGKILL)
            for process in (serve.postmaster(), *serve.senders()):
                process.send(signal.SIGKILL)
            serve.program.send(signal.SIGKILL)
            await serve.program.wait()
        async with running_serve(tmp_path, smsc.port, senders=1) as serve:
            view = await serve.client.look(dispatch.id)
            assert view["messages"]["total"] == 2_000
            await serve.client.start(dispatch.id)
            everything = range(dispatch.numbers.start, more.stop)
            await smsc.log.wait_for(everything, 2_000)
            assert duplicates(smsc.log.of(everything)) == []


async def test_the_supervisor_is_killed(tmp_path: Path) -> None:
    """When the supervisor is killed, its children finish what they have begun and leave nothing in doubt."""
    async with running_smsc(tmp_path, "--latency", LATENCY) as smsc:
        async with running_serve(tmp_path, smsc.port, window=WINDOW) as serve:
            dispatch = await serve.client.begin(8_000)
            await smsc.log.wait_for(dispatch.numbers, 1_000)
            serve.program.send(signal.SIGKILL)
            await serve.program.wait()
            died_at = time.monotonic()
        async with running_serve(tmp_path, smsc.port, window=WINDOW) as serve:
            assert await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=0) == 0
            assert after(smsc.log.of(dispatch.numbers), died_at)
