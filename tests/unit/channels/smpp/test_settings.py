"""
Settings that cannot work are refused when they are read.
"""

import msgspec
import pytest

from penstock.channels.smpp.settings import SmppSettings


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("dlr_time_zone", "Mars/Olympus"),
        ("dlr_time_zone", "../etc/passwd"),
        ("port", 0),
        ("window", 0),
        ("bind", "receiver"),
        ("system_id", "a name that is too long"),
        ("password", "пароль"),
        ("response_timeout", 0),
        ("rate", -1),
        ("dlr_id", "octal"),
        ("no_such_setting", 1),
    ],
)
def test_a_setting_that_cannot_work_is_refused(setting, value):
    """
    The operator hears of it at once, by the name of the setting.
    """
    with pytest.raises(msgspec.ValidationError, match=setting):
        msgspec.convert({setting: value}, SmppSettings)


def test_the_defaults_work():
    """
    A carrier needs no setting but its address.
    """
    assert msgspec.convert({}, SmppSettings) == SmppSettings()
