"""The vocabulary: eight expressions, in the order that every table, file and model of this project uses."""

from __future__ import annotations

from enum import StrEnum


class Emotion(StrEnum):
    """An expression by its name in lower case; iterating gives the canonical order (FER2013's, then contempt)."""

    ANGRY = "angry"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPY = "happy"
    SAD = "sad"
    SURPRISE = "surprise"
    NEUTRAL = "neutral"
    CONTEMPT = "contempt"
