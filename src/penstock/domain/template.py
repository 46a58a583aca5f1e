"""
Texts with placeholders: ``{name}`` stands for a value, ``{{`` and ``}}`` for the braces themselves.
"""

import decimal
import re
from collections.abc import Mapping, Sequence

_TOKEN = re.compile(r"\{\{|\}\}|\{(\w+)\}|[{}]")

Value = str | int | float | bool | None


class BadTemplate(ValueError):
    """The text is not a template; the message names the place and the expectation."""


class Template:
    """A text whose placeholders are filled for each message."""

    __slots__ = ("_format", "_keys", "literal_length", "names", "repeats", "text")

    def __init__(self, text: str, pieces: Sequence[str], fields: Sequence[str]) -> None:
        self.text = text
        self.names = tuple(dict.fromkeys(fields))  #: each once, in the order of first use
        #: for each name how often it is used
        self.repeats = tuple(fields.count(name) for name in self.names)
        self.literal_length = sum(map(len, pieces))
        self._keys = [self.names.index(field) for field in fields]
        # str.__mod__ fills a text faster than any join in Python.
        self._format = "%s".join(piece.replace("%", "%%") for piece in pieces)

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template; raises BadTemplate."""
        pieces, fields, piece, position = [], [], "", 0
        for token in _TOKEN.finditer(text):
            piece += text[position : token.start()]
            position = token.end()
            if token[1]:
                pieces.append(piece)
                fields.append(token[1])
                piece = ""
            elif token[0] in ("{{", "}}"):
                piece += token[0][0]
            else:
                message = f"at position {token.start() + 1}: expected {{name}}, {{{{ or }}}}, got a single {token[0]}"
                raise BadTemplate(message)
        pieces.append(piece + text[position:])
        return cls(text, pieces, fields)

    @property
    def literal(self) -> str:
        """The text without its placeholders."""
        return self._format % (("",) * len(self._keys))

    def values(self, substitutions: Mapping[str, Value]) -> list[str] | None:
        """Return the values in the order of `names`; None when one is missing or null."""
        found = []
        for name in self.names:
            value = substitutions.get(name)
            if type(value) is not str:
                if value is None:
                    return None
                value = _as_text(value)
            found.append(value)
        return found

    def render(self, values: Sequence[str]) -> str:
        """Fill in the values, given in the order of `names`."""
        if len(self._keys) == len(self.names):
            return self._format % tuple(values)
        return self._format % tuple([values[key] for key in self._keys])


def _as_text(value: Value) -> str:
    """Write a value that is not a string the way a person would."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        # The digits of the shortest form that reads back as the same number, without an exponent.
        digits = decimal.Decimal(repr(value))
        return str(int(digits)) if value.is_integer() else f"{digits:f}"
    return str(value)
