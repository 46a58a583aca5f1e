"""
What the demo says, in English and in Russian.
"""

import os

from penstock.cli.language import is_russian


def say(english: str, russian: str) -> None:
    """Print a line in the language that the environment asks for."""
    print(choose(english, russian), flush=True)


def choose(english: str, russian: str) -> str:
    """Return the one of two that the environment asks for."""
    return russian if is_russian(os.environ) else english
