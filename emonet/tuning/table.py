"""The trials as a table and in words, and the options of the best one as a file."""

from __future__ import annotations

import csv
import json
from typing import Any

from emonet.atomic import write_atomically
from emonet.html.formatting import count_of
from emonet.options import write_toml
from emonet.training.config import TrainConfig
from emonet.tuning.domains import show_value
from emonet.tuning.study import Study, Trial

TRIALS, BEST = "trials.csv", "best.toml"


def write_trials(study: Study) -> None:
    """Write the table of all trials: what became of them, their figures, and the value of each parameter."""
    trials = study.list_trials()
    names = list(dict.fromkeys(name for one in trials for name in one.values))
    columns = ["trial", "state", "score", "best_epoch", "epochs", "seconds", "error"]
    with (
        write_atomically(study.folder / TRIALS) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*columns, *names])
        for one in trials:
            facts = [one.facts.get(name) for name in ("best_epoch", "epochs")]
            seconds = round(one.facts["seconds"], 1) if "seconds" in one.facts else None
            values = [_write_cell(one.values.get(name)) for name in names]
            writer.writerow([one.number, one.state, one.score, *facts, seconds, one.error, *values])


def _write_cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | list | dict) else value


def write_best(study: Study, best: Trial, config: TrainConfig) -> None:
    """Write the options of the best trial, for `emonet train --config`."""
    measured = f"{config.choose_by} {best.score:.4f}, the best of {count_of(len(study.list_trials()), 'trial')}"
    heading = f"emonet train --config this-file; trial {best.number}: {measured}"
    write_toml(config, study.folder / BEST, heading)


def describe_trial(study: Study, number: int, count: int) -> str:
    """Say in a line what became of a trial, and which is the best so far."""
    one = next(one for one in study.list_trials() if one.number == number)
    epochs, minutes = one.facts.get("epochs", 0), one.facts.get("seconds", 0.0) / 60
    what = {
        "complete": "" if one.score is None else f"{one.score:.4f}",
        "pruned": f"pruned after {count_of(epochs, 'epoch')}",
        "failed": f"failed: {one.error}",
    }.get(one.state, one.state)
    best = study.find_best()
    new = best is not None and best.number == number
    return f"trial {number} of {count}: {what} ({minutes:.1f} minutes); {describe_best(best, values=new)}"


def describe_best(best: Trial | None, *, values: bool = True) -> str:
    """Say in a line which trial is the best so far."""
    if best is None:
        return "none is complete yet"
    shown = ", ".join(f"{name}={show_value(value)}" for name, value in best.values.items())
    return f"best so far: trial {best.number}, {best.score:.4f}" + (f" ({shown})" if values else "")
