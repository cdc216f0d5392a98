"""Comparisons of models on the same images, in Python and on the command line."""

import csv
import json
from dataclasses import replace

import evaluations
import numpy as np
import pages
import pytest
import trainings
from scipy.stats import binomtest, ttest_ind
from typer.testing import CliRunner

from emonet.commands import app
from emonet.errors import OptionError
from emonet.evaluation import Answers, compare_answers, make_answers, write_answers
from emonet.report.comparison import class_rows, describe_verdict

LABELS = [0, 0, 0, 0, 3, 3, 3, 3, 5, 5]
FIRST = [0, 0, 1, 1, 3, 3, 3, 0, 5, 3]
SECOND = [0, 0, 0, 0, 3, 3, 0, 0, 5, 5]  # gains three, loses one


def answer(said, labels=LABELS, *, name="a model", **given):
    return make_answers(evaluations.evaluated(labels, said, name=name, **given))


A, B = answer(FIRST, name="old"), answer(SECOND, name="new")


def test_the_difference_is_the_second_minus_the_first():
    found = compare_answers(A, B)
    assert (found.first.name, found.second.name, found.n, found.view) == ("old", "new", 10, "none")
    assert (found.first.accuracy, found.second.accuracy) == (0.6, 0.8)
    assert found.accuracy.value == pytest.approx(0.2)
    assert compare_answers(B, A).accuracy.value == pytest.approx(-0.2)


def test_mcnemar_counts_the_images_that_one_alone_answers_rightly():
    (test,) = compare_answers(A, B).mcnemar
    assert (test.only_first, test.only_second) == (1, 3)
    assert test.p_value == binomtest(1, 4).pvalue == 0.625


def test_classes_have_their_own_differences():
    found = {one.name: one for one in compare_answers(A, B).classes}
    assert list(found) == ["angry", "happy", "surprise"]
    assert (found["angry"].n, found["angry"].first, found["angry"].second) == (4, 0.5, 1.0)
    assert found["happy"].difference.value == -0.25
    assert compare_answers(A, B).macro_recall.value == pytest.approx((0.5 - 0.25 + 0.5) / 3)


def test_flips_are_listed_with_both_answers():
    flips = {flip.key: flip for flip in compare_answers(A, B).flips}
    assert set(flips) == {f"fer2013/{number:04}" for number in (2, 3, 6, 9)}
    lost = flips["fer2013/0006"]
    assert (lost.label, lost.first_answer, lost.second_answer, lost.gained) == ("happy", "happy", "angry", False)
    assert lost.first_probability > 0.5 > lost.second_probability


def test_rows_in_another_order_are_the_same_rows():
    turned = Answers(B.table.take(list(range(9, -1, -1))), B.about)
    assert compare_answers(A, turned) == compare_answers(A, B)


def make_people(seed=0, people=60, frames=20):
    """Two models of which the second is better with some people, and worse with others."""
    chance = np.random.default_rng(seed)
    labels = np.zeros(people * frames, int)
    names = {"subjects": np.repeat([f"S{number}" for number in range(people)], frames).tolist()}
    shares = chance.beta(2, 2, (2, people))
    said = (chance.random((2, people, frames)) > shares[:, :, None]).reshape(2, -1).astype(int)
    return [
        (answer(one, labels, name=name, **extra), one)
        for extra in (names, {})
        for one, name in zip(said, ("old", "new"), strict=True)
    ]


def test_the_interval_of_a_difference_is_over_people_where_they_are_known():
    (a, first), (b, second), (c, _), (d, _) = make_people()
    by_person, by_image = compare_answers(a, b).accuracy, compare_answers(c, d).accuracy
    assert by_person.interval_method == "cluster bootstrap over 60 people"
    assert by_image.interval_method == "bootstrap over 1,200 images"
    assert by_person.value == by_image.value == pytest.approx((second == 0).mean() - (first == 0).mean())
    widths = [high - low for low, high in (by_person.interval, by_image.interval)]
    assert widths[0] > 2 * widths[1]
    shares = ((second == 0).astype(int) - (first == 0)).reshape(60, 20).mean(1)
    assert widths[0] == pytest.approx(2 * 2.001 * shares.std(ddof=1) / 60**0.5, rel=0.05)


def test_the_interval_of_a_class_is_as_wide_as_its_few_people_make_it():
    """Of 40 people three show disgust, and as in a t-interval of three people its ends are far apart."""
    labels = np.repeat([0] * 37 + [1] * 3, 10)
    people = {"subjects": np.repeat([f"S{number}" for number in range(40)], 10).tolist()}
    second = labels.copy()
    for person, wrong in ((37, 8), (38, 5), (39, 2)):
        second[10 * person : 10 * person + wrong] = 0
    second[0] = 1
    found = {
        one.name: one.difference
        for one in compare_answers(answer(labels, labels, **people), answer(second, labels, **people)).classes
    }
    rare = found["disgust"]
    assert rare.interval_method == "cluster bootstrap over 40 people, 3 of them with this class"
    assert rare.interval == pytest.approx((-0.8, -0.2), abs=0.001)  # the worst and the best of them
    assert found["angry"].interval_method == "cluster bootstrap over 40 people, 37 of them with this class"


def test_a_class_of_one_person_has_an_interval_over_images():
    labels = [0] * 10 + [1] * 10
    people = {"subjects": ["S1"] * 5 + ["S2"] * 5 + ["S3"] * 10}
    second = [0] * 10 + [0] * 5 + [1] * 5
    (_, rare) = compare_answers(answer(labels, labels, **people), answer(second, labels, **people)).classes
    assert rare.difference.interval_method == "bootstrap over 10 images, all of 1 person"
    low, high = rare.difference.interval
    assert low < -0.7
    assert high > -0.3


def test_too_few_images_have_no_interval():
    labels = [0] * 20 + [3] * 20 + [1]
    said = [0] * 15 + [3] * 5 + [3] * 20
    found = compare_answers(answer([*said, 0], labels), answer([*said[:15], *labels[15:]], labels))
    assert found.macro_recall.interval is None
    assert "only 1 image with disgust" in found.macro_recall.interval_method
    angry, disgust, happy = (one.difference.interval for one in found.classes)
    assert angry[0] > 0
    assert (disgust, happy) == (None, None)
    assert [row[5] for row in class_rows(found)][1:] == ["-", "-"]
    assert "macro recall, B - A: +41.67 points (no interval: " in describe_verdict(found)[1]


def test_runs_that_are_right_about_the_same_images_have_the_interval_of_one():
    several, one = compare_answers([answer(LABELS), answer(LABELS)], A), compare_answers(answer(LABELS), A)
    assert several.first.accuracy_interval == one.first.accuracy_interval
    assert one.first.accuracy_interval[0] < 0.8


def test_of_one_person_images_are_drawn_and_it_is_said():
    names = {"subjects": ["S1"] * 10}
    found = compare_answers(answer(FIRST, **names), answer(SECOND, **names))
    assert found.accuracy == compare_answers(A, B).accuracy
    assert any("all images are of 1 person" in remark for remark in found.remarks)


def test_mcnemar_over_several_images_a_person_is_qualified():
    (a, _), (b, _), (c, _), (d, _) = make_people()
    assert any("McNemar's test takes images as independent" in remark for remark in compare_answers(a, b).remarks)
    assert not any("McNemar" in remark for remark in compare_answers(c, d).remarks)


def test_several_runs_have_a_mean_and_a_deviation():
    firsts = [answer(FIRST, name="a-1"), answer([0] * 10, name="a-2")]
    seconds = [answer(SECOND, name="b-1"), answer(LABELS, name="b-2")]
    found = compare_answers(firsts, seconds)
    assert found.first.runs == ("a-1", "a-2")
    assert found.first.accuracies == pytest.approx((0.6, 0.4))
    assert (found.first.accuracy, found.first.deviation) == pytest.approx((0.5, np.std([0.6, 0.4], ddof=1)))
    assert found.accuracy.value == pytest.approx(0.9 - 0.5)
    assert [test.only_second for test in found.mcnemar] == [3, 6]
    assert found.runs_p_value == pytest.approx(ttest_ind([0.6, 0.4], [0.8, 1.0], equal_var=False).pvalue)
    assert any("seeds" in remark for remark in found.remarks)


def test_one_run_has_no_deviation_and_unequal_numbers_no_pairs():
    found = compare_answers(A, [B, answer(LABELS, name="third")])
    assert found.first.deviation is None
    assert found.runs_p_value is None
    assert found.mcnemar == ()


def test_other_heads_and_priors_are_a_remark():
    other = Answers(B.table, {**B.about, "head": "mean", "prior": "sqrt"})
    (remark,) = (remark for remark in compare_answers(A, other).remarks if "heads or priors" in remark)
    assert remark.endswith("old: fer2013 with the prior training; new: mean with the prior sqrt")
    assert not any("heads or priors" in remark for remark in compare_answers(A, B).remarks)


def test_models_of_the_same_name_are_told_apart(tmp_path):
    made = evaluations.checkpoint(hidden=4)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_answers(answer(FIRST, made=made), tmp_path / folder / "answers.parquet")
    found = compare_answers(tmp_path / "one", tmp_path / "two" / "answers.parquet")
    assert (found.first.name, found.second.name) == (str(tmp_path / "one"), str(tmp_path / "two"))
    assert "same weights" in found.remarks[0]
    assert (found.accuracy.value, found.mcnemar[0].p_value, found.flips) == (0, 1, ())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (answer(SECOND[:8], LABELS[:8]), r"a model lacks 2 \(fer2013/0008, fer2013/0009\).*--common"),
        (answer(SECOND, [*LABELS[:9], 4]), r"other labels for 1 images \(fer2013/0009\)"),
        (answer(SECOND, source="jaffe"), "no image in common"),
        (answer(SECOND, views=("mirror",)), "no view in common"),
    ],
)
def test_answers_to_other_rows_are_refused(other, words):
    with pytest.raises(OptionError, match=words):
        compare_answers(A, other)


def test_images_in_common_can_be_compared_and_the_others_are_counted():
    found = compare_answers(A, answer(SECOND[:8], LABELS[:8]), common=True)
    assert (found.n, found.left_out) == (8, 2)
    assert any("2 images are left out" in remark for remark in found.remarks)


def test_a_class_that_one_model_does_not_know_counts_as_missed():
    six = evaluations.SEVEN[1:]
    narrow = answer([0, 1, 2], [0, 1, 2], classes=six, name="six")
    wide = answer([1, 2, 3], [1, 2, 3], name="seven")
    assert compare_answers(narrow, wide).accuracy.value == 0


def test_the_last_view_that_both_have_is_compared():
    both = answer(FIRST, views=("none", "mirror"))
    assert compare_answers(both, both).view == "mirror"
    assert compare_answers(both, B).view == "none"
    with pytest.raises(OptionError, match="view must be one that all runs have, none; got 'mirror'"):
        compare_answers(both, B, view="mirror")


@pytest.fixture
def run(tmp_path):
    """Run `emonet compare` in a folder that holds the answers of four models."""
    for name, said in (("a", FIRST), ("b", SECOND), ("c", LABELS), ("d", [0] * 10)):
        (tmp_path / name).mkdir()
        write_answers(answer(said, name=name), tmp_path / name / "answers.parquet")

    def compare(*arguments, columns=80):
        runner = CliRunner(env={"COLUMNS": str(columns)})
        given = [
            ",".join(str(tmp_path / one) for one in part.split(",")) if part[0] in "abcd" else part
            for part in arguments
        ]
        return runner.invoke(app, ["compare", *given])

    return compare


def test_the_command_fits_into_80_columns(run):
    result = run("a", "b")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "4 of 10 images flipped: B gained 3 and lost 1" in result.stdout
    assert "accuracy, B - A: +20.00 points" in result.stdout
    assert "p = 0.62" in result.stdout


def test_json_holds_what_python_gives(run, tmp_path):
    told = json.loads(run("a", "b", "--json").stdout)
    expected = compare_answers(tmp_path / "a", tmp_path / "b").to_dict()
    assert told == {"comparisons": [json.loads(json.dumps(expected))]}


def test_each_further_model_is_compared_with_the_first(run):
    told = json.loads(run("a", "b", "c", "--json").stdout)["comparisons"]
    assert [(one["first"]["name"], one["second"]["name"]) for one in told] == [("a", "b"), ("a", "c")]


def test_runs_of_one_recipe_are_separated_by_commas(run):
    (told,) = json.loads(run("a,d", "b,c", "--json").stdout)["comparisons"]
    assert told["first"]["runs"] == ["a", "d"]
    assert told["second"]["deviation"] is not None


@pytest.mark.parametrize(("first", "words"), [("a", "B alone is right: 3"), ("a,d", "B is right more often: ")])
def test_flips_of_several_runs_are_right_more_often(run, tmp_path, first, words):
    assert run(first, "b", "-o", str(tmp_path / "out")).exit_code == 0
    assert words in pages.words((tmp_path / "out" / "comparison.html").read_text())


def test_the_page_shows_the_crops_of_flipped_images(run, tmp_path, portrait):
    store = trainings.build_faces(tmp_path / "built", portrait)
    keys = store.table("validation", ["key"])["key"].to_pylist()
    for name, said in (("a", [0] * 7), ("b", [0, 0, 0, 3, 3, 3, 3])):
        evaluation = evaluations.evaluated([0, 0, 0, 0, 3, 3, 3], said, name=name)
        vars(evaluation)["faces"] = replace(evaluation.faces, keys=keys)
        write_answers(make_answers(evaluation), tmp_path / name / "answers.parquet")
    result = run("a", "b", "-o", str(tmp_path / "out"), "--store", str(store.path))
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert len(pages.Tags(page).named("img")) == 4
    assert pages.Tags(page).wrong == []
    assert keys[3] in page
    with (tmp_path / "out" / "flips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["key"] for row in rows} == {*keys[3:]}
    assert rows[0].keys() >= {"label", "first_answer", "second_answer"}
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["comparisons"][0]["n"] == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a"], "name two or more"),
        (["a", "nowhere"], "no such file: nowhere"),
        (["a", "b", "--view", "mirror"], "view must be one that all runs have"),
        (["a", "b", "--scored", "test"], "scored must be one of validation"),
        (["a", "b", "--store", "x"], "say with --out where"),
    ],
)
def test_mistaken_calls_say_what_is_allowed(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code
    assert words in str(result.exception)
