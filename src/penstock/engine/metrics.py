"""
The metrics page.  Its figures come from the database, so each API process tells them of all.
"""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from penstock.domain.lifecycle import FINAL, DispatchStatus
from penstock.store.database import Database
from penstock.store.metrics import Measured, measure


class Metrics:
    """Writes the figures of the whole installation in the text format of Prometheus."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> bytes:
        """Measure now; raises StoreUnavailable."""
        async with self._database.connection() as connection:
            return _write(await measure(connection))


def _write(measured: Measured) -> bytes:
    registry = CollectorRegistry()
    open_dispatches = Gauge("penstock_dispatches", "Dispatches that are not final.", ["status"], registry=registry)
    for status in DispatchStatus:
        if status not in FINAL and status is not DispatchStatus.INITIATED:
            open_dispatches.labels(status).set(measured.dispatches.get(status, 0))
    plain = (
        ("penstock_claimed_messages", "Messages that senders hold now.", measured.claimed),
        ("penstock_late_messages", "Messages written after a stop had taken effect; must be 0.", measured.late),
        ("penstock_stray_receipts", "Receipts whose message is not known.", measured.strays),
        ("penstock_senders", "Senders whose lease runs.", measured.senders),
    )
    for name, text, value in plain:
        Gauge(name, text, registry=registry).set(value)
    up = Gauge("penstock_links_up", "Bound connections to a carrier.", ["carrier"], registry=registry)
    configured = Gauge("penstock_links", "Configured connections to a carrier.", ["carrier"], registry=registry)
    for carrier, (bound, wanted) in measured.links.items():
        up.labels(carrier).set(bound)
        configured.labels(carrier).set(wanted)
    return generate_latest(registry)
