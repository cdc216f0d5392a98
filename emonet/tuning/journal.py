"""Optuna's journal: the file that a study is kept in, and what Optuna makes of the options of a search."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emonet.errors import OptionError
from emonet.training.chance import sample_seed
from emonet.tuning.domains import Choices
from emonet.tuning.options import Pruner, Sampler
from emonet.tuning.space import Parameter
from facecrop.packages import import_packages

if TYPE_CHECKING:
    import optuna
    from filelock import FileLock

LOCK = "lock"
NAME = "emonet"
ENOUGH = 5  # complete trials before their median, or their differences, say something


def check_optuna() -> None:
    """Import what a search needs.

    Raises:
        MissingPackageError: A package is not installed.
    """
    import_packages("a search", "emonet[tune]", "filelock", "optuna")


def make_lock(folder: Path) -> FileLock:
    """Make the lock of a folder, which the system frees when its process ends."""
    from filelock import FileLock

    return FileLock(folder / LOCK, thread_local=False)


def is_locked(folder: Path) -> bool:
    """Say whether a process holds the lock of a folder."""
    from filelock import Timeout

    if not (folder / LOCK).is_file():
        return False
    try:
        with make_lock(folder).acquire(timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def quietly() -> Iterator[None]:
    """Keep Optuna from reporting what the search reports itself."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def open_journal(path: Path, pruner: Pruner, longest: int, *, lowest: bool) -> optuna.Study:
    """Open the study of a journal, or begin one.

    Args:
        path: The file.
        pruner: What stops poor trials.
        longest: The last step that a trial may report.
        lowest: Whether a lower score is better.

    Raises:
        OptionError: The file is damaged, or no journal.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    lock = JournalFileOpenLock(os.fspath(path))
    lock.acquire()
    try:
        _drop_torn_line(path)
    finally:
        lock.release()
    direction: Literal["minimize", "maximize"] = "minimize" if lowest else "maximize"
    chosen = _make_pruner(pruner, longest)
    try:
        storage = JournalStorage(JournalFileBackend(os.fspath(path), lock_obj=lock))
        if NAME in optuna.get_all_study_names(storage):  # else opening would write
            return optuna.load_study(study_name=NAME, storage=storage, pruner=chosen)
        return optuna.create_study(study_name=NAME, storage=storage, pruner=chosen, direction=direction)
    except (ValueError, KeyError) as error:
        raise OptionError(f"{path} is damaged or no journal of a search; begin again with overwrite") from error


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that its writer did not end, because it was killed or the disk was full."""
    if not path.is_file():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def _make_pruner(pruner: Pruner, longest: int) -> optuna.pruners.BasePruner:
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if pruner == "median":
        return MedianPruner(n_startup_trials=ENOUGH, n_warmup_steps=longest // 10)
    return HyperbandPruner(min_resource=1, max_resource=longest) if pruner == "hyperband" else NopPruner()


def make_sampler(sampler: Sampler, *numbers: int) -> optuna.samplers.BaseSampler:
    """Make the sampler of one trial; it draws the same however often the study was stopped before."""
    from optuna.samplers import RandomSampler, TPESampler

    seed = sample_seed(*numbers) % 2**32
    return TPESampler(seed=seed) if sampler == "tpe" else RandomSampler(seed=seed)


def suggest(trial: optuna.Trial, one: Parameter) -> Any:
    """Draw a value, or take the one that a trial was begun with."""
    domain = one.domain
    if isinstance(domain, Choices):
        return decode(one, trial.suggest_categorical(one.name, [encode(value) for value in domain.values]))
    if domain.whole:
        step = 1 if domain.log or domain.step is None else int(domain.step)
        return trial.suggest_int(one.name, int(domain.low), int(domain.high), step=step, log=domain.log)
    return domain.shorten(trial.suggest_float(one.name, domain.low, domain.high, step=domain.step, log=domain.log))


def encode(value: Any) -> Any:
    """Return a value as Optuna stores it: lists and tables as JSON."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value, sort_keys=True)


def decode(one: Parameter, stored: Any) -> Any:
    """Return the value of a parameter that Optuna has stored."""
    if not isinstance(one.domain, Choices):
        return one.domain.shorten(stored)
    return next((value for value in one.domain.values if encode(value) == stored), stored)
