"""
The options of `penstock dispatch create`.
"""

import pytest

from penstock.cli.draft import BadOption, make_draft, parse_numbers, parse_rate


def test_what_is_not_given_is_not_sent():
    """
    The server's defaults hold for every option that was left out.
    """
    given = dict.fromkeys(("send_time", "completion_time", "hours", "days", "rate", "ttl", "tags"))

    assert make_draft(name="a", sender="b", text="c", local_time=True, **given) == {
        "dispatchName": "a",
        "senderName": "b",
        "content": "c",
        "useLocalTime": True,
    }


def test_ranges_and_lists_are_understood():
    """
    Hours and days may be written as people write them.
    """
    assert parse_numbers("--hours", "9-12, 18") == [9, 10, 11, 12, 18]


@pytest.mark.parametrize("text", ["", "nine", "12-9", "9-", "-1", "1-100", "1;2"])
def test_numbers_that_are_none_are_refused(text):
    """
    A slip in the hours is told before anything is created.
    """
    with pytest.raises(BadOption, match="--hours"):
        parse_numbers("--hours", text)


def test_a_rate_is_a_number_and_a_unit():
    """
    A rate is written as it is spoken: a hundred a minute.
    """
    assert parse_rate("100/m") == {"unit": "m", "value": 100}


@pytest.mark.parametrize("text", ["100", "m", "100/s", "-1/m", "1.5/m"])
def test_a_rate_that_is_none_is_refused(text):
    """
    A slip in the rate is told before anything is created.
    """
    with pytest.raises(BadOption, match="--rate"):
        parse_rate(text)
