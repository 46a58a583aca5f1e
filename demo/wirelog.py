"""
The simulator's own account: what its wire log says came in.
"""

from pathlib import Path
from typing import NamedTuple

from penstock.prove.wirelog import WireLog, after, taken


class Seen(NamedTuple):
    """What was seen on the wire."""

    messages: int  #: destinations that differ
    duplicates: int  #: parts that came more than once
    late: int  #: parts that came after the instant given


def read_wire_log(log: Path, stopped_at: float) -> Seen:
    """Count what came in, and what of it after *stopped_at* on the monotonic clock of the machine."""
    submits = WireLog(log).read()
    had = taken(submits)
    parts = {(one.destination, one.part) for one in had}
    return Seen(
        messages=len({destination for destination, _ in parts}),
        duplicates=len(had) - len(parts),
        late=len(after(submits, stopped_at)),
    )
