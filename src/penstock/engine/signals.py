"""
What the processes say to one another by NOTIFY.

A signal only saves waiting: it may be lost, and whatever it says can be read from the tables.
"""

from typing import NamedTuple

#: There is something new to claim.
WORK = "work"


class Halted(NamedTuple):
    """A dispatch must not be written any more by whoever holds claims from before its *halts*-th halt."""

    dispatch_id: int
    halts: int


class Released(NamedTuple):
    """A sender holds nothing more of a dispatch that is being halted, or its halt is finished."""

    dispatch_id: int


def say(signal: Halted | Released) -> str:
    """Write a signal as text."""
    match signal:
        case Halted(dispatch_id, halts):
            return f"halted {dispatch_id} {halts}"
        case Released(dispatch_id):
            return f"released {dispatch_id}"


def hear(said: str) -> Halted | Released | str:
    """Read a signal; text that is neither of the two is returned as it is."""
    match said.split(" "):
        case ["halted", dispatch_id, halts]:
            return Halted(int(dispatch_id), int(halts))
        case ["released", dispatch_id]:
            return Released(int(dispatch_id))
    return said
