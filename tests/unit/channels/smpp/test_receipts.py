"""
Receipts are understood in all the ways that carriers write them.
"""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.channels.smpp import pdu
from penstock.channels.smpp.pdu import ShortMessage, tlv
from penstock.channels.smpp.receipts import (
    STATE_NAMES,
    STATES,
    Inbound,
    Intermediate,
    Unknown,
    id_rules,
    read_body,
    read_receipt,
)
from penstock.channels.smpp.simulator_receipts import SentMessage, receipt_body
from penstock.channels.smpp.spec import MessageState, Tag
from penstock.domain.outcome import Receipt, ReceiptStatus

USUAL = b"id:4711 sub:001 dlvrd:001 submit date:2503010900 done date:2503011200 stat:DELIVRD err:000 text:Hello"


def delivered(text: bytes = b"", tlvs: bytes = b"", esm_class: int = 4) -> ShortMessage:
    """Make a deliver_sm as it comes out of the codec."""
    body = pdu.head_of(b"", (1, 1, b"7999")) + b"Shop" + pdu.tail_of(esm_class, b"", 0, 0, text, tlvs)
    return pdu.parse_short_message(body, 0, len(body))


def read(message: ShortMessage, dlr_id="same", zone=None):
    """Read with the rule of a setting."""
    return read_receipt(message, id_rules(dlr_id).receipt, zone)


def test_the_usual_text_is_read():
    """
    The form of appendix B gives id, status and code.
    """
    assert read(delivered(USUAL)) == Receipt("4711", ReceiptStatus.DELIVERED, 0, None)


@pytest.mark.parametrize(
    "text",
    [
        b"id:4711 stat:UNDELIV err:011",
        b"ID:4711 SUB:001 DLVRD:000 SUBMIT DATE:2503010900 DONE DATE:2503011200 STAT:UNDELIV ERR:011 TEXT:",
        b"stat:UNDELIV id: 4711 err:011",
        b"id:4711 done date:2503011200 stat:undeliv err:11 Text:id:9 stat:DELIVRD",
    ],
)
def test_other_orders_and_cases_are_read(text):
    """
    Carriers that write fields in another order or case are understood.
    """
    assert read(delivered(text)) == Receipt("4711", ReceiptStatus.UNDELIVERED, 11, None)


def test_parameters_are_read():
    """
    A receipt without a text is read from its optional parameters.
    """
    tlvs = tlv(Tag.RECEIPTED_MESSAGE_ID, b"4711\0") + tlv(Tag.MESSAGE_STATE, b"\2")

    assert read(delivered(tlvs=tlvs)) == Receipt("4711", ReceiptStatus.DELIVERED, None, None)


def test_parameters_are_believed_before_the_text():
    """
    Where the text names another id than the parameter, the parameter is right.
    """
    tlvs = tlv(Tag.RECEIPTED_MESSAGE_ID, b"abc\0") + tlv(Tag.MESSAGE_STATE, bytes((MessageState.EXPIRED,)))

    assert read(delivered(USUAL, tlvs)) == Receipt("abc", ReceiptStatus.UNDELIVERED, 0, None)


def test_a_network_error_code_is_taken():
    """
    The code comes from network_error_code where the text has none.
    """
    tlvs = tlv(Tag.RECEIPTED_MESSAGE_ID, b"1") + tlv(Tag.MESSAGE_STATE, b"\5") + tlv(Tag.NETWORK_ERROR_CODE, b"\3\1\2")

    assert read(delivered(tlvs=tlvs)) == Receipt("1", ReceiptStatus.UNDELIVERED, 258, None)


def test_a_receipt_without_its_mark_is_known_by_its_parameter():
    """
    A carrier that leaves esm_class alone is understood if it names the message.
    """
    tlvs = tlv(Tag.RECEIPTED_MESSAGE_ID, b"1\0") + tlv(Tag.MESSAGE_STATE, b"\2")

    assert read(delivered(tlvs=tlvs, esm_class=0)) == Receipt("1", ReceiptStatus.DELIVERED, None, None)


def test_a_message_from_a_subscriber_is_no_receipt():
    """
    An inbound text is never taken for a receipt, whatever it says.
    """
    assert read(delivered(USUAL, esm_class=0)) == Inbound()


@pytest.mark.parametrize(("state", "status"), STATES.items())
def test_every_state_of_the_table_is_final_or_passing(state, status):
    """
    Each word of a carrier is one final status, or passed over.
    """
    found = read(delivered(USUAL.replace(b"DELIVRD", state)))

    assert found == (Intermediate(state.decode()) if status is None else Receipt("4711", status, 0, None))


def test_every_message_state_has_its_word():
    """
    No state of the specification is unknown to us.
    """
    assert set(STATE_NAMES) == set(MessageState)
    assert set(STATE_NAMES.values()) <= set(STATES)


def test_an_intermediate_notification_is_never_final():
    """
    A notification marked as intermediate changes nothing, even if it says DELIVRD.
    """
    assert read(delivered(USUAL, esm_class=0x20)) == Intermediate("DELIVRD")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (USUAL.replace(b"DELIVRD", b"TELEPORTED"), "state 'TELEPORTED'"),
        (b"id:1 err:000", "no state"),
        (b"stat:DELIVRD", "no id"),
        (b"", "no state"),
    ],
)
def test_what_is_not_understood_says_why(text, why):
    """
    A receipt that we cannot read is not guessed at.
    """
    assert read(delivered(text)) == Unknown(why)


@pytest.mark.parametrize(
    ("dlr_id", "answered", "receipted"),
    [
        ("same", "00aB", "00aB"),
        ("loose", "00aB", "AB"),
        ("loose", "0", "000"),
        ("hex-to-dec", "3735928559", "DEADBEEF"),
        ("hex-to-dec", "0255", "000000ff"),
        ("dec-to-hex", "DEADBEEF", "3735928559"),
        ("dec-to-hex", "00FF", "0255"),
        ("hex-to-dec", "no-number", "NO-NUMBER"),
        ("dec-to-hex", "no-number", "NO-NUMBER"),
    ],
)
def test_both_forms_of_an_id_meet(dlr_id, answered, receipted):
    """
    The id of the answer and the id of the receipt are one after the carrier's rule.
    """
    rules = id_rules(dlr_id)

    assert rules.answer(answered) == rules.receipt(receipted)


@given(number=st.integers(0, 2**64 - 1), width=st.integers(1, 20))
def test_numbers_meet_whatever_their_form(number, width):
    """
    Hexadecimal and decimal ids meet with any leading zeros and case.
    """
    decimal, hexadecimal = f"{number:0{width}d}", f"{number:0{width}X}"

    hex_to_dec, dec_to_hex = id_rules("hex-to-dec"), id_rules("dec-to-hex")

    assert hex_to_dec.answer(decimal) == hex_to_dec.receipt(hexadecimal)
    assert dec_to_hex.answer(hexadecimal) == dec_to_hex.receipt(decimal)


@pytest.mark.parametrize(("date", "second"), [(b"2503011200", 0), (b"250301120059", 59), (b"20250301120059", 59)])
def test_the_time_of_a_receipt_is_read_in_the_carriers_zone(date, second):
    """
    A carrier whose zone is known tells when a message was delivered.
    """
    receipt = read(delivered(USUAL.replace(b"2503011200", date)), zone=ZoneInfo("Europe/Moscow"))

    assert receipt.done_at == dt.datetime(2025, 3, 1, 9, 0, second, tzinfo=dt.UTC)


def test_a_senseless_time_is_no_time():
    """
    A thirteenth month does not lose the receipt.
    """
    receipt = read(delivered(USUAL.replace(b"2503011200", b"2513011200")), zone=ZoneInfo("Europe/Moscow"))

    assert receipt == Receipt("4711", ReceiptStatus.DELIVERED, 0, None)


@given(text=st.binary(max_size=254), tlvs=st.binary(max_size=10), esm_class=st.integers(0, 255))
def test_no_receipt_does_harm(text, tlvs, esm_class):
    """
    Whatever a carrier writes is one of the four things that it can be.
    """
    options = tlv(Tag.RECEIPTED_MESSAGE_ID, tlvs) + tlv(Tag.MESSAGE_STATE, tlvs)

    for dlr_id in ("same", "loose", "hex-to-dec", "dec-to-hex"):
        found = read(delivered(text, options, esm_class), dlr_id, ZoneInfo("Europe/Moscow"))
        assert isinstance(found, Receipt | Intermediate | Unknown | Inbound)


@pytest.mark.parametrize("form", ["text", "tlv", "both"])
@pytest.mark.parametrize("is_failed", [False, True])
def test_the_receipts_of_our_own_smsc_are_understood(form, is_failed):
    """
    Our SMSC writes receipts in each form that we read.
    """
    body = receipt_body(SentMessage("penstock", b"Shop", b"7999", b"4711", is_failed), form, b"2503010900")

    receipt = read(pdu.parse_short_message(body, 0, len(body)))

    status = ReceiptStatus.UNDELIVERED if is_failed else ReceiptStatus.DELIVERED
    assert receipt[:2] == ("4711", status)


#: Parts of a receipt as carriers write them, and as they do not.
TEXTS = st.builds(
    lambda *pieces: b"".join(pieces),
    st.sampled_from([b"id:4711 ", b"id: ", b"", b"ID:4711 ", b"id:47\xff11 "]),
    st.sampled_from([b"sub:001 dlvrd:001 ", b"sub:001 ", b""]),
    st.sampled_from([b"submit date:2503010900 done date:2503011200 ", b"submit date: done date: ", b""]),
    st.sampled_from([b"stat:DELIVRD ", b"stat:UNDELIV ", b"stat:ACCEPTD ", b"stat:DELIVERED ", b"stat:WHAT ", b""]),
    st.sampled_from([b"err:000", b"err:011", b"err:", b"err:0x1", b"err:99999999999", b"", b"err:000\xff"]),
    st.sampled_from([b" text:Hello", b" Text:", b"", b"\0"]),
)
PARAMETERS = st.lists(
    st.sampled_from(
        [
            tlv(Tag.RECEIPTED_MESSAGE_ID, b"4711\0"),
            tlv(Tag.RECEIPTED_MESSAGE_ID, b"4712\0"),
            tlv(Tag.MESSAGE_STATE, b"\2"),
            tlv(Tag.MESSAGE_STATE, b"\5"),
            tlv(Tag.MESSAGE_STATE, b"\1"),
            tlv(Tag.NETWORK_ERROR_CODE, b"\3\0\x0b"),
            tlv(0x1400, b"err:5"),
        ]
    ),
    max_size=3,
).map(b"".join)


@given(
    TEXTS,
    PARAMETERS,
    st.sampled_from([0, 4, 32, 0x44, 8]),
    st.sampled_from(["same", "loose", "hex-to-dec", "dec-to-hex"]),
    st.sampled_from([None, ZoneInfo("Europe/Moscow")]),
    st.integers(-3, 3),
)
def test_the_short_way_says_what_the_long_one_says(text, parameters, esm_class, dlr_id, zone, shift):
    """
    Whatever a deliver_sm holds, whole or with a wrong length, it is read the same on both ways.
    """
    body = bytearray(pdu.head_of(b"", (1, 1, b"7999")) + b"Shop" + pdu.tail_of(esm_class, b"", 0, 0, text, parameters))
    body[len(body) - len(parameters) - len(text) - 1] = max(0, min(255, len(text) + shift))
    octets = b"before" + bytes(body)
    rule = id_rules(dlr_id).receipt

    def outcome(read):
        try:
            return read()
        except pdu.Malformed as fault:
            return str(fault)

    short = outcome(lambda: read_body(octets, 6, len(octets), rule, zone))
    long = outcome(lambda: read_receipt(pdu.parse_short_message(octets, 6, len(octets)), rule, zone))
    assert short == long


def test_an_endless_id_is_cut_alike_in_the_answer_and_in_the_receipt():
    """
    A carrier with ids of kilobytes fills no index, and its receipts still find their messages.
    """
    endless = b"x" * 5_000
    answer = pdu.parse_message_id(endless + b"\0", 0, len(endless) + 1)
    message = ShortMessage(
        b"", 1, 1, b"7", 1, 1, b"7", 4, b"", 0, 0, b"", {Tag.RECEIPTED_MESSAGE_ID: endless, Tag.MESSAGE_STATE: b"\x02"}
    )
    receipt = read_receipt(message, id_rules("same").receipt)

    assert isinstance(receipt, Receipt)
    assert answer == receipt.carrier_message_id == "x" * 255
