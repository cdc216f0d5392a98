"""`emonet evaluate`: what a model scores on a split of a data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emonet.errors import OptionError

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.metrics import Scores
    from emonet.training.log import EpochRow


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, or emonet or emonet_fast.")],
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A data set that `emonet build` wrote.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for report.html, its pictures and evaluation.json.")
    ] = None,
    split: Annotated[str, typer.Option(help="validation, test, or dev.")] = "validation",
    views: Annotated[str, typer.Option(help="Ways to look at a picture: none, mirror, ten_crop.")] = "none,mirror",
    beta: Annotated[float, typer.Option(help="Of F-beta: how many times recall counts as much as precision.")] = 2.0,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Face sizes in pixels to score at, such as 48,24,12; '' for none. "
            "With --out the default is 48,32,24,16,12.",
            show_default=False,
        ),
    ] = None,
    head: Annotated[str, typer.Option(help="Whose answer is scored: a head, or mean. (default: the file's)")] = "",
    prior: Annotated[str, typer.Option(help="training, even or sqrt. (default: the file's)")] = "",
    face: Annotated[str, typer.Option(help="Key of the picture whose feature maps the report shows.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, bf16, or auto: bf16 where the processor has it.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="All figures as one JSON object.")] = False,
) -> None:
    """Score a model on a split of a data set, as a whole and in parts.

    Nothing is chosen here. Each way to look at a picture is stated apart: as it is (none), averaged with its mirror
    image (mirror), or over shifts to the four corners, all mirrored (ten_crop). A table has every head and prior of
    the model: choose a default by that of dev alone.
    """
    from emonet.datasets.store import open_store
    from emonet.evaluation import evaluate as run
    from emonet.inference.devices import open_machine
    from emonet.weights import open_model

    evaluation = run(
        open_model(model),
        open_store(store),
        split,
        name=_name(model),
        views=views.split(","),
        machine=open_machine(device, precision),
        beta=beta,
        sizes=_sizes(sizes, report=out is not None),
        head=head,
        prior=prior,
    )
    page = None
    if out is not None:
        from emonet.report import write_report

        page = write_report(evaluation, out, log=_log(Path(model)), face=face)
    if as_json:
        typer.echo(json.dumps(evaluation.to_dict(), indent=2))
    else:
        _show(evaluation)
    if page:
        typer.echo(f"look at {page}", err=as_json)


def _sizes(given: str | None, *, report: bool) -> tuple[int, ...]:
    """Each size costs as much as the whole split: only a report has them unasked."""
    from emonet.evaluation.sizes import SIZES

    if given is None:
        return SIZES if report else ()
    parts = [part.strip() for part in given.split(",") if part.strip()]
    if wrong := [part for part in parts if not part.isdecimal()]:
        raise OptionError(f"sizes must be whole numbers of pixels with commas between them, got {wrong[0]!r}")
    return tuple(map(int, parts))


def _name(model: str) -> str:
    """Runs all call their model the same: its folder's name says more."""
    path = Path(model)
    return (path.parent.name or path.stem) if path.suffix else model


def _log(model: Path) -> list[EpochRow]:
    """The log of the run that a model file lies in."""
    from emonet.training.log import read_rows

    log = model.with_name("log.csv")
    return read_rows(log) if log.is_file() else []


def _show(evaluation: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from emonet.evaluation.parts import ALL

    cost = evaluation.cost
    typer.echo(f"{evaluation.name} on {evaluation.split} of {evaluation.store.path}")
    typer.echo(f"answers of the head {evaluation.choice.head}, with the prior {evaluation.choice.prior}")
    numbers = [
        Column(heading, justify="right", no_wrap=True)
        for heading in ("n", "accuracy", "95 %", "macro F1", "top 2", "ECE")
    ]
    table = Table(Column("view: pictures"), *numbers, box=None, pad_edge=False)
    for view, parts in evaluation.scores.items():
        for part, scores in parts.items():
            table.add_row(f"{view}: {part}" if part == ALL else f"  {part}", *_figures(scores))
    Console().print(table)
    if evaluation.sizes:
        curve = ", ".join(f"{one.size} px {one.accuracy:.2%}" for one in evaluation.sizes)
        typer.echo(f"accuracy by size of the face, none: {curve}")
    _show_votes(evaluation)
    _show_heads(evaluation)
    typer.echo(
        f"{cost.parameters:,} parameters, {cost.macs / 1e6:,.1f} M MACs; {cost.pictures_per_second:,.0f} pictures/s in "
        f"batches, {cost.milliseconds:.1f} ms for one; {cost.machine}"
    )
    for remark in evaluation.remarks:
        typer.echo(f"emonet: {remark}", err=True)


def _show_votes(evaluation: Evaluation) -> None:
    from emonet.report.tables import VOTES_HEADER, vote_rows, vote_sentences

    if evaluation.view in evaluation.votes:
        typer.echo("\nwhat people see (FER+)")
        _print_table(VOTES_HEADER, vote_rows(evaluation))
        for sentence in vote_sentences(evaluation):
            typer.echo(sentence)


def _show_heads(evaluation: Evaluation) -> None:
    from emonet.report.tables import HEADS_HEADER, choice_words, has_choice, head_rows

    if has_choice(evaluation):
        typer.echo(f"\nevery head and prior, {evaluation.view}")
        _print_table(HEADS_HEADER, head_rows(evaluation))
        typer.echo(choice_words(evaluation))


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    columns = [Column(name, justify="right" if place else "left", no_wrap=True) for place, name in enumerate(header)]
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


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
