"""
Any octets in any pieces, from carriers, clients and their files: nothing breaks, nothing runs away.
"""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.abuse.fuzz.seeds import seeds
from tests.abuse.fuzz.targets import TARGETS

SEEDS = seeds()

#: What once broke something, by target; found by ``make fuzz`` and kept.
BROKEN: dict[str, list[bytes]] = {
    "decoder": [
        # The short way read an error code that goes on behind a NUL as if it ended there.
        base64.b64decode(
            "AAEwMTEyMgABcAAEAAAAAAAAAABpaWQ6MDAwMDAwMUEgc3ViOjAwMSBkbHZyZDowMDEgc3VibWl0IGRhdGU6MjYwMzAxMTIwMCBkb25l"
            "IGRhdGU6MjYwMzAxMTIwMSBzdGF0OkRFTElWUkQgZXJyOjAxMTIyAAFwAARlbGxv"
        ),
    ],
}


@st.composite
def damaged(draw: st.DrawFn, found: list[bytes]) -> bytes:
    """Build octets from what real peers say, with some of it cut, doubled or overwritten."""
    data = bytearray(draw(st.sampled_from(found)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 8)))
        data[at:end] = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[at:]))))
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_what_real_peers_say_is_taken(name: str) -> None:
    """The inputs that fuzzing begins with break nothing, nor do those that once did."""
    for data in (*SEEDS[name], *BROKEN.get(name, ())):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_octets_break_anything(name: str) -> None:
    """Neither random octets nor damaged real ones end otherwise than by the protocol's own errors."""

    @settings(max_examples=150, deadline=None)
    @given(st.one_of(st.binary(max_size=300), damaged(SEEDS[name])))
    def attempt(data: bytes) -> None:
        TARGETS[name](data)

    attempt()
