"""Score a model on a split of a data set.

evaluation.py       answers the images of a split, and scores the answers
metrics.py          accuracy, F-scores, calibration and others
intervals.py        where a share or a difference lies: Wilson's formula, or a bootstrap over people
answers.py          answers.parquet: every answer in a file, for comparisons and tools of your own
answer_columns.py   makes the columns of that file
comparison.py       compares the answers of two models to the same images
matching.py         puts the answers of several runs in one order
differences.py      what a comparison finds
remarks.py          says what one has to know to read the figures
parts.py            finds the images that are scored on their own, and averages the frames of a sequence
sizes.py            scores smaller faces
calibration.py      compares how sure each head is with how often it is right, and fits temperatures
coverage.py         measures how many faces are answered, and how well, by the least confidence
votes.py            scores on FER+'s votes
head_scores.py      scores every head and prior
agreement.py        what the last two share
cost.py             measures what answers cost
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.evaluation.answer_columns import make_answers
    from emonet.evaluation.answers import Answers, read_answers, write_answers
    from emonet.evaluation.calibration import Calibration, TemperatureFit, fit_temperatures, measure_calibration
    from emonet.evaluation.comparison import compare_answers
    from emonet.evaluation.differences import Comparison
    from emonet.evaluation.evaluation import Evaluation, evaluate

__all__ = [
    "Answers",
    "Calibration",
    "Comparison",
    "Evaluation",
    "TemperatureFit",
    "compare_answers",
    "evaluate",
    "fit_temperatures",
    "make_answers",
    "measure_calibration",
    "read_answers",
    "write_answers",
]

__getattr__, __dir__ = import_when_used(
    __name__,
    {
        "answer_columns": ("make_answers",),
        "answers": ("Answers", "read_answers", "write_answers"),
        "calibration": ("Calibration", "TemperatureFit", "fit_temperatures", "measure_calibration"),
        "comparison": ("compare_answers",),
        "differences": ("Comparison",),
        "evaluation": ("Evaluation", "evaluate"),
    },
    "an evaluation",
    "emonet[train]",
)
