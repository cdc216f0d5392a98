import json
import re
from dataclasses import replace

import pytest
from evaluations import checkpoint, evaluated, store
from pages import Tags, headings, section, words
from PIL import Image
from trainings import build_faces

import emonet.report
from emonet.evaluation import evaluate
from emonet.evaluation.sizes import SizeScores
from emonet.html.images import EmbeddedImage
from emonet.labels import Emotion
from emonet.report import write_report
from emonet.report.inside_network import find_face
from emonet.training.log import EpochRow

ALWAYS = ["Scores", "Classes", "Confusions", "Calibration", "Surest answers", "Images by class", "Cost"]
FIGURES = {"answers.png", "confusion.png", "histogram.png", "mistakes.png", "reliability.png"}
EPOCH = EpochRow(
    epoch=1,
    step=1,
    learning_rate=0.1,
    train_loss=1.0,
    train_accuracy=0.5,
    seconds=1.0,
    waiting_share=0.0,
    pictures_per_second=9.0,
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of pictures of every class but one, some answered wrongly; with a log, and a name of the worst kind."""
    folder = tmp_path_factory.mktemp("report") / "made" / "here"
    labels, answers = [0, 1, 2, 3, 4, 5, 0, 3], [0, 1, 1, 3, 3, 5, 2, 3]
    scored = evaluated(labels, answers, name="<b>a & b</b>", views=("none", "mirror"))
    return write_report(scored, folder, log=[EPOCH])


@pytest.fixture(scope="module")
def text(report):
    return report.read_text(encoding="utf-8")


def test_loads_and_runs_nothing(text):
    assert not re.search(r"https?:|<script|javascript:|@import|url\(|<link|<iframe", text)
    tags = Tags(text)
    assert all(re.match("data:image/(png|jpeg);base64,", source) for source in tags.values("src"))
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]


def test_is_well_formed(text):
    tags = Tags(text)
    assert (tags.open, tags.wrong) == ([], [])
    assert {link[1:] for link in tags.values("href")} <= set(tags.values("id"))
    assert all(attributes["alt"] for tag, attributes in tags.found if tag == "img")


def test_every_section_is_there(text):
    assert set(headings(text)) == {*ALWAYS, "Inside the network", "Training"}
    assert headings(text, 1) == ["<b>a & b</b> on validation"]
    assert "<b>" not in text


def test_every_figure_is_a_file_too(report):
    assert {path.name for path in report.parent.glob("*.png")} == FIGURES | {"curves.png"}
    assert not [*report.parent.rglob("*.emonet-part")]
    for path in report.parent.rglob("*.png"):
        with Image.open(path) as image:
            image.load()


def test_the_figures_are_json_too(report):
    figures = json.loads((report.parent / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["name"] == "<b>a & b</b>"
    assert figures["scores"]["mirror"]["all"]["correct"] == 5


def test_classes_without_right_answers_or_images_say_so(text):
    surest = section(text, "surest")
    assert len(Tags(surest).values("src")) == 4 + 3
    assert surest.count("None was answered rightly.") == 2
    assert surest.count("None was answered wrongly.") == 3
    assert surest.count("There are no images.") == 1
    assert "wrong: the surest 1 of 1" in surest


def test_images_can_be_found_by_their_keys(text):
    listed = section(text, "surest").split("<details>")[1]
    assert re.findall("<code>(.*?)</code>", listed)[:2] == ["fer2013/0000", "fer2013/0006"]
    assert section(text, "workings").count("<code>fer2013/0000</code>") == 1


def test_one_wrong_answer_of_a_model_without_a_history_is_enough(tmp_path):
    made = replace(checkpoint(tuple(Emotion), hidden=4), training={})
    scored = evaluated([6], [7], classes=tuple(Emotion), made=made, data=store())
    text = write_report(scored, tmp_path).read_text(encoding="utf-8")
    assert "0 of 1 images right" in text
    assert "nan" not in re.sub('"data:[^"]+"', "", text)


def test_sizes_of_faces_have_a_section_where_they_were_scored(tmp_path):
    scored = evaluated([0, 3, 3], [0, 3, 0])
    shares = dict.fromkeys(map(str, scored.faces.classes), 0.0)
    sizes = (
        SizeScores(28, 3, 2 / 3, 0.75, shares | {"happy": 1.0}),
        SizeScores(12, 3, 1 / 3, 0.5, shares | {"sad": 1.0}),
    )
    text = write_report(replace(scored, sizes=sizes), tmp_path).read_text(encoding="utf-8")
    part = words(section(text, "sizes"))
    assert "12 px 3 33.3 % 50.0 % sad" in part
    assert "labels 33.3 % 0.0 % 0.0 % 66.7 %" in part
    assert (tmp_path / "sizes.png").is_file()


def test_all_of_fer2013_has_a_place_on_the_board(tmp_path):
    made = checkpoint(model="knn", examples=5)
    scored = evaluated(range(7), range(7), split="test", size=48, made=made)
    text = write_report(scored, tmp_path).read_text(encoding="utf-8")
    assert "Place 1, " in section(text, "board")
    assert "Inside the network" not in headings(text)


def test_the_surest_right_answer_is_looked_into():
    assert find_face(evaluated([0, 1, 2], [3, 1, 2])).key == "fer2013/0001"
    assert find_face(evaluated([0, 1], [3, 3])).key == "fer2013/0000"
    assert find_face(evaluated([0, 1, 2], [0, 1, 2]), "fer2013/0002").row == 2


def test_an_unknown_face_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"'nobody'.*'fer2013/0000'"):
        write_report(evaluated([0], [0]), tmp_path / "report", face="nobody")
    assert not [*tmp_path.iterdir()]


def test_what_evaluate_gives_can_be_reported(tmp_path, portrait, monkeypatch):
    monkeypatch.setattr("emonet.evaluation.cost.SECONDS", 0.01)
    scored = evaluate(checkpoint(hidden=4), build_faces(tmp_path, portrait), name="untrained")
    text = write_report(scored, tmp_path / "report").read_text(encoding="utf-8")
    assert headings(text, 1) == ["untrained on validation"]
    assert "validation: 7 of 7 images are scored" in text
    assert "the model was made on another data set" in text


def test_of_some_data_sets_only_their_images_are_counted(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("emonet.report.report.draw_histogram", lambda counts, *_: drawn.append(counts))
    monkeypatch.setattr("emonet.report.report.embed_png", lambda _: EmbeddedImage(""))
    data = store(counts={"fer2013": {"train": {"angry": 9}}, "jaffe": {"train": {"angry": 2}}})
    scored = evaluated([0, 1], [0, 0], data=data, split="all")
    vars(scored)["sources"] = ("jaffe",)
    text = write_report(scored, tmp_path).read_text(encoding="utf-8")
    assert "all (jaffe): 2 of 2 images are scored" in text
    assert drawn[0]["train"].sum() == 2


def test_the_package_has_nothing_else_to_give():
    with pytest.raises(AttributeError, match="no attribute 'read_report'"):
        emonet.report.read_report  # noqa: B018
