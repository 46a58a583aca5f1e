"""
Kannel: bearerbox, which speaks SMPP, and smsbox, which answers HTTP.

Set up as its user guide advises for throughput: a transceiver with *max-pending-submits* as large as
the carrier's window (10 by default), no *throughput* limit, logs at error level, no access log, the
store as the faster of its durable ones.
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.bench.peers.load import Load, Request, get
from tests.bench.peers.peer import SENDER, Line, Offered, Way, free_ports, text_to
from tests.bench.peers.programs import Program
from tests.bench.peers.sink import sink

_BEARERBOX = "/usr/sbin/bearerbox"
_SMSBOX = "/usr/sbin/smsbox"
_CONNECTIONS = 64  #: kept alive
_LIST = 100  #: destinations of a request to many
_DLR = "3"  #: receipts that say delivered or not delivered

_CONFIG = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = bench
smsbox-port = {box}
smsbox-interface = 127.0.0.1
smsbox-max-pending = {pending}
box-allow-ip = "127.0.0.1"
log-level = 3
store-type = {store}
store-location = "{location}"
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = carrier
host = {host}
port = {port}
transceiver-mode = true
smsc-username = bench
smsc-password = secret
system-type = ""
interface-version = 34
max-pending-submits = {window}
instances = {connections}
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
max-pending-requests = {pending}
log-level = 3

group = sendsms-user
username = bench
password = bench
max-messages = 1
"""


class _Kannel:
    """Both boxes."""

    def __init__(self, folder: Path, ports: tuple[int, int, int], told: str | None, *, many: bool) -> None:
        self._folder = folder
        self._admin, self._box, self._sendsms = ports
        self._told = told
        self._many = many
        self._bearerbox: Program | None = None
        self._smsbox: Program | None = None

    @property
    def roots(self) -> list[int]:
        """The boxes that run."""
        return [box.pid for box in (self._bearerbox, self._smsbox) if box is not None]

    async def start(self) -> None:
        """Start both boxes."""
        await self._start_bearerbox()
        self._smsbox = await Program.launch(
            [_SMSBOX, "-v", "3", "kannel.conf"], self._folder / "smsbox.log", folder=self._folder
        )
        await self._smsbox.until_listening(self._sendsms)

    async def end(self) -> None:
        """End both boxes."""
        for box in (self._smsbox, self._bearerbox):
            if box is not None:
                await box.end()

    async def offer(self, numbers: range, until: float) -> Offered:
        """Make GETs to sendsms."""
        requests = self._lists(numbers) if self._many else self._singles(numbers)
        return await Load("127.0.0.1", self._sendsms, requests, _is_good).run(_CONNECTIONS, until)

    async def kill(self) -> None:
        """Kill -9 bearerbox."""
        assert self._bearerbox is not None
        await self._bearerbox.kill()

    async def restart(self) -> None:
        """Start bearerbox again, as run_kannel_box does."""
        await self._start_bearerbox()

    async def named(self, missing: Sequence[int]) -> set[int]:
        """Name nothing: it keeps no account of messages."""
        del missing
        return set()

    async def _start_bearerbox(self) -> None:
        self._bearerbox = await Program.launch(
            [_BEARERBOX, "-v", "3", "kannel.conf"], self._folder / "bearerbox.log", folder=self._folder
        )
        await self._bearerbox.until_listening(self._box)

    def _singles(self, numbers: range) -> Iterator[Request]:
        for number in numbers:
            yield self._request(str(number), text_to(number), range(number, number + 1))

    def _lists(self, numbers: range) -> Iterator[Request]:
        for at in range(0, len(numbers), _LIST):
            some = numbers[at : at + _LIST]
            yield self._request(" ".join(map(str, some)), text_to(some[0]), some)

    def _request(self, to: str, text: str, numbers: range) -> Request:
        query = {"username": "bench", "password": "bench", "from": SENDER, "to": to, "text": text, "dlr-mask": _DLR}
        if self._told is not None:
            query["dlr-url"] = f"{self._told}?status=%d&to=%p"
        path = "/cgi-bin/sendsms?" + urlencode(query, quote_via=quote)
        return Request(get(f"127.0.0.1:{self._sendsms}", path), numbers)


def _is_good(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 202") or b"\r\n\r\n0: " in answer


@contextlib.asynccontextmanager
async def _open(
    store: str, folder: Path, line: Line, *, many: bool = False, tells: bool = False
) -> AsyncIterator[_Kannel]:
    admin, box, sendsms = free_ports(3)
    location = folder / "store"
    if store == "spool":
        location.mkdir()
    (folder / "kannel.conf").write_text(
        _CONFIG.format(
            **line._asdict(), admin=admin, box=box, sendsms=sendsms, store=store, location=location, pending=1000
        )
    )
    async with sink() as told:
        kannel = _Kannel(folder, (admin, box, sendsms), told.url if tells else None, many=many)
        try:
            await kannel.start()
            yield kannel
        finally:
            await kannel.end()


_DURABILITY = "kill: written to a file before the answer; not a power cut: nothing is synced"
_RECEIPTS = "matched in memory, told to nobody (no dlr-url)"

WAYS = [
    Way(
        "kannel-file", "Kannel, file store", "one message a request", _DURABILITY, _RECEIPTS, 50_000, 20_000,
        functools.partial(_open, "file"),
    ),
    Way(
        "kannel-spool", "Kannel, spool store", "one message a request", _DURABILITY, _RECEIPTS, 30_000, 0,
        functools.partial(_open, "spool"),
    ),
    Way(
        "kannel-told", "Kannel, file store, telling of receipts", "one message a request", _DURABILITY,
        "matched in memory, told by HTTP (dlr-url)", 30_000, 0, functools.partial(_open, "file", tells=True),
    ),
    Way(
        "kannel-list", "Kannel, one text to many", f"{_LIST} messages a request", _DURABILITY, _RECEIPTS, 100_000, 0,
        functools.partial(_open, "file", many=True),
    ),
]  # fmt: skip
