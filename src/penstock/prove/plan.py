"""
What a proof will do, drawn from its seed before it begins.

An act is one stop: a dispatch of its own (or a request of single messages), the share of it that
is to be on the wire when the stop is asked for, and perhaps a fault at about that moment.  The same
seed and options make the same plan; at which message exactly a stop strikes, the machine decides.
"""

import enum
import random
from collections.abc import Sequence
from typing import NamedTuple


class Kind(enum.StrEnum):
    """How an act stops."""

    STOP = "stop"  #: a dispatch is stopped
    PAUSE_STOP = "pause, stop"  #: paused, resumed, stopped
    PAUSE_END = "pause, end"  #: paused, resumed, and left to go on to its end
    PICKED = "picked"  #: some messages of a dispatch are stopped by uuid, then all of it
    SINGLES = "singles"  #: single messages are stopped by uuid


class FaultKind(enum.StrEnum):
    """What goes wrong."""

    KILL = "kill"  #: a sender or an API process is killed
    FREEZE = "freeze"  #: a sender stands still, and goes on after the stop
    CUT = "cut"  #: connections to the carrier break
    SLOW = "slow"  #: the carrier answers late
    LOST = "lost"  #: the carrier takes messages and does not answer
    THROTTLE = "throttle"  #: the carrier asks to slow down
    POSTGRES = "postgres"  #: PostgreSQL is killed or restarted


class Fault(NamedTuple):
    """One misfortune."""

    kind: FaultKind
    is_during: bool  #: begun after the stop was asked for, not before
    delay: float  #: seconds between the two
    victim: float  #: which of those that there are, as a share of them
    strength: float  #: how bad, from 0 to 1; each kind has its own use for it


class Act(NamedTuple):
    """One stop."""

    number: int
    kind: Kind
    size: int  #: messages
    parts: int  #: of each message
    share: float  #: of the messages on the wire when the act begins to stop
    later: float  #: share at which it stops after a pause
    hold: float  #: seconds that a pause lasts
    picked: tuple[float, ...]  #: messages stopped by uuid, as shares of the dispatch
    fault: Fault | None


#: How often each kind comes up of a hundred.
_KINDS = {Kind.STOP: 58, Kind.PAUSE_STOP: 12, Kind.PAUSE_END: 8, Kind.PICKED: 12, Kind.SINGLES: 10}
#: Acts of a hundred that have a fault, if there are to be any.
_FAULTY = 35
#: Acts of a hundred whose messages have two parts.
_LONG = 10
#: Single messages of one act.
_SINGLES = 100
_PICKED = 60


def draw(stops: int, seed: int, faults: Sequence[FaultKind], size: int) -> list[Act]:
    """Return a plan of *stops* acts of which about a third has one of *faults*, all kinds equally often."""
    chance = random.Random(seed)  # noqa: S311 - the same every time is the point
    kinds = list(_KINDS)
    waiting: list[FaultKind] = []
    acts = []
    for number in range(stops):
        kind = chance.choices(kinds, list(_KINDS.values()))[0]
        fault = None
        # In a short proof every kind of fault comes early, else it might not come at all.
        if faults and (number < len(faults) or chance.randrange(100) < _FAULTY):
            if not waiting:
                waiting = chance.sample(list(faults), len(faults))
            fault = _draw_fault(chance, waiting.pop())
            if kind is Kind.SINGLES:
                kind = Kind.STOP
        share = chance.uniform(0.02, 0.6)
        acts.append(
            Act(
                number,
                kind,
                _SINGLES if kind is Kind.SINGLES else size,
                2 if chance.randrange(100) < _LONG else 1,
                share,
                chance.uniform(share, 0.8),
                chance.uniform(0.1, 1.0),
                tuple(chance.random() for _ in range(_PICKED)) if kind in (Kind.PICKED, Kind.SINGLES) else (),
                fault,
            )
        )
    return acts


def _draw_fault(chance: random.Random, kind: FaultKind) -> Fault:
    return Fault(kind, chance.random() < 0.5, chance.uniform(0, 0.03), chance.random(), chance.random())  # noqa: PLR2004
