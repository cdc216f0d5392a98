"""`emonet adapt`: give a model a new head that learns from your own labelled photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emonet.adapting.options import AdaptOptions
from emonet.commands._console.arguments import MODEL_SUFFIX, check_model_out
from emonet.commands._console.endings import FAILED
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.output import print_json, print_table
from emonet.commands._console.progress import progress_bars
from emonet.html.formatting import count_of
from facecrop.packages import import_packages

if TYPE_CHECKING:
    from emonet.adapting import Adapted
    from emonet.adapting.faces import OwnFaces
    from emonet.evaluation.metrics import ClassScores, Scores

NAMED = 5  # photos that are left out for one reason


@with_options(AdaptOptions)
def adapt(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDERS",
            help="Photos in folders named after expressions (happy/1.jpg, or happy/anna/1.jpg), tables of "
            "path,label[,subject], or data sets that `emonet build` wrote.",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Model file to write. (default: NAME.safetensors in this folder)"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV of path,label[,subject] for the photos of one folder, such as an album's corrections."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    given: Given,
) -> None:
    """Give a model a new head that learns from some 50 of your own labelled photos, and say whether it is better.

    The network stays as it is, and its other heads with it: --head asks for them. The figures are of faces that the
    head has not learned from, in cross-validation by person where people are known. Exit status: 0 the model was
    written, 1 it was not, because the new head is no better or the call was mistaken.
    """
    options = given.choose(AdaptOptions)
    given.end_if_printed(options)
    path = out or Path(f"{options.name}{MODEL_SUFFIX}")
    check_model_out(path, overwrite=options.overwrite)
    import_packages("emonet adapt", "emonet[train]", "torch", "sklearn")
    from emonet.adapting import adapt as adapt_model

    adapted = adapt_model(list(folders), options, labels=labels, showing=_show_progress)
    written = adapted.judgement.is_better or options.anyway
    if written:
        adapted.save(path)
    if as_json:
        print_json({"model": str(path) if written else None} | adapted.to_dict())
    else:
        _show(adapted)
    _say_end(adapted, path, written=written, err=as_json)
    if not written:
        raise typer.Exit(FAILED)


@contextmanager
def _show_progress(photos: int) -> Iterator[Callable[[int], None]]:
    with progress_bars({"photos": photos}) as advance:
        yield lambda count: advance("photos", count)


def _show(adapted: Adapted) -> None:
    """Print what was learned from, and the figures before and after."""
    judgement, faces = adapted.judgement, adapted.faces
    counts = faces.count()
    people = f" of {_count_people(faces.person_count)} (by {faces.people})" if faces.person_count else ""
    typer.echo(
        f"{count_of(len(faces), 'face')}{people}: " + ", ".join(f"{name} {counts[name]:,}" for name in adapted.classes)
    )
    for line in _left_out_lines(faces):
        typer.echo(line)
    typer.echo(
        f"cross-validated in {judgement.folds} folds of {adapted.clusters.words}; before is head {adapted.base.head}, "
        f"prior {adapted.base.prior}, kept to these classes"
    )
    both = (judgement.before, judgement.after)
    rows = [
        ("accuracy", *map(_accuracy, both)),
        ("macro recall", *(f"{one.macro_recall:.1%}" for one in both)),
        *((f"recall of {name}", *(_recall(one.classes[str(name)]) for one in both)) for name in adapted.classes),
    ]
    print_table(("", "before", "after"), rows)


def _left_out_lines(faces: OwnFaces) -> Iterator[str]:
    """Yield a line for each reason why labels gave no face."""
    from facecrop.text import printable

    for reason, names in faces.left_out.items():
        named = ", ".join(map(printable, names[:NAMED])) + (", ..." if len(names) > NAMED else "")
        yield f"left out, {reason}: {count_of(len(names), 'photo')}: {named}"


def _accuracy(scores: Scores) -> str:
    low, high = scores.accuracy_interval
    return (
        f"{scores.accuracy:.1%}, {scores.correct:,} of {scores.n:,} ({low:.0%} to {high:.0%}, {scores.interval_method})"
    )


def _recall(scores: ClassScores) -> str:
    share = 0.0 if scores.recall is None else scores.recall
    return f"{share:.0%}, {round(share * scores.support):,} of {scores.support:,}"


def _say_end(adapted: Adapted, path: Path, *, written: bool, err: bool) -> None:
    """Say what one has to know, and what became of the model."""
    for remark in adapted.remarks:
        typer.echo(remark, err=err)
    if not adapted.judgement.is_better:
        typer.echo("the new head is no better than the model was, on these faces", err=err)
    if not written:
        typer.echo("nothing was written; --anyway writes the model all the same", err=err)
        return
    typer.echo(
        f"wrote {path}: it answers {', '.join(adapted.classes)}, by its head {adapted.model.default_head}, prior "
        f"{adapted.model.default_prior}; emonet predict PHOTOS --model {path}",
        err=err,
    )


def _count_people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"
