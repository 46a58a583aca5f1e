"""The receipts of our own SMSC."""

import time
from typing import Literal, NamedTuple

from penstock.channels.smpp import pdu
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


class Dates:
    """The minute that it is, in UTC, as receipts write it."""

    def __init__(self) -> None:
        self._minute = 0
        self._written = b""

    def now(self) -> bytes:
        """Return YYMMDDhhmm (appendix B); made once a minute, for it would be a fifth of the work."""
        minute = int(time.time()) // 60
        if minute != self._minute:
            self._minute = minute
            self._written = time.strftime("%y%m%d%H%M", time.gmtime(60 * minute)).encode("ascii")
        return self._written


def receipt_body(message: SentMessage, form: Literal["text", "tlv", "both"], date: bytes) -> bytes:
    """Return the body of the deliver_sm that says what became of *message* at *date*."""
    _, source, destination, message_id, is_failed = message
    text = tlvs = b""
    if form != "tlv":
        text = b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b text:" % (
            message_id,
            b"000" if is_failed else b"001",
            date,
            date,
            b"UNDELIV err:%03d" % FAILED_CODE if is_failed else b"DELIVRD err:000",
        )
    if form != "text":
        state = MessageState.UNDELIVERABLE if is_failed else MessageState.DELIVERED
        tlvs = b"%b%b\0%b%c" % (pdu.tlv_head(Tag.RECEIPTED_MESSAGE_ID, len(message_id) + 1), message_id, _STATE, state)
    return b"%b%b%b%b%b%c%b%b" % (_HEAD, destination, _BETWEEN, source, _AFTER, len(text), text, tlvs)


#: What all receipts have in common: no service_type, a number that answers to a name, and the fields up to sm_length.
_HEAD, _BETWEEN = pdu.head_of(b"", (1, 1, b"|"), 5, 0).split(b"|")
_AFTER = pdu.tail_of(EsmClass.DELIVERY_RECEIPT, b"", 0, 0, b"")[:-1]
_STATE = pdu.tlv_head(Tag.MESSAGE_STATE, 1)
