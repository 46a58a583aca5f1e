"""
A Celery task a message.

Set up as Celery's guide to optimizing advises for short tasks: no results, a large prefetch, messages that
survive in Redis.  A task is acknowledged when it begins, which is the default.
"""

import os
import sys

from celery import Celery
from celery.signals import worker_ready

from tests.bench.peers.peer import SENDER
from tests.bench.peers.tasks.bind import Lazy

app = Celery("peers", broker=os.environ["PEERS_REDIS"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    # After so many seconds a task that a dead worker had prefetched is given to another; by default an hour, and that
    # is looked at every 100 seconds.
    broker_transport_options={
        "visibility_timeout": 10,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    },
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
_bind = Lazy()


@worker_ready.connect
def _say_so(**_):
    """Say what the log says only at the level at which it tells of every task."""
    sys.__stdout__.write("worker is ready.\n")
    sys.__stdout__.flush()


@app.task
def send(number, text):
    """Send one message."""
    _bind.get().submit(number, text, SENDER)


def give(number, text):
    """Put one message into the queue."""
    send.delay(number, text)
