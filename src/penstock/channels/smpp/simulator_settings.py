"""How our own SMSC behaves."""

from typing import Annotated, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delays, shares of misfortune and forms of receipts; shares are between 0 and 1."""

    host: str = "127.0.0.1"  #: address to listen on
    port: int = 0  #: port to listen on; 0 takes a free one
    system_id: str | None = None  #: the only system_id let in; None lets everybody in
    password: str | None = None  #: the only password let in
    log: str | None = None  #: file to which each PDU received is written as one line of JSON
    latency: tuple[float, float] = (0.0, 0.0)  #: seconds to an answer: any number between these two
    dlr: Share = 1.0  #: share of the messages that asked for a receipt and get one
    dlr_delay: Annotated[float, msgspec.Meta(ge=0)] = 0.0  #: seconds from the answer to the receipt
    dlr_failed: Share = 0.0  #: share of the receipts that say UNDELIV
    dlr_as: Literal["text", "tlv", "both"] = "both"  #: the form of receipts
    dlr_window: Annotated[int, msgspec.Meta(ge=1)] = 500  #: unanswered deliver_sm on a connection
    dlr_anywhere: bool = False  #: send receipts on any connection of the account, not on that of the message
    early_dlr: bool = False  #: send the receipt before the answer
    throttle: Share = 0.0  #: share of the messages answered ESME_RTHROTTLED
    refuse: Share = 0.0  #: share of the messages answered ESME_RSUBMITFAIL
    lose: Share = 0.0  #: share of the messages taken and never answered
    id_format: Literal["dec", "hex", "uuid"] = "dec"  #: form of message ids
    max_window: Count = 0  #: unanswered submit_sm above which the answer is ESME_RMSGQFUL; 0: no limit
    cut_after: Count = 0  #: close a connection after this many submit_sm; 0: never
    seed: int | None = None  #: makes chance repeatable
