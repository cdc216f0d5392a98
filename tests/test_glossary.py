"""One word for one thing: words that the glossary replaces are not in public names and help texts.

Tighten it by adding words to FORBIDDEN and packages to PACKAGES.
"""

import importlib
import inspect
import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from emonet.commands import app

FORBIDDEN = ("picture", "by heart", "by lot", "pupil", "mood", "finder", "rectangle", "sureness")
STORED = ("per_picture",)  # values in files and options that were given out before there was a glossary
PACKAGES = (
    *("facecrop", "emonet", "emonet.datasets", "emonet.errors"),
    *("emonet.evaluation", "emonet.inference", "emonet.models", "emonet.prediction"),
    *(
        "emonet.adapting",
        "emonet.album",
        "emonet.app",
        "emonet.protocols",
        "emonet.report",
        "emonet.review",
        "emonet.training",
        "emonet.tuning",
    ),
    "emonet.video",
)
PLAIN = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def list_names(package):
    """Every public name of a package, with those of its classes' members and of all parameters."""
    for name in importlib.import_module(package).__all__:
        value = getattr(importlib.import_module(package), name)
        yield name
        yield from list_parameters(value)
        if inspect.isclass(value):
            for member, inner in vars(value).items():
                if not member.startswith("_"):
                    yield member
                    yield from list_parameters(inner)


def list_parameters(value):
    try:
        yield from inspect.signature(value).parameters
    except (TypeError, ValueError):  # no function, or one written in C
        return


def list_commands(command, words=()):
    """Return the words of every command, those in groups among them."""
    inner = getattr(command, "commands", {}).items()
    return [found for name, part in inner for found in list_commands(part, (*words, name))] or [words]


def find_forbidden(text):
    for value in STORED:
        text = text.replace(value, "")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[_\s]+", " ", text).lower()
    return [word for word in FORBIDDEN if word in words]


@pytest.mark.parametrize(("text", "found"), [("draw_picture", ["picture"]), ("LearnedByHeart", ["by heart"])])
def test_forbidden_words_are_found_in_names_of_any_kind(text, found):
    assert find_forbidden(text) == found


@pytest.mark.parametrize("word", FORBIDDEN)
def test_the_glossary_says_what_to_write_instead_of(word, root):
    rows = (root / "docs" / "reference" / "glossary.md").read_text(encoding="utf-8").splitlines()
    assert any(word in row.rsplit("|", 2)[1] for row in rows if row.startswith("|"))


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_use_the_words_of_the_glossary(package):
    assert {name: found for name in list_names(package) if (found := find_forbidden(name))} == {}


@pytest.mark.parametrize("command", list_commands(get_command(app)), ids=" ".join)
def test_help_uses_the_words_of_the_glossary(command):
    shown = CliRunner().invoke(app, [*command, "--help"], env=PLAIN)
    assert shown.exit_code == 0
    assert find_forbidden(shown.output) == []
