"""
Stops the embedded PostgreSQL when the supervisor was killed and its last child has ended.

The supervisor and all its children hold the writing end of a pipe, the warden reads: the end of the
pipe is the end of them all.  Unless a new supervisor has taken the data folder by then, the server
has no user any more.  Until that moment the warden does nothing, and loads nothing.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    """Watch the pipe; the arguments are the data folder and the pipe's file descriptor."""
    data, pipe = Path(sys.argv[1]), int(sys.argv[2])
    while os.read(pipe, 64):
        pass
    _close(data)


def _close(data: Path) -> None:
    # Loaded now: a warden that waits takes a third of the memory.
    import asyncio  # noqa: PLC0415

    from penstock import logs  # noqa: PLC0415
    from penstock.store.embedded import stop_abandoned  # noqa: PLC0415

    logs.set_up("info")
    asyncio.run(stop_abandoned(data))


if __name__ == "__main__":
    main()
