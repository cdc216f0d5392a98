"""The trials of a search, in Optuna's journal.

Several processes may have a study open. A lock on its folder makes them take turns where one reads and then writes; a
lock on each trial's folder is held while it runs, and the system frees it when the process ends, however it ends. So
a trial that is running and not locked was interrupted, and is run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emonet.errors import OptionError
from emonet.tuning.journal import (
    ENOUGH,
    decode,
    encode,
    is_locked,
    make_lock,
    make_sampler,
    open_journal,
    quietly,
    suggest,
)
from emonet.tuning.options import TuneOptions
from emonet.tuning.space import Space

if TYPE_CHECKING:
    import optuna
    from filelock import FileLock

JOURNAL = "study.journal"
IDENTITY, NUMBER, ERROR, FACTS = "identity", "number", "error", "facts"  # what the journal has beside Optuna's own
State = Literal["complete", "pruned", "failed", "running", "interrupted"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial, as the journal has it.

    Attributes:
        number: Its number; the first is 1.
        state: What became of it. A trial that was pruned or failed has no value.
        values: Parameter -> value.
        score: What it is compared by.
        error: Why it failed.
        facts: Figures of its training, such as `epochs` and `seconds`.
    """

    number: int
    state: State
    values: Mapping[str, Any]
    score: float | None
    error: str
    facts: Mapping[str, Any]


class Claim:
    """A trial that this process runs. Use it as a context manager; at the end of the block others may take it.

    Attributes:
        number: Its number.
        values: Parameter -> value.
    """

    def __init__(self, trial: optuna.Trial, number: int, values: Mapping[str, Any], lock: FileLock) -> None:
        self.number, self.values = number, values
        self._trial, self._lock = trial, lock
        self._reported = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def report(self, step: int, score: float) -> bool:
        """Report what the trial scores so far, and return whether to stop it."""
        if step not in self._reported:
            self._trial.report(score, step)
            self._reported.add(step)
        return self._trial.should_prune()

    def finish(self, score: float, facts: Mapping[str, Any]) -> None:
        """Note that the trial is complete."""
        self._trial.set_user_attr(FACTS, dict(facts))
        self._trial.study.tell(self._trial, score)

    def give_up(self, facts: Mapping[str, Any], error: str = "") -> None:
        """Note that the trial was pruned, or failed; samplers learn to avoid both."""
        from optuna.trial import TrialState

        self._trial.set_user_attr(FACTS, dict(facts))
        if error:
            self._trial.set_user_attr(ERROR, error)
        self._trial.study.tell(self._trial, state=TrialState.PRUNED)


class Study:
    """A study in a folder, which is created or opened.

    Args:
        folder: The folder.
        space: What is searched.
        options: The options of the search.
        identity: What must be the same for a study to be resumed.
        longest: The last step that a trial may report.
        lowest: Whether a lower score is better.

    Raises:
        OptionError: The folder holds another study, or its journal is damaged.
    """

    def __init__(
        self,
        folder: Path,
        space: Space,
        options: TuneOptions,
        identity: Mapping[str, Any],
        *,
        longest: int,
        lowest: bool,
    ) -> None:
        self.folder = folder
        self._space, self._options = space, options
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = make_lock(folder)
        with self.locked():
            self._study = open_journal(folder / JOURNAL, options.pruner, longest, lowest=lowest)
            _check_identity(self._study, folder, json.loads(json.dumps(identity)))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the study meanwhile."""
        with self._lock, quietly():
            yield

    def claim(self) -> Claim | None:
        """Take the next trial: one that was interrupted, or a new one.

        Returns:
            The trial; None if the study has as many as it may have, or the grid has no more.
        """
        with self.locked():
            self._free_interrupted()
            if not self._count_waiting() and not self._add_new():
                return None
            new = 1 + _find_last(self._study.get_trials(deepcopy=False))
            self._study.sampler = make_sampler(self._options.sampler, self._options.sampler_seed, new)
            trial = self._study.ask()
            values = {one.name: suggest(trial, one) for one in self._space.parameters}
            number = trial.user_attrs.get(NUMBER, new)
            self.find_folder(number).mkdir(exist_ok=True)
            lock = make_lock(self.find_folder(number))
            lock.acquire(timeout=0)
            trial.set_user_attr(NUMBER, number)  # last: what has a number has all its values
            return Claim(trial, number, values, lock)

    def find_folder(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.folder / f"trial-{number:04d}"

    def list_trials(self) -> list[Trial]:
        """List all trials by their numbers; one that was interrupted is there once."""
        found = {}
        with self.locked():
            for trial in self._study.get_trials(deepcopy=False):
                if NUMBER in trial.user_attrs:  # a later entry goes on where an earlier one was interrupted
                    found[trial.user_attrs[NUMBER]] = self._read(trial)
        return [found[number] for number in sorted(found)]

    def find_best(self) -> Trial | None:
        """Return the best of the complete trials, the first of equals."""
        complete = [one for one in self.list_trials() if one.state == "complete" and one.score is not None]
        sign = -1 if self.lowest else 1
        return max(complete, key=lambda one: (sign * (one.score or 0.0), -one.number), default=None)

    @property
    def lowest(self) -> bool:
        """Whether a lower score is better."""
        return self._study.direction.name == "MINIMIZE"

    def measure_importance(self) -> dict[str, float]:
        """Measure how much of the differences between complete trials each parameter explains (fANOVA), of 1 in all.

        Returns:
            Parameter -> share, the greatest first; nothing if there are too few trials, or they score alike.
        """
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        complete = [one for one in self.list_trials() if one.state == "complete"]
        if len(complete) <= ENOUGH or len({one.score for one in complete}) == 1:
            return {}
        return dict(get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=0)))

    def _read(self, trial: optuna.trial.FrozenTrial) -> Trial:
        error = trial.user_attrs.get(ERROR, "") if trial.state.is_finished() else ""
        state: State = "failed" if error else _STATES[trial.state.name]
        if state == "running" and not is_locked(self.find_folder(trial.user_attrs[NUMBER])):
            state = "interrupted"
        values = {
            one.name: decode(one, trial.params[one.name]) for one in self._space.parameters if one.name in trial.params
        }
        score = trial.value if state == "complete" else None
        return Trial(trial.user_attrs[NUMBER], state, values, score, error, trial.user_attrs.get(FACTS, {}))

    def _free_interrupted(self) -> None:
        """Put each interrupted trial into the queue, with its values and what it reported, and close its own entry."""
        import optuna
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        waiting = {trial.user_attrs.get(NUMBER) for trial in trials if trial.state == TrialState.WAITING}
        for trial in trials:
            number = trial.user_attrs.get(NUMBER)
            if trial.state != TrialState.RUNNING or (number is not None and is_locked(self.find_folder(number))):
                continue
            if number is not None and number not in waiting:
                again = optuna.create_trial(
                    state=TrialState.WAITING,
                    params=trial.params,
                    distributions=trial.distributions,
                    intermediate_values=trial.intermediate_values,
                    user_attrs={NUMBER: number},  # what it failed by, if it was killed then, may not happen again
                )
                self._study.add_trial(again)
            self._study.tell(trial.number, state=TrialState.FAIL)

    def _count_waiting(self) -> int:
        from optuna.trial import TrialState

        return len(self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def _add_new(self) -> bool:
        """Say whether there may be a new trial; of a grid, put the next point into the queue."""
        trials = self.list_trials()
        if len(trials) >= self._options.trials:
            return False
        if self._options.sampler != "grid":
            return True
        done = {json.dumps(trial.values, sort_keys=True) for trial in trials}
        for point in range(self._space.count_grid()):
            values = self._space.find_point(point)
            if json.dumps(values, sort_keys=True) not in done:
                shown = {one.name: encode(values[one.name]) for one in self._space.parameters}
                self._study.enqueue_trial(shown)
                return True
        return False


_STATES: dict[str, State] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "interrupted",
    "RUNNING": "running",
    "WAITING": "interrupted",
}


def _check_identity(study: optuna.Study, folder: Path, identity: Mapping[str, Any]) -> None:
    stored = study.user_attrs.get(IDENTITY)
    if stored is None:
        study.set_user_attr(IDENTITY, identity)
        return
    if differing := sorted(name for name in {*stored, *identity} if stored.get(name) != identity.get(name)):
        raise OptionError(
            f"{folder} holds a study with other {', '.join(differing)}; choose another folder, or use --overwrite"
        )


def _find_last(trials: Sequence[optuna.trial.FrozenTrial]) -> int:
    return max((trial.user_attrs.get(NUMBER, 0) for trial in trials), default=0)
