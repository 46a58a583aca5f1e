"""
The whole life of dispatches as a state machine.

Whatever happens in whatever order, the counters that clients see divide the total, and say what
the facts say.
"""

import asyncio
import os
from collections.abc import Awaitable
from typing import TypeVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from penstock.domain.errors import InappropriateStatus
from penstock.domain.lifecycle import FINAL, DispatchStatus, SubmissionOutcome
from penstock.domain.model import Counts
from penstock.domain.outcome import Outgoing, ReceiptStatus
from penstock.domain.uuids import message_uuid
from penstock.engine.lease import LeaseLost
from penstock.engine.messages import Messages
from penstock.engine.retention import Retention
from penstock.engine.sweeper import Sweeper
from penstock.store import sweeps
from penstock.store.database import Database
from tests.harness.postgres import Server
from tests.harness.stage import LIFETIME, Player, Stage

_Result = TypeVar("_Result")
SENDERS = 2
WHICH = st.integers(0, 1_000)


class Life(RuleBasedStateMachine):
    """Clients, senders, carriers and faults, one step at a time."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.dispatches: list[int] = []
        self.players: list[Player] = []
        self.accepted: list[tuple[Player, Outgoing]] = []
        self.written: set[tuple[int, int]] = set()
        self.stopped: set[tuple[int, int]] = set()
        self.halts: set[asyncio.Task[None]] = set()
        self.dropped: dict[int, Counts] = {}

    def do(self, step: Awaitable[_Result]) -> _Result:
        """Take a step on the machine's own event loop."""
        return self.loop.run_until_complete(step)

    @initialize()
    def set_up(self) -> None:
        """An account and two senders."""

        async def begin() -> None:
            await self.server.empty()
            self.database = await Database.connect(self.server.shared, size=8)
            self.stage = await Stage.set_up(self.database)
            self.messages = Messages(self.database, default_zone="Europe/Moscow", lifetime=LIFETIME)
            self.sweeper = Sweeper(self.database, self.stage.stops, lifetime=LIFETIME)
            self.players = [await self.stage.enter() for _ in range(SENDERS)]

        self.do(begin())

    def teardown(self) -> None:
        """Close what was opened."""

        async def end() -> None:
            for halt in self.halts:
                halt.cancel()
            await asyncio.gather(*self.halts, return_exceptions=True)
            await self.stage.strike()
            await self.database.close()

        self.do(end())
        self.loop.close()

    # Clients.

    @rule(count=st.integers(0, 12))
    def create(self, count: int) -> None:
        """A client makes a dispatch and fills it."""

        async def make() -> int:
            dispatch_id = await self.stage.create()
            if count:
                await self.stage.fill(dispatch_id, count)
            return dispatch_id

        self.dispatches.append(self.do(make()))

    @precondition(lambda self: self.dispatches)
    @rule(which=WHICH, act=st.sampled_from(["fill", "start", "start", "stop", "pause", "resume"]))
    def ask(self, which: int, act: str) -> None:
        """A client asks for something, whether or not it is possible now; it need not wait for the answer."""
        dispatch_id = self.dispatches[which % len(self.dispatches)]
        caller = self.stage.caller

        async def ask() -> None:
            try:
                match act:
                    case "fill":
                        await self.stage.fill(dispatch_id, 3)
                    case "start":
                        await self.stage.dispatches.start(caller, dispatch_id)
                    case "resume":
                        await self.stage.dispatches.resume(caller, dispatch_id)
                    case "stop" | "pause":
                        halt = self.loop.create_task(getattr(self.stage.stops, act)(caller, dispatch_id))
                        self.halts.add(halt)
                        await asyncio.wait((halt,), timeout=0.01)
            except InappropriateStatus:
                pass

        self.do(ask())
        for halt in [one for one in self.halts if one.done()]:
            self.halts.discard(halt)
            assert halt.exception() is None or isinstance(halt.exception(), InappropriateStatus)

    @precondition(lambda self: self.dispatches)
    @rule(which=WHICH, seq=st.integers(1, 15))
    def stop_message(self, which: int, seq: int) -> None:
        """A client stops one message; what is answered with 200 is never written."""
        key = (self.dispatches[which % len(self.dispatches)], seq)
        [code] = self.do(self.messages.stop(self.stage.caller, [message_uuid(*key)]))
        if code == 200:
            assert key not in self.written
            self.stopped.add(key)

    # Senders.

    @rule(which=WHICH, most=st.integers(1, 20))
    def claim(self, which: int, most: int) -> None:
        """A sender claims."""
        player = self.players[which % SENDERS]
        if player.lease.is_open():
            self.do(player.claim(most))

    @rule(which=WHICH, most=st.integers(1, 8))
    def write(self, which: int, most: int) -> None:
        """A sender writes to its carrier, each message once in the history of the world."""
        player = self.players[which % SENDERS]
        if player.lease.is_open():
            for message in player.write(most):
                assert (message.dispatch_id, message.seq) not in self.written | self.stopped
                self.written.add((message.dispatch_id, message.seq))

    @rule(
        which=WHICH,
        most=st.integers(1, 8),
        outcome=st.sampled_from([*SubmissionOutcome, SubmissionOutcome.ACCEPTED, SubmissionOutcome.ACCEPTED]),
    )
    def answer(self, which: int, most: int, outcome: SubmissionOutcome) -> None:
        """A carrier answers, and the sender records it."""
        player = self.players[which % SENDERS]
        messages = player.written[:most]
        player.answer(messages, outcome)
        if self._record(player) and outcome is SubmissionOutcome.ACCEPTED:
            self.accepted += [(player, message) for message in messages]

    @precondition(lambda self: self.accepted)
    @rule(which=st.lists(WHICH, min_size=1, max_size=5), status=st.sampled_from(ReceiptStatus))
    def deliver(self, which: list[int], status: ReceiptStatus) -> None:
        """A carrier sends receipts, some of them again, on whatever connection."""
        player = self.players[which[0] % SENDERS]
        player.receive([self.accepted[one % len(self.accepted)][1] for one in which], status)
        self._record(player)

    @rule(which=WHICH)
    def give_back(self, which: int) -> None:
        """A sender has no room for what it holds."""
        player = self.players[which % SENDERS]
        player.give_back()
        self._record(player)

    @rule(which=WHICH)
    def beat(self, which: int) -> None:
        """A sender renews its lease and hears of halts."""
        player = self.players[which % SENDERS]
        if self.do(player.beat()):
            self._record(player)
        else:
            self._replace(player)

    @rule(which=WHICH)
    def die(self, which: int) -> None:
        """A sender is killed, and another one begins."""
        player = self.players[which % SENDERS]
        self.do(player.die())
        self._replace(player)

    # What goes on by itself.

    @rule()
    def sweep(self) -> None:
        """The sweeper does a round."""

        async def sweep() -> None:
            await self.stage.stops.finish_unattended()
            await self.stage.stops.bury_dead()
            await self.sweeper._settle()
            await self.sweeper._match_strays()
            await self.sweeper._fold_counts()

        self.do(sweep())

    @precondition(lambda self: self.dispatches)
    @rule(which=WHICH)
    def complete(self, which: int) -> None:
        """The completion time of a dispatch comes: what is not claimed is unsent."""
        dispatch_id = self.dispatches[which % len(self.dispatches)]

        async def expire() -> None:
            if await self.stage.status(dispatch_id) not in (DispatchStatus.SENDING, DispatchStatus.PAUSED):
                return
            async with self.database.transaction() as connection:
                await sweeps.expire(connection, dispatch_id, ["*"], 5)
            async with self.database.connection() as connection:
                await sweeps.settle(connection, [dispatch_id], lifetime=LIFETIME, expired=False)

        self.do(expire())

    @precondition(lambda self: self.dispatches)
    @rule(which=WHICH)
    def outlive(self, which: int) -> None:
        """The lifetime of a dispatch's messages is over."""
        dispatch_id = self.dispatches[which % len(self.dispatches)]

        async def outlive() -> None:
            if await self.stage.status(dispatch_id) in (DispatchStatus.STOPPED, DispatchStatus.AWAITING):
                async with self.database.transaction() as connection:
                    await sweeps.outlive(connection, dispatch_id, 0, 100)

        self.do(outlive())

    @rule()
    def retain(self) -> None:
        """A hundred days pass, and what is over goes; the counters of what goes stay as they are."""

        async def retain() -> set[int]:
            await self.stage.fetch("UPDATE dispatch SET settle_at = clock_timestamp() WHERE settle_at IS NOT NULL")
            await self.sweeper._outlive()
            await self.sweeper._settle()
            retention = Retention(self.database, days=90, lifetime=LIFETIME)
            before = {one: (await self.stage.look(one)) for one in self.dispatches}
            for _ in range(2):
                await self.stage.let_days_pass(100)
                await retention.let_go()
            rows = await self.stage.fetch(
                "SELECT d.id FROM dispatch d JOIN period p ON d.id >= p.first_id AND d.id < p.end_id"
                " WHERE p.dropped_at IS NOT NULL"
            )
            gone = {one for one in self.dispatches if (one,) in rows} - self.dropped.keys()
            self.dropped |= {one: before[one].messages for one in gone}
            unfinished = {one for one in gone if before[one].status not in FINAL}
            assert {before[one].status for one in unfinished} <= {DispatchStatus.INITIATED}
            return unfinished

        # Only what was never started ends by itself on the way.
        ended = self.do(retain())
        for one in ended:
            counts = self.dropped[one]
            self.dropped[one] = msgspec.structs.replace(counts, sending=0, unsent=counts.unsent + counts.sending)

    # What must hold.

    @invariant()
    def counters_say_what_the_facts_say(self) -> None:
        """The five counters divide the total, and agree with the status of each message."""

        async def look() -> None:
            for dispatch_id in self.dispatches:
                counts = (await self.stage.look(dispatch_id)).messages
                assert min(counts.delivered, counts.undelivered, counts.unsent, counts.sent, counts.sending) >= 0
                told = self.dropped.get(dispatch_id) or await self.stage.facts_of(dispatch_id)
                assert counts == told

        if self.dispatches:
            self.do(look())

    @invariant()
    def dispatches_are_counted(self) -> None:
        """What tells how many dispatches there are says what counting them says."""

        async def look() -> list[tuple[object, ...]]:
            return await self.stage.fetch(
                "SELECT * FROM (SELECT account_id, traffic_center_id, status, count(*) FROM dispatch"
                "  WHERE NOT is_anonymous GROUP BY 1, 2, 3) AS counted"
                " FULL JOIN (SELECT account_id, traffic_center_id, status, sum(change) FROM dispatch_count"
                "  GROUP BY 1, 2, 3) AS told USING (account_id, traffic_center_id, status)"
                " WHERE coalesce(count, 0) <> coalesce(sum, 0)"
            )

        assert self.do(look()) == []

    @invariant()
    def every_message_is_somewhere_once(self) -> None:
        """Each message that has no outcome is in exactly one slice or claim while its dispatch lives."""

        async def look() -> list[tuple[object, ...]]:
            return await self.stage.fetch(
                "SELECT m.dispatch_id, m.seq, p.places, s.seq, r.seq FROM message m"
                " JOIN dispatch d ON d.id = m.dispatch_id"
                " LEFT JOIN submission s USING (dispatch_id, seq)"
                " LEFT JOIN receipt r ON r.dispatch_id = m.dispatch_id AND r.seq = m.seq"
                " CROSS JOIN LATERAL (SELECT"
                " (SELECT count(*) FROM slice WHERE slice.dispatch_id = m.dispatch_id"
                "  AND next_seq <= m.seq AND end_seq > m.seq) AS slices,"
                " (SELECT count(*) FROM claim WHERE claim.dispatch_id = m.dispatch_id"
                "  AND first_seq <= m.seq AND end_seq > m.seq) AS claims) AS c"
                " CROSS JOIN LATERAL (SELECT slices + claims AS places) AS p"
                " WHERE CASE WHEN s.seq IS NOT NULL OR r.seq IS NOT NULL THEN slices > 0"
                "       WHEN d.status IN ('stopped', 'done') THEN claims > 0"
                "       ELSE places <> 1 END"
            )

        if self.dispatches:
            assert self.do(look()) == []

    @invariant()
    def stop_receipts_add_up(self) -> None:
        """Each stop has its account, and what it says of handing over agrees with the facts."""

        async def look() -> list[tuple[object, ...]]:
            return await self.stage.fetch(
                "SELECT d.id FROM dispatch d LEFT JOIN stop_receipt r ON r.dispatch_id = d.id"
                " CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE outcome = 1) AS accepted,"
                "  count(*) FILTER (WHERE outcome = 2) AS refused, count(*) FILTER (WHERE outcome = 3) AS in_doubt"
                "  FROM submission s WHERE s.dispatch_id = d.id) AS f"
                " WHERE d.status = 'stopped' AND d.id <> ALL($1::bigint[])"
                " AND (r.total, r.accepted, r.refused, r.in_doubt)"
                " IS DISTINCT FROM (d.messages, f.accepted, f.refused, f.in_doubt)",
                list(self.dropped),
            )

        if self.dispatches:
            assert self.do(look()) == []

    def _record(self, player: Player) -> bool:
        try:
            self.do(player.record())
        except LeaseLost:
            self._replace(player)
            return False
        return True

    def _replace(self, player: Player) -> None:
        player.leave_off()
        self.players[self.players.index(player)] = self.do(self.stage.enter())


def test_a_dispatch_lives_through_anything(server: Server) -> None:
    """Whatever clients, senders, carriers and faults do, the counters divide the total and nothing goes twice."""
    Life.server = server
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=int(os.environ.get("PENSTOCK_LIVES", "8")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
