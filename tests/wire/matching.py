"""
Comparing an answer with what a case expects of it.

In an expected value ``"<int>"``, ``"<number>"``, ``"<uuid>"``, ``"<instant>"``, ``"<local>"``, ``"<text>"`` and
``"<any>"`` stand for any value of that kind; ``"<uuid:first>"`` keeps the value found as ``$first``
for the steps that follow.  An object that holds ``"...": true`` may have more keys than are told.
"""

import re
from collections.abc import Callable

Variables = dict[str, object]

_KINDS: dict[str, Callable[[object], bool]] = {
    "any": lambda _: True,
    "text": lambda value: isinstance(value, str) and bool(value),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "uuid": lambda value: _fits(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value),
    "instant": lambda value: _fits(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value),
    "local": lambda value: _fits(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value),
}
_MATCHER = re.compile(r"<([a-z]+)(?::(\w+))?>")
_VARIABLE = re.compile(r"\$(\w+)")


def fill_in(value: object, variables: Variables) -> object:
    """Replace ``$name`` in all strings; a string that is nothing else takes on the type of its value."""
    if isinstance(value, str):
        whole = _VARIABLE.fullmatch(value)
        if whole and whole[1] in variables:
            return variables[whole[1]]
        return _VARIABLE.sub(lambda found: str(variables.get(found[1], found[0])), value)
    if isinstance(value, list):
        return [fill_in(inner, variables) for inner in value]
    if isinstance(value, dict):
        if "$repeat" in value:
            element, times = value["$repeat"]
            return [fill_in(element, variables)] * times
        return {key: fill_in(inner, variables) for key, inner in value.items()}
    return value


def difference(expected: object, found: object, variables: Variables, place: str = "answer") -> str | None:
    """Say where *found* is not what was expected; None when it is."""
    if isinstance(expected, str) and (matcher := _MATCHER.fullmatch(expected)) and matcher[1] in _KINDS:
        if not _KINDS[matcher[1]](found):
            return f"{place}: expected {expected}, got {found!r}"
        if matcher[2]:
            variables[matcher[2]] = found
        return None
    if isinstance(expected, dict) and isinstance(found, dict):
        return _object_difference(expected, found, variables, place)
    if isinstance(expected, list) and isinstance(found, list):
        return _list_difference(expected, found, variables, place)
    if expected != found or isinstance(expected, bool) != isinstance(found, bool):
        return f"{place}: expected {expected!r}, got {found!r}"
    return None


def _list_difference(expected: list, found: list, variables: Variables, place: str) -> str | None:
    if len(expected) != len(found):
        return f"{place}: expected {len(expected)} elements, got {len(found)}: {found!r}"
    pairs = enumerate(zip(expected, found, strict=True))
    return _first(difference(want, got, variables, f"{place}[{index}]") for index, (want, got) in pairs)


def _object_difference(expected: dict, found: dict, variables: Variables, place: str) -> str | None:
    wanted = {key: value for key, value in expected.items() if key != "..."}
    missing = wanted.keys() - found.keys()
    extra = found.keys() - wanted.keys()
    if missing or (extra and "..." not in expected):
        return f"{place}: missing {sorted(missing)}, not expected {sorted(extra)}"
    return _first(difference(value, found[key], variables, f"{place}.{key}") for key, value in wanted.items())


def _first(found) -> str | None:
    return next((one for one in found if one is not None), None)


def _fits(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None
