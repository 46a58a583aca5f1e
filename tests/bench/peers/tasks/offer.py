"""
What puts messages into the queue: `python -m tests.bench.peers.tasks.offer with_celery`.

Each line on stdin, such as "79000000000 1000", is a first destination and how many; when all are in
the queue, it says so with a line.
"""

import importlib
import sys

from tests.bench.peers.peer import text_to


def main():
    """Obey until stdin ends."""
    queue = importlib.import_module(f"tests.bench.peers.tasks.{sys.argv[1]}")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        first, count = map(int, line.split())
        for number in range(first, first + count):
            queue.give(number, text_to(number))
        sys.stdout.write("done\n")
        sys.stdout.flush()


main()
