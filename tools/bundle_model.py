"""Make a trained model one of those that come with the package: in 16 bits, with its scores and its card.

python tools/bundle_model.py runs/emonet/model.safetensors merged emonet --default-head mean --default-prior sqrt

`tools/bundle_graphs.py` writes only the ONNX graphs, for the weights that are there now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from emonet.atomic import write_atomically
from emonet.commands import run
from emonet.datasets.store import open_store
from emonet.errors import OptionError
from emonet.evaluation import Evaluation, evaluate
from emonet.evaluation.calibration import fit_temperatures
from emonet.evaluation.coverage import measure_on_dev
from emonet.evaluation.sizes import SIZES
from emonet.inference.checkpoint import Checkpoint, load_checkpoint, set_coverage, set_temperatures
from emonet.inference.learned import learned_from_dev
from emonet.inference.loading import BUNDLED, FOLDER, is_file_name
from emonet.inference.model_file import LEARNED_VALIDATION
from emonet.inference.onnx import export_graph
from emonet.report.card import TWIN, model_card, stored_scores

FIGURES = "\n## Figures\n"  # the section of a card after what was chosen
TEACHERS = ("teacher", "teacher_labels")  # options of a training that name models or files


def bundle(
    model: Annotated[Path, typer.Argument(help="The model file of a run.")],
    store: Annotated[
        Path,
        typer.Argument(
            help="The data set: it is scored on the split validation; temperatures and coverage are found on dev."
        ),
    ],
    name: Annotated[str, typer.Argument(help=f"The name to give it: {', '.join(BUNDLED)}.")],
    *,
    default_head: Annotated[
        str, typer.Option(help="Head that answers by default, or mean. (default: the file's)")
    ] = "",
    default_prior: Annotated[
        str, typer.Option(help="Default prior: training, even or sqrt. (default: the file's)")
    ] = "",
    called: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=NAME",
            help="What to call a model of the training that was given by its path, such as "
            "runs/emonet/model.safetensors=emonet.",
        ),
    ] = None,
    twin: Annotated[
        Path | None,
        typer.Option(
            help="For a model that learned from dev too: one that did not, whose temperatures, coverage and score on "
            "dev are told instead. It was bundled before."
        ),
    ] = None,
    note: Annotated[
        str, typer.Option(help="A sentence for the card on what was chosen, such as by scores that follow in it.")
    ] = "",
) -> None:
    """Score a model as it will be published, on labels and votes, and add it to the package with its ONNX graph."""
    if name not in BUNDLED:
        raise OptionError(f"name must be one of {', '.join(BUNDLED)}, got {name!r}")
    path = FOLDER / f"{name}.safetensors"
    checkpoint, measured = load_checkpoint(model), _load_twin(twin) if twin else None
    if checkpoint.training.get(LEARNED_VALIDATION):
        raise OptionError(f"{model} learned from validation, on which bundled models are scored")
    head, prior = default_head or checkpoint.default_head, default_prior or checkpoint.default_prior
    training = _call_models(checkpoint.training, dict(one.rpartition("=")[::2] for one in called or ()))
    replace(checkpoint, training=training, default_head=head, default_prior=prior, coverage=()).save(path, half=True)
    faces = open_store(store)
    if measured is None:
        found = fit_temperatures(load_checkpoint(path), faces)
        set_temperatures(path, {one.head: one.temperature for one in found})
        set_coverage(path, measure_on_dev(load_checkpoint(path), faces))
    else:
        _take_from(measured, path)
    given_out = load_checkpoint(path)
    evaluation = evaluate(given_out, faces, name=name, sizes=SIZES)
    replace(given_out, scores={**given_out.scores, **stored_scores(evaluation)}).save(path, half=True)
    _write_card(evaluation, path.with_suffix(".md"), note)
    export_graph(given_out, path.with_suffix(".onnx"))
    typer.echo(f"{path}: {path.stat().st_size:,} bytes")


def _load_twin(path: Path) -> Checkpoint:
    """Open a twin before anything is written: it may be the file that the model replaces."""
    twin = load_checkpoint(path)
    if learned_from_dev(twin.training):
        raise OptionError("the twin learned from dev, too")
    return twin


def _take_from(twin: Checkpoint, path: Path) -> None:
    """Take over what was measured on dev from a model that did not learn from it."""
    set_temperatures(path, {head.name: head.temperature for head in twin.heads})
    set_coverage(path, (replace(curve, data=f"{curve.data} (by its twin)") for curve in twin.coverage))
    checkpoint = load_checkpoint(path)
    replace(checkpoint, scores={**checkpoint.scores, TWIN: twin.scores["dev"]}).save(path, half=True)


def _call_models(training: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Name the models that a training began with or was taught by: paths of one machine say nothing to others."""
    told: dict[str, Any] = json.loads(json.dumps(training))
    for part in (told.get("config", {}), told.get("identity", {})):
        starts = [names.get(one, one) for one in filter(None, part.get("init", "").split(","))]
        teachers = {field: [names.get(one, one) for one in part.get(field, ())] for field in TEACHERS}
        part |= {"init": ",".join(starts), **teachers}
        if paths := [one for one in chain(starts, *teachers.values()) if is_file_name(one)]:
            raise OptionError(f"the training names {', '.join(paths)}: say by --called PATH=NAME what to call it")
    return told


def _write_card(evaluation: Evaluation, path: Path, note: str) -> None:
    card = model_card(evaluation).replace(FIGURES, f"\n{note}\n{FIGURES}" if note else FIGURES, 1)
    with write_atomically(path) as temporary:
        temporary.write_text(card, encoding="utf-8")


if __name__ == "__main__":
    run(bundle)
