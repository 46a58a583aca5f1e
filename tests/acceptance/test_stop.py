"""
The promise of the product: after the 200 nothing more leaves, and the account is exact.

Judged by the wire log of the carrier and by nothing else.  PENSTOCK_STOPS sets how many stops are made.
"""

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any

from penstock.prove.wirelog import after, duplicates
from tests.harness.client import Client, Dispatch
from tests.harness.programs import running_serve, running_smsc
from tests.harness.waiting import until, until_true
from tests.harness.wirelog import WireLog

STOPS = int(os.environ.get("PENSTOCK_STOPS", "8"))
SIZE = 8_000


async def test_stops_at_full_rate(tmp_path: Path) -> None:
    """Whenever a dispatch is stopped at full rate, nothing leaves after the 200 and the receipt says what left."""
    chance = random.Random(int(os.environ.get("PENSTOCK_SEED", "1")))
    stopped: list[tuple[Dispatch, float]] = []
    replies = []
    async with (
        running_smsc(tmp_path, "--latency", "0-50", "--refuse", "0.01", "--dlr-delay", "20") as smsc,
        running_serve(tmp_path, smsc.port) as serve,
    ):
        for number in range(STOPS):
            dispatch = await serve.client.begin(SIZE)
            await smsc.log.wait_for(dispatch.numbers, chance.randrange(1, SIZE // 2))
            asked_at = time.monotonic()
            answer = await serve.client.stop(dispatch.id)
            assert (answer.status, answer.body) == (200, b""), f"stop {number}"
            replies.append(answer.read_at - asked_at)
            await check_receipt(serve.client, smsc.log, dispatch, answer.read_at)
            stopped.append((dispatch, answer.read_at))

    for dispatch, instant in stopped:
        submits = smsc.log.of(dispatch.numbers)
        assert after(submits, instant) == []
        assert duplicates(submits) == []
    replies.sort()
    print(  # noqa: T201 - what was measured, for whoever asks with -s
        f"stops {STOPS}, leaks 0, duplicates 0, reply p50 {replies[len(replies) // 2] * 1000:.1f} ms,"
        f" max {replies[-1] * 1000:.1f} ms, on the wire {len(smsc.log.submits)}"
    )


async def check_receipt(client: Client, log: WireLog, dispatch: Dispatch, instant: float) -> dict[str, Any]:
    """Compare a receipt with what the carrier saw, when nobody was killed: nothing is in doubt."""
    receipt = await client.receipt(dispatch.id)
    counts = receipt["counts"]
    written = counts["accepted"] + counts["refused"]
    await until_true(lambda: len(log.of(dispatch.numbers)) >= written, what=f"{written} in the wire log")
    submits = log.of(dispatch.numbers)
    assert after(submits, instant) == []
    assert duplicates(submits) == []
    assert counts["accepted"] == sum(one.answer == "accepted" for one in submits)
    assert counts["refused"] == sum(one.answer == "refused" for one in submits)
    assert counts["inDoubt"] == 0
    assert counts["neverSent"] == len(dispatch.numbers) - len(submits)
    assert sum(counts.values()) == receipt["total"] == len(dispatch.numbers)
    assert receipt["late"] == 0
    return receipt


async def test_what_was_handed_over_goes_on_after_the_stop(tmp_path: Path) -> None:
    """After a stop what was handed over still becomes delivered, what was not becomes unsent."""
    async with (
        running_smsc(tmp_path, "--latency", "5", "--dlr-delay", "300") as smsc,
        running_serve(tmp_path, smsc.port, senders=1) as serve,
    ):
        dispatch = await serve.client.begin(4_000)
        await smsc.log.wait_for(dispatch.numbers, 500)
        await serve.client.stop(dispatch.id)
        receipt = await check_receipt(serve.client, smsc.log, dispatch, float("inf"))
        accepted = receipt["counts"]["accepted"]

        async def delivered() -> bool:
            return (await serve.client.counts(dispatch.id))["delivered"] == accepted

        await until(delivered, what="the receipts")
        counts = await serve.client.counts(dispatch.id)
        lines = await serve.client.lines(dispatch.id)

    assert counts == {
        "total": 4_000, "delivered": accepted, "undelivered": 0, "unsent": 4_000 - accepted, "sent": 0, "sending": 0,
    }  # fmt: skip
    assert sum(line["status"] == "delivered" for line in lines) == accepted
    assert {line["errorCode"] for line in lines if line["status"] == "unsent"} == {7063}


async def test_a_pause_keeps_the_promise_and_resume_sends_the_rest(tmp_path: Path) -> None:
    """A pause holds like a stop; after it exactly what was never sent is sent."""
    async with (
        running_smsc(tmp_path, "--latency", "0-30") as smsc,
        running_serve(tmp_path, smsc.port) as serve,
    ):
        dispatch = await serve.client.begin(5_000)
        pauses = []
        for share in (1_000, 2_500):
            await smsc.log.wait_for(dispatch.numbers, share)
            answer = await serve.client.ask("POST", f"/api/penstock/v1/dispatch/{dispatch.id}/pause")
            assert answer.status == 200
            left = (await serve.client.counts(dispatch.id))["sending"]
            await smsc.log.wait_for(dispatch.numbers, 5_000 - left)
            again = await serve.client.ask("POST", f"/api/penstock/v1/dispatch/{dispatch.id}/resume")
            assert again.status == 200
            pauses.append((answer.read_at, again.read_at))
        await serve.client.wait_for_status(dispatch.id, "done")
    submits = smsc.log.of(dispatch.numbers)

    assert sorted(one.destination for one in submits) == list(dispatch.numbers)
    # Resuming takes effect a little before its answer is read.
    assert [one for one in submits for begin, end in pauses if begin < one.mono < end - 0.2] == []


async def test_filling_races_with_the_start(tmp_path: Path) -> None:
    """A fill that races with the start is either in the dispatch whole or answered 4031."""
    async with (
        running_smsc(tmp_path) as smsc,
        running_serve(tmp_path, smsc.port, senders=1) as serve,
    ):
        for _ in range(4):
            dispatch = await serve.client.prepare(1_000)
            more = range(dispatch.numbers.stop, dispatch.numbers.stop + 12_000)
            fills = [
                asyncio.create_task(serve.client.fill(dispatch.id, more[at : at + 1000]))
                for at in range(0, 12_000, 1000)
            ]
            await asyncio.wait(fills, return_when=asyncio.FIRST_COMPLETED)
            await serve.client.start(dispatch.id)
            answers = [await fill for fill in fills]
            taken = [at for at, answer in enumerate(answers) if answer.status == 200]
            for answer in answers:
                assert answer.status == 200 or answer.body["error"]["code"] == 4031
            view = await serve.client.wait_for_status(dispatch.id, "done", "awaiting")
            assert view["messages"]["total"] == 1000 + 1000 * len(taken)
            wanted = {*dispatch.numbers, *(number for at in taken for number in more[at * 1000 : at * 1000 + 1000])}
            everything = range(dispatch.numbers.start, more.stop)
            await smsc.log.wait_for(everything, len(wanted))
            assert sorted(one.destination for one in smsc.log.of(everything)) == sorted(wanted)
