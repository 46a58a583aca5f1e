"""
English and Russian.
"""

import ast
import string
from pathlib import Path

import penstock.cli
from penstock.cli.language import is_russian, t
from penstock.cli.russian import RUSSIAN
from penstock.domain.lifecycle import DispatchStatus


def _sentences():
    """Return every English sentence that the command line says through `t`."""
    for file in Path(penstock.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "t":
                sentence = node.args[0]
                if isinstance(sentence, ast.Constant):
                    yield sentence.value


def _places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_sentence_has_a_russian_one():
    """
    Whoever asks for Russian never meets English.
    """
    assert {sentence for sentence in _sentences() if sentence not in RUSSIAN} == set()
    assert {status.value for status in DispatchStatus} <= set(RUSSIAN)


def test_a_translation_has_the_places_of_its_sentence():
    """
    No value is lost in translation.
    """
    assert {english for english, russian in RUSSIAN.items() if _places(english) != _places(russian)} == set()


def test_the_environment_chooses():
    """
    The language is chosen as for other programs, and PENSTOCK_LANGUAGE overrules.
    """
    assert is_russian({"LANG": "ru_RU.UTF-8"})
    assert not is_russian({"LC_ALL": "C", "LANG": "ru_RU.UTF-8"})
    assert is_russian({"PENSTOCK_LANGUAGE": "ru", "LC_ALL": "en_GB.UTF-8"})
    assert not is_russian({})


def test_values_are_put_in(monkeypatch):
    """
    A sentence is said with its values in the language asked for.
    """
    monkeypatch.setenv("PENSTOCK_LANGUAGE", "ru")

    assert t("accepted {accepted} of {total}", accepted=1, total=2) == "принято 1 из 2"
