"""
The GSM alphabet against octets typed from GSM 03.38.
"""

import pytest
from hypothesis import given

from penstock.domain import gsm
from tests import strategies

#: The table of 6.2.1, column by column, as on paper.
COLUMNS = {
    0x00: "@£$¥èéùìòÇ\nØø\rÅå",
    0x10: "Δ_ΦΓΛΩΠΨΣΘΞ",
    0x1C: "ÆæßÉ",
    0x20: " !\"#¤%&'()*+,-./",
    0x30: "0123456789:;<=>?",
    0x40: "¡ABCDEFGHIJKLMNO",
    0x50: "PQRSTUVWXYZÄÖÑÜ§",
    0x60: "¿abcdefghijklmno",
    0x70: "pqrstuvwxyzäöñüà",
}
LETTERS = {char: start + row for start, column in COLUMNS.items() for row, char in enumerate(column)}
#: The table of 6.2.1.1.
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}


def test_the_table_holds_every_septet_but_the_escape():
    """
    The table that these tests compare with is whole: 127 characters.
    """
    assert sorted(LETTERS.values()) == [septet for septet in range(128) if septet != 0x1B]


@pytest.mark.parametrize(("char", "septet"), LETTERS.items())
def test_letter_is_its_septet(char, septet):
    """
    Each character of the default alphabet is written as the standard says, and read back.
    """
    assert gsm.encode(char) == bytes([septet])
    assert gsm.decode(bytes([septet])) == char


@pytest.mark.parametrize(("char", "septet"), EXTENSION.items())
def test_extension_is_an_escape_and_its_septet(char, septet):
    """
    Each character of the extension table takes two septets, and is read back.
    """
    assert gsm.encode(char) == bytes([0x1B, septet])
    assert gsm.decode(bytes([0x1B, septet])) == char
    assert gsm.septets(char) == 2


@pytest.mark.parametrize("text", ["Привет", "ç", "`", "á", "ok 😀", "\t", "\x1b", "“", "\u00a0", "Hello\x00"])
def test_other_characters_cannot_be_written(text):
    """
    A text with a character outside the tables is not GSM, however much it looks like it.
    """
    assert gsm.encode(text) is None
    assert gsm.septets(text) is None


@strategies.law
@given(strategies.gsm_texts())
def test_reading_is_the_opposite_of_writing(text):
    """
    What is written is read back, and takes as many septets as counted.
    """
    octets = gsm.encode(text)

    assert gsm.decode(octets) == text
    assert gsm.septets(text) == len(octets)


@strategies.law
@given(strategies.texts())
def test_count_and_encoding_agree_on_what_is_gsm(text):
    """
    A text has a number of septets exactly when it can be written.
    """
    octets = gsm.encode(text)

    assert gsm.septets(text) == (None if octets is None else len(octets))


@strategies.law
@given(strategies.texts())
def test_plain_texts_are_their_ascii(text):
    """
    A text that is called plain is written octet for octet as ASCII.
    """
    assert not gsm.is_plain(text) or gsm.encode(text) == text.encode("ascii")


@pytest.mark.parametrize(("octets", "text"), [(b"\x1bA", "A"), (b"\x1b\x1b", " "), (b"a\x1b", "a"), (b"\x80", "@")])
def test_strange_septets_are_read_as_the_standard_asks(octets, text):
    """
    An escape that means nothing disturbs only its own character.
    """
    assert gsm.decode(octets) == text
