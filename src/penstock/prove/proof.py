"""
One proof from beginning to end: set the stage, play the plan, read the wire, judge.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from penstock.prove.plan import FaultKind, draw
from penstock.prove.play import Play
from penstock.prove.stage import Shape, staged
from penstock.prove.verdict import Verdict, decide

_TELL = 0.25  #: seconds between two looks at the progress


class Progress(NamedTuple):
    """Where a proof stands."""

    done: int
    stops: int
    on_wire: int
    faults: int
    seconds: float


class Orders(NamedTuple):
    """What is to be proven, and how hard."""

    stops: int
    seed: int
    faults: tuple[FaultKind, ...]
    size: int
    shape: Shape


async def prove(orders: Orders, home: Path, tell: Callable[[Progress], None]) -> Verdict:
    """Prove with files in *home*; *tell* hears how far it is."""
    acts = draw(orders.stops, orders.seed, orders.faults, orders.size)
    began = time.monotonic()
    async with staged(home, orders.shape, orders.seed) as stage:
        play = Play(stage, acts)
        telling = asyncio.create_task(_tell(play, orders.stops, began, tell))
        try:
            trial = await play.run()
        finally:
            telling.cancel()
    # All programs have ended: the log is complete.
    submits = stage.wire.read()
    return decide(trial, submits, seed=orders.seed, seconds=round(time.monotonic() - began, 1))


async def _tell(play: Play, stops: int, began: float, tell: Callable[[Progress], None]) -> None:
    while True:
        tell(Progress(play.done, stops, play.on_wire, play.faults, time.monotonic() - began))
        await asyncio.sleep(_TELL)


def parse_faults(text: str) -> tuple[FaultKind, ...] | None:
    """Read "all", "none" or names with commas between; None when it is none of these."""
    if text == "all":
        return tuple(FaultKind)
    if text == "none":
        return ()
    try:
        return tuple(dict.fromkeys(FaultKind(name.strip()) for name in text.split(",")))
    except ValueError:
        return None
