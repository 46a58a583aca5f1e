"""
What a proof hands to its judge: what was asked and answered, and what was done to the machine.

Instants are CLOCK_MONOTONIC.  Nothing here was read from the server but through its API.
"""

import math
from typing import NamedTuple

import msgspec

from penstock.http.shapes import ReceiptAnswer
from penstock.prove.plan import FaultKind, Kind


class Halt(NamedTuple):
    """A stop or a pause that was answered."""

    asked_at: float
    read_at: float  #: when its 200 had come
    until: float = math.inf  #: when the dispatch was allowed to go on


class Outcome(NamedTuple):
    """What the API says of one message."""

    status: str
    code: int | None


class Disturbance(NamedTuple):
    """A fault that was made."""

    kind: FaultKind
    began_at: float
    ended_at: float  #: when everything was as before
    what: str  #: "sender 123 killed"
    in_doubt: int  #: messages that it may put in doubt


class Case(msgspec.Struct, kw_only=True):
    """One act, as it went."""

    number: int
    kind: Kind
    numbers: range  #: destinations
    parts: int
    fault: FaultKind | None = None
    began_at: float = 0.0
    ended_at: float = 0.0  #: when the last answer about it had come
    halts: list[Halt] = []
    held: dict[int, float] = {}  #: destinations of messages stopped by uuid: when the 200 had come
    refused_items: int = 0  #: items of such a stop that were answered 403: they were leaving
    receipt: ReceiptAnswer | None = None
    receipt_in_doubt: frozenset[int] = frozenset()  #: destinations that it names
    #: What the API says of each message, by its place in *numbers*; None where it says nothing.
    outcomes: list[Outcome | None] = []
    complaints: list[str] = []  #: answers that no server should give


class Trial(msgspec.Struct, kw_only=True):
    """All that is known of a proof but the wire log."""

    cases: list[Case]
    disturbances: list[Disturbance]
