"""The colours of expressions and of plots.

They are Okabe and Ito's, which most colour-blind people tell apart, with greys for text and for what is only compared.
"""

from __future__ import annotations

from emonet.labels import Emotion

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
BLACK, INK, PALE, LINE = "#000000", "#595959", "#b8b8b8", "#e5e5e5"  # INK is grey text, LINE a grid

EXPRESSIONS = {
    Emotion.ANGRY: ORANGE,
    Emotion.DISGUST: GREEN,
    Emotion.FEAR: "#cc79a7",
    Emotion.HAPPY: "#e69f00",
    Emotion.SAD: BLUE,
    Emotion.SURPRISE: "#56b4e9",
    Emotion.NEUTRAL: "#8c8c8c",
    Emotion.CONTEMPT: "#f0e442",
}
