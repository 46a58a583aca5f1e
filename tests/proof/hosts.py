"""
Stops while a sender's host is cut off from PostgreSQL: `python -m tests.proof.hosts [TIMES]`.

Two sender hosts, an API host, PostgreSQL's and a carrier's, as network namespaces; needs root.
Each round starts a dispatch, cuts one sender host off from PostgreSQL and not from its carrier,
stops the dispatch at once, and mends the cut when all is counted.  The wire log of the carrier is
the witness.  Prints a line for each round and what they come to; ends with 1 if anything leaked,
came twice, or does not fit the receipt.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from penstock.prove.wirelog import after, duplicates
from tests.harness.accounting import check_stopped
from tests.harness.hosts import DATABASE, Hosts, running_hosts
from tests.harness.network import why_no_namespaces

CLAIM_LIMIT = 300
MESSAGES = 3_000
VICTIM = "sender1"
#: A stop that takes longer than this is looked at: who waits for whom.
SLOW_SECONDS = 2.4


class Round(NamedTuple):
    """What one round came to."""

    reply_ms: float
    written: int  #: by the host that was cut off, after the cut
    spare_ms: float  #: from its last write to the end of its lease
    back_ms: float  #: from the mending until it is connected again
    in_doubt: int
    leaks: int
    duplicates: int
    fits: bool  #: the receipt says what the wire log says


def main() -> int:
    """Make the rounds and return the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("times", type=int, nargs="?", default=20, help="rounds")
    options.add_argument("--window", type=int, default=50, help="unanswered messages of each connection")
    options.add_argument("--latency", default="20-60", help="milliseconds to an answer")
    options.add_argument("--seed", type=int, default=1, help="of the moments at which the cuts come")
    given = options.parse_args()
    reason = why_no_namespaces()
    if reason:
        raise SystemExit(f"no network namespaces here: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        rounds = asyncio.run(measure(Path(folder), given))
    return summarize(rounds)


async def measure(folder: Path, given: argparse.Namespace) -> list[Round]:
    """Make the rounds, one after the other."""
    chance = random.Random(given.seed)
    rounds = []
    async with running_hosts(folder, latency=given.latency, window=given.window, claim_limit=CLAIM_LIMIT) as hosts:
        print("reply ms  written after the cut  ms before the lease's end  back after ms  in doubt  leaks  twice  fits")  # noqa: T201
        for _ in range(given.times):
            one = await play(hosts, chance.randrange(200, 1_000))
            rounds.append(one)
            print(  # noqa: T201
                f"{one.reply_ms:8.0f} {one.written:22} {one.spare_ms:26.0f} {one.back_ms:14.0f} {one.in_doubt:9}"
                f" {one.leaks:6} {one.duplicates:6}  {'yes' if one.fits else 'NO'}",
                flush=True,
            )
    return rounds


async def play(hosts: Hosts, begun: int) -> Round:
    """Cut and stop once *begun* messages are on the wire; mend."""
    dispatch = await hosts.client.begin(MESSAGES)
    await hosts.log.wait_for(dispatch.numbers, begun)
    hosts.network.cut(VICTIM, DATABASE)
    cut_at = time.monotonic()
    stop = asyncio.create_task(hosts.client.stop(dispatch.id))
    while (await asyncio.wait({stop}, timeout=SLOW_SECONDS))[1]:
        print(f"no answer after {time.monotonic() - cut_at:.1f} s", *await hosts.who_waits(), sep="\n  ")  # noqa: T201
    answer = await stop
    lease = await hosts.lease_of(VICTIM)
    fits = answer.status == 200
    try:
        await check_stopped(hosts.client, hosts.log, dispatch, instant=answer.read_at, most_in_doubt=CLAIM_LIMIT)
    except AssertionError as error:
        print(error)  # noqa: T201
        fits = False
    receipt = await hosts.client.receipt(dispatch.id)
    hosts.network.mend()
    mended_at = time.monotonic()
    # What it does when it is back would show, too.
    await hosts.wait_for_lease(VICTIM)
    await hosts.wait_for_links(2)
    back_ms = (time.monotonic() - mended_at) * 1000
    written = [one.mono for one in hosts.written_by(VICTIM, dispatch.numbers)]
    submits = hosts.log.of(dispatch.numbers)
    return Round(
        reply_ms=(answer.read_at - cut_at) * 1000,
        written=sum(at > cut_at for at in written),
        spare_ms=(lease.over_at - max(written)) * 1000,
        back_ms=back_ms,
        in_doubt=receipt["counts"]["inDoubt"],
        leaks=len(after(submits, answer.read_at)),
        duplicates=len(duplicates(submits)),
        fits=fits,
    )


def summarize(rounds: list[Round]) -> int:
    """Print what they come to and return the exit code."""
    replies = sorted(one.reply_ms for one in rounds)
    leaks, twice = sum(one.leaks for one in rounds), sum(one.duplicates for one in rounds)
    wrong = sum(not one.fits for one in rounds)
    print(  # noqa: T201
        f"{len(rounds)} stops during a cut: reply p50 {statistics.median(replies):.0f} ms, max {replies[-1]:.0f} ms;"
        f" leaks {leaks}, twice {twice}, receipts that do not fit {wrong};"
        f" in doubt {sum(one.in_doubt for one in rounds)}, at most {max(one.in_doubt for one in rounds)} of"
        f" {CLAIM_LIMIT} in a round;"
        f" last write {min(one.spare_ms for one in rounds):.0f} ms before the lease's end at the least"
    )
    return 1 if leaks or twice or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
