"""
`penstock serve` and the short commands, from the outside: what they print, how they end, what they survive.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from penstock.prove.parts import Parts
from penstock.prove.processes import Process, descendants
from penstock.prove.programs import Program
from tests.harness.client import Client
from tests.harness.postgres import Server, running_server
from tests.harness.programs import PENSTOCK
from tests.harness.waiting import until, until_true


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


async def penstock(*arguments: str, **environment: str) -> Said:
    """Run a short command to its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "LANG", "LC_"))}
    process = await asyncio.create_subprocess_exec(
        PENSTOCK,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean | environment,
    )
    out, err = await process.communicate()
    return Said(process.returncode, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def serving(folder: Path, *options: str) -> AsyncIterator[Program]:
    """Run a server on a free port with its data in *folder*."""
    program = await Program.launch(
        "serve", "--data", str(folder / "data"), "--port", "0", *options, said=folder / "serve.err"
    )
    family = descendants(program.pid)
    try:
        yield program
    finally:
        with contextlib.suppress(TimeoutError):
            if program.is_running:
                await program.end()
        for process in family:
            if process.is_alive and "penstock" in process.command:
                process.send(signal.SIGKILL)


def keys(folder: Path) -> dict[str, str]:
    """Read the keys of the first start."""
    return json.loads((folder / "data" / "keys.json").read_text())


def parts(program: Program, kind: str) -> list[Process]:
    """Return the living parts of a kind."""
    return Parts(program, Path()).of(kind)


async def is_good(program: Program, key: str) -> bool:
    """Whether a key opens the list of dispatches, and the server answers at all."""
    client = Client(program.ready, key)
    try:
        return (await client.ask("GET", "/api/v1/dispatch")).status == 200
    except aiohttp.ClientError:
        return False
    finally:
        await client.close()


class Running(NamedTuple):
    """A server that several tests look at, and that none of them changes."""

    program: Program
    folder: Path


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Run a server for all that only look at it."""
    folder = tmp_path_factory.mktemp("running")
    async with serving(folder) as program:
        yield Running(program, folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    """Run a PostgreSQL that is not Penstock's own."""
    with running_server(tmp_path_factory.mktemp("elsewhere")) as server:
        yield server


async def test_a_server_says_one_line_and_ends_clean(tmp_path: Path):
    """
    The ready line is all that serve prints; after SIGTERM nothing is left running and the code is 0.
    """
    async with serving(tmp_path) as program:
        family = descendants(program.pid)
        async with aiohttp.ClientSession(program.ready) as session, session.get("/api/v1/ping") as answer:
            assert await answer.text() == "PONG"
        program.send(signal.SIGTERM)
        rest = await program._process.stdout.read()

        assert await program.wait() == 0
        assert rest == b""
        assert family
        assert not [process for process in family if process.is_alive]


async def test_the_first_start_makes_keys_that_only_their_owner_reads(running: Running):
    """
    The first start writes four keys with mode 0600, says where, and says none of them.
    """
    made = keys(running.folder)

    assert set(made) == {"TOKEN_1", "TOKEN_2", "TOKEN_3", "TOKEN_4"}
    assert stat.S_IMODE((running.folder / "data" / "keys.json").stat().st_mode) == 0o600
    assert str(running.folder / "data" / "keys.json") in running.program.said
    assert made["TOKEN_1"] not in running.program.said
    assert await is_good(running.program, made["TOKEN_1"])


async def test_a_key_is_made_beside_a_running_server(running: Running):
    """
    `key create` prints the key and nothing else, and the server knows it at once.
    """
    said = await penstock("key", "create", "--kind", "1", "--data", str(running.folder / "data"))

    assert said.code == 0
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*\n", said.out)
    assert await is_good(running.program, said.out.strip())


async def test_one_data_folder_has_one_server(running: Running):
    """
    A second server on the same data folder is refused with one line that says so.
    """
    data = running.folder / "data"
    second = await penstock("serve", "--data", str(data), "--port", "0")

    assert second == Said(1, "", f"penstock: {data} is in use by another process (serve {running.program.pid})\n")


async def test_keys_hold_over_a_restart(tmp_path: Path):
    """
    A second start leaves the keys as they are, and knows one that was made in between, without a server.
    """
    async with serving(tmp_path):
        made = keys(tmp_path)
    said = await penstock("key", "create", "--kind", "1", "--data", str(tmp_path / "data"), "--traffic-center", "b")
    async with serving(tmp_path) as program:
        assert keys(tmp_path) == made
        assert await is_good(program, made["TOKEN_1"])
        assert await is_good(program, said.out.strip())


async def test_a_killed_part_is_started_again(tmp_path: Path):
    """
    A killed API process, a killed sender and a killed PostgreSQL come back by themselves.
    """
    async with serving(tmp_path) as program:
        key = keys(tmp_path)["TOKEN_1"]
        for kind in ("api", "sender"):
            (killed,) = parts(program, kind)
            killed.send(signal.SIGKILL)
            await until_true(
                lambda kind=kind, killed=killed: [one for one in parts(program, kind) if one.pid != killed.pid],
                what=f"another {kind}",
            )
        await until_true(lambda: "sender_buried" in program.said, what="the burial of the sender")
        postmaster = int((tmp_path / "data" / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        await until_true(lambda: program.said.count("postgres_started") == 2, what="PostgreSQL", seconds=30)
        await until(lambda: is_good(program, key), what="an answer", seconds=30)

        assert await program.end() == 0


async def test_a_killed_supervisor_leaves_nobody_behind(tmp_path: Path):
    """
    After kill -9 of the supervisor its children end by themselves, PostgreSQL last, and nothing is lost.
    """
    async with serving(tmp_path) as program:
        family = descendants(program.pid)
        client = Client(program.ready, keys(tmp_path)["TOKEN_1"])
        dispatch_id = await client.create()
        await client.close()
        program.send(signal.SIGKILL)
        await program.wait()
        await until_true(
            lambda: not [one for one in family if one.is_alive], what="the end of all children", seconds=30
        )
    async with serving(tmp_path) as program:
        client = Client(program.ready, keys(tmp_path)["TOKEN_1"])
        assert (await client.look(dispatch_id))["status"] == "initiated"
        await client.close()


async def test_a_new_server_takes_over_from_a_killed_one(tmp_path: Path):
    """
    A server that is started right after kill -9 of the last one goes on with its PostgreSQL.
    """
    async with serving(tmp_path) as killed:
        killed.send(signal.SIGKILL)
        await killed.wait()
        async with serving(tmp_path) as program:
            assert await is_good(program, keys(tmp_path)["TOKEN_1"])
            assert await program.end() == 0


async def test_a_server_of_ones_own_is_used(tmp_path: Path, server: Server):
    """
    With --database no PostgreSQL is started, and the keys still go to the data folder.
    """
    dsn = await server.create()
    async with serving(tmp_path, "--database", dsn) as program:
        assert not (tmp_path / "data" / "postgres").exists()
        assert await is_good(program, keys(tmp_path)["TOKEN_1"])
        said = await penstock("key", "create", "--kind", "1", "--database", dsn)
        assert await is_good(program, said.out.strip())
        async with serving(tmp_path / "data", "--database", dsn, "--role", "sender") as sender:
            assert sender.ready == "sender"
            assert not parts(sender, "api")
            assert await sender.end() == 0
    await server.drop(dsn)


async def test_a_database_that_is_away_is_said_in_one_line(tmp_path: Path):
    """
    A server whose database does not answer ends with 1 and says so.
    """
    said = await penstock("serve", "--database", f"postgresql://x@/x?host={tmp_path}", "--port", "0")

    assert said.code == 1
    assert said.err.splitlines()[-1].startswith("penstock: the database does not answer: ")


async def test_a_database_that_is_not_there_is_said_in_one_line(server: Server):
    """
    What PostgreSQL refuses, such as a database that it does not have, ends with 1 and its own words.
    """
    dsn = await server.create()
    await server.drop(dsn)
    said = await penstock("serve", "--database", dsn, "--port", "0")

    assert said.code == 1
    assert re.fullmatch(
        'penstock: the database cannot be used: database ".*" does not exist', said.err.splitlines()[-1]
    )


async def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path):
    """
    A server whose port is taken ends with 1, says so, and starts nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = await penstock("serve", "--data", str(tmp_path / "data"), "--port", port)

    assert said == Said(1, "", f"penstock: cannot listen on 127.0.0.1:{port}: Address already in use\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "err"),
    [
        (["serve", "--port", "abc"], '--port: expected an integer 0…65535, got "abc"'),
        (["serve", "--sender", "1"], "No such option: --sender (Possible options: --senders)"),
        (["serv"], "No such command 'serv'. Did you mean 'serve'?"),
        (["key", "create"], "Missing option '--kind'."),
    ],
)
async def test_a_wrong_command_line_is_told_in_one_line(arguments: list[str], err: str):
    """
    A wrong command line ends with 2 and one line that says what was expected.
    """
    assert await penstock(*arguments) == Said(2, "", f"penstock: {err}\n")


async def test_a_folder_without_data_is_told():
    """
    A short command never makes a database: a mistyped folder is an error.
    """
    said = await penstock("key", "create", "--kind", "1", "--data", "absent")

    assert said.code == 1
    assert said.err == "penstock: absent holds no data: begin with penstock serve, or name another folder with --data\n"


async def test_the_version_is_told():
    """
    `penstock --version` prints the name and the version.
    """
    assert re.fullmatch(r"penstock \d+\.\d+\.\d+\n", (await penstock("--version")).out)


async def test_russian_is_spoken_when_asked_for():
    """
    Help and errors of the commands are in Russian when the environment asks for it.
    """
    helped = await penstock("serve", "--help", LANG="ru_RU.UTF-8")
    failed = await penstock("key", "create", "--kind", "1", "--data", "absent", LANG="ru_RU.UTF-8")

    assert "Запустить сервер." in helped.out
    assert "в absent нет данных" in failed.err
