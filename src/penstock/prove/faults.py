"""
The faults: each is begun, noted for the judge with what it may put in doubt, and mended.
"""

import asyncio
import contextlib
import re
import signal
from collections.abc import Awaitable, Callable
from functools import partial

from penstock.prove.calls import Broken, now
from penstock.prove.evidence import Disturbance
from penstock.prove.plan import Fault, FaultKind
from penstock.prove.processes import Process
from penstock.prove.stage import RESPONSE_TIMEOUT, WINDOW, Stage, StageFailed

#: Seconds that a part has to come back.
COME_BACK = 30.0
#: Seconds in which a sender that has woken finds out whether it was taken for dead: it looks every half second.
FIND_OUT = 0.7
_LOOK = 0.05
_LEISURELY = (0.5, 0.8)  #: seconds to an answer just before a sender is frozen
_CUT = re.compile(r"\d+")

_SENDER_SHARE = 0.65  #: of the kills; the others hit an API process
_SHORT_FREEZE = 0.3  #: below this strength a sender wakes before its lease is over
_SIGNALS = (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)


class DidNotComeBack(StageFailed):
    """A part of the server was not there again in time."""


Mend = Callable[[], Awaitable[None]]


class Harm:
    """One fault, from its beginning to its mending."""

    def __init__(self, stage: Stage, fault: Fault) -> None:
        self._stage = stage
        self._fault = fault
        self._began_at = 0.0
        self._what = ""
        self._in_doubt = 0
        self._echo = 0.0  #: seconds for which messages that it met keep a stop waiting
        self._mend: Mend | None = None

    async def begin(self) -> None:
        """Do it."""
        self._began_at = now()
        begin = {
            FaultKind.KILL: self._kill,
            FaultKind.FREEZE: self._freeze,
            FaultKind.CUT: self._cut,
            FaultKind.SLOW: self._slow,
            FaultKind.LOST: self._lose,
            FaultKind.THROTTLE: self._throttle,
            FaultKind.POSTGRES: self._end_postgres,
        }[self._fault.kind]
        self._mend = await begin()

    async def mend(self) -> Disturbance | None:
        """Undo it, wait until all is as it was, and say what was done; None when there was nothing to harm."""
        if self._mend is None:
            return None
        await self._mend()
        return Disturbance(self._fault.kind, self._began_at, now() + self._echo, self._what, self._in_doubt)

    @property
    def _in_hand(self) -> int:
        """How many messages one sender may have in hand."""
        return self._stage.shape.claim_limit * self._stage.shape.connections

    async def _kill(self) -> Mend | None:
        stage, fault = self._stage, self._fault
        is_sender = fault.strength < _SENDER_SHARE
        victim = _choose(stage.parts.senders() if is_sender else stage.parts.apis(), fault.victim)
        if victim is None:
            return None
        victim.send(signal.SIGKILL)
        self._what = f"{'sender' if is_sender else 'api'} {victim.pid} killed"
        self._in_doubt = self._in_hand if is_sender else 0

        async def mend() -> None:
            await _until(partial(_is_gone, victim), f"{self._what}: its end")
            await _until(self._are_all_there, f"{self._what}: all parts")

        return mend

    async def _freeze(self) -> Mend | None:
        stage, fault = self._stage, self._fault
        # A carrier that takes its time leaves a sender with full windows and more in hand: what it
        # would write on waking, were there no gate.
        victim = _choose(stage.parts.senders(), fault.victim)
        if victim is None:
            return None
        await stage.slow_down(_LEISURELY)
        await asyncio.sleep(_LEISURELY[0])
        victim.send(signal.SIGSTOP)
        await stage.speed_up(_LEISURELY)
        self._what = f"sender {victim.pid} frozen"
        self._in_doubt = self._in_hand
        waking = None
        if fault.strength < _SHORT_FREEZE:
            waking = asyncio.create_task(_wake_after(victim, 0.1 + fault.strength))

        async def mend() -> None:
            try:
                await (waking or asyncio.sleep(fault.strength))
            finally:
                victim.send(signal.SIGCONT)
            await asyncio.sleep(FIND_OUT)
            await _until(self._are_all_there, f"{self._what}: all parts")

        return mend

    async def _end_postgres(self) -> Mend | None:
        stage = self._stage
        postmaster = stage.parts.postmaster()
        if postmaster is None:
            return None
        number = _SIGNALS[int(self._fault.strength * len(_SIGNALS))]
        postmaster.send(number)
        self._what = f"PostgreSQL {postmaster.pid} ended with {number.name}"

        async def mend() -> None:
            await _until(partial(_is_gone, postmaster), f"{self._what}: its end")
            await _until(self._is_answered, f"{self._what}: an answer")

        return mend

    async def _cut(self) -> Mend:
        stage, strength = self._stage, self._fault.strength
        wanted = 1 + int(strength * stage.shape.senders * stage.shape.connections)
        found = _CUT.search(await stage.tell_carrier(cut=wanted))
        count = int(found[0]) if found else 0
        self._what = f"{count} connections cut"
        self._in_doubt = count * WINDOW
        return _nothing

    async def _slow(self) -> Mend:
        self._echo = slowest = 0.3 + self._fault.strength
        self._what = f"answers after up to {slowest:.1f} s"
        await self._stage.slow_down((0.2, slowest))
        return partial(self._stage.speed_up, (0.2, slowest))

    async def _lose(self) -> Mend:
        self._echo = RESPONSE_TIMEOUT
        share = 0.002 + 0.02 * self._fault.strength
        self._what = f"{share:.1%} of the answers lost"
        return await self._change({"lose": share}, {"lose": 0.0})

    async def _throttle(self) -> Mend:
        share = 0.05 + 0.3 * self._fault.strength
        self._what = f"{share:.0%} throttled"
        return await self._change({"throttle": share}, {"throttle": 0.0})

    async def _change(self, change: dict[str, object], back: dict[str, object]) -> Mend:
        await self._stage.tell_carrier(**change)

        async def mend() -> None:
            await self._stage.tell_carrier(**back)

        return mend

    async def _are_all_there(self) -> bool:
        stage = self._stage
        return len(stage.parts.senders()) >= stage.shape.senders and len(stage.parts.apis()) >= stage.api_workers

    async def _is_answered(self) -> bool:
        with contextlib.suppress(Broken):
            return (await self._stage.server.ask("GET", "/api/v1/dispatch?per_page=1")).status == 200  # noqa: PLR2004
        return False


def _choose(among: list[Process], share: float) -> Process | None:
    return among[int(share * len(among))] if among else None


async def _is_gone(process: Process) -> bool:
    return not process.is_alive


async def _wake_after(process: Process, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        process.send(signal.SIGCONT)


async def _nothing() -> None:
    """Mend what mends itself."""


async def _until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = now() + COME_BACK
    while not await holds():
        if now() > deadline:
            raise DidNotComeBack(f"{what} was awaited for {COME_BACK:.0f} s in vain")
        await asyncio.sleep(_LOOK)
