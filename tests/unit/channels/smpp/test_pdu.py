"""
PDUs survive the way to octets and back, and no octets of a stranger do harm.
"""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.channels.smpp import pdu
from penstock.channels.smpp.pdu import Bind, Malformed
from penstock.channels.smpp.spec import Command, Status, Tag

numbers = st.integers(1, 0x7FFF_FFFF)
octets = st.integers(0, 255)
addresses = st.binary(max_size=20).map(lambda value: value.replace(b"\0", b"0"))
ascii_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=15)
tlv_maps = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=300), max_size=4)


@given(
    number=numbers,
    source=st.tuples(octets, octets, addresses),
    destination=st.integers(1, 10**15),
    esm_class=octets,
    validity=st.sampled_from([b"", b"000000010000000R"]),
    registered=octets,
    coding=octets,
    text=st.binary(max_size=254),
    tlvs=tlv_maps,
)
def test_a_short_message_reads_back_as_it_was_written(
    number, source, destination, esm_class, validity, registered, coding, text, tlvs
):
    """
    Encoding a submit_sm and parsing it is the identity.
    """
    options = b"".join(pdu.tlv(tag, value) for tag, value in tlvs.items())
    tail = pdu.tail_of(esm_class, validity, registered, coding, text, options)
    encoded = pdu.encode_submit(number, pdu.head_of(b"", source), destination, tail)

    ((command_id, status, sequence_number, start, end),) = pdu.split(encoded)
    message = pdu.parse_short_message(encoded, start, end)

    assert (command_id, status, sequence_number) == (Command.SUBMIT_SM, 0, number)
    assert (message.source_ton, message.source_npi, message.source) == source
    assert (message.destination_ton, message.destination_npi) == (1, 1)
    assert message.destination == str(destination).encode()
    assert (message.esm_class, message.validity_period, message.registered_delivery) == (
        esm_class,
        validity,
        registered,
    )
    assert (message.data_coding, message.short_message, message.tlvs) == (coding, text, tlvs)


@given(number=numbers, bind=st.builds(Bind, ascii_text, ascii_text, ascii_text, octets, ascii_text))
def test_a_bind_reads_back_as_it_was_written(number, bind):
    """
    Encoding a bind and parsing it is the identity.
    """
    encoded = pdu.encode_bind(Command.BIND_TRANSCEIVER, number, bind)

    ((command_id, _, sequence_number, start, end),) = pdu.split(encoded)

    assert (command_id, sequence_number) == (Command.BIND_TRANSCEIVER, number)
    assert pdu.parse_bind(encoded, start, end) == bind


@given(number=numbers, message_id=ascii_text)
def test_a_message_id_reads_back_as_it_was_written(number, message_id):
    """
    The id in a submit_sm_resp is what the carrier said.
    """
    encoded = pdu.encode_id_answer(Command.SUBMIT_SM_RESP, number, message_id.encode())

    ((_, _, sequence_number, start, end),) = pdu.split(encoded)

    assert sequence_number == number
    assert pdu.parse_message_id(encoded, start, end) == message_id


def test_an_answer_without_a_body_has_an_empty_id():
    """
    A refusal has a status and no id.
    """
    encoded = pdu.encode_header_only(Command.SUBMIT_SM_RESP, 7, Status.RSUBMITFAIL)

    ((_, status, _, start, end),) = pdu.split(encoded)

    assert status == Status.RSUBMITFAIL
    assert pdu.parse_message_id(encoded, start, end) == ""


def test_a_message_id_without_terminator_is_forgiven():
    """
    An accepted message keeps its id though the carrier forgot an octet.
    """
    encoded = pdu.encode(Command.SUBMIT_SM_RESP, 7, b"4711")

    assert pdu.parse_message_id(encoded, 16, len(encoded)) == "4711"


@given(cuts=st.lists(st.integers(0, 200), max_size=8))
def test_pdus_are_found_however_the_stream_is_cut(cuts):
    """
    Where TCP cuts the stream makes no difference.
    """
    stream = b"".join(pdu.encode_id_answer(Command.SUBMIT_SM_RESP, number, b"id%d" % number) for number in range(1, 9))
    at = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found, tail = [], b""
    for begin, end in itertools.pairwise(at):
        data = tail + stream[begin:end]
        last = 0
        for frame in pdu.split(data):
            found.append(frame[2])
            last = frame[4]
        tail = data[last:]

    assert found == list(range(1, 9))
    assert tail == b""


@given(data=st.binary(max_size=400))
def test_no_octets_do_harm(data):
    """
    Any octets are read as PDUs or refused as malformed, and nothing else happens.
    """
    with contextlib.suppress(Malformed):
        for _, _, _, start, end in pdu.split(data):
            assert end <= len(data)
            pdu.parse_message_id(data, start, end)


@given(body=st.binary(max_size=300), behind=st.binary(max_size=40))
def test_no_body_does_harm_nor_reads_its_neighbour(body, behind):
    """
    Any body is read or refused as malformed, whatever follows it in the buffer.
    """
    data = bytes(16) + body + behind
    end = 16 + len(body)
    for parse in (pdu.parse_short_message, pdu.parse_bind, pdu.parse_tlvs):
        outcomes = []
        for buffer in (data, data[:end]):
            try:
                outcomes.append(parse(buffer, 16, end))
            except Malformed as fault:
                outcomes.append(str(fault))
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("length", [0, 15, 65_537, 0xFFFF_FFFF])
def test_a_senseless_length_is_named(length):
    """
    A PDU shorter than its header or longer than 64 KiB is refused at once, not waited for.
    """
    data = pdu.HEADER.pack(length, Command.ENQUIRE_LINK, 0, 1)

    with pytest.raises(Malformed, match="command_length at octet 0") as fault:
        list(pdu.split(data))

    assert (fault.value.field, fault.value.offset) == ("command_length", 0)


def test_what_came_before_a_broken_pdu_is_still_read():
    """
    Good PDUs are not lost because a broken one follows.
    """
    stream = pdu.split(pdu.encode_header_only(Command.ENQUIRE_LINK, 5) + bytes(16))

    assert next(stream)[2] == 5
    with pytest.raises(Malformed):
        next(stream)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"no end", "service_type"),
        (b"\0\1\1no end", "source_addr"),
        (b"\0\1\1a\0\1\1no end", "destination_addr"),
        (b"\0\1\1a\0\1\1b\0\0\0\0no end", "schedule_delivery_time"),
        (b"\0\1\1a\0\1\1b\0\0\0\0\0no end", "validity_period"),
        (b"\0\1\1a\0\1\1b\0\0\0\0\0\0\1", "sm_length"),
        (b"\0\1\1a\0\1\1b\0\0\0\0\0\0\1\0\0\0\5abc", "short_message"),
        (b"\0\1\1a\0\1\1b\0\0\0\0\0\0\1\0\0\0\0\4", "optional parameter"),
        (b"\0\1\1a\0\1\1b\0\0\0\0\0\0\1\0\0\0\0\4\x24\0\5ab", "optional parameter 0x0424"),
    ],
)
def test_the_field_that_does_not_fit_is_named(body, field):
    """
    Whoever reads the log learns which field of the carrier's PDU is broken.
    """
    with pytest.raises(Malformed) as fault:
        pdu.parse_short_message(body, 0, len(body))

    assert fault.value.field == field


def test_more_octets_than_sm_length_can_say_are_refused():
    """
    A part that cannot be written is our bug, and found before it leaves.
    """
    with pytest.raises(ValueError, match="at most 254 octets, not 255"):
        pdu.tail_of(0, b"", 0, 0, bytes(255))


def test_a_repeated_optional_parameter_counts_once():
    """
    Of two values for one parameter the last is taken.
    """
    data = pdu.tlv(Tag.MESSAGE_STATE, b"\1") + pdu.tlv(Tag.MESSAGE_STATE, b"\2")

    assert pdu.parse_tlvs(data, 0, len(data)) == {Tag.MESSAGE_STATE: b"\2"}
