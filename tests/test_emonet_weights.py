"""The models that come with the package, and what they have always answered."""

import re

import numpy as np
import pytest

from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.inference.loading import BUNDLED, FOLDER, load_model
from emonet.report.card import TWIN

ANSWERS = {
    "emonet": [
        [0.0307, 0.0035, 0.0105, 0.8361, 0.0420, 0.0103, 0.0670],
        [0.3911, 0.0526, 0.0824, 0.0603, 0.3141, 0.0069, 0.0925],
    ],
    "emonet_fast": [
        [0.0048, 0.0008, 0.0038, 0.9501, 0.0075, 0.0099, 0.0230],
        [0.7141, 0.0964, 0.0699, 0.0035, 0.0379, 0.0205, 0.0578],
    ],
}
SIZES = {"emonet": 8_000_000, "emonet_fast": 1_200_000}  # bytes at most


def draw_faces():
    """A round face with a mouth that goes up, and one with a mouth that goes down."""
    y, x = np.mgrid[:48, :48]
    faces = []
    for bend in (-1, 1):
        face = np.where((x - 24) ** 2 / 400 + (y - 24) ** 2 / 529 < 1, 180, 60)
        face[((x - 16) ** 2 + (y - 18) ** 2 < 9) | ((x - 32) ** 2 + (y - 18) ** 2 < 9)] = 20
        face[(abs(y - 35 - bend * ((x - 24) ** 2 / 20 - 2.5)) < 1.5) & (abs(x - 24) < 11)] = 30
        faces.append(face.astype(np.uint8)[..., None])
    return np.stack(faces)


@pytest.fixture(params=BUNDLED)
def name(request):
    return request.param


def test_it_is_small_and_describes_itself(name):
    checkpoint = load_model(name)
    assert (FOLDER / f"{name}.safetensors").stat().st_size < SIZES[name]
    assert checkpoint.model == name
    assert " ".join(checkpoint.classes) == "angry disgust fear happy sad surprise neutral"
    assert (checkpoint.crop.margin, checkpoint.detector, checkpoint.input.size) == (0.125, "whole", 48)


def test_it_answers_drawn_faces_as_it_always_did(name):
    checkpoint = load_model(name)
    answers = open_classifier(checkpoint, open_machine("cpu", "fp32"))(draw_faces())
    assert checkpoint.choice()(answers) == pytest.approx(np.array(ANSWERS[name]), abs=2e-3)


def test_its_card_tells_its_figures(name):
    card = (FOLDER / f"{name}.md").read_text()
    scores = load_model(name).scores["validation"]["mirror"]["all"]
    assert f"| mirror | all | {scores['n']:,} | {scores['correct']:,} | {scores['accuracy']:.2%} |" in card
    assert all(word in card for word in ("felt emotion", "research", "European law", "How sure it is"))
    assert not re.search(r"nan|None", card)


def test_it_learned_without_copies_of_the_images_that_score_it(name):
    checkpoint = load_model(name)
    whole = checkpoint.training["config"]["all_train"]  # then its twin was scored on dev
    assert checkpoint.training["pictures"] == 28_709 - 351 - (0 if whole else 3000)
    assert checkpoint.scores[TWIN if whole else "dev"]["n"] == 3000
