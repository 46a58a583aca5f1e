"""
Redis and RabbitMQ for the peers that need them: our own processes, with their own ports and folders.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.peers.peer import free_ports
from tests.bench.peers.programs import Program, running

_REDIS = "/usr/bin/redis-server"
#: Not the wrapper on PATH, which changes the user and the folders.
_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_EPMD = "/usr/bin/epmd"


class Broker(NamedTuple):
    """A broker that runs."""

    program: Program
    port: int


@contextlib.asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[Broker]:
    """Run a Redis that writes what it holds to a file each second, the safest that is usual."""
    home = folder / "redis"
    home.mkdir()
    (port,) = free_ports(1)
    command = [
        _REDIS, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(home), "--loglevel", "warning",
        "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
    ]  # fmt: skip
    async with running(command, folder / "redis.log", folder=home) as program:
        await program.until_listening(port)
        yield Broker(program, port)


@contextlib.asynccontextmanager
async def rabbitmq(folder: Path) -> AsyncIterator[Broker]:
    """
    Run a RabbitMQ as it is installed, on our ports and in our folder.

    Its schedulers sleep when there is nothing to do (+sbwt none), as its guide to the runtime
    advises where cores are shared; else it would take CPU from everybody.  epmd, which it would
    leave behind, is started and ended by us.
    """
    home = folder / "rabbitmq"
    home.mkdir()
    names, port, distribution = free_ports(3)
    environment = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
    }
    epmd = [_EPMD, "-port", str(names), "-address", "127.0.0.1"]
    async with running(epmd, folder / "epmd.log", folder=home, environment=environment) as epmd_program:
        await epmd_program.until_listening(names)
        command = [_RABBITMQ]
        async with running(command, folder / "rabbitmq.log", folder=home, environment=environment) as program:
            await program.until_listening(port, seconds=60)
            yield Broker(program, port)
