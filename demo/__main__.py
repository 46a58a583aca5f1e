"""
Send 100,000 messages at full rate, stop in the middle, and compare the receipt with the wire.

Everything runs on this machine: a carrier that only pretends (`penstock smsc`), the server with two
senders of two connections each, and this client.  Ends with 1 if one message more was on the wire
after the stop was answered, if one came twice, or if the receipt is not what the wire saw.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.live import Live

from demo.contacts import write_contacts
from demo.wirelog import Seen, read_wire_log
from demo.words import choose, say
from penstock.cli import tables
from penstock.cli.client import Client, Refused, Unreachable
from penstock.cli.contacts import open_contacts
from penstock.cli.upload import upload
from penstock.cli.watch import line, looks, panel
from penstock.http.shapes import ReceiptAnswer
from penstock.prove.programs import DidNotEnd, DidNotStart, running, until_terminated
from penstock.prove.serving import serving

_CONTACTS = 100_000
_SEED = 20_260_301
_AFTER = 3.0  #: seconds to go on listening after the stop
_LOOK = 0.1  #: seconds between looks at the progress
_INTERRUPTED = 130  #: what shells give a program that ended by Ctrl-C
_SENDERS = 2
_CARRIER = {"name": "demo", "connections": 2, "window": 100}


async def demo(home: Path) -> bool:
    """Run the whole of it with its files in *home*; return whether it came out right."""
    wire = home / "wire.jsonl"
    say("Starting a carrier simulator and the server …", "Запускаем симулятор оператора и сервер …")
    smsc = ("smsc", "--host", "127.0.0.1", "--port", "0", "--log", str(wire), "--latency", "10", "--dlr", "1")
    async with (
        running(*smsc, said=home / "smsc.log") as carrier,
        serving(home, carrier.ready, _CARRIER, senders=_SENDERS) as (server, _, key),
        Client(server.ready, key) as client,
    ):
        receipt, stopped_at = await _send_and_stop(client, home / "contacts.csv")
    return _compare(receipt, read_wire_log(wire, stopped_at))


async def _send_and_stop(client: Client, file: Path) -> tuple[ReceiptAnswer, float]:
    """Go through the life of a dispatch; return its receipt and the instant of the answer to stop."""
    console = Console()
    write_contacts(file, _CONTACTS, _SEED)
    say(f"Contacts written: {_CONTACTS}, in several time zones.", f"Создан файл контактов: {_CONTACTS}, пояса разные.")
    text = choose("{name}, minus 20 % until Sunday with code {code}", "{name}, скидка 20 % до воскресенья, код {code}")
    dispatch_id = await client.create({"dispatchName": "demo", "senderName": "MyShop", "content": text})
    began = time.monotonic()
    with open_contacts(str(file)) as contacts:
        filled = await upload(client, dispatch_id, contacts, console)
    took = time.monotonic() - began
    say(
        f"Dispatch {dispatch_id} filled: {filled.accepted} of {filled.total} in {took:.1f} s.",
        f"Рассылка {dispatch_id} наполнена: {filled.accepted} из {filled.total} за {took:.1f} с.",
    )
    await client.start(dispatch_id)
    await _watch_half(client, dispatch_id, console)
    await client.stop(dispatch_id)
    stopped_at = time.monotonic()
    receipt = await client.receipt(dispatch_id)
    print(tables.stop_line(receipt))
    say(f"Listening for {_AFTER:.0f} s more …", f"Слушаем ещё {_AFTER:.0f} с …")
    await asyncio.sleep(_AFTER)
    console.print(tables.receipt(receipt))
    return receipt, stopped_at


async def _watch_half(client: Client, dispatch_id: int, console: Console) -> None:
    """Show the progress until half of the messages have left: live, or a line a second."""
    said_at = 0.0
    with Live(console=console, auto_refresh=False) as live:
        async for now in looks(client, dispatch_id, None, _LOOK):
            if console.is_terminal:
                live.update(panel(now), refresh=True)
            elif time.monotonic() - said_at >= 1:
                said_at = time.monotonic()
                console.print(line(now), highlight=False, soft_wrap=True)
            if now.messages.sending * 2 <= now.messages.total:
                return


def _compare(receipt: ReceiptAnswer, seen: Seen) -> bool:
    """Print both accounts side by side and say what does not agree."""
    counts = receipt.counts
    handed_over = counts.accepted + counts.refused + counts.in_doubt
    say(f"Receipt: {handed_over} messages handed over.", f"Отчёт: передано сообщений {handed_over}.")
    say(f"Simulator: {seen.messages} messages received.", f"Симулятор: получено сообщений {seen.messages}.")
    complaints = []
    if seen.late or receipt.late:
        late = max(seen.late, receipt.late)
        complaints.append(choose(f"after the stop: {late} messages", f"после остановки: сообщений {late}"))
    if seen.duplicates:
        complaints.append(choose(f"sent twice: {seen.duplicates}", f"отправлено дважды: {seen.duplicates}"))
    if not handed_over - counts.in_doubt <= seen.messages <= handed_over:
        complaints.append(choose("the receipt is not what the wire saw", "отчёт расходится с тем, что видел оператор"))
    if handed_over + counts.never_sent != receipt.total:
        complaints.append(choose("the counts do not add up to the total", "числа не сходятся с общим"))
    for complaint in complaints:
        say(f"WRONG: {complaint}", f"ОШИБКА: {complaint}")
    if not complaints:
        say(
            "After the stop: 0 messages. Sent twice: 0. The receipt is exact.",
            "После остановки: 0 сообщений. Дважды: 0. Отчёт точен.",
        )
    return not complaints


def main() -> int:
    """Run the demo in a directory that is gone afterwards, unless something went wrong."""
    home = Path(tempfile.mkdtemp(prefix="penstock-demo-"))
    try:
        is_right = asyncio.run(until_terminated(demo(home)))
    except asyncio.CancelledError:
        shutil.rmtree(home, ignore_errors=True)
        say("Interrupted; everything is stopped.", "Прервано; всё остановлено.")
        return _INTERRUPTED
    except (DidNotStart, DidNotEnd, Refused, Unreachable) as error:
        is_right = False
        say(f"WRONG: {error}", f"ОШИБКА: {error}")
    if is_right:
        shutil.rmtree(home, ignore_errors=True)
    else:
        say(f"Logs are kept in {home}", f"Журналы оставлены в {home}")
    return 0 if is_right else 1


sys.exit(main())
