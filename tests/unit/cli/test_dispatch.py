"""
The dispatch commands against a server that says what a test wants.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from penstock.cli.dispatch import app

_NUMBERS = {"total": 3, "delivered": 1, "undelivered": 0, "unsent": 1, "sent": 1, "sending": 0}
_PROGRESS = {
    "dispatchId": 7,
    "dispatchName": "spring",
    "created": "2026-03-01T20:00:00Z",
    "localSendTime": "2026-03-01 23:00:00",
    "useLocalTime": True,
    "status": "stopped",
    "source": "MyShop",
    "message": "text",
    "trafficCenterId": 1,
    "trafficCenterName": "main",
    "parts": _NUMBERS,
    "messages": _NUMBERS,
    "rateNow": 12.3,
    "channels": [{"name": "main", "connected": 2, "configured": 2}],
}
_RECEIPT = {
    "dispatchId": 7,
    "requested": "2026-03-01T20:00:00Z",
    "effective": "2026-03-01T20:00:00Z",
    "keyId": 1,
    "tookMs": 11.6,
    "total": 3,
    "counts": {"accepted": 1, "refused": 1, "inDoubt": 0, "neverSent": 1},
    "carriers": [{"carrier": "main", "accepted": 1, "refused": 1, "inDoubt": 0}],
    "inDoubt": [],
    "late": 0,
}


class ScriptedServer:
    """Answers every request as its script says, and keeps what it was asked."""

    def __init__(self):
        self.script = {}
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._answer(b"")

            def do_POST(self):
                self._answer(self._chunks() if "Transfer-Encoding" in self.headers else self._whole())

            def _whole(self):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _chunks(self):
                content = b""
                while size := int(self.rfile.readline(), 16):
                    content += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return content

            def _answer(self, body):
                outer.asked.append((self.command, self.path, self.headers, body))
                status, answer = outer.script[f"{self.command} {self.path.partition('?')[0]}"]
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(name="server")
def _server(monkeypatch):
    """Serve what a test scripts, and let the commands find it by the environment."""
    monkeypatch.setenv("PENSTOCK_LANGUAGE", "en")
    with ScriptedServer() as server:
        monkeypatch.setenv("PENSTOCK_URL", server.url)
        monkeypatch.setenv("PENSTOCK_KEY", "MTpzZWNyZXQ=")
        yield server


def _run(*arguments, content=None):
    return CliRunner().invoke(app, list(arguments), input=content)


def test_create_prints_the_id_only(server):
    """
    A script can take the id of a new dispatch as it is.
    """
    server.script["POST /api/v1/dispatch"] = (200, {"dispatchId": 7})

    result = _run("create", "--name", "spring", "--sender", "MyShop", "--text", "Hello {name}", "--rate", "5/m")

    assert (result.exit_code, result.stdout) == (0, "7\n")
    assert json.loads(server.asked[0][3])["rate"] == {"unit": "m", "value": 5}
    assert server.asked[0][2]["Authorization"] == "Basic MTpzZWNyZXQ="


def test_a_slip_in_an_option_is_usage(server):
    """
    What cannot be understood here is told here, with exit code 2.
    """
    result = _run("create", "--name", "spring", "--sender", "MyShop", "--text", "Hello", "--rate", "five")

    assert result.exit_code == 2
    assert result.stderr.startswith("penstock: --rate: expected a number")
    assert server.asked == []


def test_what_the_server_refuses_is_said_in_its_words(server):
    """
    A refusal is one line on stderr, with exit code 1.
    """
    server.script["POST /api/v1/dispatch/7/start"] = (
        403,
        {"error": {"code": 4031, "msg": "Inappropriate dispatch status"}},
    )

    result = _run("start", "7")

    assert (result.exit_code, result.stderr) == (1, "penstock: Inappropriate dispatch status (4031)\n")


def test_no_server_is_told_apart(monkeypatch):
    """
    A script can tell a server that is away, by exit code 4.
    """
    monkeypatch.setenv("PENSTOCK_LANGUAGE", "en")

    result = _run("list", "--url", "http://127.0.0.1:1", "--key", "MTpzZWNyZXQ=")

    refused = "penstock: no server reached: http://127.0.0.1:1: Connection refused\n"
    assert (result.exit_code, result.stderr) == (4, refused)


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:8080", "htp://127.0.0.1:8080"])
def test_an_address_that_is_none_is_told(monkeypatch, url):
    """
    A slip in the address is one line that shows what an address looks like.
    """
    monkeypatch.setenv("PENSTOCK_LANGUAGE", "en")

    result = _run("list", "--url", url, "--key", "MTpzZWNyZXQ=")

    told = f"penstock: no server reached: {url}: expected an address such as http://127.0.0.1:8080\n"
    assert (result.exit_code, result.stderr) == (4, told)


def test_a_key_is_wanted(monkeypatch):
    """
    Without a key nothing is asked of the server.
    """
    monkeypatch.setenv("PENSTOCK_LANGUAGE", "en")
    monkeypatch.delenv("PENSTOCK_KEY", raising=False)

    result = _run("list")

    assert (result.exit_code, result.stderr) == (2, "penstock: no API key: give --key or set PENSTOCK_KEY\n")


def test_fill_streams_the_file(server, tmp_path):
    """
    The bytes of the file are what the server gets, and its name.
    """
    server.script["POST /api/penstock/v1/dispatch/7/messages"] = (200, {"total": 1, "accepted": 1, "errors": []})
    file = tmp_path / "people.csv"
    file.write_bytes(b"destination\n79990000001\n")

    result = _run("fill", "7", str(file))

    _, path, headers, body = server.asked[0]
    assert (result.exit_code, result.stdout) == (0, "accepted 1 of 1\n")
    assert (path.partition("?")[2], headers["Content-Type"], body) == ("name=people.csv", "text/csv", file.read_bytes())


def test_fill_shows_the_first_rows_that_were_refused(server, tmp_path):
    """
    Of many bad rows the first twenty are shown and the rest counted; exit code 3 says that some were taken.
    """
    errors = [{"row": row, "destination": "x", "errorCode": 7401} for row in range(1, 31)]
    server.script["POST /api/penstock/v1/dispatch/7/messages"] = (200, {"total": 40, "accepted": 10, "errors": errors})
    file = tmp_path / "people.csv"
    file.write_bytes(b"destination\nx\n")

    result = _run("fill", "7", str(file))

    assert result.exit_code == 3
    assert result.stderr.splitlines()[0] == "row 1: x: error 7401"
    assert result.stderr.splitlines()[20:] == ["… and 10 more rows"]


@pytest.mark.usefixtures("server")
def test_a_file_that_is_not_there_is_usage(tmp_path):
    """
    A file that cannot be opened is told in one line.
    """
    result = _run("fill", "7", str(tmp_path / "none.csv"))

    assert result.exit_code == 2
    assert result.stderr == f"penstock: {tmp_path / 'none.csv'}: No such file or directory\n"


def test_stop_says_what_became_of_the_dispatch(server):
    """
    One line says how long the stop took and where every message is.
    """
    server.script["POST /api/v1/dispatch/7/stop"] = (200, None)
    server.script["GET /api/penstock/v1/dispatch/7/stop-receipt"] = (200, _RECEIPT)

    result = _run("stop", "7")

    assert result.stdout == "stopped in 12 ms: accepted 1, refused 1, in doubt 0, never sent 1\n"


def test_watch_is_plain_lines_elsewhere(server):
    """
    In a pipe the progress is lines, and the end of the dispatch ends them.
    """
    server.script["GET /api/penstock/v1/dispatch/7"] = (200, _PROGRESS)

    result = _run("watch", "7")

    line = "stopped: 2 of 3 handed over, 1 delivered, 0 undelivered, 1 unsent, 12 a second\n"
    assert (result.exit_code, result.stdout) == (0, line)


def test_watch_tells_that_a_status_never_came(server):
    """
    Waiting for a status that cannot come any more ends with 3.
    """
    server.script["GET /api/penstock/v1/dispatch/7"] = (200, _PROGRESS)

    assert _run("watch", "7", "--until", "done").exit_code == 3
    assert _run("watch", "7", "--until", "stopped").exit_code == 0


@pytest.mark.parametrize("language", ["en", "ru"])
def test_list_fits_a_terminal(server, monkeypatch, language):
    """
    A list is readable on 80 columns in both languages, with every id, number and heading whole.
    """
    monkeypatch.setenv("PENSTOCK_LANGUAGE", language)
    long = _PROGRESS | {"dispatchId": 10_000_000_125, "dispatchName": "a name that goes on and on and on"}
    server.script["GET /api/v1/dispatch"] = (200, {"total": 41, "items": [long, _PROGRESS]})

    result = _run("list", "--status", "stopped", "--status", "done", "--name", "a b")

    assert server.asked[0][1].partition("?")[2] == "page=1&per_page=20&status=stopped&status=done&dispatch_name=a+b"
    assert "10000000125" in result.stdout
    assert "…" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_receipt_is_json_for_programs(server):
    """
    A program gets the account as the server sent it.
    """
    server.script["GET /api/penstock/v1/dispatch/7/stop-receipt"] = (200, _RECEIPT)

    assert json.loads(_run("receipt", "7", "--json").stdout) == _RECEIPT


def test_russian_is_spoken_when_asked_for(server, monkeypatch):
    """
    What the commands say follows the environment.
    """
    monkeypatch.setenv("PENSTOCK_LANGUAGE", "ru")
    server.script["POST /api/v1/dispatch/7/stop"] = (200, None)
    server.script["GET /api/penstock/v1/dispatch/7/stop-receipt"] = (200, _RECEIPT)

    result = _run("stop", "7")

    assert result.stdout == "остановлена за 12 мс: принято 1, отклонено 1, под вопросом 0, не отправлено 1\n"
