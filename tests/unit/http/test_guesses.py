"""
The allowance of wrong credentials.
"""

from structlog.testing import capture_logs

from penstock.http.guesses import ALLOWANCE, LOG_SECONDS, REGAINED_SECONDS, REMEMBERED, Guesses


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell it."""
        return self.now


def spent(clock: Clock) -> Guesses:
    """Return guesses of which one address has spent its allowance."""
    guesses = Guesses(clock)
    assert [guesses.count("192.0.2.1") for _ in range(ALLOWANCE)] == [0] * ALLOWANCE
    return guesses


def test_a_guess_comes_back_after_the_seconds_that_were_told():
    """
    Whoever waits as long as it was told may guess once more, and once only.
    """
    clock = Clock()
    guesses = spent(clock)
    seconds = guesses.count("192.0.2.1")
    clock.now += seconds

    assert (guesses.wait("192.0.2.1"), guesses.count("192.0.2.1"), guesses.wait("192.0.2.1")) == (0, 0, seconds)


def test_guessing_on_makes_the_wait_no_longer():
    """
    A client that does not listen is not shut out for longer than one that does.
    """
    clock = Clock()
    guesses = spent(clock)

    assert {guesses.count("192.0.2.1") for _ in range(1000)} == {int(REGAINED_SECONDS)}


def test_an_allowance_is_whole_again_after_a_minute():
    """
    What happened yesterday is forgotten.
    """
    clock = Clock()
    guesses = spent(clock)
    clock.now += ALLOWANCE * REGAINED_SECONDS

    assert [guesses.count("192.0.2.1") for _ in range(ALLOWANCE)] == [0] * ALLOWANCE


def test_memory_is_bounded_and_the_quiet_are_forgotten_first():
    """
    Guesses from millions of addresses fill no memory, and do not wash out who guesses most.
    """
    guesses = spent(Clock())
    for number in range(3 * REMEMBERED):
        guesses.count(f"address {number}")
        guesses.count("192.0.2.1")

    assert len(guesses) == REMEMBERED
    assert guesses.wait("192.0.2.1")


def test_an_attack_is_told_in_one_line():
    """
    A flood of guesses does not become a flood of lines.
    """
    clock = Clock()
    with capture_logs() as lines:
        guesses = spent(clock)
        for number in range(200 * ALLOWANCE):
            guesses.count(f"address {number % 100}")
        clock.now += LOG_SECONDS

    assert [(line["event"], line["address"]) for line in lines] == [("guesses_limited", "192.0.2.1")]
