"""
From a decoded body to a request that the rest of Penstock can carry out: the values are checked here.

Every complaint names the field and what was expected of it.
"""

import datetime as dt
import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from penstock.domain.errors import BadRequest
from penstock.domain.model import DispatchDraft, Entry, Rate, RateUnit, Schedule, SingleMessage
from penstock.domain.template import BadTemplate, Template
from penstock.domain.windows import check_schedule
from penstock.http.bodies import DispatchBody, Entries, MessageBodies, MessageBody, RateBody, Sending

#: The channels of the Direct API.
CHANNELS = ("SMS", "VIBER", "WHATSAPP", "VK", "TELEGRAM", "FLASHCALL", "VOICECODE", "TEXT_TO_SPEECH")
#: The channels that a carrier can serve by now; a known channel without one refuses the whole request.
SERVED = frozenset({"SMS"})
#: The events of its callbacks; one that a channel never has is accepted and never comes.
EVENTS = ("delivered", "sent", "read", "price", "click")

MAX_ELEMENTS = 1000
MAX_UUIDS = 10_000
MAX_NAME = 255
MAX_EXTERNAL_ID = 100
MAX_URL = 2048
MAX_RATE = 1_000_000_000
TTL = range(60, 86_401)

_SENDER_NAME = re.compile(r"[A-Za-z0-9._ -]{3,11}")
_TAG = re.compile(r"\w+")
_LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_VISIBLE = re.compile(r"[!-~]+")


def draft(body: DispatchBody, now: dt.datetime, zone: str) -> DispatchDraft:
    """Understand a request to create a dispatch."""
    name = _required(body.dispatch_name, body.name, "dispatchName")
    if not 1 <= len(name) <= MAX_NAME:
        raise _misfit("dispatchName", f"a string of 1…{MAX_NAME} characters", f"{len(name)}")
    content = _required(body.content, body.message, "content")
    return DispatchDraft(
        name=name,
        channel_type=_channel(body.channel_type or "SMS"),
        sender_name=_sender_name(_required(body.sender_name, body.source, "senderName")),
        content=_template(content),
        schedule=_schedule(body, now, zone),
        ttl=_ttl(body.ttl),
        rate=None if body.rate is None else rate(body.rate),
        tags=_tags(body.tags or ()),
        short_url=body.short_url or False,
        callback_url=_callback_url(body.callback_url),
        callback_events=_events(body.callback_events or ()),
    )


def messages(body: MessageBodies, now: dt.datetime, zone: str) -> list[SingleMessage]:
    """Understand a request to send single messages; a bare object is an array of one."""
    elements = body if isinstance(body, list) else [body]
    _count(elements, "body", MAX_ELEMENTS)
    understood = []
    for index, element in enumerate(elements):
        try:
            understood.append(_message(element, now, zone))
        except BadRequest as error:
            place = f"[{index}]." if isinstance(body, list) else ""
            raise BadRequest(f"{place}{error}") from error
    return understood


def entries(body: Entries) -> Sequence[Entry]:
    """Understand a fill; a bare object is an array of one."""
    elements = body if isinstance(body, list) else [body]
    _count(elements, "body", MAX_ELEMENTS)
    return [
        element if isinstance(element, Entry) else Entry(element.destination, element.substitutions or {})
        for element in elements
    ]


def rate(body: RateBody) -> Rate:
    """Understand a rate."""
    units = [unit.value for unit in RateUnit]
    if body.unit not in units:
        raise _misfit("rate.unit", f"one of {', '.join(units)}", repr(body.unit))
    if not 1 <= body.value <= MAX_RATE:
        raise _misfit("rate.value", f"an integer 1…{MAX_RATE}", str(body.value))
    return Rate(RateUnit(body.unit), body.value)


def uuids(given: Sequence[str]) -> Sequence[str]:
    """Understand which messages to stop."""
    _count(given, "uuids", MAX_UUIDS)
    return given


def _message(body: MessageBody, now: dt.datetime, zone: str) -> SingleMessage:
    channel = _channel(body.channel_type)
    if not isinstance(body.content, str):
        raise _misfit("content", f"a string for {channel}")
    if body.external_message_id is not None and len(body.external_message_id) > MAX_EXTERNAL_ID:
        raise _misfit("externalMessageId", f"a string of at most {MAX_EXTERNAL_ID} characters")
    return SingleMessage(
        channel_type=channel,
        sender_name=_sender_name(body.sender_name),
        destination=body.destination,
        content=body.content,
        schedule=_schedule(body, now, zone),
        ttl=_ttl(body.ttl),
        tags=_tags(body.tags or ()),
        short_url=body.short_url or False,
        callback_url=_callback_url(body.callback_url),
        callback_events=_events(body.callback_events or ()),
        external_id=body.external_message_id,
    )


def _misfit(field: str, expected: str, got: str | None = None) -> BadRequest:
    """Say which field does not fit, what was expected, and what came where that helps."""
    return BadRequest(f"{field}: expected {expected}" + (f", got {got}" if got is not None else ""))


def _count(elements: Sequence[object], where: str, most: int) -> None:
    if not 1 <= len(elements) <= most:
        raise _misfit(where, f"1…{most} elements", str(len(elements)))


def _required(value: str | None, alias: str | None, field: str) -> str:
    """Return a field by its name or its alias; the name wins."""
    given = alias if value is None else value
    if given is None:
        message = f"{field}: required"
        raise BadRequest(message)
    return given


def _channel(value: str) -> str:
    if value in SERVED:
        return value
    if value in CHANNELS:
        message = f"channelType: no carrier serves {value} here; expected one of {', '.join(sorted(SERVED))}"
        raise BadRequest(message)
    raise _misfit("channelType", f"one of {', '.join(CHANNELS)}", repr(value[:40]))


def _sender_name(value: str) -> str:
    if _SENDER_NAME.fullmatch(value) is None:
        raise _misfit("senderName", "3…11 characters of Latin letters, digits and '.-_ '")
    return value


def _template(content: str) -> str:
    if not content:
        raise _misfit("content", "a text that is not empty")
    try:
        Template.parse(content)
    except BadTemplate as error:
        raise BadRequest(f"content: {error}") from error
    return content


def _ttl(value: int | None) -> int | None:
    if value is not None and value not in TTL:
        raise _misfit("ttl", f"an integer {TTL.start}…{TTL.stop - 1}", str(value))
    return value


def _tags(values: Sequence[str]) -> tuple[str, ...]:
    for index, value in enumerate(values):
        if _TAG.fullmatch(value) is None:
            raise _misfit(f"tags[{index}]", "letters, digits and underscores")
    return tuple(values)


def _schedule(body: Sending, now: dt.datetime, zone: str) -> Schedule:
    """Understand when messages may leave; nearly always there is nothing to understand."""
    schedule = Schedule(
        use_local_time=body.use_local_time is not False,
        send_time=_local_time("localSendTime", body.local_send_time),
        completion_time=_local_time("localCompletionTime", body.local_completion_time),
        hours=_among("hours", body.hours or (), range(24)),
        days=_among("days", body.days or (), range(1, 8)),
    )
    if schedule.send_time is not None or schedule.completion_time is not None:
        check_schedule(schedule, now, zone)
    return schedule


def _among(field: str, values: Sequence[int], allowed: range) -> tuple[int, ...]:
    if values and (not allowed.start <= min(values) <= max(values) < allowed.stop or len(set(values)) < len(values)):
        raise _misfit(field, f"integers {allowed.start}…{allowed.stop - 1}, each once")
    return tuple(values)


def _local_time(field: str, value: str | None) -> dt.datetime | None:
    if value is None:
        return None
    try:
        if _LOCAL_TIME.fullmatch(value):
            return dt.datetime.fromisoformat(value)
    except ValueError:
        pass  # said below, like any other misfit
    raise _misfit(field, "a local time YYYY-MM-DD hh:mm:ss")


def _events(values: Collection[str]) -> tuple[str, ...]:
    for index, value in enumerate(values):
        if value not in EVENTS:
            raise _misfit(f"callbackEvents[{index}]", f"one of {', '.join(EVENTS)}")
    return tuple(dict.fromkeys(values))


def _callback_url(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        url = urlsplit(value)
        fits = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        fits = False
    if not fits or len(value) > MAX_URL or _VISIBLE.fullmatch(value) is None:
        raise _misfit("callbackUrl", f"an http or https URL of at most {MAX_URL} ASCII characters")
    return value
