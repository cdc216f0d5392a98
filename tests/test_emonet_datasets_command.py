"""`emonet datasets`: what is listed, and what is shown of one data set."""

import json

import pytest
from typer.testing import CliRunner

from emonet.commands import app
from emonet.datasets import READERS
from emonet.errors import OptionError
from emonet.labels import Emotion


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *words: CliRunner().invoke(app, ["datasets", *words])


def test_every_reader_is_listed_with_its_terms_and_its_home(run):
    result = run()
    assert result.exit_code == 0
    for name, reader in READERS.items():
        assert f"\n{name}: " in result.output
        assert reader.terms in result.output
        assert reader.home in result.output
    assert "291,651" in result.output


def test_the_table_fits_eighty_columns(run):
    table = run().output.split("\n\n")[0]
    assert len(table.splitlines()) == len(READERS) + 1
    assert max(map(len, table.splitlines())) <= 80


def test_json_has_the_facts_of_each(run):
    listed = {one["name"]: one for one in json.loads(run("--json").output)}
    assert list(listed) == list(READERS)
    assert listed["kdef"]["people"] == 70
    assert listed["oulucasia"]["published"]["unit"] == "sequences"
    assert listed["rafdb"]["published"]["counts"]["test"]["happy"] == 1185
    assert listed["kdef"]["choices"] == [
        {"option": "--kdef-angles", "values": ["frontal", "half", "all"], "default": "frontal"}
    ]
    assert listed["sfew"]["classes"] == [emotion.value for emotion in Emotion if emotion is not Emotion.CONTEMPT]
    assert json.loads(run("kdef", "--json").output) == listed["kdef"]


@pytest.mark.parametrize("name", READERS)
def test_one_is_shown_with_its_files_counts_and_options(name, run):
    output = run(name).output
    assert f"emonet build --{name} PATH" in output
    assert READERS[name].terms in output
    for choice, asked in READERS[name].choices.items():
        assert f"--{name}-{choice} {asked.values[0]} (default)" in output


def test_counts_of_classes_add_up_to_the_published_number():
    for name in ("fer2013", "jaffe", "rafdb", "affectnet", "expw"):
        counts = READERS[name].published.counts.values()
        assert sum(sum(numbers.values()) for numbers in counts) == READERS[name].images


def test_published_counts_are_of_the_classes_of_a_data_set():
    for reader in READERS.values():
        for numbers in reader.published.counts.values() if reader.published else ():
            assert set(numbers) <= set(reader.classes)


def test_an_unknown_name_is_refused_with_the_known_ones(run):
    result = run("tfeid")
    assert isinstance(result.exception, OptionError)
    assert "'tfeid'" in str(result.exception)
    assert "kdef, rafd" in str(result.exception)
