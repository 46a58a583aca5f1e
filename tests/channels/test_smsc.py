"""
Our own SMSC does what its settings say, and its wire log tells the truth.
"""

import asyncio
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from penstock.channels.smpp import pdu
from penstock.channels.smpp.client import SmppLink
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.simulator import Simulator
from penstock.channels.smpp.simulator_settings import SimulatorSettings
from penstock.channels.smpp.spec import Command, Status
from penstock.domain.outcome import ReceiptStatus
from tests.channels.contract import is_open, running
from tests.channels.ledger import Ledger, outgoing
from tests.harness.waiting import until_true


@pytest.fixture
async def start(tmp_path) -> AsyncIterator:
    """Start an SMSC with a wire log."""
    started = []

    async def start(**settings: object) -> tuple[Simulator, int]:
        simulator = Simulator(SimulatorSettings(log=str(tmp_path / "wire.log"), seed=1, **settings))
        started.append(simulator)
        return simulator, await simulator.start()

    yield start
    for simulator in started:
        await simulator.stop()


@pytest.fixture
def lines(tmp_path):
    """Read the wire log."""

    def lines(simulator: Simulator) -> list[dict]:
        simulator.log.flush()
        return [msgspec.json.decode(line) for line in (tmp_path / "wire.log").read_bytes().splitlines()]

    return lines


async def send(port: int, count: int, receipts: int = 0, **settings: object) -> Ledger:
    """Send *count* messages, and wait for all outcomes and for *receipts*."""
    ledger = Ledger()
    ledger.send(outgoing(seq) for seq in range(count))
    async with running(SmppLink(SmppSettings(port=port, **settings), "main", is_open, ledger)):
        await until_true(
            lambda: len(ledger.outcomes) >= count and len(ledger.receipts) >= receipts, what="outcomes and receipts"
        )
    return ledger


async def test_each_pdu_is_a_line_of_the_log(start, lines):
    """
    The log names each PDU, when it came, and what became of a message.
    """
    simulator, port = await start()
    before = time.monotonic()
    ledger = await send(port, 2, receipts=2)

    found = lines(simulator)

    assert [line["command"] for line in found if line["command"] != "deliver_sm_resp"] == [
        "bind_transceiver",
        "submit_sm",
        "submit_sm",
        "unbind",
    ]
    assert found[0]["system_id"] == "penstock"
    submits = [line for line in found if line["command"] == "submit_sm"]
    assert [line["message_id"] for line in submits] == list(ledger.accepted)
    assert submits[0] | {"mono": 0, "wall": 0} == {
        "mono": 0,
        "wall": 0,
        "connection": 1,
        "command": "submit_sm",
        "sequence_number": 2,
        "source": "Shop",
        "destination": "79990000000",
        "text": "hello",
        "message_id": "1",
        "answer": "accepted",
    }
    assert before <= submits[0]["mono"] <= time.monotonic()


async def test_the_log_is_written_within_a_moment(start, tmp_path):
    """
    Who reads the log while the SMSC runs sees a line soon after its PDU.
    """
    _, port = await start()
    ledger = Ledger()
    ledger.send([outgoing(1)])

    async with running(SmppLink(SmppSettings(port=port), "main", is_open, ledger)):
        await until_true(lambda: b"79990000001" in (tmp_path / "wire.log").read_bytes(), what="the line", seconds=2)


@pytest.mark.parametrize(
    ("setting", "kind", "answer"), [("refuse", "Rejected", "refused"), ("throttle", "Throttled", "throttled")]
)
async def test_shares_are_kept(start, lines, setting, kind, answer):
    """
    A share of a tenth is about a tenth, and log, counters and outcomes agree.
    """
    simulator, port = await start(**{setting: 0.1})
    ledger = await send(port, 1_000)

    logged = [line["answer"] for line in lines(simulator) if line["command"] == "submit_sm"]

    assert 60 <= ledger.kinds.count(kind) <= 150
    assert logged.count(answer) == ledger.kinds.count(kind) == getattr(simulator.counters, answer)
    assert logged.count("accepted") == ledger.kinds.count("Accepted") == simulator.counters.accepted


async def test_a_lost_message_is_taken_and_not_answered(start, lines):
    """
    The log tells of a message whose answer was lost, and its outcome is in doubt.
    """
    simulator, port = await start(lose=1)
    ledger = await send(port, 3, response_timeout=0.1)

    assert ledger.kinds == ["Lost"] * 3
    assert [line["answer"] for line in lines(simulator) if line["command"] == "submit_sm"] == ["lost"] * 3
    assert (simulator.counters.accepted, simulator.counters.answered) == (3, 0)


async def test_receipts_may_say_that_it_failed(start):
    """
    All receipts say UNDELIV where the share of failures is one.
    """
    _, port = await start(dlr_failed=1)
    ledger = await send(port, 5, receipts=5)

    assert {(receipt.status, receipt.code) for receipt in ledger.receipts} == {(ReceiptStatus.UNDELIVERED, 11)}


@pytest.mark.parametrize(
    ("id_format", "pattern"), [("dec", r"\d+"), ("hex", r"[0-9a-f]+"), ("uuid", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-.{12}")]
)
async def test_ids_have_the_form_asked_for(start, id_format, pattern):
    """
    Message ids are decimal, hexadecimal or UUIDs, and receipts name them alike.
    """
    _, port = await start(id_format=id_format)
    ledger = await send(port, 20, receipts=20)

    assert all(re.fullmatch(pattern, found) for found in ledger.accepted)
    assert {receipt.carrier_message_id for receipt in ledger.receipts} == set(ledger.accepted)


async def test_a_connection_is_cut_after_so_many_messages(start):
    """
    Each connection lives for ten messages; what was not answered then is in doubt.
    """
    simulator, port = await start(cut_after=10)
    ledger = await send(port, 40, window=5)

    assert simulator.counters.connections >= 3
    assert len(ledger.outcomes) == 40
    assert set(ledger.kinds) <= {"Accepted", "Lost"}


async def test_a_full_queue_is_told(start):
    """
    Above the window of the SMSC messages are throttled.
    """
    simulator, port = await start(max_window=3, latency=(0.02, 0.02))
    ledger = await send(port, 10)

    assert ledger.kinds.count("Throttled") == simulator.counters.throttled == 7


async def test_answers_take_as_long_as_asked(start):
    """
    No answer comes before the latency has passed.
    """
    _, port = await start(latency=(0.05, 0.1))
    began = time.monotonic()
    await send(port, 20)

    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"system_id": "other", "password": "secret"}, Status.RINVSYSID),
        ({"system_id": "shop", "password": "wrong"}, Status.RINVPASWD),
        ({"system_id": "shop", "password": "secret"}, Status.ROK),
    ],
)
async def test_only_the_right_account_is_let_in(start, given, status):
    """
    With an account set, others are refused with the status of the specification.
    """
    _, port = await start(system_id="shop", password="secret")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(pdu.encode_bind(Command.BIND_TRANSCEIVER, 1, pdu.Bind(**given)))

    answer = pdu.HEADER.unpack(await reader.readexactly(pdu.HEADER_SIZE))
    writer.close()
    await writer.wait_closed()

    assert answer[1:] == (Command.BIND_TRANSCEIVER_RESP, status, 1)


async def test_nobody_submits_unbound(start):
    """
    A submit_sm before the bind is refused and not counted.
    """
    simulator, port = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = pdu.head_of(b"", (5, 0, b"Shop")) + b"7999" + pdu.tail_of(0, b"", 1, 0, b"hi")
    writer.write(pdu.encode(Command.SUBMIT_SM, 7, body))

    answer = pdu.HEADER.unpack(await reader.readexactly(pdu.HEADER_SIZE))
    writer.close()
    await writer.wait_closed()

    assert answer[1:] == (Command.SUBMIT_SM_RESP, Status.RINVBNDSTS, 7)
    assert simulator.counters.submits == 0


async def test_the_command_says_that_it_is_ready_and_ends_cleanly(tmp_path):
    """
    `penstock smsc` prints where it listens, and SIGTERM leaves a whole log behind.
    """
    log = tmp_path / "wire.log"
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("penstock")),
        "smsc",
        "--port",
        "0",
        "--log",
        str(log),
        stdout=asyncio.subprocess.PIPE,
    )
    ready = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    assert ready.startswith("penstock smsc ready 127.0.0.1:")

    await send(int(ready.rpartition(":")[2]), 100, receipts=100)
    process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(process.wait(), 10) == 0
    found = [msgspec.json.decode(line) for line in log.read_bytes().splitlines()]
    assert sum(line["command"] == "submit_sm" for line in found) == 100
