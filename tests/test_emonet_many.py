"""Photos that are worked on side by side have the answers that they have one after the other."""

import numpy as np
import pytest

from emonet import EmotionPredictor
from emonet.prediction.many import answer_photos


@pytest.fixture(scope="module", params=["torch", "onnx"])
def predictor(mtcnn, request):
    return EmotionPredictor(
        "emonet_fast", detector=mtcnn, device="cpu", precision="fp32", backend=request.param, batch=2
    )


def test_answers_do_not_depend_on_the_number_of_threads(predictor, face):
    images = [np.roll(face, 3 * number, axis=1) for number in range(12)]
    images[5] = np.zeros((60, 90, 3), np.uint8)
    names = ((str(number), image) for number, image in enumerate(images))
    side_by_side = list(answer_photos(predictor, names, lambda answer: answer.result, threads=4))
    assert [result.source for result in side_by_side] == [str(number) for number in range(12)]
    assert [len(result.predictions) for result in side_by_side] == [number != 5 for number in range(12)]
    for image, result in zip(images, side_by_side, strict=True):
        for alone, together in zip(predictor.predict(image), result.predictions, strict=True):
            assert together.face == alone.face
            assert together.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
