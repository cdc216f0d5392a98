"""The eight expressions, in the order that every table, file and model of this project uses."""

from __future__ import annotations

from enum import StrEnum


class Emotion(StrEnum):
    """Name an expression, in lower case. Iterating gives the canonical order: FER2013's, then contempt.

    Examples:
        >>> from emonet import Emotion
        >>> [str(emotion) for emotion in Emotion]
        ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral', 'contempt']
        >>> Emotion("happy") is Emotion.HAPPY
        True
    """

    ANGRY = "angry"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPY = "happy"
    SAD = "sad"
    SURPRISE = "surprise"
    NEUTRAL = "neutral"
    CONTEMPT = "contempt"
