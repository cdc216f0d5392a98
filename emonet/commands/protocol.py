"""`emonet protocol`: train and score in one go, so that nothing is chosen on what is scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emonet.commands._console.arguments import StorePath
from emonet.commands._console.endings import say_how_to_resume
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.output import print_table
from emonet.commands._console.packages import check_training_packages
from emonet.commands.train import with_recipe
from emonet.options import Option, check_options
from emonet.training import TrainConfig

if TYPE_CHECKING:
    from emonet.protocols.result import Result
    from emonet.protocols.round import Protocol

protocol = typer.Typer(
    help="Train and score by a protocol: nothing is chosen on what is scored.",
    epilog="Example: emonet protocol ckplus merged -o runs/ckplus --folds 10 --model emonet_fast",
    no_args_is_help=True,
)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write the rounds, protocol.json and report.html to.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the rounds of another protocol in the folder.")]


@dataclass(frozen=True, slots=True)
class FoldOptions:
    """The options of `emonet protocol ckplus`."""

    folds: Annotated[int, Option("Number of folds that the subjects are divided into; each is scored once.")] = 10

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, slots=True)
class CrossOptions:
    """The options of `emonet protocol cross`."""

    from_sources: Annotated[tuple[str, ...], Option("Train on these data sets.", flag="--from")]
    to_sources: Annotated[tuple[str, ...], Option("Score on these data sets.", flag="--to", default="all others")] = ()

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, slots=True)
class CurveOptions:
    """The options of `emonet protocol learning-curve`."""

    shares: Annotated[tuple[float, ...], Option("Shares of the training data to train on, separated by commas.")] = (
        0.1,
        0.25,
        0.5,
        1.0,
    )
    equal: Annotated[Literal["steps", "epochs"], Option("Train on each share for equally many steps or epochs.")] = (
        "steps"
    )

    def __post_init__(self) -> None:
        check_options(self)


@protocol.command("fer2013")
@with_options(TrainConfig)
def fer2013(store: StorePath, out: Out, *, overwrite: Overwrite = False, given: Given) -> None:
    """FER2013: train on Training, choose on dev, score PublicTest and PrivateTest.

    Example: emonet protocol fer2013 data/fer2013 -o runs/fer2013
    """
    check_training_packages("protocol")
    from emonet.protocols import OfficialSplits

    _run(OfficialSplits(), store, out, given, overwrite=overwrite)


@protocol.command("ckplus")
@with_options(FoldOptions, TrainConfig)
def ckplus(store: StorePath, out: Out, *, overwrite: Overwrite = False, given: Given) -> None:
    """CK+: score each fold of people by a network that was trained on the others.

    Several lists of classes are scored one after the other. Contempt is in ck7 and ck8: it needs a data set that was
    built with --classes ck8.

    Example: emonet protocol ckplus data/ckplus -o runs/ckplus --classes ck6,ck7,ck8
    """
    check_training_packages("protocol")
    from emonet.protocols import SubjectFolds

    options = given.choose(FoldOptions)
    _run(SubjectFolds(options.folds), store, out, given, options, overwrite=overwrite)


@protocol.command("jaffe")
@with_options(TrainConfig)
def jaffe(store: StorePath, out: Out, *, overwrite: Overwrite = False, given: Given) -> None:
    """JAFFE: score each person by a network that was trained on the others.

    Example: emonet protocol jaffe data/jaffe -o runs/jaffe
    """
    check_training_packages("protocol")
    from emonet.protocols import LeaveOneSubjectOut

    _run(LeaveOneSubjectOut(), store, out, given, overwrite=overwrite)


@protocol.command("cross")
@with_options(CrossOptions, TrainConfig)
def cross(store: StorePath, out: Out, *, overwrite: Overwrite = False, given: Given) -> None:
    """Train on some sources of a merged data set, and score all images of the others.

    Example: emonet protocol cross data/merged -o runs/cross --from fer2013 --to ckplus,jaffe
    """
    check_training_packages("protocol")
    from emonet.protocols import Cross

    options = given.choose(CrossOptions)
    _run(Cross(options.from_sources, options.to_sources), store, out, given, options, overwrite=overwrite)


@protocol.command("learning-curve")
@with_options(CurveOptions, TrainConfig)
def learning_curve(store: StorePath, out: Out, *, overwrite: Overwrite = False, given: Given) -> None:
    """Train on growing shares of the training data, to see what more images would bring.

    Example: emonet protocol learning-curve data/fer2013 -o runs/curve --shares 0.1,0.5,1
    """
    check_training_packages("protocol")
    from emonet.protocols import LearningCurve

    options = given.choose(CurveOptions)
    _run(LearningCurve(options.shares, options.equal), store, out, given, options, overwrite=overwrite)


def _run(chosen: Protocol, store: Path, out: Path, given: Given, *options: Any, overwrite: bool) -> None:
    """Train and score the rounds of a protocol; `options` are those beside the training's, for `--print-config`."""
    from emonet.commands._console.progress import training_bar
    from emonet.datasets.store import open_store
    from emonet.protocols.run import run_protocol

    config = given.choose(TrainConfig, with_recipe)
    given.end_if_printed(*options, config)
    with say_how_to_resume(), training_bar(shown=True) as watch:
        result = run_protocol(chosen, open_store(store), config, out, watch, overwrite=overwrite)
    _show(result)
    typer.echo(f"look at {out / 'report.html'}")


def _show(result: Result) -> None:
    """Print a table that 80 columns hold: a row for each view of what was scored, and the parts below it."""
    from emonet.evaluation.parts import ALL
    from emonet.protocols.report import describe_collapsed, describe_intervals, over_rounds

    numbers = ("n", "accuracy", "95 %", "macro F1", "over rounds")
    rows = []
    for name, pool in result.pooled.items():
        for view, parts in pool.scores.items():
            for part, scores in parts.items():
                low, high = scores.accuracy_interval
                figures = (f"{scores.n:,}", f"{scores.accuracy:.2%}", f"{100 * low:.1f}-{100 * high:.1f}")
                title = f"{name}, {view}" if part == ALL else f"  {part}"
                rows.append((title, *figures, f"{scores.macro_f1:.4f}", over_rounds(pool, view, part)))
    print_table(("scored, view", *numbers), rows, numbers)
    if rows:
        typer.echo(f"95 %: {'; '.join(describe_intervals(result))}")
    for words in describe_collapsed(result):
        typer.echo(f"emonet: collapsed: {words}", err=True)
