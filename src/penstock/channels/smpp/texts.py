"""
Texts to short messages and back.

A text that the GSM 03.38 alphabet can say travels as unpacked septets (one octet each), any other
as UTF-16BE (data_coding 8).  Where a carrier's default alphabet is Latin-1, the setting says so
and GSM texts travel as data_coding 3.  How many parts a text has is decided by the domain, which
counted them when the message was stored; here each part only gets its octets.

Parts are tied together by a user data header with an 8-bit reference (3GPP TS 23.040, 9.2.3.24.1),
by the sar_ parameters (SMPP 3.4, 5.3.2.22 to 24), or are not needed because the whole text travels
in message_payload (5.3.2.32).
"""

from collections import OrderedDict
from typing import NamedTuple

from penstock.channels.smpp.pdu import ShortMessage, tlv
from penstock.channels.smpp.settings import Encoding, LongText
from penstock.channels.smpp.spec import DataCoding, EsmClass, Tag
from penstock.domain import gsm
from penstock.domain.parts import split

#: UTF-16 code units in one part of a long text: 140 octets less the header, by two.
_UCS2_LONG = 67
_GSM_SINGLE = 160
_UCS2_SINGLE = 70
#: Information element identifiers: concatenation with an 8-bit and with a 16-bit reference.
_CONCATENATED_8 = 0x00
_CONCATENATED_16 = 0x08
#: An integer: to test a member of a flag takes a microsecond.
_UDHI = EsmClass.UDHI.value
#: Long texts that a `Reassembler` keeps unfinished.
_UNFINISHED = 10_000


class Part(NamedTuple):
    """What one submit_sm carries of a text."""

    data_coding: int
    esm_class: int
    short_message: bytes
    tlvs: bytes = b""


def encode(text: str, reference: int, *, encoding: Encoding = "gsm", long_text: LongText = "udh") -> list[Part]:
    """Encode *text*; *reference* ties the parts of a long one together."""
    coding, pieces = _octets(text, encoding)
    total = len(pieces)
    if total == 1:
        return [Part(coding, 0, pieces[0])]
    match long_text:
        case "payload":
            return [Part(coding, 0, b"", tlv(Tag.MESSAGE_PAYLOAD, b"".join(pieces)))]
        case "sar":
            common = tlv(Tag.SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2, "big"))
            common += tlv(Tag.SAR_TOTAL_SEGMENTS, bytes((total,)))
            return [
                Part(coding, 0, piece, common + tlv(Tag.SAR_SEGMENT_SEQNUM, bytes((number,))))
                for number, piece in enumerate(pieces, 1)
            ]
        case "udh":
            return [
                Part(coding, EsmClass.UDHI, bytes((5, _CONCATENATED_8, 3, reference & 0xFF, total, number)) + piece)
                for number, piece in enumerate(pieces, 1)
            ]


def _octets(text: str, encoding: Encoding) -> tuple[DataCoding, list[bytes]]:
    septets = gsm.encode(text)
    if septets is None:
        octets = text.encode("utf-16-be", "replace")
        if len(octets) <= 2 * _UCS2_SINGLE:
            return DataCoding.UCS2, [octets]
        return DataCoding.UCS2, [part.text.encode("utf-16-be", "replace") for part in split(text)]
    pieces = [text] if len(septets) <= _GSM_SINGLE else [part.text for part in split(text)]
    if encoding == "gsm":
        return DataCoding.DEFAULT, [septets] if len(pieces) == 1 else [gsm.encode(piece) or b"" for piece in pieces]
    try:
        return DataCoding.LATIN1, [piece.encode("latin-1") for piece in pieces]
    except UnicodeEncodeError:
        # The euro sign and the Greek capitals: in the GSM alphabet, not in Latin-1.
        return DataCoding.UCS2, _ucs2_pieces(text)


def _ucs2_pieces(text: str) -> list[bytes]:
    # No character of the GSM alphabet needs a surrogate pair, so any even cut is a good one.
    octets = text.encode("utf-16-be")
    if len(octets) <= 2 * _UCS2_SINGLE:
        return [octets]
    return [octets[at : at + 2 * _UCS2_LONG] for at in range(0, len(octets), 2 * _UCS2_LONG)]


class Piece(NamedTuple):
    """What one received short message says, and where it stands in a long text."""

    text: str
    reference: int = 0
    part: int = 1
    parts: int = 1


def decode(message: ShortMessage) -> Piece:
    """Read the text of a submit_sm or deliver_sm; what cannot be decoded is replaced, never refused."""
    octets, tlvs = message.short_message, message.tlvs
    reference, part, parts = 0, 1, 1
    if tlvs:
        octets = octets or tlvs.get(Tag.MESSAGE_PAYLOAD, b"")
        total, number = tlvs.get(Tag.SAR_TOTAL_SEGMENTS), tlvs.get(Tag.SAR_SEGMENT_SEQNUM)
        if total and number:
            reference = int.from_bytes(tlvs.get(Tag.SAR_MSG_REF_NUM, b""), "big")
            part, parts = number[0], total[0]
    if message.esm_class & _UDHI and octets:
        header_end = 1 + octets[0]
        found = _concatenation(octets[1:header_end])
        if found is not None:
            reference, parts, part = found
        octets = octets[header_end:]
    return Piece(_text(message.data_coding, octets), reference, part, parts)


def _concatenation(header: bytes) -> tuple[int, int, int] | None:
    """Return reference, total and number from the information elements of a header."""
    at = 0
    while at + 2 <= len(header):
        identifier, length = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + length]
        if identifier == _CONCATENATED_8 and len(value) == 3:  # noqa: PLR2004 - octets of the element
            return value[0], value[1], value[2]
        if identifier == _CONCATENATED_16 and len(value) == 4:  # noqa: PLR2004 - octets of the element
            return value[0] << 8 | value[1], value[2], value[3]
        at += 2 + length
    return None


def _text(data_coding: int, octets: bytes) -> str:
    match data_coding:
        case DataCoding.DEFAULT:
            return gsm.decode(octets)
        case DataCoding.UCS2:
            return octets.decode("utf-16-be", "replace")
        case _:
            return octets.decode("latin-1")


class Reassembler:
    """Puts long texts together again; forgets the oldest unfinished ones when there are too many."""

    def __init__(self) -> None:
        self._unfinished: OrderedDict[tuple[bytes, bytes, int, int], dict[int, str]] = OrderedDict()

    def take(self, source: bytes, destination: bytes, piece: Piece) -> str | None:
        """Return the whole text once its last piece has come."""
        if piece.parts == 1:
            return piece.text
        key = (source, destination, piece.reference, piece.parts)
        found = self._unfinished.setdefault(key, {})
        found[piece.part] = piece.text
        if len(found) < piece.parts:
            if len(self._unfinished) > _UNFINISHED:
                self._unfinished.popitem(last=False)
            return None
        del self._unfinished[key]
        return "".join(found[number] for number in sorted(found))
