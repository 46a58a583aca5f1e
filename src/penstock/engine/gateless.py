"""
What must not be: a sender that neither looks at its gate, nor hears of a halt, nor gives anything back.

It exists so that the proof of the stop can be seen to fail (`penstock prove --without-gate`); only
the composition root makes one, when a variable of the environment asks for it, and says so loudly.
"""

from penstock.engine.claimer import Claimer
from penstock.engine.sender import LinkFactory, Sender


class GatelessSender(Sender):
    """A sender that writes whatever it holds."""

    def _halt_found(self, halted: dict[int, int]) -> None:
        """Hear of no halt."""

    async def _watch(self, claimer: Claimer) -> None:
        """Keep what has waited for too long."""


def without_gate(make_links: LinkFactory) -> LinkFactory:
    """Return links whose gate is always open."""
    return lambda _, events: make_links(lambda: True, events)
