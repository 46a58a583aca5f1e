"""
Reading the plans of statements.
"""

from typing import Any


def touched(node: dict[str, Any]) -> float:
    """Return how many rows a plan handled, those that it threw away included."""
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    return rows * node["Actual Loops"] + sum(map(touched, node.get("Plans", [])))
