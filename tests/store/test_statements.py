"""Named statements: all of them fit the schema."""

from importlib.resources import files

import pytest

from penstock.store.database import Database
from penstock.store.statements import Statements

SUBJECTS = sorted(
    entry.name.removesuffix(".sql")
    for entry in files("penstock.store").joinpath("sql").iterdir()
    if entry.name.endswith(".sql")
)


@pytest.mark.anyio
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_every_statement_prepares(subject: str, database: Database) -> None:
    """A statement that does not fit the schema is found before it is needed."""
    async with database.connection() as connection:
        for statement in Statements(subject):
            await connection.prepare(statement.text)
