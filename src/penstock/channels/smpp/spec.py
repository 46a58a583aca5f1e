"""
The numbers of the SMPP 3.4 specification that we speak.

Sections in comments are those of "Short Message Peer to Peer Protocol Specification v3.4".
"""

import enum

#: Set in the command_id of every answer (5.1.2.1).
RESPONSE = 0x8000_0000
#: The largest sequence_number (3.2, 5.1.4).
LAST_SEQUENCE_NUMBER = 0x7FFF_FFFF
#: interface_version that we say in a bind (5.2.4).
INTERFACE_VERSION = 0x34


class Command(enum.IntEnum):
    """What a PDU is (5.1.2.1)."""

    BIND_RECEIVER = 0x0000_0001
    BIND_TRANSMITTER = 0x0000_0002
    QUERY_SM = 0x0000_0003
    SUBMIT_SM = 0x0000_0004
    DELIVER_SM = 0x0000_0005
    UNBIND = 0x0000_0006
    REPLACE_SM = 0x0000_0007
    CANCEL_SM = 0x0000_0008
    BIND_TRANSCEIVER = 0x0000_0009
    OUTBIND = 0x0000_000B
    ENQUIRE_LINK = 0x0000_0015
    SUBMIT_MULTI = 0x0000_0021
    ALERT_NOTIFICATION = 0x0000_0102
    DATA_SM = 0x0000_0103
    GENERIC_NACK = 0x8000_0000
    BIND_RECEIVER_RESP = 0x8000_0001
    BIND_TRANSMITTER_RESP = 0x8000_0002
    QUERY_SM_RESP = 0x8000_0003
    SUBMIT_SM_RESP = 0x8000_0004
    DELIVER_SM_RESP = 0x8000_0005
    UNBIND_RESP = 0x8000_0006
    REPLACE_SM_RESP = 0x8000_0007
    CANCEL_SM_RESP = 0x8000_0008
    BIND_TRANSCEIVER_RESP = 0x8000_0009
    ENQUIRE_LINK_RESP = 0x8000_0015
    SUBMIT_MULTI_RESP = 0x8000_0021
    DATA_SM_RESP = 0x8000_0103


class Status(enum.IntEnum):
    """What came of a command (5.1.3); carriers add their own, so a command_status stays an int."""

    ROK = 0x00
    RINVMSGLEN = 0x01
    RINVCMDLEN = 0x02
    RINVCMDID = 0x03
    RINVBNDSTS = 0x04
    RALYBND = 0x05
    RINVPRTFLG = 0x06
    RINVREGDLVFLG = 0x07
    RSYSERR = 0x08
    RINVSRCADR = 0x0A
    RINVDSTADR = 0x0B
    RINVMSGID = 0x0C
    RBINDFAIL = 0x0D
    RINVPASWD = 0x0E
    RINVSYSID = 0x0F
    RCANCELFAIL = 0x11
    RREPLACEFAIL = 0x13
    RMSGQFUL = 0x14
    RINVSERTYP = 0x15
    RINVESMCLASS = 0x43
    RSUBMITFAIL = 0x45
    RINVSRCTON = 0x48
    RINVSRCNPI = 0x49
    RINVDSTTON = 0x50
    RINVDSTNPI = 0x51
    RINVSYSTYP = 0x53
    RTHROTTLED = 0x58
    RINVSCHED = 0x61
    RINVEXPIRY = 0x62
    RX_T_APPN = 0x64
    RX_P_APPN = 0x65
    RX_R_APPN = 0x66
    RINVOPTPARSTREAM = 0xC0
    RUNKNOWNERR = 0xFF


#: The carrier asks to slow down; nothing was taken.
SLOW_DOWN = frozenset({Status.RTHROTTLED, Status.RMSGQFUL})


class Tag(enum.IntEnum):
    """Optional parameters (5.3.2)."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class EsmClass(enum.IntFlag):
    """Bits of esm_class (5.2.12)."""

    DELIVERY_RECEIPT = 0x04  #: deliver_sm: the short message is a receipt from the SMSC
    INTERMEDIATE = 0x20  #: deliver_sm: an intermediate notification
    UDHI = 0x40  #: the short message begins with a user data header


#: Bits 5-2 of esm_class: the type of the message (5.2.12).
MESSAGE_TYPE_MASK = 0x3C


class DataCoding(enum.IntEnum):
    """The character set of a short message (5.2.19)."""

    DEFAULT = 0x00  #: the SMSC's default alphabet; GSM 03.38 in unpacked septets here
    LATIN1 = 0x03
    OCTETS = 0x04
    UCS2 = 0x08


class MessageState(enum.IntEnum):
    """The state that a receipt tells (5.2.28)."""

    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8


class Ton(enum.IntEnum):
    """Type of number (5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    ALPHANUMERIC = 5


class Npi(enum.IntEnum):
    """Numbering plan indicator (5.2.6)."""

    UNKNOWN = 0
    ISDN = 1
