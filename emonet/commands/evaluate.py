"""`emonet evaluate`: score a model on a split of a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emonet.commands._console.arguments import RUNNING, Device, HeadName, ModelArgument, PriorName, StorePath
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.output import print_json, print_table
from emonet.commands._console.packages import check_training_packages
from emonet.folders import check_own
from emonet.inference.views import View
from emonet.options import Option, check_options
from emonet.training.choices import Precision

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.metrics import Scores
    from emonet.training.log import EpochRow


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """The options of `emonet evaluate`."""

    split: Annotated[str, Option("Split to score on: validation, test, dev, or all for every image.")] = "validation"
    sources: Annotated[
        tuple[str, ...], Option("Score the images of this data set only; may be repeated.", flag="--source")
    ] = ()
    views: Annotated[tuple[View, ...], Option("Score with this test-time augmentation: none, mirror or ten_crop.")] = (
        "none",
        "mirror",
    )
    beta: Annotated[float, Option("Beta of F-beta: how many times recall counts as much as precision.")] = 2.0
    sizes: Annotated[
        tuple[int, ...] | None,
        Option("Score also on faces of these sizes in pixels; '' for none.", 1, default="48,32,24,16,12 with --out"),
    ] = None
    face: Annotated[str, Option("Show in the report the feature maps of the image with this key.")] = ""
    head: HeadName = None
    prior: PriorName = None
    device: Device = "auto"
    precision: Annotated[
        Precision, Option("Compute with fp32, bf16, or auto: bf16 where the processor has it.", panel=RUNNING)
    ] = "auto"

    def __post_init__(self) -> None:
        check_options(self)


@with_options(EvaluateOptions)
def evaluate(
    model: ModelArgument,
    store: StorePath,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder to write report.html, its plots, card.md, evaluation.json and answers.parquet to.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all scores as one JSON object.")] = False,
    given: Given,
) -> None:
    """Score a model on a split of a data set, as a whole and in parts.

    Nothing is chosen here. Each test-time augmentation is scored apart: images as they are (none), averaged with their
    mirror images (mirror), or over shifts to the four corners, all mirrored (ten_crop). A table has every head and
    prior of the model: choose a default by that of dev alone.
    """
    options = given.choose(EvaluateOptions)
    given.end_if_printed(options)
    if out is not None:
        from emonet.evaluation.coverage import FIGURES

        check_own(out, "a report", [FIGURES])
    evaluation = _score(model, store, options, report=out is not None)
    page = None
    if out is not None:
        from emonet.report import write_report

        page = write_report(evaluation, out, log=_log(model), face=options.face)
    if as_json:
        print_json(evaluation.to_dict())
    else:
        _show(evaluation)
    if page:
        typer.echo(f"look at {page}", err=as_json)


def _score(model: str, store: Path, options: EvaluateOptions, *, report: bool) -> Evaluation:
    """Evaluate; each size of face costs as much as the whole split, so only a report has them unasked."""
    check_training_packages("evaluate")
    from emonet.datasets.store import open_store
    from emonet.evaluation import evaluate as run
    from emonet.evaluation.sizes import SIZES
    from emonet.inference import load_model
    from emonet.inference.devices import open_machine

    unasked = SIZES if report else ()
    evaluation = run(
        load_model(model),
        open_store(store),
        options.split,
        sources=options.sources,
        name=_name(model),
        views=options.views,
        machine=open_machine(options.device, options.precision),
        beta=options.beta,
        sizes=unasked if options.sizes is None else options.sizes,
        head=options.head,
        prior=options.prior,
    )
    return replace(evaluation, given=model)


def _name(model: str) -> str:
    """Name a model after its file, or after the folder of its run, for all runs call their model file the same."""
    from emonet.inference.loading import HUB, RUN_MODEL

    path = Path(model)
    if not path.suffix or path.is_dir() or model.startswith(HUB):
        return model
    return (path.parent.name if path.name == RUN_MODEL else "") or path.stem


def _log(model: str) -> list[EpochRow]:
    """Read the log of the run that a model file lies in; models that come with the package lie in none."""
    from emonet.inference.loading import BUNDLED, HUB, RUN_MODEL, find_model_file
    from emonet.training.log import read_rows
    from emonet.training.session import LOG

    if model in BUNDLED or model.startswith(HUB):
        return []
    file = find_model_file(model)
    log = file.with_name(LOG)
    return read_rows(log) if file.name == RUN_MODEL and log.is_file() else []


def _show(evaluation: Evaluation) -> None:
    from emonet.evaluation.parts import ALL
    from emonet.report.provenance import part_of_split
    from emonet.report.tables import describe_intervals

    cost = evaluation.cost
    typer.echo(f"{evaluation.name} on {evaluation.scored} of {evaluation.store.path}")
    typer.echo(f"{evaluation.scored}: {part_of_split(evaluation)}")
    typer.echo(f"answers of the head {evaluation.choice.head}, with the prior {evaluation.choice.prior}")
    rows = [
        (f"{view}: {part}" if part == ALL else f"  {part}", *_figures(scores))
        for view, parts in evaluation.scores.items()
        for part, scores in parts.items()
    ]
    numbers = ("n", "accuracy", "95 %", "macro F1", "top 2", "ECE")
    print_table(("view: images", *numbers), rows, numbers)
    typer.echo(f"95 %: {describe_intervals(evaluation)}")
    if evaluation.sizes:
        curve = ", ".join(f"{one.size} px {one.accuracy:.2%}" for one in evaluation.sizes)
        typer.echo(f"accuracy by size of the face, none: {curve}")
    _show_votes(evaluation)
    _show_heads(evaluation)
    _show_coverage(evaluation)
    typer.echo(
        f"{cost.parameters:,} parameters, {cost.macs / 1e6:,.1f} M MACs; {cost.pictures_per_second:,.0f} images/s in "
        f"batches, {cost.milliseconds:.1f} ms for one; {cost.machine}"
    )
    for remark in evaluation.remarks:
        typer.echo(f"emonet: {remark}", err=True)


def _show_votes(evaluation: Evaluation) -> None:
    from emonet.report.tables import VOTES_HEADER, vote_rows, vote_sentences

    if evaluation.view in evaluation.votes:
        typer.echo("\nwhat people see (FER+)")
        print_table(VOTES_HEADER, vote_rows(evaluation), VOTES_HEADER[1:])
        for sentence in vote_sentences(evaluation):
            typer.echo(sentence)


def _show_heads(evaluation: Evaluation) -> None:
    from emonet.report.tables import HEADS_HEADER, choice_words, has_choice, head_rows

    if has_choice(evaluation):
        typer.echo(f"\nevery head and prior, {evaluation.view}")
        print_table(HEADS_HEADER, head_rows(evaluation), HEADS_HEADER[1:])
        typer.echo(choice_words(evaluation))


def _show_coverage(evaluation: Evaluation) -> None:
    from emonet.report.tables import COVERAGE_HEADER, coverage_rows

    typer.echo(f"\nright among the surest answers, {evaluation.view}")
    print_table(COVERAGE_HEADER, coverage_rows(evaluation.coverage[-1]), COVERAGE_HEADER)


def _figures(scores: Scores) -> tuple[str, ...]:
    low, high = scores.accuracy_interval
    return (
        f"{scores.n:,}",
        f"{scores.accuracy:.2%}",
        f"{100 * low:.1f}-{100 * high:.1f}",
        f"{scores.macro_f1:.4f}",
        f"{scores.top_2:.1%}",
        f"{scores.calibration_error:.4f}",
    )
