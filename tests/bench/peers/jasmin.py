"""
Jasmin: jasmind, which does everything but receipts, and two daemons for these, on RabbitMQ and Redis.

Set up as its documentation describes a deployment: the daemons dlrlookupd and dlrd of their own,
*submit_throughput* 0 (no limit, 1 a second by default), logs at error level.  Its window cannot be
set: a connector takes one message from RabbitMQ, and the next after the answer to it.
"""

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.bench.peers.brokers import rabbitmq, redis
from tests.bench.peers.environments import binary, package_folder
from tests.bench.peers.load import Load, Request, get
from tests.bench.peers.peer import SENDER, Line, Offered, Way, free_ports, text_to
from tests.bench.peers.programs import DidNotStart, Program, running
from tests.bench.peers.sink import sink
from tests.harness.waiting import until

_CONNECTIONS = 64
_ANSWERS = 10.0  #: seconds for an answer of the console
#: Jasmin's own, and not to be set: only one jasmind can run on a machine.
_LOCK = Path("/tmp/jasmind.lock")

_CONFIG = """\
[smpp-server]
bind = 127.0.0.1
port = {smpp_server}
log_level = ERROR
[smpp-server-pb]
bind = 127.0.0.1
port = {smpp_server_pb}
log_level = ERROR
[smpp-server-pb-client]
host = 127.0.0.1
port = {smpp_server_pb}
[client-management]
store_path = {store}
bind = 127.0.0.1
port = {clients}
log_level = ERROR
[service-smppclient]
log_level = ERROR
[sm-listener]
submit_retrial_delay_smppc_not_ready = 1
log_level = ERROR
[dlr]
log_level = ERROR
[amqp-broker]
host = 127.0.0.1
port = {amqp}
spec = {spec}
log_level = ERROR
connection_loss_retry_delay = 1
[redis-client]
host = 127.0.0.1
port = {redis}
log_level = ERROR
[http-api]
bind = 127.0.0.1
port = {http}
log_level = ERROR
[router]
store_path = {store}
bind = 127.0.0.1
port = {router}
log_level = ERROR
[dlr-thrower]
log_level = ERROR
[deliversm-thrower]
log_level = ERROR
[jcli]
bind = 127.0.0.1
port = {jcli}
authentication = False
log_level = ERROR
"""

#: What the console is told; each line is answered by a prompt.
_SETUP = """\
group -a
gid bench
ok
user -a
username bench
password bench
gid bench
uid bench
ok
smppccm -a
cid carrier
host {host}
port {port}
username bench
password secret
bind transceiver
submit_throughput 0
con_loss_delay 1
con_fail_delay 1
requeue_delay 1
loglevel 40
logfile {log}
ok
mtrouter -a
type DefaultRoute
connector smppc(carrier)
rate 0.0
ok
smppccm -1 carrier
persist
"""

_NAMES = ("smpp_server", "smpp_server_pb", "clients", "http", "router", "jcli")


class _Jasmin:
    """All of it."""

    def __init__(self, folder: Path, ports: dict[str, int], environment: dict[str, str], told: str) -> None:
        self.roots: list[int] = []
        self._folder = folder
        self._ports = ports
        self._environment = environment
        self._told = told
        self._jasmind: Program | None = None

    async def offer(self, numbers: range, until: float) -> Offered:
        """Make GETs to send."""
        load = Load("127.0.0.1", self._ports["http"], self._requests(numbers), _is_good)
        return await load.run(_CONNECTIONS, until)

    async def start(self) -> None:
        """Start jasmind, which loads what it has kept."""
        _check_lock()
        if self._jasmind is not None:
            self.roots.remove(self._jasmind.pid)
        command = [binary("jasmin", "jasmind.py"), "-c", "jasmin.cfg"]
        self._jasmind = await Program.launch(
            command, self._folder / "jasmind.log", folder=self._folder, environment=self._environment
        )
        self.roots.append(self._jasmind.pid)
        await self._jasmind.until_listening(self._ports["http"])
        await self._jasmind.until_listening(self._ports["jcli"])

    async def end(self) -> None:
        """End jasmind."""
        if self._jasmind is not None:
            await self._jasmind.end()
            self._forget_lock()

    async def kill(self) -> None:
        """Kill -9 jasmind."""
        assert self._jasmind is not None
        await self._jasmind.kill()
        self._forget_lock()

    async def restart(self) -> None:
        """Start jasmind again."""
        await self.start()
        await self.until_bound()

    async def named(self, missing: Sequence[int]) -> set[int]:
        """Name nothing: it keeps no account of messages."""
        del missing
        return set()

    async def tell(self, commands: str) -> str:
        """Say something to the console, line by line, and return what it says."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._ports["jcli"])
        said = bytearray()
        try:
            async with asyncio.timeout(_ANSWERS):
                # It shows no prompt before the size of the terminal or a line.
                for line in ["", *commands.splitlines()]:
                    writer.write(line.encode() + b"\r\n")
                    await _read_prompt(reader, said)
        except TimeoutError:
            raise DidNotStart(f"Jasmin's console stopped after {bytes(said[-500:])!r}") from None
        finally:
            writer.close()
        return said.decode(errors="replace")

    async def until_bound(self) -> None:
        """Wait until the connector is bound."""

        async def is_bound() -> bool:
            return "BOUND_TRX" in await self.tell("smppccm -l")

        await until(is_bound, what="Jasmin's connector", seconds=30)

    def _forget_lock(self) -> None:
        """Delete the lock of a jasmind that was killed, as its service file would."""
        assert self._jasmind is not None
        _LOCK.unlink(missing_ok=True)
        for path in _LOCK.parent.glob(f"{socket.gethostname()}*.{self._jasmind.pid}*"):
            path.unlink(missing_ok=True)

    def _requests(self, numbers: range) -> Iterator[Request]:
        for number in numbers:
            query = {
                "username": "bench", "password": "bench", "from": SENDER, "to": str(number),
                "content": text_to(number), "dlr": "yes", "dlr-level": "2", "dlr-method": "GET", "dlr-url": self._told,
            }  # fmt: skip
            path = "/send?" + urlencode(query, quote_via=quote)
            yield Request(get(f"127.0.0.1:{self._ports['http']}", path), range(number, number + 1))


def _check_lock() -> None:
    """Raise if Jasmin would not start."""
    if _LOCK.exists():
        raise DidNotStart(f"{_LOCK} is there: another jasmind runs, or has left it behind")


async def _read_prompt(reader: asyncio.StreamReader, said: bytearray) -> None:
    """Read until the console waits for more; its prompts are "jcli : " and "> "."""
    said += await reader.read(1)
    while not said.endswith((b"jcli : ", b"> ")):
        said += await reader.read(1)


def _is_good(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200") and b"Success" in answer


@contextlib.asynccontextmanager
async def _open(folder: Path, line: Line, *, prompt: bool = False) -> AsyncIterator[_Jasmin]:
    for name in ("store", "log"):
        (folder / name).mkdir()
    async with AsyncExitStack() as stack:
        told = await stack.enter_async_context(sink())
        amqp = await stack.enter_async_context(rabbitmq(folder))
        cache = await stack.enter_async_context(redis(folder))
        ports = dict(zip(_NAMES, free_ports(len(_NAMES)), strict=True))
        spec = package_folder("jasmin", "txamqp") / "specs" / "standard" / "amqp0-9-1.stripped.xml"
        config = _CONFIG.format(**ports, store=folder / "store", spec=spec, amqp=amqp.port, redis=cache.port)
        (folder / "jasmin.cfg").write_text(config)
        environment = {"LOG_PATH": str(folder / "log"), "CONFIG_PATH": str(folder)}
        if prompt:
            environment["PYTHONPATH"] = str(Path(__file__).with_name("nodelay"))
        jasmin = _Jasmin(folder, ports, environment, told.url)
        stack.push_async_callback(jasmin.end)
        await jasmin.start()
        jasmin.roots += [amqp.program.pid, cache.program.pid]
        for daemon in ("dlrlookupd", "dlrd"):
            command = [binary("jasmin", f"{daemon}.py"), "-c", "jasmin.cfg", "-i", f"bench{time.monotonic_ns()}"]
            program = await stack.enter_async_context(
                running(command, folder / f"{daemon}.log", folder=folder, environment=environment)
            )
            jasmin.roots.append(program.pid)
        await jasmin.tell(_SETUP.format(host=line.host, port=line.port, log=folder / "log" / "carrier.log"))
        await jasmin.until_bound()
        yield jasmin


_DURABILITY = "kill of jasmind, while RabbitMQ lives: the queue is in its memory"
_RECEIPTS = "told by HTTP (dlr-url), by way of RabbitMQ and Redis"

WAYS = [
    Way("jasmin", "Jasmin", "one message a request", _DURABILITY, _RECEIPTS, 200, 0, _open),
    Way(
        "jasmin-prompt", "Jasmin, with TCP_NODELAY set by us", "one message a request", _DURABILITY, _RECEIPTS,
        3_000, 600, functools.partial(_open, prompt=True),
    ),
]  # fmt: skip
