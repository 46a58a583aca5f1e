"""
What strangers' octets reach: the SMPP decoder and both sessions, receipts, texts, files, JSON.

A target returns when all is well.  What a stranger may cause is caught in it and is closed: the
errors of the protocol, and complaints to the client.  Work and memory are bounded by what came.
"""

import asyncio
import datetime as dt
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from penstock.channels.smpp import pdu, receipts, texts
from penstock.channels.smpp.pdu import Bind, Malformed
from penstock.channels.smpp.session import Session
from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_peer import Peer
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from penstock.channels.smpp.spec import Command
from penstock.channels.smpp.states import State
from penstock.domain import gsm
from penstock.domain.errors import CallerError
from penstock.domain.outcome import Receipt
from penstock.http import bodies, understanding
from penstock.http.decoding import decode
from penstock.http.files import CsvReader, NdjsonReader
from penstock.http.inflate import _Gunzip

Target = Callable[[bytes], None]

#: Octets of answer that one octet from a stranger may cause: a header answers a header.
_ANSWER_FOR_EACH = 2
#: The rest of a PDU that has not arrived whole.
_LONGEST_TAIL = pdu.MAX_PDU_SIZE
_LIMIT = 1_000_000
_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut octets where the first of them says, as a network might."""
    if not data:
        return
    chance, data = random.Random(data[0]), data[1:]
    while data:
        size = chance.choice((1, 2, 7, 15, 16, 17, 64, 1000, len(data)))
        yield data[:size]
        data = data[size:]


def session(data: bytes) -> None:
    """Let a carrier say anything to our session, bound and with messages outstanding or not."""
    command = (Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER, Command.BIND_RECEIVER)[len(data) % 3]
    ours = Session(command, response_timeout=10, enquire_link=15)
    ours.bind(Bind("penstock", "secret"), 0.0)
    if data[:1] > b"\x40":
        ours.receive(pdu.encode_bind_answer(command, 1, "smsc"), 0.0)
        if ours.may_submit:
            ours.submit([b"body"] * 3, ["a", "b", "c"], 0.0)
    outstanding = ours.outstanding
    taken = 0
    resolved: list[object] = []
    for number, piece in enumerate(pieces(data)):
        received = ours.receive(piece, float(number))
        taken += len(piece)
        resolved += [entry for entry, _, _ in received.answers]
        assert all(len(message_id) <= pdu.MAX_MESSAGE_ID for _, _, message_id in received.answers)
        assert len(received.reply) <= _ANSWER_FOR_EACH * (len(ours._tail) + taken)
        assert len(ours._tail) <= max(_LONGEST_TAIL, len(piece))
        for _, message in received.deliveries:
            _read(message)
        overdue, _, _ = ours.tick(float(number))
        resolved += overdue
        if received.fault is not None or ours.state is State.CLOSED:
            break
    resolved += ours.abandon()
    # Every message has one outcome, whatever the carrier says.
    assert len(resolved) == len(set(map(str, resolved))) == outstanding


class _Transport:
    """Takes what a peer writes."""

    def __init__(self) -> None:
        self.written = 0
        self.is_closed = False

    def get_extra_info(self, name: str) -> object:
        """Be one of TLS, whose octets are given to the peer and not read by it."""
        return self if name == "sslcontext" else None

    def write(self, data: bytes) -> None:
        """Count."""
        self.written += len(data)

    def close(self) -> None:
        """Remember."""
        self.is_closed = True

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


def peer(data: bytes) -> None:
    """Let an ESME say anything to our simulator."""
    asyncio.run(_peer(data))


async def _peer(data: bytes) -> None:
    simulator = Simulator(SimulatorSettings(port=0))
    transport = _Transport()
    ours = Peer(simulator)
    ours.connection_made(transport)  # type: ignore[arg-type]
    if data[:1] > b"\x40":
        ours.data_received(pdu.encode_bind(Command.BIND_TRANSCEIVER, 1, Bind("penstock", "secret")))
    before = transport.written
    taken = 0
    for piece in pieces(data):
        if transport.is_closed:
            break
        ours.data_received(piece)
        taken += len(piece)
        assert len(ours._tail) <= max(_LONGEST_TAIL, len(piece))
    # A short message brings an answer and a receipt that quotes its addresses.
    assert transport.written - before <= 64 * (taken + 16)
    ours.connection_lost(None)


def decoder(data: bytes) -> None:
    """Read octets as every kind of body."""
    for parse in (pdu.parse_bind, pdu.parse_short_message, pdu.parse_tlvs, pdu.parse_message_id):
        try:
            found = parse(data, 0, len(data))
        except Malformed:
            continue
        if isinstance(found, pdu.ShortMessage):
            _read(found)
    rule = receipts.id_rules("loose").receipt
    try:
        slow = receipts.read_receipt(pdu.parse_short_message(data, 0, len(data)), rule)
    except Malformed:
        slow = None
    try:
        quick = receipts.read_body(data, 0, len(data), rule)
    except Malformed:
        quick = None
    assert quick == slow
    try:
        frames = list(pdu.split(data))
    except Malformed:
        return
    assert len(frames) <= len(data) // pdu.HEADER_SIZE
    assert all(start <= end <= len(data) for *_, start, end in frames)


def _read(message: pdu.ShortMessage) -> None:
    for dlr_id in ("same", "loose", "hex-to-dec", "dec-to-hex"):
        found = receipts.read_receipt(message, receipts.id_rules(dlr_id).receipt)  # type: ignore[arg-type]
        if isinstance(found, Receipt):
            assert len(found.carrier_message_id) <= 2 * pdu.MAX_MESSAGE_ID  # an index of PostgreSQL holds it
    piece = texts.decode(message)
    assert len(piece.text) <= 2 * pdu.MAX_PDU_SIZE
    texts.Reassembler().take(message.source, message.destination, piece)


def receipt(data: bytes) -> None:
    """Read octets as the text of a receipt, and as its parameters."""
    half = len(data) // 2
    try:
        tlvs = pdu.parse_tlvs(data, half, len(data))
    except Malformed:
        tlvs = {}
    for esm_class in (0, 4, 0x20, 0x40, 0x44):
        body = pdu.ShortMessage(b"", 1, 1, b"7", 1, 1, b"7", esm_class, b"", 0, data[0] if data else 0, data, tlvs)
        _read(body)


def text(data: bytes) -> None:
    """Read octets as a text, and write it again."""
    read = gsm.decode(data)
    assert len(read) <= len(data)
    gsm.encode(read)
    for long_text in ("udh", "sar", "payload"):
        texts.encode(data.decode("utf-16-be", "replace")[:2000], 7, long_text=long_text)  # type: ignore[arg-type]


def file(data: bytes) -> None:
    """Read octets as each kind of file, plain and packed."""
    for reader in (CsvReader("utf-8-sig"), CsvReader("cp1251"), NdjsonReader()):
        count = 0
        try:
            for piece in pieces(data):
                count += sum(1 for _ in reader.feed(piece))
            count += sum(1 for _ in reader.finish())
        except CallerError:
            pass
        assert count <= len(data)
    gunzip = _Gunzip(_LIMIT)
    given = 0
    try:
        for piece in pieces(data):
            given += sum(map(len, gunzip.feed(piece)))
        gunzip.finish()
    except CallerError:
        pass
    assert given <= _LIMIT


def json(data: bytes) -> None:
    """Read octets as each kind of JSON body, and understand what could be read."""
    readers: tuple[tuple[Any, Callable[[Any], object]], ...] = (
        (bodies.ENTRIES, understanding.entries),
        (bodies.LOOSE_ENTRIES, understanding.entries),
        (bodies.MESSAGES, lambda body: understanding.messages(body, _NOW, "Europe/Moscow")),
        (bodies.DISPATCH, lambda body: understanding.draft(body, _NOW, "Europe/Moscow")),
        (bodies.PATCH, lambda body: None if body.rate is None else understanding.rate(body.rate)),
        (bodies.STOP, lambda body: understanding.uuids(body.uuids)),
    )
    for decoder_, understand in readers:
        try:
            understand(decode(decoder_, data))
        except CallerError:
            continue


def packed(data: bytes) -> None:
    """Unpack octets that are a gzip for sure, so that what is in it is reached."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    file(data[:1] + packer.compress(data[1:]) + packer.flush())


TARGETS: dict[str, Target] = {
    target.__name__: target for target in (session, peer, decoder, receipt, text, file, packed, json)
}
