"""
The reference is complete and can be read without the Internet.
"""

import re

import pytest

from penstock.http.app import _pings
from penstock.http.openapi import document
from penstock.http.operations import dispatches, messages, own
from penstock.http.page_words import WORDS
from tests.unit.http.stubs import client_of

DOCUMENTED = (*dispatches.OPERATIONS, *messages.OPERATIONS, *own.OPERATIONS, *_pings())


def _references(value) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def test_every_operation_is_documented_with_its_errors():
    """
    Whoever reads the document knows every error that an operation answers.
    """
    paths = document(DOCUMENTED)["paths"]

    for operation in DOCUMENTED:
        answers = paths[operation.path][operation.method.lower()]["responses"]
        for error in operation.errors:
            examples = answers[str(error.status)]["content"]["application/json"]["examples"]
            assert str(error.code) in examples
        assert ("401" in answers) == bool(operation.kinds)


def test_every_reference_in_the_document_leads_somewhere():
    """
    Tools that follow the document find every object it names.
    """
    whole = document(DOCUMENTED)

    assert _references(whole) == {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}


def test_every_operation_has_an_id_of_its_own():
    """
    Client generators can name every operation.
    """
    ids = [one["operationId"] for path in document(DOCUMENTED)["paths"].values() for one in path.values()]

    assert len(set(ids)) == len(ids)


@pytest.mark.anyio
@pytest.mark.parametrize("language", WORDS)
async def test_the_page_shows_every_operation_and_loads_nothing(language):
    """
    The page works on a machine without the Internet, in either language.
    """
    async with client_of(ZeroDivisionError()) as client:
        page = (await client.get("/docs", params={"lang": language})).text

    assert all(operation.path in page for operation in DOCUMENTED)
    assert f'<html lang="{language}">' in page
    assert WORDS[language]["title"] in page
    assert not re.search(r"(src=|href=[\"']?(https?:)?//|@import|url\()", page)
    assert "built-in" not in page


def test_the_page_speaks_both_languages_alike():
    """
    No word of the page is left untranslated.
    """
    assert WORDS["en"].keys() == WORDS["ru"].keys()
    assert all(WORDS["en"][name] != WORDS["ru"][name] for name in WORDS["en"])
