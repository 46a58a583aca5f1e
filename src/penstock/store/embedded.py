"""
The embedded PostgreSQL: made on first use, started, adopted, watched and stopped.

It listens on a Unix socket in a folder that only its user may enter, on no TCP port, and writes
its log to `postgres.log`.  Everything that makes a commit durable is on.

One process at a time owns a data folder, by a lock on its `serve.lock`.  A server that a killed
owner left running goes on working and is adopted by the next owner; where it listens is read from
its own `postmaster.pid`.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import structlog

from penstock.store.installation import Account, Installation, NoPostgres, choose_account, find_installation, own, spawn
from penstock.store.ownership import DataInUse, is_locked, read_holder, try_lock
from penstock.store.postmaster import USER, address, answers, forget_stale, is_postgres, read_running, send_signal

log = structlog.get_logger(__name__)

OWNER = "serve"  #: how the lock is signed by who keeps the server; all others have it for a moment

START_SECONDS = 60.0  #: recovery after a crash takes its time
STOP_SECONDS = 20.0
#: How long `serve` waits for a short command that has the folder.
COMMAND_SECONDS = 15.0
#: The longest path of a Unix socket on Linux, less the name of the socket in its folder.
SOCKET_FOLDER_BYTES = 107 - len("/.s.PGSQL.5432")
UNFIT = frozenset(',"')  #: separates or encloses folders, for the server and for the driver
LOG_BYTES = 16 * 1024 * 1024  #: a longer log is begun anew at the next start

#: What differs from PostgreSQL's own defaults.
OPTIONS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    # Nothing that was acknowledged is lost.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # A small machine that writes much: few checkpoints, each spread over minutes.
    "shared_buffers": "256MB",
    "wal_buffers": "16MB",
    "min_wal_size": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # Statements are short and always the same: compiling them costs more than running them.
    "jit": "off",
    # Tables that work as queues are small and rewritten all the time.
    "autovacuum_naptime": "5s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %a ",
    # A refused row, a line of COPY or a statement would show texts and numbers of people.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """One PostgreSQL whose data is in the folder `postgres` of *data*."""

    def __init__(self, data: Path, *, owner: str = OWNER, connections: int = 100) -> None:
        self._data = data.absolute()
        self._cluster = self._data / "postgres"
        self._owner = owner
        self._options = OPTIONS | {"max_connections": str(connections)}
        self._lock: IO[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._pid: int | None = None
        self._socket_folder: Path | None = None

    @property
    def is_running(self) -> bool:
        """Whether the server that was started or adopted still runs."""
        return self._pid is not None and is_postgres(self._pid)

    @property
    def pid(self) -> int | None:
        """The process id of the server, None before the start."""
        return self._pid

    async def start(self) -> str:
        """
        Take the data folder, run the server and return its address for asyncpg.

        May be called again after the server has ended.  Raises DataInUse and NoPostgres.
        """
        is_first = await self._take()
        try:
            if not await self._adopt():
                await self._launch()
        except BaseException:
            if self._process is not None and self._process.returncode is None:
                await self._end()
            if is_first:
                self._release()
            raise
        return address(self._folder())

    async def wait(self) -> int:
        """Wait until the server ends and return its exit code; -1 for an adopted one, which keeps it to itself."""
        if self._process is not None:
            return await self._process.wait()
        while self.is_running:  # noqa: ASYNC110 - the end of a process that is not our child sets no event
            await asyncio.sleep(0.2)
        return -1

    async def stop(self) -> None:
        """Shut the server down, cutting its connections, and give the data folder free."""
        try:
            await self._end()
            self._remove_socket_folder()
        finally:
            self._release()

    async def _end(self) -> None:
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            has_ended = not self.is_running if self._process is None else self._process.returncode is not None
            if has_ended or self._pid is None or not send_signal(self._pid, number):
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), seconds)
                break
            log.warning("postgres_slow_to_stop", seconds=seconds)
        if self._process is not None:
            await self._process.wait()
        self._pid = self._process = None

    async def _adopt(self) -> bool:
        """Take over the server that is at work, waiting until it answers; False when there is none."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while (running := read_running(self._cluster)) is not None:
            if await answers(running):
                self._pid, self._socket_folder, self._process = running.pid, running.socket_folder, None
                log.info("postgres_adopted", pid=running.pid)
                return True
            if asyncio.get_running_loop().time() > deadline:
                raise NoPostgres(f"the PostgreSQL that is at work on {self._cluster} ({running.pid}) does not answer")
            await asyncio.sleep(0.1)
        return False

    async def _launch(self) -> None:
        installation = await find_installation()
        account = choose_account(self._cluster, installation.programs)
        forget_stale(self._cluster)
        if not (self._cluster / "PG_VERSION").exists():
            await self._create(installation, account)
        else:
            _check_version(self._cluster, installation)
        folder = self._choose_socket_folder(account)
        options = self._options | {"unix_socket_directories": f'"{folder}"'}
        command = [installation.program("postgres"), "-D", str(self._cluster)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self._try(command, account, folder, deadline):
            # The back ends of a killed server need a moment to notice, and hold its memory until then.
            if asyncio.get_running_loop().time() > deadline - START_SECONDS + 10:
                raise NoPostgres(f"PostgreSQL does not start: {self._last_words()}")
            await asyncio.sleep(0.2)
        log.info("postgres_started", pid=self._pid, version=installation.major, data=str(self._cluster))

    async def _try(self, command: list[str], account: Account | None, folder: Path, deadline: float) -> bool:
        """Start the server and wait until it answers; False when it ended."""
        with self._open_log() as output:
            self._process = await spawn(command, account, output)
        self._pid, self._socket_folder = self._process.pid, folder
        while self._process.returncode is None:
            running = read_running(self._cluster)
            if running is not None and running.is_ready and await answers(running):
                return True
            if asyncio.get_running_loop().time() > deadline:
                raise NoPostgres(f"PostgreSQL has not begun to answer in {START_SECONDS:.0f} s: {self._last_words()}")
            await asyncio.sleep(0.02)
        return False

    async def _create(self, installation: Installation, account: Account | None) -> None:
        """Make a new cluster beside its place and put it there when it is complete."""
        making = self._data / "postgres.new"
        shutil.rmtree(making, ignore_errors=True)
        own(making, account)
        command = [
            installation.program("initdb"), f"--pgdata={making}", f"--username={USER}", "--auth=trust",
            "--encoding=UTF8",
            *(
                ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
                if installation.major >= 17  # noqa: PLR2004 - the first with a locale of its own
                else ["--locale=C.UTF-8"]
            ),
        ]  # fmt: skip
        process = await spawn(command, account, asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        if process.returncode != 0:
            lines = said.decode(errors="replace").strip().splitlines()
            raise NoPostgres("initdb failed: " + "; ".join(line for line in lines if "error" in line.lower()))
        making.rename(self._cluster)
        log.info("postgres_created", data=str(self._cluster))

    def _choose_socket_folder(self, account: Account | None) -> Path:
        """Return a private folder for the socket: beside the data, or a short one where that path will not do."""
        folder = self._socket_folder or self._data / "socket"
        if self._socket_folder is not None and folder.exists():
            return folder  # whoever was connected before finds it there again
        if len(os.fsencode(folder)) > SOCKET_FOLDER_BYTES or not UNFIT.isdisjoint(str(folder)):
            folder = Path(tempfile.mkdtemp(prefix="penstock-", dir="/tmp"))
            log.info("socket_moved", folder=str(folder), reason="the path is too long, or holds a comma or a quote")
        own(folder, account)
        return folder

    def _remove_socket_folder(self) -> None:
        if self._socket_folder is not None and self._socket_folder.parent != self._data:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._socket_folder = None

    def _folder(self) -> Path:
        if self._socket_folder is None:
            raise NoPostgres("PostgreSQL is not started")
        return self._socket_folder

    def _open_log(self) -> IO[bytes]:
        path = self._data / "postgres.log"
        is_long = path.exists() and path.stat().st_size > LOG_BYTES
        return path.open("wb" if is_long else "ab")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._data / "postgres.log").read_text(errors="replace").strip().splitlines()
            return " / ".join(lines[-3:])
        return "it said nothing"

    async def _take(self) -> bool:
        """Take the lock; False when we have it already."""
        if self._lock is not None:
            return False
        self._data.mkdir(parents=True, exist_ok=True)
        deadline = asyncio.get_running_loop().time() + COMMAND_SECONDS
        while (lock := try_lock(self._data, self._owner)) is None:
            holder = read_holder(self._data)
            if holder.startswith(OWNER) or asyncio.get_running_loop().time() > deadline:
                raise DataInUse(f"{self._data} is in use by another process ({holder or 'unknown'})")
            await asyncio.sleep(0.05)
        self._lock = lock
        return True

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


@contextlib.asynccontextmanager
async def connect_or_start(data: Path) -> AsyncIterator[str]:
    """
    Lend the address of the server of a data folder to a short command.

    A server that `serve` runs is used as it is; otherwise one is started and stopped afterwards.
    """
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while read_holder(data).startswith(OWNER) and is_locked(data):
        running = read_running(data / "postgres")
        if running is not None and await answers(running):
            yield address(running.socket_folder)
            return
        if asyncio.get_running_loop().time() > deadline:
            raise NoPostgres(f"the server of {data} does not answer")
        await asyncio.sleep(0.1)
    server = EmbeddedPostgres(data, owner="command")
    dsn = await server.start()
    try:
        yield dsn
    finally:
        await server.stop()


def _check_version(cluster: Path, installation: Installation) -> None:
    have = (cluster / "PG_VERSION").read_text().strip()
    if have != str(installation.major):
        raise NoPostgres(
            f"{cluster} was made by PostgreSQL {have}, the one here is {installation.major}:"
            " move it with pg_upgrade, or name a server with --database"
        )


async def stop_abandoned(data: Path) -> None:
    """Stop the server of a data folder that no process owns any more."""
    if read_running(data / "postgres") is None:
        return
    server = EmbeddedPostgres(data, owner="warden")
    try:
        await server.start()
    except DataInUse:
        return
    log.warning("postgres_abandoned", data=str(data))
    await server.stop()
