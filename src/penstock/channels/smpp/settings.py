"""What a carrier that is reached over SMPP is configured with."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Ton = Annotated[int, msgspec.Meta(ge=0, le=6)]
Npi = Annotated[int, msgspec.Meta(ge=0, le=18)]

#: How the id in a receipt is written, beside the one in submit_sm_resp.
DlrId = Literal["same", "loose", "hex-to-dec", "dec-to-hex"]
#: How a text in the GSM alphabet travels.
Encoding = Literal["gsm", "latin1"]
#: How a text of several parts travels.
LongText = Literal["udh", "sar", "payload"]


class SmppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One carrier; every connection to it is made alike."""

    host: str = "127.0.0.1"  #: name or address of the SMSC
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 2775  #: TCP port of the SMSC
    system_id: Annotated[str, msgspec.Meta(max_length=15, pattern=r"^[\x20-\x7e]*$")] = "penstock"  #: account name
    #: Account password; the specification allows eight characters (5.2.2), many carriers more.
    password: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[\x20-\x7e]*$")] = ""
    system_type: Annotated[str, msgspec.Meta(max_length=12, pattern=r"^[\x20-\x7e]*$")] = ""  #: if the carrier asks
    service_type: Annotated[str, msgspec.Meta(max_length=5, pattern=r"^[\x20-\x7e]*$")] = ""  #: if the carrier asks
    #: One transceiver, or a transmitter with a receiver beside it.
    bind: Literal["transceiver", "transmitter"] = "transceiver"
    window: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100  #: unanswered submit_sm per connection
    connections: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1  #: connections of each sender
    rate: Annotated[float, msgspec.Meta(ge=0)] = 0  #: submit_sm a second on a connection; 0: no limit
    tls: bool = False  #: speak TLS, and check the carrier's certificate
    tls_ca: str | None = None  #: file with the certificates to trust instead of the system's
    tls_server_name: str | None = None  #: name in the carrier's certificate, where it is not *host*
    enquire_link: Seconds = 15.0  #: seconds of silence before we ask whether the carrier is there
    response_timeout: Seconds = 10.0  #: seconds to wait for any answer; a message is then in doubt
    connect_timeout: Seconds = 5.0  #: seconds to wait for the connection and the bind
    encoding: Encoding = "gsm"  #: what data_coding 0 and 3 mean here
    long_text: LongText = "udh"  #: user data header, SAR parameters or message_payload
    #: same: byte for byte; loose: but for case and leading zeros; hex-to-dec: hexadecimal in
    #: receipts and decimal in answers; dec-to-hex: the other way round.
    dlr_id: DlrId = "same"
    dlr_time_zone: str = ""  #: zone of the times in receipts, as in "Europe/Moscow"; empty: not used
    source_ton: Ton | None = None  #: absent: 5 for names, 1 for digits
    source_npi: Npi | None = None  #: absent: 0 for names, 1 for digits
    destination_ton: Ton = 1  #: 1: international
    destination_npi: Npi = 1  #: 1: ISDN, E.164

    def __post_init__(self) -> None:
        """Refuse a zone that does not exist before a receipt needs it."""
        if self.dlr_time_zone:
            try:
                ZoneInfo(self.dlr_time_zone)
            except (LookupError, ValueError, OSError) as error:
                message = f"expected the name of a time zone as dlr_time_zone, not {self.dlr_time_zone!r}"
                raise ValueError(message) from error
