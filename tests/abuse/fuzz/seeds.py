"""
What real peers say: where fuzzing begins.
"""

import gzip
from collections.abc import Iterator

from penstock.channels.smpp import pdu, texts
from penstock.channels.smpp.pdu import Bind
from penstock.channels.smpp.spec import Command, EsmClass, MessageState, Status, Tag

_RECEIPT = b"id:0000001A sub:001 dlvrd:001 submit date:2603011200 done date:2603011201 stat:DELIVRD err:000 text:hello"
_TLVS = b"".join(
    (
        pdu.tlv(Tag.RECEIPTED_MESSAGE_ID, b"0000001A\0"),
        pdu.tlv(Tag.MESSAGE_STATE, bytes((MessageState.DELIVERED,))),
        pdu.tlv(Tag.NETWORK_ERROR_CODE, b"\x03\x00\x00"),
    )
)


def deliveries() -> Iterator[bytes]:
    """Return deliver_sm: receipts in both forms, a message from a subscriber."""
    head = pdu.head_of(b"", (1, 1, b"79990001122"))
    for esm_class, text, tlvs in (
        (EsmClass.DELIVERY_RECEIPT, _RECEIPT, b""),
        (EsmClass.DELIVERY_RECEIPT, b"", _TLVS),
        (EsmClass.DELIVERY_RECEIPT, _RECEIPT, _TLVS),
        (0, b"STOP", b""),
    ):
        yield pdu.encode_deliver(7, head, b"shop", pdu.tail_of(esm_class, b"", 0, 0, text, tlvs))


def submits() -> Iterator[bytes]:
    """Return submit_sm: short, long in each manner, in each alphabet."""
    head = pdu.head_of(b"", (5, 0, b"shop"))
    for words in ("hello", "Привет, Анна", "hello €" * 40, "Привет" * 40):
        for manner in ("udh", "sar", "payload"):
            for part in texts.encode(words, 7, long_text=manner):  # type: ignore[arg-type]
                tail = pdu.tail_of(part.esm_class, b"", 1, part.data_coding, part.short_message, part.tlvs)
                yield pdu.encode_submit(9, head, 79990001122, tail)


def links() -> Iterator[bytes]:
    """Return what keeps a session up, and ends it."""
    yield pdu.encode_bind(Command.BIND_TRANSCEIVER, 1, Bind("penstock", "secret"))
    yield pdu.encode_bind_answer(Command.BIND_TRANSCEIVER, 1, "smsc")
    yield pdu.encode_bind_answer(Command.BIND_TRANSCEIVER, 1, "smsc", Status.RBINDFAIL)
    for command in (Command.ENQUIRE_LINK, Command.ENQUIRE_LINK_RESP, Command.UNBIND, Command.UNBIND_RESP):
        yield pdu.encode_header_only(command, 3)
    yield pdu.encode_header_only(Command.GENERIC_NACK, 2, Status.RINVCMDID)
    for number in (2, 3, 4):
        yield pdu.encode_id_answer(Command.SUBMIT_SM_RESP, number, b"0000001A")
    yield pdu.encode_header_only(Command.SUBMIT_SM_RESP, 2, Status.RTHROTTLED)


def seeds() -> dict[str, list[bytes]]:
    """Return for each target what to begin with."""
    said = [*links(), *deliveries(), *submits()]
    # The first octet cuts the rest into pieces, and says whether the session is bound.
    streams = [first + b"".join(said[at : at + 5]) for first in (b"\0", b"\xff") for at in range(0, len(said), 3)]
    csv = b'\0destination,name\n79990001122,Anna\n79990001123,"Ivan, the\nfirst"\n'
    ndjson = b'\0{"destination": "79990001122", "substitutions": {"name": "Anna", "sum": 1.5}}\n{"destination": "7"}\n'
    json = [
        b'[{"destination": "79990001122", "substitutions": {"name": "Anna", "n": 1, "ok": true, "none": null}}]',
        b'{"channelType": "SMS", "senderName": "shop", "destination": "79990001122", "content": "hello", "ttl": 60}',
        (
            b'{"dispatchName": "spring", "senderName": "shop", "content": "hello {name}", "hours": [9, 10],'
            b' "days": [1], "localSendTime": "2026-01-01 10:00:00", "rate": {"unit": "m", "value": 7}, "tags": ["a"]}'
        ),
        b'{"uuids": ["00000025-40be-8402-a161-777700000001"]}',
        rb'{"rate": {"unit": "d", "value": 1}, "x": "\u0000 \ud83d\ude00"}',
    ]
    return {
        "session": streams,
        "peer": streams,
        "decoder": [*said, *(one[pdu.HEADER_SIZE :] for one in said)],
        "receipt": [_RECEIPT, _RECEIPT + _TLVS, b"id:1 stat:EXPIRED", b"\x05\x00\x03\x07\x02\x01hello"],
        "text": [b"hello", b"\x1be\x1b\x28", "Привет".encode("utf-16-be"), "😀".encode("utf-16-be") * 80],
        "file": [csv, ndjson, csv[:1] + gzip.compress(csv[1:]), ndjson[:1] + gzip.compress(ndjson[1:]) * 2],
        "packed": [csv, ndjson],
        "json": json,
    }
