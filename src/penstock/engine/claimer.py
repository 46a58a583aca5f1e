"""
Claiming: take the next messages of the dispatches whose turn it is.

One short transaction locks some dispatches, decides how much each may give (open zones, rate,
fair share) and turns runs of their slices into claims.  Its commit is the durable intent to hand
those messages over.
"""

import datetime as dt
from collections.abc import Callable, Container, Sequence
from functools import partial
from itertools import repeat
from typing import cast

from penstock.domain.model import Priority
from penstock.domain.outcome import Outgoing
from penstock.domain.rates import grant, ready_at
from penstock.domain.template import Template
from penstock.domain.windows import opening
from penstock.engine.lease import clock
from penstock.engine.outbox import Held
from penstock.store import claims, facts
from penstock.store.claims import Advance, Candidate, Demand, Run
from penstock.store.database import Database
from penstock.store.facts import Outcomes
from penstock.store.rows import ANY_ZONE, BEGINNING, FOREVER

#: Makes a message of its fields the short way, at a third of the price.
_outgoing = cast("Callable[[tuple[object, ...]], Outgoing]", partial(tuple.__new__, Outgoing))
#: Dispatches that one claim looks at; each gets an equal share of it.
WIDTH = 16
_TEMPLATES_KEPT = 256


class Claimer:
    """Makes claims for one sender."""

    def __init__(self, database: Database, sender_id: int, channel_types: Sequence[str]) -> None:
        self._database = database
        self._sender_id = sender_id
        self._channel_types = list(channel_types)
        self._virtual = [0] * len(Priority)
        self._templates: dict[str, Template] = {}

    async def claim(self, most: int, *, lowest: Priority) -> list[tuple[Held, list[Outgoing]]]:
        """
        Claim up to *most* messages of priority *lowest* or better, and read them.

        An empty answer means that nothing is due now, or that others are claiming it just now.
        """
        taken_at = clock()
        async with self._database.transaction() as connection:
            picked = await claims.pick(
                connection, lowest=lowest, channel_types=self._channel_types, most=min(WIDTH, most)
            )
            if not picked:
                return []
            plans = _plan(picked, most)
            runs = await claims.take(connection, self._sender_id, [plan.demand for plan in plans if plan.demand.budget])
            taken = dict.fromkeys((candidate.dispatch_id for candidate in picked), 0)
            for run in runs:
                taken[run.dispatch_id] += run.end_seq - run.first_seq
            await claims.advance(connection, [self._advance(plan, taken[plan.demand.dispatch_id]) for plan in plans])
        if not runs:
            return []
        return await self._read(runs, {candidate.dispatch_id: candidate for candidate in picked}, taken_at)

    async def return_unknown(self, known: Callable[[], Container[tuple[int, int]]]) -> None:
        """
        Give back what the database says is claimed but this sender does not hold.

        So it is when a claim was made and its answer was lost on the way: nothing of it was written.
        """
        while True:
            async with self._database.connection() as connection:
                mine = await claims.find_own(connection, self._sender_id)
            held = known()
            unknown = [run for run in mine if (run.dispatch_id, run.first_seq) not in held]
            if not unknown:
                return
            keys = [(run.dispatch_id, run.first_seq) for run in unknown]
            back = [(run.dispatch_id, run.first_seq, run.end_seq, run.zone) for run in unknown]
            outcomes = Outcomes(held=keys, ended=keys, back=back)
            if await self._database.write(partial(facts.record_outcomes, sender_id=self._sender_id, outcomes=outcomes)):
                return

    def _advance(self, plan: "_Plan", taken: int) -> Advance:
        candidate = plan.candidate
        # Virtual time: a dispatch that slept or is new starts at the present, not in the past.
        start = max(candidate.turn, self._virtual[candidate.priority])
        self._virtual[candidate.priority] = max(self._virtual[candidate.priority], candidate.turn)
        next_at, wake_at = candidate.rate_next_at, BEGINNING
        if candidate.rate is not None:
            if taken:
                _, next_at = grant(candidate.rate, next_at, candidate.now, taken)
            wake_at = ready_at(candidate.rate, next_at, candidate.now)
        return Advance(
            candidate.dispatch_id,
            start + taken * candidate.siblings,
            next_at,
            wake_at,
            plan.opens_at,
            plan.demand.zones,
        )

    async def _read(
        self, runs: Sequence[Run], candidates: dict[int, Candidate], taken_at: float
    ) -> list[tuple[Held, list[Outgoing]]]:
        async with self._database.connection() as connection:
            stored = await claims.read(connection, runs)
        found = []
        for run, (seqs, destinations, parts, substitutions) in zip(runs, stored, strict=True):
            candidate = candidates[run.dispatch_id]
            held = Held(
                run.dispatch_id, run.first_seq, run.end_seq, zone=run.zone, halts=candidate.halts,
                priority=candidate.priority, taken_at=taken_at,
            )  # fmt: skip
            template = self._template(candidate.content)
            render = template.render
            texts = [render(values or ()) for values in substitutions] if template.names else repeat(render(()))
            columns = zip(
                repeat(run.dispatch_id), seqs, repeat(candidate.sender_name), destinations, texts,
                repeat(candidate.ttl), parts, repeat(held),
            )  # fmt: skip
            found.append((held, list(map(_outgoing, columns))))
        return found

    def _template(self, content: str) -> Template:
        template = self._templates.get(content)
        if template is None:
            if len(self._templates) >= _TEMPLATES_KEPT:
                self._templates.clear()
            template = self._templates[content] = Template.parse(content)
        return template


class _Plan:
    """What a claim wants of one dispatch."""

    __slots__ = ("candidate", "demand", "opens_at")

    def __init__(self, candidate: Candidate, demand: Demand, opens_at: dt.datetime) -> None:
        self.candidate = candidate
        self.demand = demand
        self.opens_at = opens_at


def _plan(picked: Sequence[Candidate], most: int) -> list[_Plan]:
    """Share *most* among the locked dispatches by what their rates and windows allow now."""
    plans = []
    left = most
    # The dispatches of one account divide what one account gets.
    weights = [1 / candidate.siblings for candidate in picked]
    for place, candidate in enumerate(picked):
        share = max(1, int(left * weights[place] / sum(weights[place:]))) if left else 0
        open_zones, opens_at = _open_zones(candidate)
        if candidate.rate is not None and share:
            share, _ = grant(candidate.rate, candidate.rate_next_at, candidate.now, share)
        budget = share if open_zones else 0
        left -= budget
        plans.append(_Plan(candidate, Demand(candidate.dispatch_id, budget, open_zones), opens_at))
    return plans


def _open_zones(candidate: Candidate) -> tuple[tuple[str, ...], dt.datetime]:
    """Return the zones that may be sent to now, and when the next of the others opens."""
    open_zones, opens_at = [], FOREVER
    for zone in candidate.zones:
        state = opening(candidate.schedule, candidate.default_zone if zone == ANY_ZONE else zone, candidate.now)
        if state.is_open:
            open_zones.append(zone)
        elif not state.is_over and state.changes_at is not None:
            opens_at = min(opens_at, state.changes_at)
    return tuple(open_zones), opens_at
