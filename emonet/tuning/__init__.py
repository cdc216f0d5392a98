"""Searches for better options of a training: many short trainings, compared on dev or on inner folds.

options.py   the options of a search; spaces.py reads them from files, of which some come with emonet
domains.py   what one option may be: values or a range; space.py: all that vary, checked before the first trial
run.py       the whole search; study.py: its trials, in Optuna's journal.py; trial.py trains and scores one
table.py     trials.csv and best.toml; report.py: the page, with the plots of plots.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used
from emonet.tuning.options import TuneOptions
from emonet.tuning.spaces import list_spaces, read_space

if TYPE_CHECKING:
    from emonet.tuning.run import Tuned, tune

__all__ = ["TuneOptions", "Tuned", "list_spaces", "read_space", "tune"]

__getattr__, __dir__ = import_when_used(__name__, {"run": ("Tuned", "tune")})
