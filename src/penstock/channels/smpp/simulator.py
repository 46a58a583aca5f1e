"""
Our own SMSC: takes what comes, answers and sends receipts as its settings say.

It keeps pace with a client that sends 40,000 messages a second: all PDUs of one read are answered
in one write, and one heap with one timer holds whatever is due later.  Receipts are `deliver_sm`
within a window; those that are not acknowledged when a connection breaks are sent again on the
next one of the same system_id, as carriers do.
"""

import asyncio
import heapq
import random
import ssl
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Literal, cast
from uuid import UUID

from penstock.channels.smpp.simulator_log import WireLog
from penstock.channels.smpp.simulator_peer import Peer
from penstock.channels.smpp.simulator_receipts import Dates, SentMessage
from penstock.channels.smpp.simulator_settings import SimulatorSettings

#: What is due within this many seconds of each other is done in one go.
_GRAIN = 0.001


class Counters:
    """What happened so far."""

    def __init__(self) -> None:
        self.connections = 0  #: ever made
        self.binds = 0  #: accepted
        self.submits = 0  #: submit_sm received while bound
        self.accepted = 0  #: given a message id, whether it was answered or not
        self.answered = 0  #: submit_sm_resp written, whatever their status
        self.throttled = 0
        self.refused = 0
        self.lost = 0  #: accepted and never answered
        self.receipts_sent = 0
        self.receipts_acknowledged = 0
        self.malformed = 0


_FORM_ID: dict[Literal["dec", "hex", "uuid"], Callable[[int], bytes]] = {
    "dec": b"%d".__mod__,
    "hex": b"%x".__mod__,
    "uuid": lambda number: str(UUID(int=number)).encode("ascii"),
}


class Simulator:
    """The SMSC; `start` it, read its `counters`, `stop` it."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.dates = Dates()
        self.log: WireLog | None = None
        self.chance = random.Random(settings.seed)  # noqa: S311 - chance, not secrets
        self.peers: set[Peer] = set()
        #: Receipts for accounts that have no connection to receive them.
        self.homeless: dict[str, deque[SentMessage]] = {}
        self._server: asyncio.Server | None = None
        #: What is due when: answers to be written and receipts to be sent.  All of one read are mostly due together.
        self._due: dict[float, list[tuple[Peer, bytes | SentMessage]]] = {}
        self._instants: list[float] = []  #: the keys of `_due`, a heap
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._numbers = count(1 if settings.seed is not None else time.time_ns() // 1_000)
        self._form_id = _FORM_ID[settings.id_format]

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        """Listen, over TLS if a context is given; returns the port."""
        settings = self.settings
        if settings.log is not None:
            self.log = WireLog(settings.log)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Peer(self), settings.host, settings.port, ssl=tls, backlog=512)
        return cast("int", self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection and the log."""
        if self._server is not None:
            self._server.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due.clear()
        self._instants.clear()
        for peer in list(self.peers):
            peer.abort()
        if self._server is not None:
            await self._server.wait_closed()
        if self.log is not None:
            self.log.close()

    def next_id(self) -> bytes:
        """Return a new message id in the form of the settings."""
        return self._form_id(next(self._numbers))

    def schedule(self, at: float, peer: Peer, what: bytes | SentMessage) -> None:
        """Do something at an instant of the monotonic clock."""
        due = self._due.get(at)
        if due is not None:
            due.append((peer, what))
            return
        self._due[at] = [(peer, what)]
        heapq.heappush(self._instants, at)
        if self._timer is None or at < self._timer_at - _GRAIN:
            self._arm(at)

    def route(self, message: SentMessage, origin: "Peer | None") -> None:
        """Queue a receipt on the connection of its message, or on any other of that account."""
        if origin is not None and origin.receives and not self.settings.dlr_anywhere:
            origin.pending.append(message)
            origin.is_dirty = True
            return
        receivers = [peer for peer in self.peers if peer.receives and peer.system_id == message.system_id]
        if receivers:
            peer = self.chance.choice(receivers)
            peer.pending.append(message)
            peer.is_dirty = True
            if peer is not origin:
                peer.flush_soon()
        else:
            self.homeless.setdefault(message.system_id, deque()).append(message)

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        delay = max(_GRAIN, at - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self._run_due)

    def _run_due(self) -> None:
        self._timer = None
        until = time.monotonic() + _GRAIN / 2
        instants, touched = self._instants, set()
        while instants and instants[0] <= until:
            for peer, what in self._due.pop(heapq.heappop(instants)):
                if isinstance(what, bytes):
                    peer.answer(what)
                else:
                    self.route(what, peer)
                touched.add(peer)
        for peer in touched:
            peer.flush()
        if instants:
            self._arm(instants[0])
