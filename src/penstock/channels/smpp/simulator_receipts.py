"""The receipts of our own SMSC."""

import time
from typing import Literal, NamedTuple

from penstock.channels.smpp import pdu
from penstock.channels.smpp.pdu import tlv
from penstock.channels.smpp.spec import EsmClass, MessageState, Tag

#: The error code in the receipt of a message that was not delivered.
FAILED_CODE = 11


class SentMessage(NamedTuple):
    """A message that a receipt is owed for."""

    system_id: str
    source: bytes
    destination: bytes
    message_id: bytes
    is_failed: bool


def receipt_body(message: SentMessage, form: Literal["text", "tlv", "both"]) -> bytes:
    """Return the body of the deliver_sm; times in it are UTC."""
    text = tlvs = b""
    if form != "tlv":
        date = time.strftime("%y%m%d%H%M", time.gmtime()).encode("ascii")
        text = b"id:%b sub:001 dlvrd:%03d submit date:%b done date:%b stat:%b err:%03d text:" % (
            message.message_id,
            not message.is_failed,
            date,
            date,
            b"UNDELIV" if message.is_failed else b"DELIVRD",
            FAILED_CODE if message.is_failed else 0,
        )
    if form != "text":
        state = MessageState.UNDELIVERABLE if message.is_failed else MessageState.DELIVERED
        tlvs = tlv(Tag.RECEIPTED_MESSAGE_ID, message.message_id + b"\0") + tlv(Tag.MESSAGE_STATE, bytes((state,)))
    head = pdu.head_of(b"", (1, 1, message.destination), 5, 0)
    return head + message.source + pdu.tail_of(EsmClass.DELIVERY_RECEIPT, b"", 0, 0, text, tlvs)
