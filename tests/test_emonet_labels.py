import json

import pytest

from emonet import Emotion


def test_the_vocabulary_and_its_order():
    names = ["ANGRY", "DISGUST", "FEAR", "HAPPY", "SAD", "SURPRISE", "NEUTRAL", "CONTEMPT"]
    assert [emotion.name for emotion in Emotion] == names
    assert [emotion.value for emotion in Emotion] == [name.lower() for name in names]


def test_an_emotion_is_its_name_in_lower_case():
    assert Emotion("happy") is Emotion.HAPPY
    assert json.dumps({"emotion": Emotion.HAPPY}) == '{"emotion": "happy"}'
    assert f"{Emotion.SAD}" == "sad"
    with pytest.raises(ValueError, match="joy"):
        Emotion("joy")
