"""
Named SQL statements, read from the files in `store/sql`.

A statement begins with ``-- name: verb_noun``; parameters are written ``:name`` and become the
numbered ones that PostgreSQL knows.  Calling a statement with its parameters gives what asyncpg's
methods take: ``await connection.fetch(*SQL.pick_dispatches(limit=10))``.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


class Statement:
    """One statement with its parameters in the order of their first use."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        order: dict[str, int] = {}

        def number(found: re.Match[str]) -> str:
            return f"${order.setdefault(found[1], len(order) + 1)}"

        self.text = _PARAMETER.sub(number, text)
        self.parameters = tuple(order)

    def __call__(self, **values: object) -> tuple[str, *tuple[object, ...]]:
        """Return the statement and its values; raises TypeError unless *values* are exactly its parameters."""
        if len(values) != len(self.parameters) or any(name not in values for name in self.parameters):
            wanted, given = ", ".join(self.parameters), ", ".join(values)
            message = f"{self.name} takes ({wanted}), got ({given})"
            raise TypeError(message)
        return self.text, *(values[name] for name in self.parameters)


class Statements:
    """The statements of one file, as attributes."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        text = files("penstock.store").joinpath("sql", f"{subject}.sql").read_text(encoding="utf-8")
        self._statements = {name: Statement(name, body) for name, body in _parse(text)}

    def __getattr__(self, name: str) -> Statement:
        """Return a statement by name; raises AttributeError that names the file."""
        try:
            return self.__dict__["_statements"][name]  # type: ignore[no-any-return]
        except KeyError:
            message = f"{self.subject}.sql has no statement {name!r}"
            raise AttributeError(message) from None

    def __iter__(self) -> Iterator[Statement]:
        """Go through all statements of the file."""
        return iter(self._statements.values())


def _parse(text: str) -> Iterator[tuple[str, str]]:
    pieces = _NAME.split(text)
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
        yield name, "\n".join(lines).strip().rstrip(";")
