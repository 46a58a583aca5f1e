"""
Messages on their way out: the octets of each, and the fate of those with several parts.

All that one sender name or one text has in common is encoded once: an advert to ten million
numbers costs its digits and its sequence_number.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from penstock.channels.smpp import pdu, texts
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.spec import SLOW_DOWN, Npi, Ton
from penstock.domain.gsm import is_plain
from penstock.domain.outcome import Accepted, Lost, Outcome, Outgoing, Rejected, Throttled

#: Sender names whose heads are kept.
_KEPT_HEADS = 1_000
#: Characters of a text of one part, each one septet.
_SHORT = 160
#: source_addr has at most 20 octets and a terminator (5.2.8).
_LONGEST_SOURCE = 20

Outcomes = list[tuple[Outgoing, Outcome]]


class Writer:
    """Encodes messages for one carrier."""

    def __init__(self, settings: SmppSettings) -> None:
        self._settings = settings
        self._service_type = settings.service_type.encode("ascii")
        self._heads: dict[str, bytes] = {}
        self._middles: dict[int | None, bytes] = {}
        self._text: str | None = None
        self._ttl: int | None = None
        self._tails: list[bytes] = []
        self._reference = 0

    def bodies(self, message: Outgoing) -> list[bytes]:
        """Return the body of each submit_sm that *message* takes."""
        _, _, sender_name, destination, text, ttl, _, _ = message
        head = self._heads.get(sender_name) or self._head(sender_name)
        if len(text) <= _SHORT and is_plain(text):
            # The short way for the most common text by far; `_encode` would say the same.
            middle = self._middles.get(ttl) or self._middle(ttl)
            return [b"%b%d%b%c%b" % (head, destination, middle, len(text), text.encode("ascii"))]
        if text != self._text or ttl != self._ttl or len(self._tails) > 1:
            self._tails = self._encode(text, ttl)
            self._text, self._ttl = text, ttl
        return [b"%b%d%b" % (head, destination, tail) for tail in self._tails]

    def take(
        self, messages: Sequence[Outgoing], room: int, now: float, *, is_alone: bool
    ) -> tuple[list[bytes], list[object], int]:
        """
        Encode messages from the front until *room* submit_sm are full.

        Returns the bodies, for each of them the message, or the long message and which part of it,
        and how many messages were taken.  A long text that never finds as much room goes first and
        *is_alone*, with nothing outstanding.
        """
        bodies: list[bytes] = []
        entries: list[object] = []
        taken = 0
        for message in messages:
            encoded = self.bodies(message)
            if len(bodies) + len(encoded) > room and (bodies or not is_alone):
                break
            if len(encoded) == 1:
                entries.append(message)
            else:
                whole = LongMessage(message, encoded, now)
                entries += ((whole, part) for part in range(len(encoded)))
            bodies += encoded
            taken += 1
            if len(bodies) >= room:
                break
        return bodies, entries, taken

    def _middle(self, ttl: int | None) -> bytes:
        """Return what comes between the destination and sm_length for texts of one part in plain letters."""
        middle = self._encode("a", ttl)[0][: -len(b"\1a")]
        if len(self._middles) >= _KEPT_HEADS:
            self._middles.clear()
        self._middles[ttl] = middle
        return middle

    def _encode(self, text: str, ttl: int | None) -> list[bytes]:
        settings = self._settings
        parts = texts.encode(text, self._reference, encoding=settings.encoding, long_text=settings.long_text)
        validity = b"" if ttl is None else validity_period(ttl)
        if len(parts) > 1:
            self._reference = (self._reference + 1) & 0xFF
        last = len(parts) - 1
        return [
            pdu.tail_of(part.esm_class, validity, int(at == last), part.data_coding, part.short_message, part.tlvs)
            for at, part in enumerate(parts)
        ]

    def _head(self, sender_name: str) -> bytes:
        settings = self._settings
        digits = sender_name.removeprefix("+")
        is_number = digits.isascii() and digits.isdigit()
        address = (digits if is_number else sender_name).encode("ascii", "replace").replace(b"\0", b"?")
        ton = settings.source_ton
        npi = settings.source_npi
        if ton is None:
            ton = Ton.INTERNATIONAL if is_number else Ton.ALPHANUMERIC
        if npi is None:
            npi = Npi.ISDN if is_number else Npi.UNKNOWN
        head = pdu.head_of(
            self._service_type,
            (ton, npi, address[:_LONGEST_SOURCE]),
            settings.destination_ton,
            settings.destination_npi,
        )
        if len(self._heads) >= _KEPT_HEADS:
            self._heads.clear()
        self._heads[sender_name] = head
        return head


def validity_period(seconds: int) -> bytes:
    """Return *seconds* as a relative time, YYMMDDhhmmss000R (7.1.1.2)."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    months, day = divmod(days, 30)
    return b"00%02d%02d%02d%02d%02d000R" % (min(months, 12), day, hour, minute, second)


def outcome_of(command_status: int) -> Rejected | Throttled:
    """Return what a command_status other than 0 means for a message."""
    return Throttled() if command_status in SLOW_DOWN else Rejected(command_status)


class LongMessage:
    """A message of several parts on its way: begun means finished, one outcome for all."""

    __slots__ = (
        "_accepted",
        "_last_id",
        "_lost",
        "_rejected",
        "_waiting",
        "begun_at",
        "bodies",
        "message",
        "throttled",
    )

    def __init__(self, message: Outgoing, bodies: list[bytes], now: float) -> None:
        self.message = message
        self.bodies = bodies
        self.begun_at = now
        #: Parts that the carrier did not take for now, by their place.
        self.throttled: list[int] = []
        self._waiting = len(bodies)
        self._accepted = 0
        self._last_id = ""
        self._rejected: int | None = None
        self._lost = False

    def answer(self, part: int, command_status: int, carrier_message_id: str) -> None:
        """Note what came of one part; the id of the last part is the message's."""
        self._waiting -= 1
        if command_status == 0:
            self._accepted += 1
            if part == len(self.bodies) - 1:
                self._last_id = carrier_message_id
        elif command_status in SLOW_DOWN:
            self.throttled.append(part)
        else:
            self._rejected = command_status

    def lose(self) -> None:
        """Note that the answer to one part will not come."""
        self._waiting -= 1
        self._lost = True

    def give_up(self) -> None:
        """Note that the throttled parts cannot be written again."""
        self._lost = True
        self.throttled.clear()

    def await_again(self) -> None:
        """Note that the throttled parts were written again."""
        self._waiting += len(self.throttled)
        self.throttled = []

    @property
    def is_to_write_again(self) -> bool:
        """Whether all parts are answered and some were throttled after others were taken."""
        return not self._waiting and bool(self.throttled) and self.outcome is None

    @property
    def outcome(self) -> Outcome | None:
        """What came of the message; None while answers are missing or parts are to be written again."""
        if self._waiting:
            return None
        if self._rejected is not None:
            return Rejected(self._rejected)
        if self._lost:
            return Lost()
        if not self.throttled:
            return Accepted(self._last_id)
        # The carrier took nothing of it: as if it had never been begun.
        return None if self._accepted else Throttled()


def lost(entries: Iterable[object]) -> tuple[Outcomes, list[LongMessage]]:
    """Return what became of *entries* of `Writer.take` that get no answer, and the long messages among them."""
    outcomes: Outcomes = []
    wholes: list[LongMessage] = []
    for entry in entries:
        if type(entry) is Outgoing:
            outcomes.append((entry, Lost()))
        else:
            whole, _ = cast("tuple[LongMessage, int]", entry)
            whole.lose()
            wholes.append(whole)
    return outcomes, wholes
