"""
Several machines, and cuts between them.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.harness.accounting import check_sent, check_stopped
from tests.harness.hosts import DATABASE, Hosts, running_hosts
from tests.harness.network import why_no_namespaces
from tests.harness.waiting import until, until_true

CLAIM_LIMIT = 300
#: Some 23 messages a second and sender: what one has claimed lasts for longer than its lease, and the
#: last answers of a stop take about a second.
WINDOW, LATENCY = 16, "200-1200"
#: A stop during a cut takes the two seconds of a lease; a machine that is busy otherwise may need longer.
STOP_SECONDS = 20.0


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hosts]:
    """Run two API hosts and two sender hosts for all tests."""
    reason = why_no_namespaces()
    if reason:
        pytest.skip(f"SEVERAL MACHINES NOT TESTED: {reason}; the faults on a single one are")
    folder = tmp_path_factory.mktemp("hosts")
    async with running_hosts(folder, latency=LATENCY, apis=2, window=WINDOW, claim_limit=CLAIM_LIMIT) as hosts:
        yield hosts


@pytest.fixture
async def hosts(running: Hosts) -> AsyncIterator[Hosts]:
    """Find everything whole, and leave it so."""
    await running.wait_for_links(2)
    yield running
    running.network.mend()


async def wait_for_the_worst_moment(hosts: Hosts, host: str) -> None:
    """
    Wait until a sender has just claimed, well after it last renewed its lease.

    It gives back after two seconds what it could not write: so long, and beyond its lease, nothing but
    the gate would hold it back.
    """

    async def is_now() -> bool:
        lease = await hosts.lease_of(host)
        return (
            lease is not None
            and lease.claimed_at is not None
            and time.monotonic() - lease.claimed_at < 0.2
            and lease.over_at - lease.claimed_at < 1.75
        )

    await until(is_now, what="a fresh claim under an older lease", seconds=60)


async def check_that_it_comes_back(hosts: Hosts, host: str) -> None:
    """Mend the network and check that a sender takes part in a new dispatch."""
    hosts.network.mend()
    await hosts.wait_for_lease(host)
    await hosts.wait_for_links(2)
    other = await hosts.client.begin(150)
    await check_sent(hosts.client, hosts.log, other, most_in_doubt=0)
    assert hosts.written_by(host, other.numbers)


async def test_a_sender_that_is_cut_off_from_the_database(hosts: Hosts) -> None:
    """Cut off from PostgreSQL alone, a sender stops in time; a stop meanwhile holds; mended, it takes part again."""
    dispatch = await hosts.client.begin(2_000)
    await hosts.log.wait_for(dispatch.numbers, 20)
    await wait_for_the_worst_moment(hosts, "sender1")
    hosts.network.cut("sender1", DATABASE)
    cut_at = time.monotonic()
    answer = await hosts.client.stop(dispatch.id)
    lease = await hosts.lease_of("sender1")

    assert answer.status == 200
    assert answer.read_at - cut_at < STOP_SECONDS

    await check_that_it_comes_back(hosts, "sender1")
    # Now that it is back, and whatever it may have had in mind has had its time.
    written = [one.mono for one in hosts.written_by("sender1", dispatch.numbers)]
    assert cut_at < max(written) < lease.over_at
    await check_stopped(hosts.client, hosts.log, dispatch, instant=answer.read_at, most_in_doubt=CLAIM_LIMIT)


async def test_a_host_that_vanishes(hosts: Hosts) -> None:
    """When a host vanishes, others do its work, and PostgreSQL forgets it; when it is back, it takes part again."""
    dispatch = await hosts.client.begin(150)
    await hosts.log.wait_for(dispatch.numbers, 30)
    assert await hosts.sessions_of("sender1")
    vanished, said = hosts.programs["sender1"], len(hosts.programs["sender1"].said)
    hosts.network.isolate("sender1")
    await check_sent(hosts.client, hosts.log, dispatch, most_in_doubt=CLAIM_LIMIT)

    async def is_forgotten() -> bool:
        return await hosts.sessions_of("sender1") == 0

    await until(is_forgotten, what="PostgreSQL to forget the host", seconds=30)
    # The host, for its part, does not wait for ever for what PostgreSQL may have to say.
    await until_true(lambda: "listener_lost" in vanished.said[said:], what="the host to notice", seconds=30)

    await check_that_it_comes_back(hosts, "sender1")


async def test_an_api_host_is_cut_off_in_the_middle_of_a_stop(hosts: Hosts) -> None:
    """A stop whose API host is cut off from PostgreSQL is finished by another; the first answers when it is back."""
    first, second = hosts.clients.values()
    dispatch = await first.begin(2_000)
    await hosts.log.wait_for(dispatch.numbers, 20)
    stop = asyncio.create_task(first.stop(dispatch.id))
    await second.wait_for_status(dispatch.id, "changing")
    hosts.network.cut("api1", DATABASE)
    answer = await second.stop(dispatch.id)

    assert answer.status == 200
    assert not stop.done()
    await check_stopped(second, hosts.log, dispatch, instant=answer.read_at, most_in_doubt=0)
    hosts.network.mend()
    assert (await stop).status == 200
