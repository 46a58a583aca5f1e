"""
Parts of long texts.
"""

import itertools

import pytest
from hypothesis import given

from penstock.domain import gsm
from penstock.domain.parts import Encoding, count_parts, split
from tests import strategies


@strategies.law
@given(strategies.texts(700))
def test_parts_rejoin_to_the_text(text):
    """
    Splitting loses nothing, never overfills a part and makes as many as were counted.
    """
    parts = split(text)

    assert "".join(part.text for part in parts) == text
    assert all(part.units <= part.limit for part in parts)
    assert count_parts(text) == len(parts)


@strategies.law
@given(strategies.texts(700))
def test_parts_take_what_they_say(text):
    """
    The units of a part are the septets or UTF-16 code units that it takes on the wire.
    """
    for part in split(text):
        if part.encoding is Encoding.GSM:
            assert part.units == gsm.septets(part.text)
        else:
            assert part.units * 2 == len(part.text.encode("utf-16-be"))


@strategies.law
@given(strategies.texts(700))
def test_no_part_ends_too_soon(text):
    """
    A part ends only where the next character, of one or two units, does not fit.
    """
    for part, after in itertools.pairwise(split(text)):
        char = after.text[0]
        width = gsm.septets(char) if part.encoding is Encoding.GSM else len(char.encode("utf-16-be")) // 2
        assert part.units + width > part.limit


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 1530, 10),
        ("a" * 1531, 11),
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("€" * 153, 3),  # 76 of two septets each part: the 153rd septet stays empty
        ("a" + "€" * 152, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 pairs each part: the 67th unit stays empty
        ("a" * 70 + "я", 2),
    ],
)
def test_counts_at_the_limits(text, count):
    """
    One part holds 160 septets or 70 code units, each of several 153 or 67.
    """
    assert count_parts(text) == count


@pytest.mark.parametrize("pair", ["€", "😀"])
def test_pair_at_the_end_of_a_part_is_not_cut(pair):
    """
    A character of two units that would be cut goes into the next part whole.
    """
    limit = 153 if pair == "€" else 67
    filling = "a" if pair == "€" else "я"

    first, second, *_ = split(filling * (limit - 1) + pair + filling * 80)

    assert first.text == filling * (limit - 1)
    assert second.text.startswith(pair)


def test_half_a_pair_is_counted_and_not_refused():
    """
    A broken surrogate does not stop the count: whether it may be sent is not decided here.
    """
    assert count_parts("\ud83d" * 71) == 2
