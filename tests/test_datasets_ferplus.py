"""FER+: votes for the rows of FER2013, and image trees with votes."""

import imitations
import pytest
from imitations import rejections

from emonet.datasets import READERS, DatasetError
from emonet.labels import Emotion


@pytest.fixture(scope="module")
def rows(portrait):
    return imitations.fer2013_rows(portrait)


def test_ferplus_votes_join_by_row(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "votes/fer2013new.csv", rows)
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    samples = list(READERS["fer2013"](table, votes=votes))
    assert len(samples) == 28
    assert samples[3].votes == (0, 0, 0, 7, 0, 0, 0, 2, 1, 0)  # happy
    assert samples[6].votes == (0, 0, 0, 0, 0, 0, 7, 2, 1, 0)  # neutral
    assert samples[8].votes == (0, 0, 0, 0, 0, 0, 0, 2, 1, 7)  # no face


def test_blank_lines_move_no_votes(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "votes/fer2013new.csv", rows)
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    before = list(READERS["fer2013"](table, votes=votes))
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([*lines[:4], "\n", *lines[4:]]))
    after = list(READERS["fer2013"](table, votes=votes))
    assert [(one.key, one.votes) for one in after] == [(one.key, one.votes) for one in before]
    assert [one.image.line for one in after[2:4]] == [4, 6]


def test_ferplus_votes_for_other_rows_are_refused(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "votes/fer2013new.csv", rows[::-1])
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with pytest.raises(DatasetError, match="votes on other rows"):
        list(READERS["fer2013"](table, votes=votes))


def test_too_few_ferplus_votes_are_refused(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "votes/fer2013new.csv", rows[:20])
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with pytest.raises(DatasetError, match=r"fer2013new\.csv: 20 rows of votes, and the data have more"):
        list(READERS["fer2013"](table, votes=votes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Usage,Image name,neutral\n", r"row 1: no column happiness, .*NF"),
        (f"{imitations.FERPLUS_HEADER}\nTraining,fer0000000.png,4,0,x,1,3,2,0,0,0,0\n", "row 2: ten numbers of votes"),
        (f"{imitations.FERPLUS_HEADER}\nTraining,fer0000000.png,4,0\n", "row 2: ten numbers of votes"),
    ],
)
def test_bad_votes_are_refused_with_their_row(text, message, rows, tmp_path):
    votes = imitations.write_text(tmp_path / "votes/fer2013new.csv", text)
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    with pytest.raises(DatasetError, match=rf"fer2013new\.csv, {message}"):
        list(READERS["fer2013"](table, votes=votes))


def test_votes_for_an_image_tree_are_refused(rows, tmp_path):
    votes = imitations.write_ferplus_votes(tmp_path / "fer2013new.csv", rows)
    with pytest.raises(ValueError, match="has no rows"):
        READERS["fer2013"](imitations.write_fer2013_tree(tmp_path / "data", rows), votes=votes)


def test_bad_ferplus_tree_entries_are_rejected(rows, tmp_path):
    imitations.write_ferplus_tree(tmp_path, rows)
    (tmp_path / "FER2013Train/fer0000001.png").unlink()
    with (tmp_path / "FER2013Train/label.csv").open("a") as file:
        file.write('\nfer0000008.png,"(0, 0, 48, 48)",1,2\n')
        file.write('fer0000002.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,10\n')
    reader = READERS["fer2013"](tmp_path)
    found = rejections(reader)
    assert found["fer2013/fer0000001"] == "unreadable"
    assert found["fer2013/fer0000008"] == "bad_row"
    assert found["fer2013/fer0000002"] == "not_a_face"


def test_ferplus_tree_is_labelled_by_majority(rows, tmp_path):
    samples = {sample.key: sample for sample in READERS["fer2013"](imitations.write_ferplus_tree(tmp_path, rows))}
    assert samples["fer2013/fer0000003"].emotion is Emotion.HAPPY
    assert samples["fer2013/fer0000003"].votes == (0, 0, 0, 7, 0, 0, 0, 2, 1, 0)
    assert "fer2013/fer0000008" not in samples
