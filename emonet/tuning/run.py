"""A search in its folder. Stopped and run again, it goes on; several processes may work on it at the same time.

OUT/study.journal        every trial, as Optuna's journal storage keeps it
OUT/trials.csv           one row per trial
OUT/best.toml            the options of the best trial, for `emonet train --config`
OUT/tuning.html          the course of the search, and which options matter; with history.png and values.png
OUT/trial-0001/...       the training of each trial, as `emonet train` writes it; only the best keeps its model file
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.folders import check_own
from emonet.html.formatting import count_of
from emonet.options import to_table
from emonet.training.config import Panel, TrainConfig
from emonet.training.log import Silent, Watch
from emonet.tuning.journal import LOCK, check_optuna, is_locked
from emonet.tuning.options import TuneOptions
from emonet.tuning.report import PLOTS, REPORT, write_report
from emonet.tuning.space import FIELDS, Space, count_epochs, make_space
from emonet.tuning.study import JOURNAL, Study, Trial
from emonet.tuning.table import BEST, TRIALS, describe_best, describe_trial, write_best, write_trials
from emonet.tuning.trial import Runner, TimeIsUpError

TRAIN, DEV = "train", "dev"
HOPELESS = 20  # trials that may fail before any has a score


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found.

    Attributes:
        config: The options of the best trial, as `best.toml` has them; None if no trial is complete.
        score: What the best trial scored.
        trials: All trials.
    """

    config: TrainConfig | None
    score: float | None
    trials: tuple[Trial, ...]


def tune(
    options: TuneOptions,
    store: Store,
    folder: Path,
    training: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
    *,
    overwrite: bool = False,
) -> Tuned:
    """Search for the options with which a training scores best on dev or on inner folds.

    The splits validation and test are not opened. A study that was stopped is resumed, with its interrupted trial.

    Args:
        options: What is searched, how, and for how long.
        store: The data set.
        folder: The folder of the study; it is created.
        training: Options of `TrainConfig` that all trials have in common; the others are the network's recipe.
        watch: Told about progress.
        overwrite: Whether another study in the folder may be replaced.

    Returns:
        The best options, and all trials.

    Raises:
        MissingPackageError: Optuna is not installed.
        OptionError: The search cannot be understood, a value cannot be used, or the folder holds another study or other
            things.

    Examples:
        >>> from pathlib import Path
        >>> from emonet.datasets import open_store
        >>> from emonet.tuning import TuneOptions, tune
        >>> options = TuneOptions(search={"learning_rate": "0.001..0.1:log"}, trials=20)
        >>> found = tune(options, open_store("data/fer2013"), Path("runs/search"))  # doctest: +SKIP
        >>> found.config.learning_rate  # doctest: +SKIP
        0.043
    """
    check_optuna()
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise OptionError("a search runs in processes of their own: start it several times, without torchrun")
    check_own(folder, "a search", [JOURNAL, LOCK])
    watch = watch or Silent()
    training = dict(training or {})
    space = make_space(options.search, training)
    if options.sampler == "grid":
        watch.note(f"the grid has {count_of(space.count_grid(), 'point')}")
    folds = _find_folds(options, space, store)
    if overwrite:
        _clear(folder)
    ends_at = time.monotonic() + 60 * options.minutes if options.minutes else math.inf
    epochs = count_epochs(space, _count_images(space, store, folds))
    study = _open(folder, space, options, store, epochs * max(1, len(folds)))
    runner = Runner(space, store, folds, epochs, watch, ends_at, options.trials)
    if known := study.list_trials():
        watch.note(f"{folder} has {count_of(len(known), 'trial')}; {describe_best(study.find_best())}")
    try:
        _run_trials(study, runner, watch)
    finally:
        _write(study, space, options, store)
    best = study.find_best()
    found = None if best is None else make_best(space, best, store)
    return Tuned(found, best.score if best else None, tuple(study.list_trials()))


def make_best(space: Space, best: Trial, store: Store) -> TrainConfig:
    """Make the options of the best trial, for a training on all of train that chooses its epoch on dev.

    Where there is no dev, the epoch is chosen on the first fold.
    """
    config = space.make_config(best.values)
    return config if DEV in store.splits or config.fold >= 0 else replace(config, fold=0)


def _open(folder: Path, space: Space, options: TuneOptions, store: Store, longest: int) -> Study:
    base = space.make_config({})
    machine = {name for name, option in FIELDS.items() if option.option.panel == Panel.MACHINE} - {"precision"}
    identity = {
        "search": {one.name: asdict(one.domain) for one in space.parameters},
        "objective": options.objective,
        "data": store.identity,
        **{name: value for name, value in base.to_dict().items() if name not in machine},
    }
    return Study(folder, space, options, identity, longest=longest, lowest=base.choose_by == "loss")


def _find_folds(options: TuneOptions, space: Space, store: Store) -> tuple[int, ...]:
    """Find the folds to compare trials by; none if they are compared on dev."""
    base = space.make_config({})
    if options.objective == "dev":
        if DEV not in store.splits and base.fold < 0:
            raise OptionError(
                f"{store.path} has no split 'dev' to compare trials on: build it with --dev, or with --folds and "
                "take the objective folds"
            )
        return ()
    if base.fold >= 0 or base.leave_out >= 0:
        raise OptionError("the objective folds takes each fold in turn: leave out `fold` and `leave_out`")
    folds = sorted(set(store.table(TRAIN, ["fold"])["fold"].to_pylist()) - {-1, None})
    if len(folds) < 2:
        raise OptionError(f"{store.path} has no folds: `emonet build --folds N` numbers them")
    return tuple(folds)


def _count_images(space: Space, store: Store, folds: tuple[int, ...]) -> int:
    """Count about how many images a trial learns from."""
    sources = space.make_config({}).sources or store.info.counts
    images = sum(sum(store.info.counts.get(source, {}).get(TRAIN, {}).values()) for source in sources)
    return images * (len(folds) - 1) // len(folds) if folds else images


def _run_trials(study: Study, runner: Runner, watch: Watch) -> None:
    """Run trials until the study has as many as it may have, or the time is up."""
    while time.monotonic() < runner.ends_at:
        claim = study.claim()
        if claim is None:
            return
        with claim:
            try:
                runner.run(claim, study.find_folder(claim.number))
            except TimeIsUpError:
                watch.note(f"the time is up within trial {claim.number}; run the same command again to go on")
                return
        with study.locked():
            _write_tables(study, runner.space, runner.store)
            _drop_models(study)
        watch.note(describe_trial(study, claim.number, runner.trials))
        _check_hope(study.list_trials())


def _check_hope(trials: list[Trial]) -> None:
    failed = [one for one in trials if one.state == "failed"]
    if len(failed) >= HOPELESS and not any(one.state in ("complete", "pruned") for one in trials):
        raise OptionError(f"all of {len(failed)} trials failed, the last because: {failed[-1].error}")


def _drop_models(study: Study) -> None:
    """Remove the model files of all trials that have ended but the best."""
    best = study.find_best()
    for one in study.list_trials():
        if one.state in ("complete", "pruned", "failed") and (best is None or one.number != best.number):
            folder = study.find_folder(one.number)
            for file in (*folder.glob("*.safetensors"), *folder.glob("fold-*/*.safetensors")):
                file.unlink(missing_ok=True)


def _write_tables(study: Study, space: Space, store: Store) -> None:
    write_trials(study)
    if (best := study.find_best()) is not None:
        write_best(study, best, make_best(space, best, store))


def _write(study: Study, space: Space, options: TuneOptions, store: Store) -> None:
    with study.locked():
        _write_tables(study, space, store)
        write_report(study, space, to_table(options), store)


def _clear(folder: Path) -> None:
    """Remove the files that searches write, and nothing else.

    Raises:
        OptionError: Another process works on the study.
    """
    trials = [*folder.glob("trial-[0-9]*")]
    if busy := [trial for trial in trials if is_locked(trial)]:
        raise OptionError(f"another process works on {busy[0]}: stop it before you overwrite {folder}")
    for name in (JOURNAL, TRIALS, BEST, REPORT, *PLOTS):
        (folder / name).unlink(missing_ok=True)
    for trial in trials:
        shutil.rmtree(trial)
