"""The page of a search: its course, the best options, and how much each option matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from emonet.datasets.store import Store
from emonet.html.formatting import decimal, percent
from emonet.html.images import EmbeddedImage, embed_png
from emonet.html.render import write_page
from emonet.tuning.domains import show_value
from emonet.tuning.plots import draw_history, draw_values
from emonet.tuning.space import Space
from emonet.tuning.study import Study, Trial
from emonet.tuning.table import BEST

REPORT = "tuning.html"
PLOTS = HISTORY, VALUES = "history.png", "values.png"
LISTED = 100  # trials on the page, the best ones
SECTIONS = {
    "options": "Best options",
    "history": "Course",
    "importance": "Importance",
    "values": "Values",
    "trials": "Trials",
}


def _say_where(objective: str, fold: int) -> str:
    if objective != "dev":
        return "as the mean over the folds of train"
    return f"on fold {fold} of train" if fold >= 0 else "on dev"


def write_report(study: Study, space: Space, options: Mapping[str, Any], store: Store) -> None:
    """Write the page of a search, and its plots beside it."""
    trials = study.list_trials()
    best = study.find_best()
    config = space.make_config({} if best is None else best.values)
    measure = config.choose_by
    images = _draw(study, space, trials, measure) if best else {}
    write_page(
        study.folder / REPORT,
        "tuning.html.j2",
        title=f"Search: {config.model}",
        sections=SECTIONS if best else {"trials": "Trials"},
        best=None if best is None else {"number": best.number, "score": _show(best.score, measure)},
        best_file=study.folder / BEST,
        measure=measure,
        measured_on=_say_where(options["objective"], config.fold),
        images=best.facts.get("images", 0) if best else 0,
        states=Counter(one.state for one in trials),
        minutes=sum(one.facts.get("seconds", 0.0) for one in trials) / 60,
        sampler=options["sampler"],
        pruner=options["pruner"],
        store=str(store.path),
        option_rows=_list_options(space, best),
        plots=images,
        importance=[(name, share, percent(share)) for name, share in study.measure_importance().items()],
        columns={"trial": "number", "state": "", measure: "number", "epochs": "number", "minutes": "number"}
        | {one.name: "" for one in space.parameters},
        trial_rows=[_describe(one, space, measure) for one in _sort(trials, lowest=study.lowest)[:LISTED]],
        listed=LISTED,
        failures=[(one.number, one.error) for one in trials if one.error],
    )


def _draw(study: Study, space: Space, trials: Sequence[Trial], measure: str) -> dict[str, EmbeddedImage]:
    history, values = study.folder / HISTORY, study.folder / VALUES
    draw_history(trials, history, measure, lowest=study.lowest)
    draw_values(trials, space.parameters, values, measure)
    return {"history": embed_png(history), "values": embed_png(values)}


def _list_options(space: Space, best: Trial | None) -> list[tuple[str, str, str]]:
    if best is None:
        return []
    return [(one.name, show_value(best.values[one.name]), str(one.domain)) for one in space.parameters]


def _sort(trials: Sequence[Trial], *, lowest: bool) -> list[Trial]:
    """Sort trials: complete ones first, by their scores."""
    sign = 1 if lowest else -1
    return sorted(trials, key=lambda one: (one.score is None, sign * (one.score or 0.0), one.number))


def _describe(one: Trial, space: Space, measure: str) -> tuple[Any, ...]:
    minutes = decimal(one.facts["seconds"] / 60, 1) if "seconds" in one.facts else None
    values = (
        show_value(one.values[parameter.name]) if parameter.name in one.values else "" for parameter in space.parameters
    )
    return one.number, one.state, _show(one.score, measure), one.facts.get("epochs"), minutes, *values


def _show(score: float | None, measure: str) -> str | None:
    if score is None:
        return None
    return percent(score, 2) if measure == "accuracy" else decimal(score, 4)
