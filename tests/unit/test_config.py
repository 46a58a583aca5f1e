"""
Settings: where they come from, and what is said of a wrong one.
"""

import re
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from penstock import config
from penstock.config import BadSettings, Settings, SmppCarrier, load

DEFAULTS = files("penstock").joinpath("defaults.toml").read_text(encoding="utf-8")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, so that a file is named as its user names it."""
    monkeypatch.chdir(tmp_path)
    return Path("penstock.toml")


def test_later_places_win(file: Path):
    """
    The command line goes before the environment, that before the file, and that before the defaults.
    """
    file.write_text('port = 1\nsenders = 2\napi_workers = 3\nrole = "api"\n')

    settings = load(file, {"PENSTOCK_PORT": "4", "PENSTOCK_SENDERS": "5"}, {"port": 6, "host": None})

    assert (settings.port, settings.senders, settings.api_workers, settings.host) == (6, 5, 3, "127.0.0.1")


def test_a_carrier_is_read_with_everything_else_at_its_default(file: Path):
    """
    A carrier needs no more than its name.
    """
    file.write_text('[[carrier]]\nname = "main"\nwindow = 5\n')

    assert load(file, {}, {}).carrier == (SmppCarrier(name="main", window=5),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[carrier]]\nname="a"\nport = "abc"',
            'penstock.toml: carrier[0].port: expected an integer 1…65535, got "abc"',
        ),
        ("port = 65536", "penstock.toml: port: expected an integer 0…65535, got 65536"),
        ("prot = 1", 'penstock.toml: prot: unknown setting; did you mean "port"?'),
        ("senders = true", "penstock.toml: senders: expected an integer 1…64, got true"),
        ('role = "both"', 'penstock.toml: role: expected one of "all", "api", "sender", got "both"'),
        (
            '[[carrier]]\nname="a"\n[[carrier]]\nname="a"',
            "penstock.toml: carrier[1].name: expected a name that no other",
        ),
        ("[[carrier]]", "penstock.toml: carrier[0].name: expected a name for the carrier, got nothing"),
        ("[carrier]\nname='a'", "penstock.toml: carrier: expected tables written [[carrier]], got"),
        ('[[carrier]]\nname="a"\ntls = 1', "penstock.toml: carrier[0].tls: expected true or false, got 1"),
        ('[[carrier]]\nname="a"\ntype = "http"', 'penstock.toml: carrier[0].type: expected "smpp", got "http"'),
        (
            '[[carrier]]\nname="a"\nchannels = []',
            "penstock.toml: carrier[0].channels: expected a list of at least one, each",
        ),
        (
            '[[carrier]]\nname="a"\nenquire_link = 0',
            "penstock.toml: carrier[0].enquire_link: expected a number above 0",
        ),
        (
            '[[carrier]]\nname="a"\npasswrd = ""',
            'penstock.toml: carrier[0]: passwrd: unknown setting; did you mean "password"',
        ),
        ('default_zone = "Mars"', 'default_zone: expected a time zone such as "Europe/Moscow", got "Mars"'),
        ("port = x", "penstock.toml: not TOML: Invalid value (at line 1, column 8)"),
    ],
)
def test_a_mistake_is_told_with_its_place(file: Path, text: str, said: str):
    """
    A wrong line is named by file and key, with what was expected and what was there.
    """
    file.write_text(text)

    with pytest.raises(BadSettings) as caught:
        load(file, {}, {})

    assert str(caught.value).startswith(said)


def test_a_mistake_in_the_environment_is_told_with_its_variable():
    """
    A wrong variable of the environment is named.
    """
    with pytest.raises(BadSettings, match=r'^PENSTOCK_PORT: expected an integer 0…65535, got "abc"$'):
        load(None, {"PENSTOCK_PORT": "abc"}, {})


def test_a_missing_file_is_a_mistake(file: Path):
    """
    A configuration file that was named has to be there.
    """
    with pytest.raises(BadSettings, match=r"^penstock\.toml: cannot be read: No such file or directory$"):
        load(file, {}, {})


def test_a_wrong_database_address_is_not_repeated():
    """
    An address that may hold a password does not come back in the error.
    """
    with pytest.raises(BadSettings) as caught:
        load(None, {}, {"database": "mysql://user:secret@host/name"})

    assert "secret" not in str(caught.value)


def test_every_setting_has_a_documented_default():
    """
    What can be set stands in the defaults file, below a comment, and nothing else does.
    """
    names = set(Settings.__struct_fields__) - {"carrier"}

    assert set(config.defaults()) == names
    for name in names:
        assert re.search(rf"^(#.*\n|\w.*\n)*#.*\n(\w.*\n)*{name} = ", DEFAULTS, re.MULTILINE), name


def test_every_setting_of_a_carrier_is_documented_with_its_default():
    """
    The sample carrier in the defaults file shows every setting of a carrier, and what it is by default.
    """
    sample = DEFAULTS.partition("# [[carrier]]\n")[2]
    shown = dict(re.findall(r"^# (\w+) = (.+?)(?:\s{2,}#.*)?$", sample, re.MULTILINE))
    fields = {field.name: field for field in msgspec.structs.fields(SmppCarrier)}

    assert shown.keys() == fields.keys()
    for name, field in fields.items():
        if field.default is not msgspec.NODEFAULT and field.default is not None:
            expected = list(field.default) if isinstance(field.default, tuple) else field.default
            assert msgspec.toml.decode(f"{name} = {shown[name]}") == {name: expected}


def test_every_setting_is_used():
    """
    No setting is read by nobody.
    """
    package = Path(config.__file__).parent
    sources = [path.read_text() for path in package.rglob("*.py") if path.name != "config.py"]

    unused = [name for name in Settings.__struct_fields__ if not any(f"settings.{name}" in text for text in sources)]

    assert unused == []
