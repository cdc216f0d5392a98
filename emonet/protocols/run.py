"""A protocol from its first training to its report; stopped and run again, it goes on.

OUT/<round>/...          the training of each round, as `emonet train` leaves it
OUT/protocol.json        what was chosen on what, every figure, round by round and pooled
OUT/report.html          the same for people
OUT/curve.png            of a learning curve
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
from emonet.evaluation.evaluation import evaluate
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import Machine, open_machine
from emonet.protocols import PROTOCOLS
from emonet.protocols.curve import LearningCurve
from emonet.protocols.curve_picture import draw_learning_curve
from emonet.protocols.report import write_report
from emonet.protocols.result import Outcome, Result, RoundResult
from emonet.protocols.round import HeldOut, Protocol, Round, label_head
from emonet.training.config import TrainConfig
from emonet.training.log import Silent, Watch
from emonet.training.packages import check_packages, settle_augmenter
from emonet.training.run import train
from emonet.training.session import clear_folder, list_run_folders

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
    """Trains and scores every round. A round that is finished is not trained again, but scored as it stands."""
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise OptionError("a protocol runs in one process: start it without torchrun")
    watch = watch or Silent()
    rounds = protocol.rounds(store, config)
    _check_heads(rounds)
    machine = open_machine(config.device, config.precision)
    folders = [] if overwrite else [part for one in rounds for part in list_run_folders(folder / one.name)]
    config = settle_augmenter(config, machine.device, folders, watch)
    rounds = [replace(one, config=replace(one.config, augment_with=config.augment_with)) for one in rounds]
    if overwrite:
        check_packages(config, machine.device)  # before what is there is lost
        _clear(folder, rounds)
    results = []
    for number, one in enumerate(rounds, start=1):
        watch.note(f"round {number} of {len(rounds)}, {one.name}: {one.chosen}")
        checkpoint = train(one.config, one.learned, folder / one.name, watch)
        results.append(_scored(one, checkpoint, machine))
    name = next(name for name, kind in PROTOCOLS.items() if isinstance(protocol, kind))
    result = Result(name, protocol.title, protocol.to_dict(), config.to_dict(), store.info["inputs"], results)
    _write(result, folder, with_curve=isinstance(protocol, LearningCurve))
    return result


def _check_heads(rounds: Sequence[Round]) -> None:
    """Raise for what cannot be scored, before anything is trained."""
    for one in rounds:
        for held_out in one.scored.values():
            label_head(one.config, held_out)


def _clear(folder: Path, rounds: Sequence[Round]) -> None:
    """All rounds at once, and not each in its turn: stopped now, and run again without overwriting, it goes on."""
    for name in (RESULT, CURVE, REPORT):
        (folder / name).unlink(missing_ok=True)
    for one in rounds:
        clear_folder(folder / one.name)


def _scored(one: Round, checkpoint: Checkpoint, machine: Machine) -> RoundResult:
    outcomes = {name: _outcome(one, checkpoint, held_out, machine) for name, held_out in one.scored.items()}
    return RoundResult(
        one,
        learned=checkpoint.training["pictures"],
        chosen_on=checkpoint.scores.get("dev", {}).get("n", 0),
        epoch=checkpoint.training.get("chosen_epoch"),
        outcomes=outcomes,
    )


def _outcome(one: Round, checkpoint: Checkpoint, held_out: HeldOut, machine: Machine) -> Outcome:
    """Score the labels by the head that learned them, whichever answers by default."""
    head = label_head(one.config, held_out)
    evaluation = evaluate(checkpoint, held_out.store, held_out.split, name=one.name, machine=machine, head=head)
    return Outcome.of(evaluation, held_out)


def _write(result: Result, folder: Path, *, with_curve: bool) -> None:
    if with_curve:
        draw_learning_curve(result, folder / CURVE)
    write_report(result, folder / REPORT, folder / CURVE if with_curve else None)
    with write_atomically(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
