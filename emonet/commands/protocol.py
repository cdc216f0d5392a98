"""`emonet protocol`: trained and scored in one go, so that nothing is chosen on what is scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from emonet.commands._console.config_options import ConfigPath, chosen_config, with_config_options
from emonet.commands._console.status import STOPPED
from emonet.errors import OptionError

if TYPE_CHECKING:
    from emonet.protocols.curve import Equal
    from emonet.protocols.result import Result
    from emonet.protocols.round import Protocol

protocol = typer.Typer(
    help="Train and score by a protocol: nothing is chosen on what is scored.",
    epilog="Example: emonet protocol ckplus merged -o runs/ckplus --folds 10 --model emonet_fast",
    no_args_is_help=True,
)

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="A data set that `emonet build` wrote.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the rounds, protocol.json and report.html.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace other rounds in the folder.")]


@protocol.command("fer2013")
@with_config_options
def fer2013(
    store: StorePath, out: Out, *, config: ConfigPath = None, overwrite: Overwrite = False, given: dict[str, Any]
) -> None:
    """FER2013: learn from Training, choose on dev, score PublicTest and PrivateTest.

    Example: emonet protocol fer2013 data/fer2013 -o runs/fer2013
    """
    from emonet.protocols import OfficialSplits

    _carry_out(OfficialSplits(), store, out, config, given, overwrite=overwrite)


@protocol.command("ckplus")
@with_config_options
def ckplus(
    store: StorePath,
    out: Out,
    *,
    folds: Annotated[int, typer.Option(help="Parts of the people, each scored once.")] = 10,
    config: ConfigPath = None,
    overwrite: Overwrite = False,
    given: dict[str, Any],
) -> None:
    """CK+: every fold of people scored by a network that was trained on the others.

    Several lists of classes are taken one after the other.

    Example: emonet protocol ckplus data/ckplus -o runs/ckplus --classes ck6,ck7,ck8
    """
    from emonet.protocols import SubjectFolds

    _carry_out(SubjectFolds(folds), store, out, config, given, overwrite=overwrite)


@protocol.command("jaffe")
@with_config_options
def jaffe(
    store: StorePath, out: Out, *, config: ConfigPath = None, overwrite: Overwrite = False, given: dict[str, Any]
) -> None:
    """JAFFE: every person scored by a network that was trained on the others.

    Example: emonet protocol jaffe data/jaffe -o runs/jaffe
    """
    from emonet.protocols import LeaveOneSubjectOut

    _carry_out(LeaveOneSubjectOut(), store, out, config, given, overwrite=overwrite)


@protocol.command("cross")
@with_config_options
def cross(
    store: StorePath,
    out: Out,
    *,
    learned: Annotated[str, typer.Option("--from", help="Sources to learn from, with commas.")],
    scored: Annotated[str, typer.Option("--to", help="Sources to score, with commas; all others.")] = "",
    config: ConfigPath = None,
    overwrite: Overwrite = False,
    given: dict[str, Any],
) -> None:
    """Learn from some sources of a merged data set, score all pictures of others.

    Example: emonet protocol cross data/merged -o runs/cross --from fer2013 --to ckplus,jaffe
    """
    from emonet.protocols import Cross

    chosen = Cross(tuple(learned.split(",")), tuple(scored.split(",")) if scored else ())
    _carry_out(chosen, store, out, config, given, overwrite=overwrite)


@protocol.command("learning-curve")
@with_config_options
def learning_curve(
    store: StorePath,
    out: Out,
    *,
    shares: Annotated[str, typer.Option(help="Shares of the training data, with commas.")] = "0.1,0.25,0.5,1",
    equal: Annotated[str, typer.Option(help="What all shares have alike: steps or epochs.")] = "steps",
    config: ConfigPath = None,
    overwrite: Overwrite = False,
    given: dict[str, Any],
) -> None:
    """Learn from growing shares of the training data: what would more pictures bring?

    Example: emonet protocol learning-curve data/fer2013 -o runs/curve --shares 0.1,0.5,1
    """
    from emonet.protocols import LearningCurve

    chosen = LearningCurve(_numbers(shares), cast("Equal", equal))  # which checks it
    _carry_out(chosen, store, out, config, given, overwrite=overwrite)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise OptionError(f"--shares takes numbers with commas, got {text!r}") from error


def _carry_out(
    chosen: Protocol, store: Path, out: Path, config: Path | None, given: Mapping[str, Any], *, overwrite: bool
) -> None:
    from emonet.commands._console.training_bar import training_bar
    from emonet.datasets.store import open_store
    from emonet.protocols.run import run_protocol

    training = chosen_config(config, given)
    try:
        with training_bar(shown=True) as watch:
            result = run_protocol(chosen, open_store(store), training, out, watch, overwrite=overwrite)
    except KeyboardInterrupt:
        typer.echo("emonet: stopped; run the same command again to go on", err=True)
        raise typer.Exit(STOPPED) from None
    _show(result)
    typer.echo(f"look at {out / 'report.html'}")


def _show(result: Result) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from emonet.protocols.report import over_rounds

    table = Table(Column("scored", no_wrap=True), "view", "pictures", box=None, pad_edge=False)
    for heading in ("n", "accuracy", "95 % interval", "macro F1", "over rounds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, pool in result.pooled.items():
        for view, parts in pool.scores.items():
            for part, scores in parts.items():
                low, high = scores.accuracy_interval
                figures = (f"{scores.n:,}", f"{scores.accuracy:.2%}", f"{low:.2%} to {high:.2%}")
                table.add_row(name, view, part, *figures, f"{scores.macro_f1:.4f}", over_rounds(pool, view, part))
    Console().print(table)
