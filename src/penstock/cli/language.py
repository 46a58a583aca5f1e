"""
English and Russian on the command line.

The English sentence is the key.  Russian is spoken when the environment asks for it, the way other
programs ask: LC_ALL, LC_MESSAGES, LANG, in this order; PENSTOCK_LANGUAGE goes before them.
"""

import os
from collections.abc import Mapping

from penstock.cli.russian import RUSSIAN

_VARIABLES = ("PENSTOCK_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def is_russian(environment: Mapping[str, str]) -> bool:
    """Whether the first variable that is set asks for Russian."""
    wanted = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    return wanted.lower().startswith("ru")


def t(english: str, /, **values: object) -> str:
    """Return *english*, or its Russian, with *values* in their places."""
    text = RUSSIAN.get(english, english) if is_russian(os.environ) else english
    return text.format(**values) if values else text
