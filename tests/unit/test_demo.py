"""
The parts of the demo that must not deceive: the contacts and the count of the wire log.
"""

import csv
import json

from demo.contacts import write_contacts
from demo.wirelog import Seen, read_wire_log
from penstock.domain.msisdn import parse_msisdn
from penstock.domain.zones import zone_of


def _log(path, *submits):
    lines = [{"command": "bind_transceiver", "mono": 0.5}]
    lines += [
        {"command": "submit_sm", "mono": mono, "destination": destination, "part": part, "parts": 2}
        for mono, destination, part in submits
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_contacts_are_the_same_every_time(tmp_path):
    """
    Two demos send the same messages.
    """
    write_contacts(tmp_path / "one.csv", 500, 1)
    write_contacts(tmp_path / "two.csv", 500, 1)

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_contacts_are_real_numbers_of_several_zones(tmp_path):
    """
    Every destination is another one, is taken by the server, and they live in several time zones.
    """
    write_contacts(tmp_path / "contacts.csv", 2000, 1)
    with (tmp_path / "contacts.csv").open(encoding="utf-8", newline="") as sheet:
        destinations = [parse_msisdn(row["destination"]) for row in csv.DictReader(sheet)]

    assert None not in destinations
    assert len(set(destinations)) == 2000
    assert len({zone_of(destination, "Europe/Moscow") for destination in destinations}) >= 6


def test_messages_are_counted_once_whatever_their_parts(tmp_path):
    """
    A message of two parts is one message.
    """
    log = _log(tmp_path / "wire", (1.0, "79990000001", 1), (1.0, "79990000001", 2), (2.0, "79990000002", 1))

    assert read_wire_log(log, 3.0) == Seen(messages=2, duplicates=0, late=0)


def test_what_came_twice_and_late_is_seen(tmp_path):
    """
    A message that came again after the stop is both a duplicate and late.
    """
    log = _log(tmp_path / "wire", (1.0, "79990000001", 1), (3.5, "79990000001", 1))

    assert read_wire_log(log, 3.0) == Seen(messages=1, duplicates=1, late=1)
