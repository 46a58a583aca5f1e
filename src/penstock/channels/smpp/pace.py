"""
How fast a link may go: our own rate, the carrier's wish for quiet, and the pause before a new try.

All three take the time as an argument.
"""

import random

#: Burst that a rate allows, in seconds' worth of it.
BURST_SECONDS = 0.1
#: The first and the longest quiet after the carrier asked to slow down, in seconds.
FIRST_QUIET, LONGEST_QUIET = 0.1, 2.0
#: The first and the longest pause before connecting again, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Bucket:
    """A token bucket: *rate* a second, with a small burst."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._depth = max(1.0, rate * BURST_SECONDS)
        self._tokens = self._depth
        self._at = 0.0

    def available(self, now: float) -> int:
        """Return how many may go now."""
        self._fill(now)
        return max(0, int(self._tokens))

    def spend(self, count: int, now: float) -> None:
        """Note that *count* went; a long text may overdraw."""
        self._fill(now)
        self._tokens -= count

    def ready_in(self, now: float) -> float:
        """Return the seconds until the next may go."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._depth, self._tokens + (now - self._at) * self._rate)
            self._at = now


class Quiet:
    """The time to be quiet that a throttling carrier asked for; doubles until something is taken."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._until = 0.0

    def begin(self, now: float) -> None:
        """Note that the carrier asked to slow down; further answers of the same burst change nothing."""
        if now >= self._until:
            self._seconds = min(LONGEST_QUIET, max(FIRST_QUIET, self._seconds * 2))
            self._until = now + self._seconds

    def relax(self, now: float) -> None:
        """Note that a message was taken."""
        if self._seconds and now >= self._until:
            self._seconds = 0.0

    @property
    def is_known(self) -> bool:
        """Whether the carrier has asked for quiet and taken nothing since."""
        return self._seconds > 0

    def left(self, now: float) -> float:
        """Return the seconds of quiet that are left."""
        return max(0.0, self._until - now)


class Pause:
    """The pause before a new connection: doubles from try to try, and is never the same for two."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._seconds = FIRST_PAUSE

    def next(self) -> float:
        """Return how long to pause now."""
        seconds = self._seconds * self._chance.uniform(0.5, 1.0)
        self._seconds = min(LONGEST_PAUSE, self._seconds * 2)
        return seconds

    def reset(self) -> None:
        """Begin anew after a connection that was good."""
        self._seconds = FIRST_PAUSE
