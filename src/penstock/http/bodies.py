"""
The JSON bodies that clients send: their fields and types, and what the reference says of them.

Only types are enforced here, by `decoding`; the bounds in the annotations describe what
`understanding` checks.  Null stands for an absent field, since many clients write it so.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from penstock.domain.model import Entry

_LOCAL_TIME = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$"
_SENDER_NAME = {"pattern": "^[A-Za-z0-9._ -]{3,11}$"}
_NAME = {"minLength": 1, "maxLength": 255}

# What holds of an element is said at the element: msgspec takes no "items" from the list.
Hours = Annotated[
    list[Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": 23})]],
    Meta(
        description="Allowed hours 0…23; an empty list restricts nothing.",
        extra_json_schema={"uniqueItems": True},
    ),
]
Days = Annotated[
    list[Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 7})]],
    Meta(
        description="Allowed weekdays, 1 (Monday) … 7 (Sunday); an empty list restricts nothing.",
        extra_json_schema={"uniqueItems": True},
    ),
]
LocalTime = Annotated[
    str,
    Meta(
        description="YYYY-MM-DD hh:mm:ss, in the subscriber's zone if useLocalTime is true, else in the default zone.",
        extra_json_schema={"pattern": _LOCAL_TIME, "examples": ["2026-03-02 10:00:00"]},
    ),
]
Ttl = Annotated[
    int,
    Meta(
        description="Seconds that a message lives once handed over.",
        extra_json_schema={"minimum": 60, "maximum": 86400},
    ),
]
Tags = list[Annotated[str, Meta(extra_json_schema={"pattern": r"^\w+$"})]]
SenderName = Annotated[
    str,
    Meta(
        description="3…11 characters: Latin letters, digits, dot, hyphen, underscore, space.",
        extra_json_schema=_SENDER_NAME,
    ),
]
Channel = Annotated[str, Meta(description="The channel; SMS is served.", extra_json_schema={"enum": ["SMS"]})]
CallbackUrl = Annotated[str, Meta(extra_json_schema={"format": "uri", "maxLength": 2048})]
CallbackEvents = list[Annotated[str, Meta(extra_json_schema={"enum": ["delivered", "sent", "read", "price", "click"]})]]


class RateBody(msgspec.Struct):
    """At most *value* messages a day (d), hour (h) or minute (m)."""

    unit: Annotated[str, Meta(extra_json_schema={"enum": ["d", "h", "m"]})]
    value: Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 1_000_000_000})]


class Sending(msgspec.Struct, rename="camel", kw_only=True):
    """What a dispatch and a single message share: when it may leave and who hears of it."""

    use_local_time: bool | None = True
    local_send_time: LocalTime | None = None
    local_completion_time: LocalTime | None = None
    hours: Hours | None = None
    days: Days | None = None
    ttl: Ttl | None = None
    tags: Tags | None = None
    short_url: bool | None = False
    callback_url: CallbackUrl | None = None
    callback_events: CallbackEvents | None = None


class DispatchBody(Sending, kw_only=True):
    """A dispatch to create: dispatchName, senderName and content are required, each by either of its names."""

    dispatch_name: Annotated[str, Meta(extra_json_schema=_NAME)] | None = None
    name: Annotated[str, Meta(description="Alias of dispatchName.", extra_json_schema=_NAME)] | None = None
    channel_type: Channel | None = "SMS"
    sender_name: SenderName | None = None
    source: Annotated[str, Meta(description="Alias of senderName.", extra_json_schema=_SENDER_NAME)] | None = None
    content: (
        Annotated[
            str,
            Meta(
                description="The text, with placeholders {name}; {{ and }} are literal braces.",
                extra_json_schema={"minLength": 1},
            ),
        ]
        | None
    ) = None
    message: Annotated[str, Meta(description="Alias of content.", extra_json_schema={"minLength": 1})] | None = None
    rate: RateBody | None = None


class MessageBody(Sending, kw_only=True):
    """A single message."""

    channel_type: Channel
    sender_name: SenderName
    destination: Annotated[str, Meta(description="Digits; a leading + is accepted.")]
    content: Annotated[Any, Meta(description="The text of an SMS.", extra_json_schema={"type": "string"})]
    external_message_id: (
        Annotated[
            str,
            Meta(description="Comes back in the answer; may repeat.", extra_json_schema={"maxLength": 100}),
        ]
        | None
    ) = None


class LooseEntry(msgspec.Struct):
    """An element of a fill whose substitutions may be null."""

    destination: str
    substitutions: Mapping[str, str | int | float | bool | None] | None = None


Entries = list[Entry] | Entry | list[LooseEntry] | LooseEntry

_ELEMENTS = Meta(extra_json_schema={"minItems": 1, "maxItems": 1000})
#: A fill and a sending, as the reference shows them.
EntryArray = Annotated[list[Entry], _ELEMENTS]


class PatchBody(msgspec.Struct):
    """What can be changed of a dispatch while it runs; null lifts the limit."""

    rate: RateBody | None


class StopBody(msgspec.Struct):
    """The messages to stop."""

    uuids: Annotated[list[str], Meta(extra_json_schema={"minItems": 1, "maxItems": 10000})]


MessageBodies = list[MessageBody] | MessageBody
MessageArray = Annotated[list[MessageBody], _ELEMENTS]

DISPATCH = msgspec.json.Decoder(DispatchBody)
MESSAGES = msgspec.json.Decoder(MessageBodies)
ENTRIES = msgspec.json.Decoder(list[Entry] | Entry)
LOOSE_ENTRIES = msgspec.json.Decoder(list[LooseEntry] | LooseEntry)
PATCH = msgspec.json.Decoder(PatchBody)
STOP = msgspec.json.Decoder(StopBody)
