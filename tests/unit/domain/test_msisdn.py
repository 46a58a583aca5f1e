"""
Destinations.
"""

import pytest
from hypothesis import given

from penstock.domain.msisdn import parse_msisdn
from tests import strategies


@strategies.law
@given(strategies.msisdns())
def test_number_is_its_digits(text):
    """
    A destination of 7 to 15 digits is taken, with a leading plus or without.
    """
    assert parse_msisdn(text) == int(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "123456",
        "1234567890123456",
        "0123456789",
        "+0123456789",
        "++79990001122",
        "7 999 000 11 22",
        "7-999-000-11-22",
        "79990001122\n",
        " 79990001122",
        "7999000112a",
        "٧٩٩٩٠٠٠١١٢٢",
        "７９９９０００１１２２",
        "-79990001122",
        "7_999_000",
    ],
)
def test_anything_else_is_no_number(text):
    """
    Blanks, dashes, letters, foreign digits and wrong lengths make no destination.
    """
    assert parse_msisdn(text) is None


def test_domestic_prefix_is_left_alone():
    """
    A number that begins with 8 is not rewritten: what the client wrote is what is called.
    """
    assert parse_msisdn("89990001122") == 89990001122
