"""
PDUs to octets and back, without I/O.

A PDU is a header of four big-endian 32-bit numbers (3.2) and a body of C-octet strings, single
octets and, last, optional parameters as tag, length and value (3.2.4).  `split` finds the PDUs in
what a socket gave, in place; a body is then read by the function for its command.  Whatever does
not fit raises `Malformed`, and nothing else is ever raised for the octets of a stranger.
"""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from penstock.channels.smpp.spec import INTERFACE_VERSION, RESPONSE, Command, Tag

#: Octets in the header of every PDU: command_length, command_id, command_status, sequence_number.
HEADER_SIZE = 16
#: The longest PDU we take; message_payload may hold 64 KiB by the letter (5.3.2.32), nobody sends that.
MAX_PDU_SIZE = 65_536
#: Octets of a message_id that count.  By the letter it has 64 (4.4.2); a carrier that sends kilobytes
#: must not send us what no index can hold.
MAX_MESSAGE_ID = 255
#: The longest value of sm_length (5.2.21).
MAX_SHORT_MESSAGE = 254

HEADER = Struct(">4I")
_TLV = Struct(">HH")
_pack_header = HEADER.pack
_unpack_header = HEADER.unpack_from
_unpack_tlv = _TLV.unpack_from


class Malformed(ValueError):
    """Octets that are not SMPP 3.4."""

    def __init__(self, field: str, offset: int, expected: str) -> None:
        super().__init__(f"{field} at octet {offset}: expected {expected}")
        self.field = field
        self.offset = offset


class Frame(NamedTuple):
    """One PDU inside a buffer; its body is `buffer[start:end]`."""

    command_id: int
    command_status: int
    sequence_number: int
    start: int
    end: int


def split(buffer: bytes, offset: int = 0) -> Iterator[tuple[int, int, int, int, int]]:
    """
    Find the whole PDUs in *buffer* from *offset* on.

    Yields the fields of a `Frame` as a plain tuple, which is half the price.  What follows the
    `end` of the last one is the beginning of a PDU that has not arrived yet.
    """
    limit = len(buffer)
    start = offset + HEADER_SIZE
    while start <= limit:
        length, command_id, status, sequence_number = _unpack_header(buffer, offset)
        if length < HEADER_SIZE or length > MAX_PDU_SIZE:
            raise Malformed("command_length", offset, f"{HEADER_SIZE}…{MAX_PDU_SIZE}, not {length}")
        end = offset + length
        if end > limit:
            return
        yield command_id, status, sequence_number, start, end
        offset = end
        start = offset + HEADER_SIZE


def encode_header_only(command_id: int, sequence_number: int, status: int = 0) -> bytes:
    """Encode a PDU without a body: enquire_link, unbind, generic_nack and their answers."""
    return _pack_header(HEADER_SIZE, command_id, status, sequence_number)


def encode(command_id: int, sequence_number: int, body: bytes, status: int = 0) -> bytes:
    """Encode a PDU with a body made elsewhere."""
    return _pack_header(HEADER_SIZE + len(body), command_id, status, sequence_number) + body


def encode_id_answer(command_id: int, sequence_number: int, message_id: bytes, status: int = 0) -> bytes:
    """Encode submit_sm_resp (4.4.2) or deliver_sm_resp (4.6.2), whose body is one C-octet string."""
    return b"%b%b\0" % (
        _pack_header(HEADER_SIZE + 1 + len(message_id), command_id, status, sequence_number),
        message_id,
    )


def parse_message_id(buffer: bytes, start: int, end: int) -> str:
    """
    Read the body of submit_sm_resp (4.4.2).

    A refused message has no body and an empty id.  A missing terminator is forgiven: the message
    is taken all the same, and to lose its id for an octet would lose its receipt.
    """
    end = min(end, start + MAX_MESSAGE_ID)
    stop = buffer.find(0, start, end)
    return buffer[start : stop if stop >= 0 else end].decode("latin-1")


# Binding (4.1).


class Bind(NamedTuple):
    """What an ESME says of itself (4.1.1)."""

    system_id: str
    password: str
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    address_range: str = ""


def encode_bind(command: Command, sequence_number: int, bind: Bind) -> bytes:
    """Encode bind_transmitter, bind_receiver or bind_transceiver."""
    body = b"%b\0%b\0%b\0%c\0\0%b\0" % (
        bind.system_id.encode("ascii"),
        bind.password.encode("ascii"),
        bind.system_type.encode("ascii"),
        bind.interface_version,
        bind.address_range.encode("ascii"),
    )
    return encode(command, sequence_number, body)


def parse_bind(buffer: bytes, start: int, end: int) -> Bind:
    """Read the body of any bind."""
    system_id, at = _c_octets(buffer, start, end, "system_id")
    password, at = _c_octets(buffer, at, end, "password")
    system_type, at = _c_octets(buffer, at, end, "system_type")
    if at + 3 > end:
        raise Malformed("interface_version", at, "three octets")
    address_range, _ = _c_octets(buffer, at + 3, end, "address_range")
    return Bind(
        system_id.decode("latin-1"),
        password.decode("latin-1"),
        system_type.decode("latin-1"),
        buffer[at],
        address_range.decode("latin-1"),
    )


def encode_bind_answer(command_id: int, sequence_number: int, system_id: str, status: int = 0) -> bytes:
    """Encode the answer to a bind (4.1.2); a refusal has no body."""
    if status:
        return encode_header_only(command_id | RESPONSE, sequence_number, status)
    body = system_id.encode("ascii") + b"\0" + tlv(Tag.SC_INTERFACE_VERSION, bytes((INTERFACE_VERSION,)))
    return encode(command_id | RESPONSE, sequence_number, body)


# Short messages: submit_sm (4.4.1) and deliver_sm (4.6.1) share one layout.


class ShortMessage(NamedTuple):
    """The body of submit_sm or deliver_sm, less what nobody uses."""

    service_type: bytes
    source_ton: int
    source_npi: int
    source: bytes
    destination_ton: int
    destination_npi: int
    destination: bytes
    esm_class: int
    validity_period: bytes
    registered_delivery: int
    data_coding: int
    short_message: bytes
    tlvs: dict[int, bytes]


#: Shared by all messages without optional parameters; never written to.
_NO_TLVS: dict[int, bytes] = {}


def head_of(
    service_type: bytes, source: tuple[int, int, bytes], destination_ton: int = 1, destination_npi: int = 1
) -> bytes:
    """Encode what comes before the destination address; constant for one sender name."""
    ton, npi, address = source
    return b"%b\0%c%c%b\0%c%c" % (service_type, ton, npi, address, destination_ton, destination_npi)


def tail_of(
    esm_class: int,
    validity_period: bytes,
    registered_delivery: int,
    data_coding: int,
    short_message: bytes,
    tlvs: bytes = b"",
) -> bytes:
    """Encode what comes after the digits of the destination; constant for one text."""
    if len(short_message) > MAX_SHORT_MESSAGE:
        message = f"a short message has at most {MAX_SHORT_MESSAGE} octets, not {len(short_message)}"
        raise ValueError(message)
    # protocol_id, priority_flag, schedule_delivery_time | replace_if_present_flag | sm_default_msg_id
    return b"\0%c\0\0\0%b\0%c\0%c\0%c%b%b" % (
        esm_class,
        validity_period,
        registered_delivery,
        data_coding,
        len(short_message),
        short_message,
        tlvs,
    )


def encode_submit(sequence_number: int, head: bytes, destination: int, tail: bytes) -> bytes:
    """Encode submit_sm from a head and a tail that are made once for many."""
    body = b"%b%d%b" % (head, destination, tail)
    return _pack_header(HEADER_SIZE + len(body), 4, 0, sequence_number) + body


def encode_deliver(sequence_number: int, head: bytes, destination: bytes, tail: bytes) -> bytes:
    """Encode deliver_sm; its addresses need not be digits."""
    return encode(Command.DELIVER_SM, sequence_number, b"%b%b%b" % (head, destination, tail))


def parse_short_message(buffer: bytes, start: int, end: int) -> ShortMessage:
    """Read the body of submit_sm or deliver_sm."""
    find = buffer.find
    try:
        stop = find(0, start, end)
        service_type = buffer[start:stop]
        source_at = stop + 3
        source_end = find(0, source_at, end)
        destination_at = source_end + 3
        destination_end = find(0, destination_at, end)
        # esm_class, protocol_id and priority_flag follow; then two times.
        schedule_end = find(0, destination_end + 4, end)
        validity_end = find(0, schedule_end + 1, end)
        at = validity_end + 6
        if min(stop, source_end, destination_end, schedule_end, validity_end) < 0 or at > end:
            raise _first_fault(buffer, start, end)
        length = buffer[validity_end + 5]
        message_end = at + length
    except IndexError:
        raise _first_fault(buffer, start, end) from None
    if message_end > end:
        raise Malformed("short_message", at, f"{length} octets, as sm_length says")
    return ShortMessage(
        service_type,
        buffer[stop + 1],
        buffer[stop + 2],
        buffer[source_at:source_end],
        buffer[source_end + 1],
        buffer[source_end + 2],
        buffer[destination_at:destination_end],
        buffer[destination_end + 1],
        buffer[schedule_end + 1 : validity_end],
        buffer[validity_end + 1],
        buffer[validity_end + 3],
        buffer[at:message_end],
        _NO_TLVS if message_end == end else parse_tlvs(buffer, message_end, end),
    )


def _first_fault(buffer: bytes, at: int, end: int) -> Malformed:
    """Walk a body field by field, to name the first that does not fit."""
    fields = ("service_type", 0), ("source_addr", 2), ("destination_addr", 2)
    times = ("schedule_delivery_time", 3), ("validity_period", 0)
    for field, skipped in fields + times:
        at += skipped
        stop = buffer.find(0, at, end) if at < end else -1
        if stop < 0:
            return Malformed(field, min(at, end), "a C-octet string")
        at = stop + 1
    return Malformed("sm_length", min(at, end), "five octets and the short message")


# Optional parameters (3.2.4).


def tlv_head(tag: int, length: int) -> bytes:
    """Encode what comes before the value of an optional parameter."""
    return _TLV.pack(tag, length)


def tlv(tag: int, value: bytes) -> bytes:
    """Encode one optional parameter."""
    return _TLV.pack(tag, len(value)) + value


def parse_tlvs(buffer: bytes, start: int, end: int) -> dict[int, bytes]:
    """Read all optional parameters; of a repeated one the last counts."""
    found: dict[int, bytes] = {}
    while start < end:
        value = start + 4
        if value > end:
            raise Malformed("optional parameter", start, "a tag and a length")
        tag, length = _unpack_tlv(buffer, start)
        start = value + length
        if start > end:
            raise Malformed(f"optional parameter 0x{tag:04x}", value, f"{length} octets")
        found[tag] = buffer[value:start]
    return found


def _c_octets(buffer: bytes, start: int, end: int, field: str) -> tuple[bytes, int]:
    """Read a C-octet string; returns it and where the next field begins."""
    stop = buffer.find(0, start, end) if start < end else -1
    if stop < 0:
        raise Malformed(field, start, "a C-octet string")
    return buffer[start:stop], stop + 1
