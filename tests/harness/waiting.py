"""
Waiting for a condition instead of a time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_Found = TypeVar("_Found")


async def until(look: Callable[[], Awaitable[_Found]], *, what: str, seconds: float = 10.0) -> _Found:
    """Look again and again until something true is found and return it; fails after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            message = f"waited {seconds} s for {what}, last seen: {found!r}"
            raise AssertionError(message)
        await asyncio.sleep(0.01)


async def until_true(holds: Callable[[], object], *, what: str, seconds: float = 10.0) -> None:
    """Wait until a condition that is looked at in memory holds; fails after *seconds*."""

    async def look() -> bool:
        return bool(holds())

    await until(look, what=what, seconds=seconds)
