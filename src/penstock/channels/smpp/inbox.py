"""What the carrier tells a link by itself: receipts, and messages from subscribers."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import structlog

from penstock.channels.smpp import receipts
from penstock.channels.smpp.receipts import Inbound, Intermediate, Unknown
from penstock.channels.smpp.settings import SmppSettings
from penstock.domain.outcome import Receipt

log = structlog.get_logger(__name__)

#: Different complaints about receipts that are logged by one link.
COMPLAINTS = 50


class Inbox:
    """Reads deliveries for one link."""

    def __init__(self, settings: SmppSettings, carrier: str) -> None:
        #: Messages from subscribers, which are acknowledged and not used yet.
        self.inbound = 0
        self._carrier = carrier
        self._rule = receipts.id_rules(settings.dlr_id).receipt
        self._zone = ZoneInfo(settings.dlr_time_zone) if settings.dlr_time_zone else None
        self._complaints: set[str] = set()

    def read(self, buffer: bytes, start: int, end: int) -> Receipt | Intermediate | Unknown | Inbound:
        """Read the body of one deliver_sm; raises Malformed."""
        return receipts.read_body(buffer, start, end, self._rule, self._zone)

    def sort(
        self, deliveries: Sequence[tuple[int, Receipt | Intermediate | Unknown | Inbound]]
    ) -> tuple[list[Receipt], list[int], list[int]]:
        """Return the receipts, the sequence numbers that they came under, and those of all else."""
        found: list[Receipt] = []
        numbers: list[int] = []
        others: list[int] = []
        for number, receipt in deliveries:
            if type(receipt) is Receipt:
                found.append(receipt)
                numbers.append(number)
                continue
            others.append(number)
            match receipt:
                case Inbound():
                    self.inbound += 1
                    log.info("inbound_message", carrier=self._carrier, count=self.inbound)
                case Unknown(why):
                    self.complain("receipt_not_understood", why)
                case Intermediate():
                    pass
        return found, numbers, others

    def complain(self, event: str, why: str) -> None:
        """Log what is wrong with a receipt, each complaint once."""
        if why not in self._complaints and len(self._complaints) < COMPLAINTS:
            self._complaints.add(why)
            log.error(event, carrier=self._carrier, why=why, note="the same again is not logged")
