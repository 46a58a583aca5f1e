"""
Every text reads back on the other side, in every form that a carrier may want.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.channels.smpp import pdu, texts
from penstock.channels.smpp.pdu import ShortMessage
from penstock.channels.smpp.texts import Part, Reassembler
from penstock.domain.parts import count_parts
from tests import strategies

long_forms = st.sampled_from(["udh", "sar", "payload"])
encodings = st.sampled_from(["gsm", "latin1"])


def received(part: Part) -> ShortMessage:
    """Send a part through the codec."""
    tail = pdu.tail_of(part.esm_class, b"", 0, part.data_coding, part.short_message, part.tlvs)
    encoded = pdu.encode_submit(1, pdu.head_of(b"", (5, 0, b"Shop")), 79990001122, tail)
    return pdu.parse_short_message(encoded, 16, len(encoded))


@given(text=strategies.texts(), reference=st.integers(0, 70_000), encoding=encodings, long_text=long_forms)
def test_a_text_reads_back(text, reference, encoding, long_text):
    """
    What the handset shows is what was sent, however it travelled.
    """
    reassembler = Reassembler()
    parts = texts.encode(text, reference, encoding=encoding, long_text=long_text)

    whole = [reassembler.take(b"Shop", b"7999", texts.decode(received(part))) for part in parts]

    assert whole == [None] * (len(parts) - 1) + [text]


@given(text=strategies.texts(), long_text=st.sampled_from(["udh", "sar"]))
def test_as_many_parts_leave_as_were_counted(text, long_text):
    """
    The number of parts on the wire is the number that the client was told.
    """
    assert len(texts.encode(text, 0, long_text=long_text)) == count_parts(text)


@pytest.mark.parametrize(
    ("text", "coding", "octets"),
    [
        ("A" * 160, 0, [160]),
        ("A" * 161, 0, [6 + 153, 6 + 8]),
        ("€" * 80, 0, [160]),
        ("€" * 81, 0, [6 + 152, 6 + 10]),
        ("Я" * 70, 8, [140]),
        ("Я" * 71, 8, [6 + 134, 6 + 8]),
        ("😀" * 36, 8, [6 + 132, 6 + 12]),
    ],
)
def test_parts_are_filled_to_the_limit(text, coding, octets):
    """
    Parts hold 160/153 septets or 70/67 UTF-16 units; no escape or surrogate pair is cut.
    """
    parts = texts.encode(text, 1)

    assert {part.data_coding for part in parts} == {coding}
    assert [len(part.short_message) for part in parts] == octets


def test_the_header_of_a_part_is_that_of_the_standard():
    """
    Handsets tie parts together by 05 00 03, reference, total and number.
    """
    parts = texts.encode("A" * 400, 0x1FE)

    assert [part.short_message[:6].hex() for part in parts] == ["050003fe0301", "050003fe0302", "050003fe0303"]
    assert {part.esm_class for part in parts} == {0x40}


def test_latin1_carriers_get_latin1():
    """
    Where data_coding 3 is asked for, an umlaut is its Latin-1 octet.
    """
    (part,) = texts.encode("Grüße", 0, encoding="latin1")

    assert (part.data_coding, part.short_message) == (3, "Grüße".encode("latin-1"))


def test_latin1_carriers_get_ucs2_for_the_euro_sign():
    """
    What the GSM alphabet has and Latin-1 has not is still readable.
    """
    parts = texts.encode("€" * 71, 0, encoding="latin1")

    assert [(part.data_coding, len(part.short_message)) for part in parts] == [(8, 140), (8, 14)]


def test_a_sixteen_bit_reference_is_understood():
    """
    Long texts of foreign clients are tied together by either form of header.
    """
    message = received(Part(0, 0x40, bytes.fromhex("0608041234 0201") + b"hello"))

    assert texts.decode(message) == ("hello", 0x1234, 1, 2)


@given(octets=st.binary(max_size=140), coding=st.integers(0, 255), esm_class=st.integers(0, 255))
def test_no_short_message_does_harm(octets, coding, esm_class):
    """
    Whatever a stranger sends has some text.
    """
    assert isinstance(texts.decode(received(Part(coding, esm_class, octets))).text, str)


def test_parts_of_different_messages_are_not_mixed():
    """
    Two long texts to one number, their parts interleaved, are both right.
    """
    reassembler = Reassembler()
    first, second = (texts.encode(letter * 200, reference) for letter, reference in (("A", 1), ("B", 2)))

    found = [
        reassembler.take(b"Shop", b"7999", texts.decode(received(part)))
        for pair in zip(first, second, strict=True)
        for part in pair
    ]

    assert found == [None, None, "A" * 200, "B" * 200]
