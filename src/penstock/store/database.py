"""
Connections to PostgreSQL, and the one place where its errors become ours.
"""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import asyncpg
import structlog

from penstock.domain.errors import StoreUnavailable
from penstock.store.statements import Statements
from penstock.store.vanishing import SERVER_SETTINGS, watch

log = structlog.get_logger(__name__)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

SQL = Statements("session")

#: What says that the server cannot be talked to now, whatever was asked of it.
UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)

#: For sessions that run few statements very often, each by index and for few rows: planned once.  Planning anew at
#: each call, as the server does while it deems that cheaper, took 0.8 ms of a claim.
PLANNED_ONCE = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

#: The one channel of NOTIFY; `penstock.engine.signals` tells what is said on it.
CHANNEL = "penstock"


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the driver's ways to say that the server is away into StoreUnavailable."""
    try:
        yield
    except UNREACHABLE as error:
        raise StoreUnavailable from error


class Mark(NamedTuple):
    """What a transaction leaves, so that it can be told whether it committed."""

    owner: uuid.UUID
    slot: int  #: a place of the owner that no other transaction uses meanwhile
    number: int  #: larger than all that the owner used before


class Database:
    """
    A pool of connections to one PostgreSQL.

    Statements run in READ COMMITTED; a transaction is never held open across a network call to
    anything but the database itself.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", dsn: str) -> None:
        self._pool = pool
        self.dsn = dsn
        # Where transactions note that they have committed: one place for each that is open at once.
        self._owner = uuid.uuid4()
        self._slots: list[int] = []
        self._slots_made = itertools.count()
        self._numbers = itertools.count(1)

    @classmethod
    async def connect(
        cls, dsn: str, *, size: int = 8, name: str = "penstock", settings: Mapping[str, str] | None = None
    ) -> "Database":
        """
        Open a pool of up to *size* connections, which the server knows by *name*.

        A transaction that its owner leaves open for a second (a frozen process) is ended by the
        server, and a connection whose other end has vanished ends in seconds.  *settings* are the
        server's own, for these sessions.  Raises StoreUnavailable when the server does not answer.
        """
        with translated_errors():
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                timeout=10,
                command_timeout=60,
                init=_prepare,
                reset=_leave_as_it_is,
                server_settings={
                    "application_name": name,
                    "idle_in_transaction_session_timeout": "1000",
                    **SERVER_SETTINGS,
                    **(settings or {}),
                },
            )
        return cls(pool, dsn)

    async def close(self) -> None:
        """Close all connections, waiting at most five seconds for those in use."""
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except (TimeoutError, *UNREACHABLE):
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; every statement on it is a transaction of its own."""
        with translated_errors():
            async with self._lend() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def _lend(self) -> AsyncIterator[Connection]:
        connection = await self._pool.acquire()
        try:
            yield connection
        finally:
            # What was done is done, also when the connection breaks on its way back.
            with contextlib.suppress(*UNREACHABLE):
                await self._pool.release(connection)

    @contextlib.asynccontextmanager
    async def transaction(self, *, patience: float = 10.0, sure: bool = True) -> AsyncIterator[Connection]:
        """
        Lend a connection inside a transaction that commits when the block ends well.

        When the connection breaks during the commit, the database is asked what became of it, for up
        to *patience* seconds: so a block that ends well did commit, and StoreUnavailable nearly
        always means that it did not.  Where the caller looks for itself, *sure* is false: nobody is
        asked then, and StoreUnavailable leaves open whether it did.
        """
        with translated_errors(), contextlib.ExitStack() as held:
            async with self._lend() as connection:
                mark = held.enter_context(self._mark())
                await connection.execute("BEGIN")
                try:
                    yield connection
                except BaseException:
                    with contextlib.suppress(*UNREACHABLE):
                        await connection.execute("ROLLBACK")
                    raise
                try:
                    # One round trip for both.
                    await connection.execute(f"EXECUTE mark('{mark.owner}', {mark.slot}, {mark.number}); COMMIT;")
                except UNREACHABLE as error:
                    broken = error
                except BaseException:
                    with contextlib.suppress(*UNREACHABLE):
                        await connection.execute("ROLLBACK")
                    raise
                else:
                    return
            # Asked with the broken connection given back: others may be waiting for one to ask the same.
            if not sure or not await self._did_commit(mark, patience):
                raise broken

    async def write(self, statement: Callable[[Connection, Mark], Awaitable[bool]], *, patience: float = 10.0) -> bool:
        """
        Run one statement that is a transaction of its own, and return what it says: whether it wrote.

        If it writes it leaves the mark.  So when the connection breaks before the answer has come, the
        database is asked what became of it, as with `transaction`.
        """
        with translated_errors(), self._mark() as mark:
            try:
                async with self._lend() as connection:
                    return await statement(connection, mark)
            except UNREACHABLE as error:
                broken = error
            if not await self._did_commit(mark, patience):
                raise broken
            return True

    @contextlib.contextmanager
    def _mark(self) -> Iterator[Mark]:
        slot = self._slots.pop() if self._slots else next(self._slots_made)
        try:
            yield Mark(self._owner, slot, next(self._numbers))
        finally:
            self._slots.append(slot)

    async def _did_commit(self, mark: Mark, patience: float) -> bool:
        """Ask what became of a transaction whose commit was not answered; if it has not committed it never will."""
        log.warning("commit_unanswered", number=mark.number)
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            try:
                async with self._lend() as connection:
                    return bool(await connection.fetchval(*SQL.close_mark(**mark._asdict())))
            except UNREACHABLE:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(0.1)

    async def forget_marks(self) -> None:
        """Delete the notes that transactions of processes which are gone have left."""
        async with self.connection() as connection:
            await connection.execute(*SQL.drop_marks())

    @contextlib.asynccontextmanager
    async def apart(self, *, lock_timeout: str, seconds: float) -> AsyncIterator[Connection]:
        """
        Lend a connection that is not of the pool, for what lasts long or locks for a whole session.

        A statement waits for locks for *lock_timeout* at most, and takes *seconds* at most.
        """
        with translated_errors():
            connection = await asyncpg.connect(
                self.dsn,
                timeout=10,
                command_timeout=seconds,
                server_settings={"application_name": "penstock retention", "lock_timeout": lock_timeout},
            )
            try:
                yield connection
            finally:
                connection.terminate()

    async def listen(self, heard: Callable[[str], None]) -> None:
        """
        Call *heard* with each notification, for ever, on a connection of its own.

        What is said while the connection is being made anew is lost: whoever listens has to look
        at the tables now and then as well.
        """
        while True:
            try:
                connection = await asyncpg.connect(self.dsn, timeout=5, server_settings=SERVER_SETTINGS)
            except UNREACHABLE:
                await asyncio.sleep(0.1)
                continue
            gone = asyncio.Event()
            connection.add_termination_listener(_setter(gone))
            try:
                watch(connection)
                await connection.add_listener(CHANNEL, lambda *said: heard(said[3]))
                await gone.wait()
            except UNREACHABLE:
                await asyncio.sleep(0.1)
            finally:
                connection.terminate()
            log.warning("listener_lost")


async def _prepare(connection: Connection) -> None:
    watch(connection)
    await connection.execute(*SQL.prepare_mark())


async def _leave_as_it_is(_: object) -> None:
    """Spare the statements that would reset a session: nothing here changes one, and they cost a round trip."""


def _setter(event: asyncio.Event) -> Callable[[object], None]:
    return lambda _: event.set()
