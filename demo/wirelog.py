"""
The simulator's own account: what its wire log says came in.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec


class _Line(msgspec.Struct):
    """What we want to know of a line of the log."""

    command: str
    mono: float
    destination: str = ""
    part: int = 1


class Seen(NamedTuple):
    """What was seen on the wire."""

    messages: int  #: destinations that differ
    duplicates: int  #: parts that came more than once
    late: int  #: parts that came after the instant given


def read_wire_log(log: Path, stopped_at: float) -> Seen:
    """Count what came in, and what of it after *stopped_at* on the monotonic clock of the machine."""
    lines = msgspec.json.Decoder(_Line).decode_lines(log.read_bytes())
    submits = [line for line in lines if line.command == "submit_sm"]
    parts = Counter((line.destination, line.part) for line in submits)
    return Seen(
        messages=len({destination for destination, _ in parts}),
        duplicates=len(submits) - len(parts),
        late=sum(line.mono > stopped_at for line in submits),
    )
