"""
Changing how our own SMSC behaves while it runs: a line of JSON for each change.

A line names settings with their new values, as in ``{"latency": [0.1, 0.4], "lose": 0.01}``, and may
hold ``"cut"``: how many connections, chosen by chance, are to be broken at once.  What is not named
stays.  Only what is asked for each message can be changed; an address cannot.
"""

from typing import Annotated

import msgspec

from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_settings import Share


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What can be changed; absent: it stays as it is."""

    latency: tuple[float, float] | None = None
    dlr: Share | None = None
    dlr_failed: Share | None = None
    throttle: Share | None = None
    refuse: Share | None = None
    lose: Share | None = None
    cut: Annotated[int, msgspec.Meta(ge=0)] = 0  #: connections to be broken


class BadCommand(Exception):
    """A line is not a command."""


def obey(simulator: Simulator, line: bytes) -> int:
    """Do what a line says and return how many connections were broken."""
    try:
        change = msgspec.json.decode(line, type=Change)
    except msgspec.DecodeError as error:
        raise BadCommand(str(error)) from error
    wanted = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    count = wanted.pop("cut")
    simulator.settings = msgspec.structs.replace(simulator.settings, **wanted)
    bound = sorted((peer for peer in simulator.peers if peer.submits), key=lambda peer: peer.number)
    chosen = simulator.chance.sample(bound, min(count, len(bound)))
    for peer in chosen:
        peer.abort()
    return len(chosen)
