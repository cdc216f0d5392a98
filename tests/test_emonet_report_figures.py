import numpy as np
import pytest
from evaluations import SEVEN, evaluated
from PIL import Image

from emonet.evaluation.metrics import reliability
from emonet.evaluation.sizes import SizeScores
from emonet.labels import Emotion
from emonet.report.figures import (
    draw_answers,
    draw_confusion,
    draw_histogram,
    draw_mistakes,
    draw_reliability,
    draw_sizes,
)
from emonet.report.sheets import draw_sheet, find_surest

CLASSES = ("angry", "sad", "fear")
CONFUSION = ((6, 2, 0), (1, 3, 0), (0, 0, 0))


@pytest.fixture
def panels(tmp_path, monkeypatch):
    """Draws, and gives back the panels of what was drawn."""
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: (figures.append(figure), path.touch()))

    def draw(function, *arguments):
        function(*arguments, tmp_path / "figure.png")
        return figures.pop().axes

    return draw


def words(axes):
    return [text.get_text() for text in axes.texts]


def lengths(axes):
    """Of the bars, a list for each kind."""
    return [[bar.get_width() for bar in bars] for bars in axes.containers]


def test_confusions_are_counts_and_shares_of_the_row(panels):
    (axes,) = panels(draw_confusion, CONFUSION, CLASSES)
    assert words(axes)[:6] == ["6", "75.0 %", "2", "25.0 %", "0", "0.0 %"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["angry\n8", "sad\n4", "fear\n0"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["angry\n7", "sad\n5", "fear\n0"]


def test_a_class_without_images_has_an_empty_row(panels):
    (axes,) = panels(draw_confusion, CONFUSION, CLASSES)
    assert words(axes)[12:] == ["no images"]
    assert axes.images[0].get_array().mask.tolist() == [[False] * 3, [False] * 3, [True] * 3]


def test_counts_can_be_read_on_dark_cells(panels):
    (axes,) = panels(draw_confusion, CONFUSION, CLASSES)
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert (colours["75.0 %"], colours["25.0 %"]) == ("white", "black")


def test_answers_are_compared_with_what_there_is(panels):
    (axes,) = panels(draw_answers, CONFUSION, CLASSES)
    assert lengths(axes) == [[8, 4, 0], [7, 5, 0], [6, 3, 0]]
    assert words(axes) == ["8", "4", "0", "7", "5", "0", "6", "3", "0"]


def test_mistakes_are_shares_of_the_class(panels):
    (axes,) = panels(draw_mistakes, CONFUSION, CLASSES)
    assert lengths(axes) == [[2, 1, 0], [6, 3, 0]]
    assert words(axes) == ["2 of 8 wrong (25.0 %)", "1 of 4 wrong (25.0 %)", "no images"]


def test_every_split_has_a_panel_with_its_shares(panels):
    splits = {"train": np.array([3000, 1000, 0]), "dev": np.array([0, 1, 0])}
    train, dev = panels(draw_histogram, splits, CLASSES)
    assert [axes.get_title("left") for axes in (train, dev)] == ["train: 4,000 images", "dev: 1 images"]
    assert words(train) == ["3,000 (75.0 %)", "1,000 (25.0 %)", "0 (0.0 %)"]
    assert words(dev)[1] == "1 (100.0 %)"


def test_accuracy_is_drawn_over_the_size_of_the_face(panels):
    sizes = [SizeScores(48, 9, 0.7, 0.6, {}), SizeScores(12, 9, 0.3, 0.2, {})]
    (axes,) = panels(draw_sizes, sizes)
    assert {line.get_label(): line.get_xydata().tolist() for line in axes.lines} == {
        "accuracy": [[48, 0.7], [12, 0.3]],
        "macro recall": [[48, 0.6], [12, 0.2]],
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["48", "12"]


def test_only_bins_with_images_are_drawn(panels):
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    shares, numbers = panels(draw_reliability, reliability(probabilities, np.array([0, 1, 0])), 0.4)
    assert [bar.get_height() for bar in shares.patches] == [1.0, 0.5]
    assert [bar.get_height() for bar in numbers.patches if bar.get_height()] == [1, 2]
    assert shares.get_title("right") == "calibration error: 0.400"


@pytest.mark.parametrize(("classes", "answers"), [(SEVEN, [0]), (tuple(Emotion), [7])], ids=["right", "wrong"])
def test_one_image_is_enough_for_every_figure(tmp_path, classes, answers):
    scored = evaluated([0], answers, classes=classes)
    scores = scored.scores["none"]["all"]
    for draw in (draw_confusion, draw_answers, draw_mistakes):
        draw(scores.confusion, classes, tmp_path / f"{draw.__name__}.png")
    draw_histogram({"test": np.eye(len(classes), dtype=int)[0]}, classes, tmp_path / "histogram.png")
    bins = reliability(scored.answers["none"], scored.faces.labels)
    draw_reliability(bins, scores.calibration_error, tmp_path / "reliability.png")
    assert len({*tmp_path.iterdir()}) == 5
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert (image.format, image.width) == ("PNG", 1275)


def test_of_the_frames_of_a_sequence_only_the_surest_is_shown():
    names = {"sequences": ["a", "", "a", "b", "a", "b", ""], "subjects": [""] * 7, "splits": ["test"] * 7}
    scored = evaluated([0] * 7, [0, 0, 0, 0, 1, 1, 0], **names)
    assert [one.row for one in find_surest(scored, 0, right=True)] == [0, 1, 3, 6]
    assert [one.row for one in find_surest(scored, 0, right=False)] == [4, 5]


def test_the_surest_come_first_right_and_wrong_apart():
    scored = evaluated([0, 0, 1, 0, 0, 0], [0, 3, 1, 0, 2, 0])
    assert [one.row for one in find_surest(scored, 0, right=True)] == [0, 3, 5]
    assert [(one.row, one.answer) for one in find_surest(scored, 0, right=False)] == [(1, "happy"), (4, "fear")]
    assert find_surest(scored, 6, right=True) == []


def test_probabilities_of_answer_and_truth_are_told():
    scored = evaluated([0, 1], [0, 3])
    assert find_surest(scored, 0, right=True)[0].words == ("angry 80.0 %",)
    assert find_surest(scored, 1, right=False)[0].words == ("said happy 60.0 %", "is disgust 6.7 %")


@pytest.mark.parametrize("channels", [1, 3])
def test_sheets_show_faces_in_their_colours(tmp_path, channels):
    pixels = np.full((2, 28, 28, channels), 90, np.uint8)
    pixels[1] = 10
    pixels[..., 0] += 100
    draw_sheet(pixels, [("one",), ("two", "lines")], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert [sheet.getpixel((place, 80)) for place in (80, 240)] == [
            (190, *[90, 90]) if channels == 3 else (190,) * 3,
            (110, *[10, 10]) if channels == 3 else (110,) * 3,
        ]
        assert sheet.getpixel((400, 80)) == (255, 255, 255)
