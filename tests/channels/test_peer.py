"""
The promises of a link, kept by SMPP against an SMSC that is not ours: npm's `smpp`.

Needs Node.js and `npm ci` in `tests/channels/peer`; without them the tests say so and are skipped,
unless PENSTOCK_REQUIRE_PEERS=1 asks for a failure.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import trustme

from penstock.channels.smpp.client import SmppLink
from penstock.channels.smpp.settings import SmppSettings
from tests.channels.contract import TEXTS, LinkContract, Seen, is_open, running
from tests.channels.ledger import Ledger, outgoing
from tests.harness.waiting import until_true

PEER = Path(__file__).parent / "peer"
#: Ten thousand messages come as one line.
LONGEST_LINE = 64 * 1024 * 1024

BEHAVIOURS = {
    "normal": {},
    "refuse": {"status": 0x45},
    "throttle": {"status": 0x58},
    "silent": {"isSilent": True},
}

pytestmark = pytest.mark.peer


@pytest.fixture(scope="session")
def node() -> str:
    """Find Node.js and the peer's modules, or say loudly what is missing."""
    found = shutil.which("node")
    missing = None
    if found is None:
        missing = "Node.js is not installed"
    elif not (PEER / "node_modules" / "smpp").is_dir():
        missing = "the foreign SMSC is not installed: run `npm ci` in tests/channels/peer"
    if missing is None:
        return found
    if os.environ.get("PENSTOCK_REQUIRE_PEERS") == "1":
        pytest.fail(missing)
    pytest.skip(f"NOT TESTED AGAINST A FOREIGN SMSC: {missing}")


class NpmSmsc:
    """The foreign SMSC, a process of its own that answers questions on its standard input."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.port = 0
        self._process = process

    @classmethod
    async def run(cls, node: str, options: dict) -> "NpmSmsc":
        """Start it, and wait until it listens."""
        process = await asyncio.create_subprocess_exec(
            node,
            str(PEER / "server.js"),
            msgspec.json.encode(options).decode(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        smsc = cls(process)
        smsc.port = (await smsc._answer())["port"]
        return smsc

    async def parts(self) -> list[dict]:
        """Return every submit_sm as the library read it."""
        return await self._ask("seen")

    async def counts(self) -> dict:
        """Return what was counted."""
        return await self._ask("counts")

    async def seen(self) -> list[Seen]:
        """Return every message, long ones put together."""
        whole: dict[tuple, dict[int, str]] = {}
        for part in await self.parts():
            key = (part["source"], part["destination"], part["reference"])
            whole.setdefault(key, {})[part["part"]] = part["text"]
        return [
            Seen(key[0], key[1], "".join(text for _, text in sorted(parts.items()))) for key, parts in whole.items()
        ]

    async def acknowledged(self) -> int:
        """Return how many receipts we acknowledged."""
        return (await self.counts())["acknowledged"]

    async def cut(self) -> None:
        """Break all connections."""
        await self._ask("cut")

    async def stop(self) -> None:
        """End the process."""
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 10)

    async def _ask(self, question: str):
        self._process.stdin.write(question.encode() + b"\n")
        return await self._answer()

    async def _answer(self):
        line = await asyncio.wait_for(self._process.stdout.readline(), 20)
        assert line, "the foreign SMSC has ended"
        return msgspec.json.decode(line)


@pytest.fixture
async def start(node) -> AsyncIterator:
    """Start the foreign SMSC."""
    started = []

    async def start(behaviour: str = "normal", **options: object) -> NpmSmsc:
        started.append(await NpmSmsc.run(node, BEHAVIOURS[behaviour] | options))
        return started[-1]

    yield start
    for carrier in started:
        await carrier.stop()


class TestTransceiver(LinkContract):
    """One connection for both directions."""

    @pytest.fixture
    def make_link(self):
        """Make a link with a transceiver."""
        return lambda carrier, gate, events: SmppLink(SmppSettings(port=carrier.port), "main", gate, events)


async def test_a_transmitter_and_a_receiver_are_understood(start):
    """
    Messages go out on one connection and their receipts come on the other.
    """
    carrier, ledger = await start(), Ledger()
    link = SmppLink(SmppSettings(port=carrier.port, bind="transmitter"), "main", is_open, ledger)

    async with running(link):
        # A carrier that has no receiver yet would drop the receipts.
        await _until_bound(carrier, ["bind_receiver", "bind_transmitter"])
        ledger.send(outgoing(seq) for seq in range(100))
        await until_true(lambda: len(ledger.receipts) == 100, what="100 receipts")

    assert sorted(ledger.accepted[receipt.carrier_message_id] for receipt in ledger.receipts) == list(range(100))


@pytest.mark.parametrize("encoding", ["gsm", "latin1"])
@pytest.mark.parametrize("long_text", ["udh", "sar", "payload"])
async def test_every_form_of_a_text_is_understood(start, encoding, long_text):
    """
    A foreign SMSC reads every text right in each form that the settings offer.
    """
    carrier, ledger = await start(), Ledger()
    settings = SmppSettings(port=carrier.port, encoding=encoding, long_text=long_text)
    ledger.send(outgoing(seq, text) for seq, text in enumerate(TEXTS))

    async with running(SmppLink(settings, "main", is_open, ledger)):
        await until_true(lambda: len(ledger.receipts) >= len(TEXTS), what="all receipts")

    assert sorted(await carrier.seen()) == sorted(
        Seen("Shop", str(79_990_000_000 + seq), text) for seq, text in enumerate(TEXTS)
    )


@pytest.mark.parametrize("form", ["text", "tlv", "both"])
async def test_every_form_of_a_receipt_is_understood(start, form):
    """
    A foreign SMSC's receipts are read from text and from parameters.
    """
    carrier, ledger = await start(form=form), Ledger()
    ledger.send(outgoing(seq) for seq in range(10))

    async with running(SmppLink(SmppSettings(port=carrier.port), "main", is_open, ledger)):
        await until_true(lambda: len(ledger.receipts) == 10, what="ten receipts")

    assert {receipt.carrier_message_id for receipt in ledger.receipts} == set(ledger.accepted)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """Make a certificate for the carrier, and the authority that signed it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    files = {name: str(folder / f"{name}.pem") for name in ("key", "cert", "authority")}
    certificate = authority.issue_cert("smsc.test")
    certificate.private_key_pem.write_to_path(files["key"])
    certificate.cert_chain_pems[0].write_to_path(files["cert"])
    authority.cert_pem.write_to_path(files["authority"])
    return files


async def test_tls_is_understood(start, tls):
    """
    The same over TLS, with the carrier's certificate checked.
    """
    carrier, ledger = await start(tls=tls), Ledger()
    settings = SmppSettings(port=carrier.port, tls=True, tls_ca=tls["authority"], tls_server_name="smsc.test")
    ledger.send(outgoing(seq) for seq in range(1_000))

    async with running(SmppLink(settings, "main", is_open, ledger)):
        await until_true(lambda: len(ledger.receipts) == 1_000, what="1,000 receipts")

    assert ledger.kinds == ["Accepted"] * 1_000


async def test_a_certificate_of_another_name_is_refused(start, tls):
    """
    Nothing is said to a carrier whose certificate is not the one expected.
    """
    carrier, ledger = await start(tls=tls), Ledger()
    settings = SmppSettings(port=carrier.port, tls=True, tls_ca=tls["authority"], tls_server_name="other.test")
    link = SmppLink(settings, "main", is_open, ledger)

    async with running(link):
        await until_true(lambda: link.failures, what="the refusal")

    assert not (await carrier.counts())["binds"]


async def _until_bound(carrier: NpmSmsc, binds: list[str]) -> None:
    found: list[str] = []
    async with asyncio.timeout(10):
        while found != binds:
            found = sorted((await carrier.counts())["binds"])
