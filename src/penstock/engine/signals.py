"""
What the processes say to one another by NOTIFY.

A signal only saves waiting: it may be lost, and whatever it says can be read from the tables.  The statements that
change those say it themselves (`halt.sql`, `fact.sql`), so that it is heard if and when they commit.
"""

from typing import NamedTuple

#: There is something new to claim.
WORK = "work"


class Halted(NamedTuple):
    """``halted ID HALTS``: nobody may write more of claims from before the *halts*-th halt of a dispatch."""

    dispatch_id: int
    halts: int


class Released(NamedTuple):
    """``released ID``: a sender holds nothing more of a dispatch that is being halted, or its halt is finished."""

    dispatch_id: int


def hear(said: str) -> Halted | Released | str:
    """Read a signal; text that is neither of the two is returned as it is."""
    match said.split(" "):
        case ["halted", dispatch_id, halts]:
            return Halted(int(dispatch_id), int(halts))
        case ["released", dispatch_id]:
            return Released(int(dispatch_id))
    return said
