"""The progress bar of commands that work through many photos; silent where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def progress_bars(totals: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    """A bar on standard error for each name; what is yielded takes a name and how many of its things were done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    hidden = not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=hidden, transient=True) as progress:
        tasks = {name: progress.add_task(name, total=total, rate="", start=False) for name, total in totals.items()}

        def advance(name: str, count: int) -> None:
            task = progress.tasks[tasks[name]]
            if not task.started:
                progress.start_task(task.id)
            progress.advance(task.id, count)
            progress.update(task.id, rate=f"{task.speed:,.0f}/s" if task.speed else "")

        yield advance
