"""
How many wrong credentials an address may try before it is asked to wait.

A secret has 256 random bits, so guessing one is hopeless at any rate.  The allowance keeps what
guessing costs us small and tells a client that is set up wrong to stop asking.
"""

import functools
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

#: Wrong credentials that an address may send at once, and the seconds after which it may send one more.
ALLOWANCE = 20
REGAINED_SECONDS = 3.0
#: Addresses that are remembered; beyond them the one that was quiet the longest is forgotten.
REMEMBERED = 10_000
#: Seconds between two lines in the log, whoever they are about.
LOG_SECONDS = 10.0

_FULL = ALLOWANCE * REGAINED_SECONDS


class Guesses:
    """The allowances of all addresses."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nobody suspected."""
        self._clock = clock
        #: When each allowance is whole again: all that has to be known of it.
        self._whole_at: OrderedDict[str, float] = OrderedDict()
        self._log_at = float("-inf")

    def wait(self, address: str) -> int:
        """Return for how many seconds *address* has to wait with its next guess; nearly always 0."""
        if not self._whole_at:
            return 0
        return _seconds(self._whole_at.get(_network(address), 0.0) - self._clock())

    def count(self, address: str) -> int:
        """Count a wrong guess against the allowance; when it is spent, return the seconds to wait instead."""
        network = _network(address)
        now = self._clock()
        missing = max(0.0, self._whole_at.pop(network, 0.0) - now)
        seconds = _seconds(missing)
        if not seconds:
            missing += REGAINED_SECONDS
            if _seconds(missing) and now >= self._log_at:
                self._log_at = now + LOG_SECONDS
                log.warning("guesses_limited", address=network, note="others may be within the next seconds")
        self._whole_at[network] = now + missing
        if len(self._whole_at) > REMEMBERED:
            self._whole_at.popitem(last=False)
        return seconds

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._whole_at)


def _seconds(missing: float) -> int:
    """Return after how many whole seconds one more guess is there, when an allowance lacks *missing* seconds."""
    return max(0, math.ceil(missing + REGAINED_SECONDS - _FULL))


@functools.lru_cache(maxsize=REMEMBERED)
def _network(address: str) -> str:
    """Return what stands for whoever is behind *address*: of IPv6 the first 64 bits, which one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]  # a socket without addresses, or what a proxy made of one
    if parsed.version == 4 or parsed.ipv4_mapped:  # noqa: PLR2004 - IPv4
        return str(address)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
