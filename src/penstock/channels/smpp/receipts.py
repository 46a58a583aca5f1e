"""
Delivery receipts out of deliver_sm.

A receipt comes as optional parameters (receipted_message_id, message_state), as a text
("id:… sub:001 dlvrd:001 submit date:… done date:… stat:DELIVRD err:000 text:…", appendix B), or
both.  The specification leaves the text to the carrier, so fields are looked for by name, in any
order and case; where both forms name the id, the parameter is right.
"""

import datetime as dt
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from penstock.channels.smpp.pdu import MAX_MESSAGE_ID, ShortMessage, parse_short_message
from penstock.channels.smpp.settings import DlrId
from penstock.channels.smpp.spec import MESSAGE_TYPE_MASK, EsmClass, MessageState, Tag
from penstock.domain.outcome import Receipt, ReceiptStatus


class Intermediate(NamedTuple):
    """Word from the carrier that is not its last; acknowledged and otherwise ignored."""

    state: str


class Unknown(NamedTuple):
    """A receipt that we cannot read, or whose state we do not know; what it said is in *why*."""

    why: str


class Inbound(NamedTuple):
    """Not a receipt: a message from a subscriber."""


#: Every state in a text (appendix B), beside how carriers also write it; None is intermediate.
STATES: dict[bytes, ReceiptStatus | None] = {
    b"DELIVRD": ReceiptStatus.DELIVERED,
    b"DELIVERED": ReceiptStatus.DELIVERED,
    b"EXPIRED": ReceiptStatus.UNDELIVERED,  # not delivered within its validity period
    b"DELETED": ReceiptStatus.UNDELIVERED,  # cancelled or purged at the SMSC
    b"UNDELIV": ReceiptStatus.UNDELIVERED,
    b"UNDELIVERED": ReceiptStatus.UNDELIVERED,
    b"REJECTD": ReceiptStatus.UNDELIVERED,
    b"REJECTED": ReceiptStatus.UNDELIVERED,
    b"UNKNOWN": ReceiptStatus.UNDELIVERED,  # "message is in invalid state": no better word will come
    b"ACCEPTD": None,  # taken by another network
    b"ACCEPTED": None,
    b"ENROUTE": None,
    b"BUFFERED": None,
    b"BUFFRED": None,
}

#: message_state (5.2.28) as the word in a text.
STATE_NAMES: dict[int, bytes] = {
    MessageState.ENROUTE: b"ENROUTE",
    MessageState.DELIVERED: b"DELIVRD",
    MessageState.EXPIRED: b"EXPIRED",
    MessageState.DELETED: b"DELETED",
    MessageState.UNDELIVERABLE: b"UNDELIV",
    MessageState.ACCEPTED: b"ACCEPTD",
    MessageState.UNKNOWN: b"UNKNOWN",
    MessageState.REJECTED: b"REJECTD",
}

#: The common form, all in order, in one look.
_USUAL = re.compile(rb"id:([!-~]+) sub:\S* dlvrd:\S* submit date:\S* done date:(\d*) stat:([A-Z]+) err:(\S*)")
#: A whole deliver_sm (4.6.1) whose text has that form: one look instead of two walks costs a quarter.
_USUAL_BODY = re.compile(
    rb"[^\0]*\0"  # service_type
    rb"..[^\0]*\0..[^\0]*\0"  # the addresses
    rb"(.)..[^\0]*\0[^\0]*\0"  # esm_class, protocol_id, priority_flag and two times
    rb"....(.)"  # registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id and sm_length
    rb"id:([!-~]+) sub:[!-~]* dlvrd:[!-~]* submit date:[!-~]* done date:(\d*) stat:([A-Z]+) err:([!-~]+)",
    re.DOTALL,
)
_ID = re.compile(rb"\bid:\s*([!-~]+)", re.IGNORECASE)
_STATE = re.compile(rb"\bstat:\s*([A-Za-z]+)", re.IGNORECASE)
_ERROR = re.compile(rb"\berr:\s*(\S+)", re.IGNORECASE)
_DONE = re.compile(rb"\bdone[ _]?date:\s*(\d+)", re.IGNORECASE)

IdRule = Callable[[str], str]


class IdRules(NamedTuple):
    """How ids are made alike: those of answers, and those of receipts."""

    answer: IdRule
    receipt: IdRule


def id_rules(dlr_id: DlrId) -> IdRules:
    """Return the rules for a carrier's setting."""
    match dlr_id:
        case "same":
            return IdRules(str, str)
        case "loose":
            return IdRules(_loosen, _loosen)
        case "hex-to-dec":
            return IdRules(_loosen, _hex_to_dec)
        case "dec-to-hex":
            return IdRules(_loosen, _dec_to_hex)


def _loosen(message_id: str) -> str:
    return message_id.lower().lstrip("0") or "0"


def _hex_to_dec(message_id: str) -> str:
    try:
        return str(int(message_id, 16))
    except ValueError:
        return _loosen(message_id)


def _dec_to_hex(message_id: str) -> str:
    try:
        return f"{int(message_id):x}"
    except ValueError:
        return _loosen(message_id)


def read_body(
    buffer: bytes, start: int, end: int, rule: IdRule, zone: ZoneInfo | None = None
) -> Receipt | Intermediate | Unknown | Inbound:
    """
    Read the body of a deliver_sm as `parse_short_message` and `read_receipt` together do.

    The usual receipt, whose parameters say nothing but what its text says, takes a short way.
    Raises Malformed.
    """
    usual = _USUAL_BODY.match(buffer, start, end)
    if usual is not None:
        esm_class, length, message_id, done, word, error = usual.groups()
        text_end = usual.start(2) + 1 + length[0]
        state = _USUAL_STATES.get(word)
        if (
            state is not None
            and esm_class[0] & MESSAGE_TYPE_MASK == EsmClass.DELIVERY_RECEIPT
            and usual.end() <= text_end <= end
            # Whatever else follows belongs to the error code, and is for the long way.
            and (usual.end() == text_end or buffer[usual.end()] == _SPACE)
            and (text_end == end or buffer[text_end:end] == _PARAMETERS % (len(message_id) + 1, message_id, state[1]))
        ):
            code = int(error) if error.isdigit() and len(error) <= _LONGEST_CODE else None
            done_at = _instant(done, zone) if zone is not None and done else None
            return _new_receipt((rule(message_id.decode("latin-1")), state[0], code, done_at))
    return read_receipt(parse_short_message(buffer, start, end), rule, zone)


def read_receipt(
    message: ShortMessage, rule: IdRule, zone: ZoneInfo | None = None
) -> Receipt | Intermediate | Unknown | Inbound:
    """Read what a deliver_sm says; *rule* is the one for receipts, *zone* that of the carrier's times."""
    kind = message.esm_class & MESSAGE_TYPE_MASK
    # Some carriers leave esm_class alone and give the parameter.
    if kind not in _RECEIPT_KINDS and Tag.RECEIPTED_MESSAGE_ID not in message.tlvs:
        return Inbound()
    message_id, state, error, done = _fields(message)
    if not message_id or not state:
        return Unknown("no id" if state else "no state")
    if state not in STATES:
        return Unknown(f"state {state[:20].decode('latin-1')!r}")
    status = STATES[state]
    if status is None or kind == EsmClass.INTERMEDIATE:
        return Intermediate(state.decode("ascii"))
    code = int(error) if error.isdigit() and len(error) <= _LONGEST_CODE else None
    done_at = _instant(done, zone) if zone is not None and done else None
    return Receipt(rule(message_id[:MAX_MESSAGE_ID].decode("latin-1")), status, code, done_at)


#: States that a text names in the form that a parameter numbers too, with that number.
_USUAL_STATES = {name: (status, number) for number, name in STATE_NAMES.items() if (status := STATES[name]) is not None}
#: receipted_message_id and message_state (5.3.2.12, 5.3.2.35), as they commonly follow the text; ids are short.
_PARAMETERS = b"\0\x1e\0%c%b\0\x04\x27\0\1%c"
#: A named tuple made the short way, at half the price.
_new_receipt = partial(tuple.__new__, Receipt)
_SPACE = 0x20

_RECEIPT_KINDS = frozenset({EsmClass.DELIVERY_RECEIPT.value, EsmClass.INTERMEDIATE.value})
#: More digits than this are no error code, and would not fit a column.
_LONGEST_CODE = 9


def _fields(message: ShortMessage) -> tuple[bytes, bytes, bytes, bytes]:
    """Return id, state, error and done date, empty where not given."""
    tlvs = message.tlvs
    text = message.short_message or tlvs.get(Tag.MESSAGE_PAYLOAD, b"")
    message_id = state = error = done = b""
    usual = _USUAL.match(text)
    if usual is not None:
        message_id, done, state, error = usual.groups()
    elif text:
        message_id, state = _first(_ID, text), _first(_STATE, text).upper()
        error, done = _first(_ERROR, text), _first(_DONE, text)
    if tlvs:
        message_id = tlvs.get(Tag.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0] or message_id
        told = tlvs.get(Tag.MESSAGE_STATE)
        if told:
            state = STATE_NAMES.get(told[0], b"%d" % told[0])
        network = tlvs.get(Tag.NETWORK_ERROR_CODE)
        if network is not None and len(network) == 3 and not error:  # noqa: PLR2004 - type and 16 bits (5.3.2.31)
            error = b"%d" % int.from_bytes(network[1:], "big")
    return message_id, state, error, done


def _first(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = pattern.search(text)
    return b"" if found is None else found[1]


def _instant(digits: bytes, zone: ZoneInfo) -> dt.datetime | None:
    """Read YYMMDDhhmm with optional seconds (appendix B), or the same with a year of four digits."""
    form = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if form is None:
        return None
    try:
        local = dt.datetime.strptime(digits.decode("ascii"), form).replace(tzinfo=zone)
        return local.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
