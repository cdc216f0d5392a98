"""answers.parquet: what evaluations write, and what is read back."""

import json

import evaluations
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import two_heads

from emonet.errors import DatasetError, MissingFileError, OptionError
from emonet.evaluation import Answers, make_answers, read_answers, write_answers
from emonet.heads import SEEN_CLASSES, sizes

LABELS, SAID = [0, 1, 2, 3, 3], [0, 2, 2, 3, 0]
SUBJECTS, SEQUENCES = ["S1", "S1", "S2", "", ""], ["S1_1", "", "", "", ""]


def evaluate(**given):
    names = {"subjects": SUBJECTS, "sequences": SEQUENCES, "splits": ["test"] * 5, "folds": [-1, 0, 1, -1, 2]}
    return evaluations.evaluated(LABELS, SAID, split="test", views=("none", "mirror"), **names | given)


@pytest.fixture
def file(tmp_path):
    return write_answers(make_answers(evaluate()), tmp_path / "answers.parquet")


def test_a_row_says_all_of_an_image(file):
    first, second, *_, last = pq.read_table(file).to_pylist()
    known = {"key": "fer2013/0000", "scored": "test", "source": "fer2013", "split": "test", "label": "angry"}
    assert known.items() <= first.items()
    assert (first["subject"], first["sequence"], first["fold"]) == ("S1", "S1_1", None)
    assert (second["sequence"], second["answer_mirror"], second["fold"]) == (None, "fear", "0")
    assert (last["subject"], last["answer_none"], last["seed"]) == (None, "angry", 0)


def test_probabilities_are_those_of_the_evaluation(file):
    evaluation, answers = evaluate(), read_answers(file)
    for view in ("none", "mirror"):
        assert (answers.probabilities(view) == evaluation.answers[view]).all()
        assert answers.right(view).mean() == evaluation.scores[view]["all"].accuracy
    assert answers.classes("none") == tuple(map(str, evaluation.faces.classes))


def test_the_file_names_model_data_and_view(tmp_path):
    evaluation = evaluate()
    about = read_answers(write_answers(make_answers(evaluation), tmp_path / "one.parquet")).about
    assert about["model_identity"] == evaluation.checkpoint.identity
    assert about["store_identity"] == evaluation.store.identity
    assert (about["name"], about["model"], about["store"]) == ("a model", "lenet28", "kept")
    assert (about["views"], about["head"], about["prior"]) == (["none", "mirror"], "fer2013", "training")


def test_the_path_of_the_data_is_nobodys_business(file):
    assert b"somewhere" not in file.read_bytes()


def test_pandas_reads_it(file):
    table = pandas.read_parquet(file)
    assert (table.label == table.answer_none).mean() == 3 / 5
    assert table.filter(regex="^p_none_").shape == (5, 7)


def test_votes_are_there_where_people_voted():
    voted = make_answers(evaluate(votes=[[3] + [0] * 9, *[[0] * 10] * 4]))
    assert voted.column("votes") == [[3] + [0] * 9, None, None, None, None]
    assert "votes" not in make_answers(evaluate()).table.column_names


def test_every_head_has_its_columns(tmp_path):
    checkpoint = two_heads.two_heads()
    evaluation = evaluate(made=checkpoint)
    all_heads = np.random.default_rng(0).random((5, sum(sizes(checkpoint.heads)))).astype(np.float32)
    vars(evaluation)["head_answers"] = {"none": all_heads}
    answers = read_answers(write_answers(make_answers(evaluation), tmp_path / "answers.parquet"))
    assert answers.about["heads"]["seen"] == [*map(str, SEEN_CLASSES)]
    assert (answers.probabilities("none", "fer2013") == all_heads[:, :7]).all()
    assert (answers.probabilities("none", "seen") == all_heads[:, 7:]).all()
    with pytest.raises(OptionError, match="head must be one of fer2013, seen, got 'ckplus'"):
        answers.probabilities("none", "ckplus")


def test_people_and_sequences_are_known_again(file):
    assert read_answers(file).clusters.words == "2 people and 2 images"


def test_a_folder_stands_for_the_file_in_it(file):
    assert read_answers(file.parent).table == read_answers(str(file)).table


def test_an_unknown_view_or_title_lists_the_known(file):
    answers = read_answers(file)
    for ask, words in ((answers.answer, "view must be one of none, mirror"), (answers.select, "must be one of test")):
        with pytest.raises(OptionError, match=words):
            ask("ten_crop")


def test_what_is_not_there_says_who_writes_it(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.parquet"):
        with pytest.raises(MissingFileError, match=r"emonet evaluate MODEL STORE -o FOLDER"):
            read_answers(path)


def write_text(path):
    path.write_text("no parquet")


def write_foreign(path):
    pq.write_table(pa.table({"key": ["a"]}), path)


def write_newer(path):
    answers = make_answers(evaluate())
    write_answers(Answers(answers.table, {**answers.about, "version": 2}), path)


def write_cut(path):
    answers = make_answers(evaluate())
    write_answers(Answers(answers.table.drop_columns(["label"]), answers.about), path)


def write_damaged(path):
    write_answers(make_answers(evaluate()), path)
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_text, "cannot be read as Parquet"),
        (write_damaged, "cannot be read as Parquet"),
        (write_foreign, "holds no answers"),
        (write_cut, "it has no column label"),
        (write_newer, "version 2; this emonet reads 1"),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path, write, words):
    path = tmp_path / "answers.parquet"
    write(path)
    with pytest.raises(DatasetError, match=words) as refused:
        read_answers(path)
    assert refused.value.path == path


def test_an_interrupted_writer_leaves_the_old_file(file, monkeypatch):
    before = file.read_bytes()

    def stop(_, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("pyarrow.parquet.write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        write_answers(make_answers(evaluate()), file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["answers.parquet"]


def test_the_description_is_plain_json(file):
    json.dumps(dict(read_answers(file).about), allow_nan=False)
