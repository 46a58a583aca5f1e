"""
Lines to the carrier that break, and answers that never come.
"""

from collections import Counter
from pathlib import Path

from penstock.prove.wirelog import duplicates
from tests.harness.accounting import check_sent, check_stopped, wait_until_sent
from tests.harness.programs import running_serve, running_smsc

WINDOW = 50


async def test_the_carrier_cuts_connections(tmp_path: Path) -> None:
    """When connections break, at most a window of each is in doubt, and the rest is sent once."""
    cut_after = 900
    async with (
        running_smsc(tmp_path, "--latency", "5-20", "--cut-after", str(cut_after)) as smsc,
        running_serve(tmp_path, smsc.port, window=WINDOW) as serve,
    ):
        dispatch = await serve.client.begin(6_000)
        in_doubt = await check_sent(serve.client, smsc.log, dispatch, most_in_doubt=6_000)
        taken = Counter(one.connection for one in smsc.log.submits)

    cuts = sum(count >= cut_after for count in taken.values())
    assert cuts >= 3
    assert 0 < in_doubt <= WINDOW * cuts


async def test_answers_that_never_come_are_in_doubt(tmp_path: Path) -> None:
    """A message that the carrier never answers to is in doubt and never sent again."""
    async with (
        running_smsc(tmp_path, "--latency", "5", "--lose", "0.01") as smsc,
        running_serve(tmp_path, smsc.port, senders=1) as serve,
    ):
        dispatch = await serve.client.begin(2_000)
        await wait_until_sent(serve.client, dispatch)
        lines = await serve.client.lines(dispatch.id)
        submits = smsc.log.of(dispatch.numbers)

    lost = {one.destination for one in submits if one.answer == "lost"}
    assert lost
    assert duplicates(submits) == []
    assert {int(line["destination"]) for line in lines if line.get("errorCode") == 7064} == lost


async def test_a_throttled_message_is_sent_later(tmp_path: Path) -> None:
    """What a carrier throttles goes back and is taken once in the end; a stop meanwhile is exact."""
    async with (
        running_smsc(tmp_path, "--latency", "5", "--throttle", "0.02") as smsc,
        running_serve(tmp_path, smsc.port, senders=1) as serve,
    ):
        first = await serve.client.begin(1_000)
        await check_sent(serve.client, smsc.log, first, most_in_doubt=0)
        second = await serve.client.begin(4_000)
        await smsc.log.wait_for(second.numbers, 500)
        answer = await serve.client.stop(second.id)
        assert answer.status == 200
        await check_stopped(serve.client, smsc.log, second, instant=answer.read_at, most_in_doubt=0)
