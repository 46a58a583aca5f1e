"""
Penstock on several hosts: API hosts, sender hosts, a PostgreSQL host and a carrier's.

The test itself stands at no host: it looks into the database through its Unix socket, and speaks
to each API from beside it, over loopback.
"""

import asyncio
import contextlib
import datetime as dt
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import asyncpg

from penstock.prove.processes import Process, descendants
from penstock.prove.serving import configuration, read_key
from penstock.prove.wirelog import Submit
from penstock.store.embedded import EmbeddedPostgres
from tests.harness.client import Client
from tests.harness.network import Network, entered, socket_on
from tests.harness.programs import Program
from tests.harness.waiting import until
from tests.harness.wirelog import WireLog

DATABASE, CARRIER = "database", "carrier"
SMPP_PORT = 2775
HTTP_PORT = 8080


class Hosts:
    """Everything, on its hosts."""

    def __init__(self, network: Network, log: WireLog, store: asyncpg.Pool) -> None:
        self.network = network
        self.log = log
        self.programs: dict[str, Program] = {}
        self.clients: dict[str, Client] = {}
        self._store = store

    @property
    def client(self) -> Client:
        """A client of the first API host."""
        return next(iter(self.clients.values()))

    def processes(self, host: str) -> list[Process]:
        """Return the processes of Penstock on a host."""
        return descendants(self.programs[host].pid)

    def written_by(self, host: str, numbers: range) -> list[Submit]:
        """Return what a host has handed to the carrier."""
        return [one for one in self.log.of(numbers) if self.log.accounts[one.connection] == host]

    async def end(self) -> None:
        """End all programs, that of the carrier last."""
        carrier = self.programs.pop(CARRIER, None)
        programs = [program for program in self.programs.values() if program.is_running]
        await asyncio.gather(*(program.end() for program in programs))
        if carrier is not None and carrier.is_running:
            await carrier.end()

    async def wait_for_links(self, count: int, *, seconds: float = 30.0) -> None:
        """Wait until *count* connections to the carrier are bound."""
        probe = await self.client.create()

        async def connected() -> bool:
            body = await self.client.look(probe)
            return sum(channel["connected"] for channel in body["channels"]) >= count

        await until(connected, what=f"{count} connections", seconds=seconds)

    async def lease_of(self, host: str) -> "Lease | None":
        """Return the lease of the sender of a host as the database has it."""
        row = await self._store.fetchrow(
            "SELECT id, lease_until, clock_timestamp() AS now,"
            " (SELECT max(claimed_at) FROM claim WHERE sender_id = sender.id) AS claimed_at"
            " FROM sender WHERE name LIKE $1 ORDER BY id DESC LIMIT 1",
            f"%:{self.programs[host].pid}:%",
        )
        return None if row is None else Lease(**row)

    async def wait_for_lease(self, host: str, *, seconds: float = 30.0) -> None:
        """Wait until the sender of a host has a lease that runs: one that was ended is not renewed, another begins."""

        async def runs() -> bool:
            lease = await self.lease_of(host)
            return lease is not None and lease.over_at > time.monotonic()

        await until(runs, what=f"a lease on {host}", seconds=seconds)

    async def sessions_of(self, host: str) -> int:
        """Count the sessions that PostgreSQL keeps for a host."""
        address = self.network.address(host)
        return await self._store.fetchval("SELECT count(*) FROM pg_stat_activity WHERE client_addr = $1::inet", address)

    async def who_waits(self) -> list[str]:
        """Tell what the sessions of PostgreSQL that are not idle do, and who is in whose way."""
        rows = await self._store.fetch(
            "SELECT pid, application_name AS name, client_addr AS host, state, wait_event_type AS kind,"
            " wait_event AS event, clock_timestamp() - state_change AS since, pg_blocking_pids(pid) AS behind,"
            " left(query, 80) AS query FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        return [" ".join(f"{name}={value}" for name, value in row.items()) for row in rows]


class Lease:
    """A sender as the database knows it; instants are of CLOCK_MONOTONIC."""

    def __init__(self, *, id: int, lease_until: dt.datetime, now: dt.datetime, claimed_at: dt.datetime | None) -> None:  # noqa: A002 - a column
        ahead = now.timestamp() - time.monotonic()
        self.sender_id = id
        self.over_at = lease_until.timestamp() - ahead
        self.claimed_at = None if claimed_at is None else claimed_at.timestamp() - ahead


@contextlib.asynccontextmanager
async def running_hosts(
    folder: Path, *, latency: str, apis: int = 1, senders: int = 2, window: int = 50, claim_limit: int = 300
) -> AsyncIterator[Hosts]:
    """Run *apis* API hosts and as many sender hosts as *senders* says, each with one connection to the carrier."""
    api_hosts = [f"api{number}" for number in range(1, apis + 1)]
    sender_hosts = [f"sender{number}" for number in range(1, senders + 1)]
    async with contextlib.AsyncExitStack() as held:
        network = held.enter_context(Network([DATABASE, CARRIER, *api_hosts, *sender_hosts]).built())
        own_dsn = held.enter_context(_postgres(network, folder / "postgres"))
        dsn = f"postgresql://penstock@{network.address(DATABASE)}/postgres"
        store = await asyncpg.create_pool(own_dsn, min_size=1, max_size=2)
        held.push_async_callback(store.close)
        hosts = Hosts(network, WireLog(folder / "wire.log"), store)

        held.push_async_callback(hosts.end)

        async def launch(host: str, *arguments: str) -> None:
            hosts.programs[host] = await Program.launch(
                *arguments, said=folder / f"{host}.err", within=network.on(host)
            )

        async def serve(host: str, *options: str) -> None:
            await launch(host, "serve", "--database", dsn, "--data", str(folder / host), *options)

        # The first to start makes the keys.
        first, *others = api_hosts
        listening = ("--role", "api", "--host", "0.0.0.0", "--port", str(HTTP_PORT))
        await asyncio.gather(
            launch(
                CARRIER, "smsc", "--host", "0.0.0.0", "--port", str(SMPP_PORT), "--log", str(folder / "wire.log"),
                "--seed", "1", "--latency", latency,
            ),
            serve(first, *listening),
        )  # fmt: skip
        for host in sender_hosts:
            carrier = {"name": "main", "system_id": host, "window": window, "response_timeout": 3.0}
            settings = configuration(f"{network.address(CARRIER)}:{SMPP_PORT}", carrier, claim_limit=claim_limit)
            (folder / f"{host}.toml").write_text(settings, encoding="utf-8")
        await asyncio.gather(
            *(serve(host, *listening) for host in others),
            *(serve(host, "--role", "sender", "--config", str(folder / f"{host}.toml")) for host in sender_hosts),
        )
        key = read_key(folder / first)
        for host in api_hosts:
            connector = aiohttp.TCPConnector(socket_factory=partial(_socket, network.namespace(host)))
            hosts.clients[host] = Client(f"http://127.0.0.1:{HTTP_PORT}", key, connector)
            held.push_async_callback(hosts.clients[host].close)
        await hosts.wait_for_links(senders)
        yield hosts


def _socket(namespace: str, address: tuple[int, int, int, str, tuple[str, int]]) -> object:
    family, kind, protocol, *_ = address
    made = socket_on(namespace, family, kind, protocol)
    made.setblocking(False)
    return made


@contextlib.contextmanager
def _postgres(network: Network, data: Path) -> Iterator[str]:
    """Run PostgreSQL on its host, open to the others; lends its address for this machine."""
    loop = asyncio.new_event_loop()

    def live() -> None:
        # What a thread starts is where the thread is.
        with entered(network.namespace(DATABASE)):
            loop.run_forever()

    thread = threading.Thread(target=live, name="postgres of the hosts", daemon=True)
    thread.start()
    server = EmbeddedPostgres(data)
    server._options["listen_addresses"] = "*"
    try:
        dsn = asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
        asyncio.run_coroutine_threadsafe(_open_to_all(dsn, data), loop).result(60)
        yield dsn
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _open_to_all(dsn: str, data: Path) -> None:
    with (data / "postgres" / "pg_hba.conf").open("a", encoding="ascii") as rules:
        rules.write("host all all 10.77.0.0/16 trust\n")
    connection = await asyncpg.connect(dsn)
    try:
        # The data are gone after the test anyway.
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
