"""`emonet review`: a page on which a person looks through the labels of a data set and corrects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emonet.commands._console.arguments import StorePath
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.progress import progress_bars
from emonet.html.formatting import count_of
from emonet.review.options import ReviewOptions

if TYPE_CHECKING:
    from emonet.datasets.store import Store
    from emonet.review import Review


@with_options(ReviewOptions)
def review(
    store: StorePath,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder to keep decisions and corrections.csv in (default: STORE-review).",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the page into this one file instead of serving it; at most 3,000 faces."),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Serve the page on this port; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    given: Given,
) -> None:
    """Look through the labels of a data set on a page, the most doubtful first, and correct them.

    The page is served to this machine alone, until Ctrl-C. Each decision is on disk at once, in OUT/decisions.sqlite,
    and OUT/corrections.csv is what `emonet build --relabel` reads. Run again, the review goes on.
    """
    options = given.choose(ReviewOptions)
    given.end_if_printed(options)
    from emonet.datasets import open_store
    from emonet.review import open_review, write_review

    opened = open_store(store)
    folder = out or store.resolve().with_name(f"{store.resolve().name}-review")
    with _showing(opened) as advance:
        prepared = open_review(opened, folder, options, advance)
    for remark in prepared.remarks:
        typer.echo(f"emonet: {remark}", err=True)
    if html is None:
        _serve(prepared, port, browser=browser)
    else:
        shown = write_review(prepared, html)
        most = "" if shown == len(prepared.faces) else f", of {len(prepared.faces):,}: the most doubtful"
        typer.echo(f"{count_of(shown, 'face')} in {html}{most}")


@contextmanager
def _showing(store: Store) -> Iterator[Callable[[int], None]]:
    with progress_bars({"faces": sum(store.splits.values())}) as advance:
        yield lambda count: advance("faces", count)


def _serve(review: Review, port: int, *, browser: bool) -> None:
    import webbrowser

    from emonet.review import ReviewServer

    with ReviewServer(review, port) as server, suppress(KeyboardInterrupt):
        typer.echo(f"{count_of(len(review.faces), 'face')}, {_count_doubtful(review)}: {server.address}")
        typer.echo("Ctrl-C ends the review; nothing is lost")
        if browser:
            webbrowser.open(server.address)
        server.serve_forever()
    path, decided = review.export(), len(review.decisions.current())
    typer.echo(f"{count_of(decided, 'decision')}, {count_of(len(review.corrections()), 'correction')} in {path}")
    typer.echo(f"build the data set again with --relabel {path}")


def _count_doubtful(review: Review) -> str:
    if review.quality is None:
        return "in the order of the data set (--model or --answers finds the doubtful ones)"
    return f"{int(review.quality.doubtful.sum()):,} of them doubtful by {review.opinion.name if review.opinion else ''}"
