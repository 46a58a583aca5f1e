"""
Settings: from `defaults.toml`, a TOML file, the environment and the command line, the last one wins.

They are checked once, here, and are frozen; a mistake is told with its place and with what was
expected there.
"""

import difflib
import json
import tomllib
import urllib.parse
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import msgspec.inspect as shapes

from penstock.channels.smpp.settings import SmppSettings

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Count = Annotated[int, msgspec.Meta(ge=1, le=64)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]{1,64}$")]

_ENVIRONMENT = "PENSTOCK_"
_CARRIER = "carrier"
_FALSE_AND_TRUE = {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
}


class SmppCarrier(SmppSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A carrier that is reached over SMPP."""

    name: Name  #: as statistics and receipts call it
    type: Literal["smpp"] = "smpp"
    channels: Annotated[tuple[Literal["SMS"], ...], msgspec.Meta(min_length=1)] = ("SMS",)  #: what it carries


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set; `defaults.toml` says what each means and what it is by default."""

    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Port
    data: Annotated[str, msgspec.Meta(min_length=1)]
    database: str
    role: Literal["all", "api", "sender"]
    senders: Count
    api_workers: Count
    default_zone: str
    default_lifetime: Annotated[int, msgspec.Meta(ge=60, le=604_800)]
    retention_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)]
    claim_limit: Annotated[int, msgspec.Meta(ge=200, le=10_000)]
    max_json_bytes: Annotated[int, msgspec.Meta(ge=1024)]
    max_file_bytes: Annotated[int, msgspec.Meta(ge=1024)]
    stop_timeout: Annotated[float, msgspec.Meta(ge=1, le=3600)]
    log_level: Literal["debug", "info", "warning", "error"]
    carrier: tuple[SmppCarrier, ...] = ()


class BadSettings(Exception):
    """A setting is not what it has to be; the message says where and what was expected."""


def load(file: Path | None, environment: Mapping[str, str], options: Mapping[str, object]) -> Settings:
    """
    Put the settings together and check them; raises BadSettings.

    *options* are those of the command line that were given, by the name of their setting; None
    stands for one that was not.
    """
    values = {name: value for name, value in defaults().items() if name != _CARRIER}
    carriers: list[SmppCarrier] = []
    types = get_type_hints(Settings, include_extras=True)
    if file is not None:
        given = _read(file)
        carriers = _carriers(str(file), given.pop(_CARRIER, []))
        for name, value in given.items():
            _know(str(file), name, types)
            values[name] = _check(f"{file}: {name}", value, types[name])
    for name, type_ in types.items():
        variable = _ENVIRONMENT + name.upper()
        if name != _CARRIER and variable in environment:
            values[name] = _check(variable, _from_text(environment[variable], type_), type_)
    for name, value in options.items():
        if value is not None:
            text = _from_text(value, types[name]) if isinstance(value, str) else value
            values[name] = _check("--" + name.replace("_", "-"), text, types[name])
    settings = Settings(**values, carrier=tuple(carriers))
    _check_zone(settings.default_zone, "default_zone")
    _check_database(settings.database)
    return settings


def defaults() -> dict[str, Any]:
    """Return the settings of `defaults.toml`."""
    return tomllib.loads(files("penstock").joinpath("defaults.toml").read_text(encoding="utf-8"))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"{file}: expected text in UTF-8, byte {error.start} is not") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{file}: not TOML: {error}") from error


def _carriers(file: str, given: object) -> list[SmppCarrier]:
    if not isinstance(given, list) or not all(isinstance(carrier, dict) for carrier in given):
        raise BadSettings(f"{file}: {_CARRIER}: expected tables written [[{_CARRIER}]], got {_show(given)}")
    types = get_type_hints(SmppCarrier, include_extras=True)
    carriers: list[SmppCarrier] = []
    for index, table in enumerate(given):
        place = f"{file}: {_CARRIER}[{index}]"
        values = {}
        for name, value in table.items():
            _know(f"{place}", name, types)
            values[name] = _check(f"{place}.{name}", value, types[name])
        if "name" not in values:
            raise BadSettings(f"{place}.name: expected a name for the carrier, got nothing")
        carrier = SmppCarrier(**values)
        if any(carrier.name == other.name for other in carriers):
            raise BadSettings(f"{place}.name: expected a name that no other carrier has, got {_show(carrier.name)}")
        if carrier.dlr_time_zone:
            _check_zone(carrier.dlr_time_zone, f"{place}.dlr_time_zone")
        carriers.append(carrier)
    return carriers


def _know(place: str, name: str, types: Mapping[str, object]) -> None:
    if name in types:
        return
    near = difflib.get_close_matches(name, types, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else f"; there are {', '.join(types)}"
    raise BadSettings(f"{place}: {name}: unknown setting{hint}")


def _check(place: str, value: object, type_: Any) -> Any:  # noqa: ANN401 - settings are of many types
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        expected = describe(shapes.type_info(type_))
        raise BadSettings(f"{place}: expected {expected}, got {_show(value)}") from error


def _from_text(text: str, type_: object) -> object:
    """Read a variable of the environment; text that is not of the type stays text, and is refused as such."""
    readers: dict[type[shapes.Type], Any] = {
        shapes.IntType: int,
        shapes.FloatType: float,
        shapes.BoolType: lambda said: _FALSE_AND_TRUE.get(said.lower(), said),
    }
    read = readers.get(type(shapes.type_info(type_)), str)
    try:
        return read(text)
    except ValueError:
        return text


def _check_zone(zone: str, place: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSettings(f'{place}: expected a time zone such as "Europe/Moscow", got {_show(zone)}') from None


def _check_database(database: str) -> None:
    if database and urllib.parse.urlsplit(database).scheme not in {"postgresql", "postgres"}:
        # The value is not repeated: it may hold a password.
        raise BadSettings('database: expected an address such as "postgresql://user@host/name"')


def describe(info: shapes.Type) -> str:  # noqa: PLR0911 - one answer for each type
    """Say in words what a type admits."""
    match info:
        case shapes.UnionType(types=types):
            return " or ".join(describe(one) for one in types if not isinstance(one, shapes.NoneType))
        case shapes.IntType(ge=low, le=high):
            return "an integer" + _range(low, high, None)
        case shapes.FloatType(ge=low, le=high, gt=above):
            return "a number" + _range(low, high, above)
        case shapes.BoolType():
            return "true or false"
        case shapes.LiteralType(values=values):
            return ("one of " if len(values) > 1 else "") + ", ".join(_show(value) for value in values)
        case shapes.VarTupleType(item_type=item, min_length=least):
            return f"a list{' of at least one' if least else ''}, each {describe(item)}"
        case shapes.StrType(max_length=longest, pattern=pattern):
            if pattern == r"^[\x20-\x7e]*$":
                return f"at most {longest} characters of ASCII"
            if pattern is not None:
                return "1…64 letters, digits, dots, dashes and underscores"
            return "text"
    raise AssertionError(info)


def _range(low: float | None, high: float | None, above: float | None) -> str:
    if low is not None and high is not None:
        return f" {low}…{high}"
    if low is not None:
        return f" of at least {low}"
    return f" above {above}" if above is not None else ""


def _show(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
