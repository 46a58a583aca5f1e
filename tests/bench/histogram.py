"""
How often each latency was seen, drawn with characters.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

#: Milliseconds; the last column has no end.
_BOUNDS = (1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000)
_WIDTH = 50


def draw(title: str, seconds: Sequence[float]) -> str:
    """Return one line for each range between the first and the last that was seen."""
    counts = Counter(bisect_left(_BOUNDS, 1000 * value) for value in seconds)
    if not counts:
        return f"{title}: nothing was seen"
    most = max(counts.values())
    lines = [f"{title} ({len(seconds)})"]
    for place in range(min(counts), max(counts) + 1):
        bound = f"≤ {_BOUNDS[place]:>4} ms" if place < len(_BOUNDS) else f"> {_BOUNDS[-1]:>4} ms"
        lines.append(f"  {bound} {'█' * round(_WIDTH * counts[place] / most):{_WIDTH}} {counts[place]:>5}")
    return "\n".join(lines)
