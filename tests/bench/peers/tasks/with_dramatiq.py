"""
A dramatiq task a message: acknowledged when it is done, and tried again when it failed, which are the defaults.
"""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from tests.bench.peers.peer import SENDER
from tests.bench.peers.tasks.bind import Lazy

# After so many milliseconds without a sign of life a worker's tasks are given to another, a minute by default; that is
# looked at once in so many of a million commands, once in a thousand by default.
dramatiq.set_broker(RedisBroker(url=os.environ["PEERS_REDIS"], heartbeat_timeout=10_000, maintenance_chance=100_000))
_bind = Lazy()


@dramatiq.actor
def send(number, text):
    """Send one message."""
    _bind.get().submit(number, text, SENDER)


def give(number, text):
    """Put one message into the queue."""
    send.send(number, text)
