"""Run a protocol from its first training to its report; after an interruption it goes on where it was.

OUT/<round>/...          the training of each round, as `emonet train` writes it
OUT/protocol.json        what was chosen on what, and every figure, by round and pooled
OUT/answers.parquet      the answers to every image that was scored, by round
OUT/report.html          the same to read
OUT/curve.png            a learning curve
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emonet.atomic import write_atomically
from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.evaluation.answers import ANSWERS, Answers, join_answers, write_answers
from emonet.evaluation.evaluation import evaluate
from emonet.folders import check_own
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import Machine, open_machine
from emonet.protocols import PROTOCOLS
from emonet.protocols.curve import LearningCurve
from emonet.protocols.curve_plot import draw_learning_curve
from emonet.protocols.report import write_report
from emonet.protocols.result import Outcome, Result, RoundResult
from emonet.protocols.round import HeldOut, Protocol, Round, find_label_head
from emonet.training.config import TrainConfig
from emonet.training.log import Silent, Watch
from emonet.training.packages import check_packages, settle_augmenter
from emonet.training.run import train
from emonet.training.session import check_own_run, clear_folder, list_run_folders

RESULT, CURVE, REPORT = "protocol.json", "curve.png", "report.html"


def run_protocol(
    protocol: Protocol,
    store: Store,
    config: TrainConfig,
    folder: Path,
    watch: Watch | None = None,
    *,
    overwrite: bool = False,
) -> Result:
    """Train and score every round of a protocol.

    A round that is finished already is not trained again, only scored.

    Args:
        protocol: One of PROTOCOLS, with its options.
        store: The data set.
        config: The training of each round.
        folder: Where to write.
        watch: Shows how far it has come.
        overwrite: Whether to replace other rounds in the folder.

    Returns:
        All figures.

    Raises:
        OptionError: The protocol does not fit the data set or the training, or the folder holds other things.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise OptionError("a protocol runs in one process: start it without torchrun")
    watch = watch or Silent()
    rounds = protocol.rounds(store, config)
    _check_heads(rounds)
    _check_own(folder, rounds)
    machine = open_machine(config.device, config.precision)
    folders = [] if overwrite else [part for one in rounds for part in list_run_folders(folder / one.name)]
    config = settle_augmenter(config, machine.device, folders, watch)
    rounds = [replace(one, config=replace(one.config, augment_with=config.augment_with)) for one in rounds]
    if overwrite:
        check_packages(config, machine.device)  # before anything is removed
        _clear(folder, rounds)
    results = []
    for number, one in enumerate(rounds, start=1):
        watch.note(f"round {number} of {len(rounds)}, {one.name}: {one.chosen}")
        checkpoint = train(one.config, one.learned, folder / one.name, watch)
        results.append(_score_round(one, checkpoint, machine))
    name = next(name for name, kind in PROTOCOLS.items() if isinstance(protocol, kind))
    result = Result(name, protocol.title, protocol.to_dict(), config.to_dict(), dict(store.info.inputs), results)
    _write(result, folder, store, with_curve=isinstance(protocol, LearningCurve))
    return result


def _check_heads(rounds: Sequence[Round]) -> None:
    """Raise OptionError for what cannot be scored, before anything is trained."""
    for one in rounds:
        for held_out in one.scored.values():
            find_label_head(one.config, held_out)


def _check_own(folder: Path, rounds: Sequence[Round]) -> None:
    """Raise OptionError if the folder, or that of a round, holds other things."""
    check_own(folder, "rounds of this protocol", [RESULT, *(one.name for one in rounds)])
    for one in rounds:
        check_own_run(folder / one.name)


def _clear(folder: Path, rounds: Sequence[Round]) -> None:
    """Clear all rounds before the first is trained, so that a run can be resumed without `overwrite`."""
    for name in (RESULT, CURVE, REPORT, ANSWERS):
        (folder / name).unlink(missing_ok=True)
    for one in rounds:
        clear_folder(folder / one.name)


def _score_round(one: Round, checkpoint: Checkpoint, machine: Machine) -> RoundResult:
    outcomes = {title: _score(one, checkpoint, held_out, title, machine) for title, held_out in one.scored.items()}
    return RoundResult(
        one,
        learned=checkpoint.training["pictures"],
        chosen_on=checkpoint.scores.get("dev", {}).get("n", 0),
        epoch=checkpoint.training.get("chosen_epoch"),
        outcomes=outcomes,
        identity=checkpoint.identity,
    )


def _score(one: Round, checkpoint: Checkpoint, held_out: HeldOut, title: str, machine: Machine) -> Outcome:
    """Score the labels by the head that learned them, even if another answers by default."""
    head = find_label_head(one.config, held_out)
    evaluation = evaluate(checkpoint, held_out.store, held_out.split, name=one.name, machine=machine, head=head)
    return Outcome.of(evaluation, held_out, title)


def _write(result: Result, folder: Path, store: Store, *, with_curve: bool) -> None:
    about = {"name": folder.name, "protocol": result.name, "options": dict(result.options)}
    rounds = {one.round.name: one.identity for one in result.rounds}
    data = {"store": store.path.name, "store_identity": store.identity, "split": "", "model_identity": rounds}
    outcomes = [outcome.collected for one in result.rounds for outcome in one.outcomes.values()]
    write_answers(_name_splits(join_answers(outcomes, {**about, **data}), store), folder / ANSWERS)
    if with_curve:
        draw_learning_curve(result, folder / CURVE)
    write_report(result, folder / REPORT, folder / CURVE if with_curve else None)
    with write_atomically(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")


def _name_splits(answers: Answers, store: Store) -> Answers:
    """Name the split that each image has in the data set, in the place of that in the view of a round."""
    import pyarrow as pa

    splits = {key: split for split in store.splits for key in store.table(split, ["key"])["key"].to_pylist()}
    column = pa.array([splits[key] for key in answers.keys], pa.string())
    table = answers.table.set_column(answers.table.column_names.index("split"), "split", column)
    return Answers(table, answers.about)
