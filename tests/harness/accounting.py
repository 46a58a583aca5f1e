"""
What must be true of a dispatch when everything has settled, whatever was done to the machine.
"""

from typing import Any

from penstock.prove.wirelog import after, duplicates
from tests.harness.client import Client, Dispatch
from tests.harness.waiting import until
from tests.harness.wirelog import WireLog


async def check_sent(client: Client, log: WireLog, dispatch: Dispatch, *, most_in_doubt: int) -> int:
    """
    Check a dispatch that went on to its end by itself.

    Nothing went twice; what is not in doubt was taken by the carrier; no more than *most_in_doubt*
    is in doubt.  Returns how many are in doubt.
    """
    await wait_until_sent(client, dispatch)
    lines = await client.lines(dispatch.id)
    doubted = {int(line["destination"]) for line in lines if line.get("errorCode") == 7064}
    await log.wait_to_show(set(dispatch.numbers) - doubted)
    submits = log.of(dispatch.numbers)
    taken = {one.destination for one in submits if one.answer == "accepted"}

    assert duplicates(submits) == []
    assert sorted(int(line["destination"]) for line in lines) == list(dispatch.numbers)
    assert {line["status"] for line in lines} <= {"sent", "delivered"}
    assert set(dispatch.numbers) - doubted <= taken
    assert len(doubted) <= most_in_doubt
    return len(doubted)


async def check_stopped(
    client: Client, log: WireLog, dispatch: Dispatch, *, instant: float, most_in_doubt: int
) -> dict[str, Any]:
    """
    Check a dispatch that was stopped while something went wrong; *instant* is when the 200 was read.

    Nothing came to the carrier after it, nothing twice; the receipt divides the total; what it
    calls accepted or refused came, what it calls never sent did not.
    """
    receipt = await client.receipt(dispatch.id)
    counts = receipt["counts"]
    lines = {int(line["destination"]): line for line in await client.lines(dispatch.id)}
    doubted = {number for number, line in lines.items() if line.get("errorCode") == 7064}
    unsent = {number for number, line in lines.items() if line.get("errorCode") == 7063}
    await log.wait_to_show(set(dispatch.numbers) - unsent - doubted)
    submits = log.of(dispatch.numbers)
    seen = {one.destination for one in submits}

    assert after(submits, instant) == []
    assert duplicates(submits) == []
    assert sum(counts.values()) == receipt["total"] == len(dispatch.numbers) == len(lines)
    assert counts["inDoubt"] == len(receipt["inDoubt"]) == len(doubted) <= most_in_doubt
    assert counts["neverSent"] == len(unsent)
    assert seen & unsent == set()
    assert set(dispatch.numbers) - unsent - doubted <= seen
    assert (
        counts["accepted"] + counts["refused"] <= len(submits) <= counts["accepted"] + counts["refused"] + len(doubted)
    )
    assert receipt["late"] == 0
    return receipt


async def wait_until_sent(client: Client, dispatch: Dispatch, *, seconds: float = 60.0) -> None:
    """Wait until nothing of a dispatch is left to send."""

    async def is_sent() -> bool:
        body = await client.wait_for_status(dispatch.id, "awaiting", "done", seconds=seconds)
        return body["messages"]["sending"] == 0

    await until(is_sent, what=f"{dispatch.id} to be sent", seconds=seconds)
