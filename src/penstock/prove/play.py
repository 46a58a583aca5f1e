"""
Playing a plan: several dispatches are sent at once, each is stopped, and faults are made meanwhile.

One fault at a time harms the server's processes, one the carrier; both may be on together.  So acts
with a fault of either sort have lanes of their own, and those without go on beside them, at about
the same place of the plan: there is something to be sent whenever something goes wrong.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial

from penstock.domain.lifecycle import MessageStatus
from penstock.prove.asking import PATIENCE, Asker, Complaint
from penstock.prove.calls import now
from penstock.prove.evidence import Case, Disturbance, Halt, Outcome, Trial
from penstock.prove.faults import Harm
from penstock.prove.plan import Act, FaultKind, Kind
from penstock.prove.stage import Stage, StageFailed
from penstock.prove.wirelog import Answer

#: Acts that are under way at a time, of those without a fault, those that harm processes, and those that harm the
#: carrier: while one sends, another fills or is asked for its account.
LANES = (3, 2, 2)
#: No act begins before this many of its predecessors in the plan are all but over.
AHEAD = 20
#: Seconds of listening after the last act: longer than a lease, so that whoever is late is heard.
AFTER = 4.0
FIRST_DESTINATION = 79_000_000_000
_LOOK = 0.01
_AT_ONCE = 8
_OK, _LEAVING = 200, 403

_TEXTS = {1: "Hello from the proof", 2: "Hello from the proof, at some length: " + "so long that it takes two. " * 6}
_OF_PROCESSES = {FaultKind.KILL, FaultKind.FREEZE, FaultKind.POSTGRES}


class Play:
    """Plays a plan on a stage; look at `done`, `on_wire` and `faults` while it runs."""

    def __init__(self, stage: Stage, acts: Sequence[Act]) -> None:
        self.done = 0  #: acts that are over
        self.on_wire = 0  #: submit_sm that came so far
        self.faults = 0  #: that were made so far
        self._stage = stage
        self._acts = acts
        self._asker = Asker(stage.server)
        self._block = max(act.size for act in acts)
        self._come = [0] * len(acts)  #: messages of each act that came so far
        self._cases: list[Case] = []
        self._disturbances: list[Disturbance] = []
        self._unfinished = {act.number for act in acts}
        self._moved = asyncio.Event()
        self._processes = asyncio.Lock()
        self._carrier = asyncio.Lock()

    async def run(self) -> Trial:
        """Play all of it, and listen for a while."""
        watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as group:
                for acts, lanes in zip(_sorted_by_victim(self._acts), LANES, strict=True):
                    in_order = iter(acts)
                    for _ in range(lanes):
                        group.create_task(self._lane(in_order))
            await asyncio.sleep(AFTER)
        finally:
            watching.cancel()
        return Trial(cases=self._cases, disturbances=self._disturbances)

    async def _watch(self) -> None:
        """Count what comes on the wire."""
        while True:
            new = self._stage.wire.read_on()
            self.on_wire += len(new)
            for one in new:
                if one.part == 1 and one.answer is not Answer.THROTTLED:
                    at = (one.destination - FIRST_DESTINATION) // self._block
                    if 0 <= at < len(self._come):
                        self._come[at] += 1
            await asyncio.sleep(_LOOK)

    async def _lane(self, acts: Iterator[Act]) -> None:
        for act in acts:
            while act.number > min(self._unfinished) + AHEAD:
                await self._moved.wait()
            first = FIRST_DESTINATION + act.number * self._block
            case = Case(
                number=act.number,
                kind=act.kind,
                numbers=range(first, first + act.size),
                parts=act.parts,
                fault=act.fault.kind if act.fault else None,
            )
            self._cases.append(case)
            try:
                await (self._stop_singles if act.kind is Kind.SINGLES else self._stop_dispatch)(act, case)
            except (Complaint, StageFailed) as error:
                case.complaints.append(str(error))
            case.ended_at = now()
            self.done += 1
            self._unfinished.discard(act.number)
            self._moved.set()
            self._moved.clear()

    # A dispatch.

    async def _stop_dispatch(self, act: Act, case: Case) -> None:
        asker = self._asker
        dispatch_id = await asker.create(_TEXTS[act.parts])
        case.began_at = now()
        uuids = await asker.fill(dispatch_id, case.numbers)
        is_paused = act.kind in (Kind.PAUSE_STOP, Kind.PAUSE_END)
        async with self._turn(act):
            await asker.start(dispatch_id)
            await self._until_on_wire(act, dispatch_id, act.share)
            if act.kind is Kind.PICKED:
                await self._stop_picked(act, case, uuids)
                await self._until_on_wire(act, dispatch_id, act.later)
            await self._harmed(act, case, partial(asker.pause if is_paused else asker.stop, dispatch_id))
        if is_paused and case.halts:
            await asyncio.sleep(act.hold)
            case.halts[0] = case.halts[0]._replace(until=now())
            await asker.resume(dispatch_id)
            await self._until_on_wire(act, dispatch_id, act.later)
        if act.kind is Kind.PAUSE_STOP:
            _note(case, await asker.stop(dispatch_id))
        await self._take_account(case, dispatch_id, uuids)

    async def _stop_picked(self, act: Act, case: Case, uuids: Sequence[str]) -> None:
        """Stop some messages by uuid."""
        picked = sorted({int(share * len(uuids)) for share in act.picked})
        codes, read_at = await self._asker.stop_messages([uuids[at] for at in picked])
        for at, code in zip(picked, codes, strict=True):
            if code == _OK:
                case.held[case.numbers[at]] = read_at
            elif code != _LEAVING:
                raise Complaint(f"the stop of {uuids[at]} was answered {code}")

    async def _take_account(self, case: Case, dispatch_id: int, uuids: Sequence[str]) -> None:
        """Ask what became of each message, and for the receipt if it was stopped."""
        places = {uuid: place for place, uuid in enumerate(uuids)}
        if (await self._asker.look(dispatch_id)).status == "stopped":
            case.receipt = await self._asker.receipt(dispatch_id)
            if not places.keys() >= set(case.receipt.in_doubt):
                raise Complaint("the receipt names messages in doubt that are not of its dispatch")
            case.receipt_in_doubt = frozenset(case.numbers[places[uuid]] for uuid in case.receipt.in_doubt)
        else:
            await self._until_sent(dispatch_id)
        lines = await self._asker.export(dispatch_id)
        strangers = {line.message_uuid for line in lines}.difference(places)
        if strangers or len(lines) != len(places):
            raise Complaint(f"the export has {len(lines)} lines, of which {len(strangers)} are of other messages")
        # Few outcomes differ: one object of each is enough for millions of messages.
        known: dict[Outcome, Outcome] = {}
        case.outcomes = [None] * len(places)
        for line in lines:
            outcome = Outcome(line.status, line.error_code)
            case.outcomes[places[line.message_uuid]] = known.setdefault(outcome, outcome)

    async def _until_on_wire(self, act: Act, dispatch_id: int, share: float) -> None:
        """Wait until a share of a dispatch has come; or less, should it have ended before."""
        wanted = max(1, int(share * act.size))
        deadline = now() + PATIENCE
        next_look = now() + 2
        while self._come[act.number] < wanted:
            if now() > next_look:
                next_look = now() + 2
                if (await self._asker.look(dispatch_id)).messages.sending == 0:
                    return
            if now() > deadline:
                raise Complaint(f"of {wanted} messages {self._come[act.number]} came in {PATIENCE:.0f} s")
            await asyncio.sleep(_LOOK)

    async def _until_sent(self, dispatch_id: int) -> None:
        deadline = now() + PATIENCE
        while (await self._asker.look(dispatch_id)).messages.sending:
            if now() > deadline:
                raise Complaint(f"dispatch {dispatch_id} was not sent in {PATIENCE:.0f} s")
            await asyncio.sleep(20 * _LOOK)

    # Single messages.

    async def _stop_singles(self, act: Act, case: Case) -> None:
        case.began_at = now()
        uuids = await self._asker.send(case.numbers, _TEXTS[act.parts])
        await self._stop_picked(act, case, uuids)
        for at in range(0, len(uuids), _AT_ONCE):
            case.outcomes += await asyncio.gather(*map(self._settled, uuids[at : at + _AT_ONCE]))

    async def _settled(self, uuid: str) -> Outcome:
        """Wait until a single message has left or will not, and say which."""
        deadline = now() + PATIENCE
        while True:
            view = await self._asker.message(uuid)
            if view.status != MessageStatus.SENDING or now() > deadline:
                return Outcome(view.status, view.error_code if isinstance(view.error_code, int) else None)
            await asyncio.sleep(20 * _LOOK)

    # Faults.

    @contextlib.asynccontextmanager
    async def _turn(self, act: Act) -> AsyncIterator[None]:
        """Wait until nobody else does harm of this kind."""
        if act.fault is None:
            yield
            return
        async with self._processes if act.fault.kind in _OF_PROCESSES else self._carrier:
            yield

    async def _harmed(self, act: Act, case: Case, halt: Callable[[], Awaitable[Halt | None]]) -> None:
        """Halt, with the fault of the act before it or during it."""
        if act.fault is None:
            _note(case, await halt())
            return
        harm = Harm(self._stage, act.fault)
        try:
            if act.fault.is_during:
                halting = asyncio.ensure_future(halt())
                try:
                    await asyncio.sleep(act.fault.delay)
                    await harm.begin()
                finally:
                    _note(case, await halting)
            else:
                await harm.begin()
                await asyncio.sleep(act.fault.delay)
                _note(case, await halt())
        finally:
            done = await harm.mend()
            if done is not None:
                self.faults += 1
                self._disturbances.append(done)


def _sorted_by_victim(acts: Sequence[Act]) -> list[list[Act]]:
    """Return acts without a fault, those that harm processes, and those that harm the carrier."""
    plain = [act for act in acts if act.fault is None]
    harming = [act for act in acts if act.fault is not None and act.fault.kind in _OF_PROCESSES]
    others = [act for act in acts if act.fault is not None and act.fault.kind not in _OF_PROCESSES]
    return [plain, harming, others]


def _note(case: Case, halt: Halt | None) -> None:
    if halt is not None:
        case.halts.append(halt)
