"""Progress bars on standard error, which are silent where nobody watches: one for photos, one for trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from emonet.training.log import EpochRow, Watch

SMOOTH = 0.95  # of the loss and the accuracy that were shown before


@contextmanager
def progress_bars(totals: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    """Show a bar for each name; call what is yielded with a name and the number of its things that are done."""
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


class TrainingBar:
    """A `Watch` that shows a training on the terminal: on standard error, for standard output has the result."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._loss = self._accuracy = 0.0

    def note(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def begin(self, title: str, steps: int, done: int) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=steps, completed=done, figures="")
        self._loss = self._accuracy = 0.0

    def step(self, loss: float, accuracy: float, rate: float) -> None:
        if self._task is None:
            raise RuntimeError("begin comes before step")
        keep = SMOOTH if self._loss else 0.0
        self._loss = keep * self._loss + (1 - keep) * loss
        self._accuracy = keep * self._accuracy + (1 - keep) * accuracy
        figures = f"loss {self._loss:.3f}  accuracy {self._accuracy:.1%}  rate {rate:.2g}"
        self._progress.update(self._task, advance=1, figures=figures)

    def epoch(self, row: EpochRow) -> None:
        dev = "" if row.dev_accuracy is None else f"  dev {row.dev_loss:.3f} {row.dev_accuracy:.2%}"
        dev += "" if row.dev_seen_accuracy is None else f"  seen {row.dev_seen_loss:.3f} {row.dev_seen_accuracy:.2%}"
        self.note(
            f"epoch {row.epoch:>3}  train {row.train_loss:.3f} {row.train_accuracy:.2%}{dev}  "
            f"{row.pictures_per_second:,.0f} images/s, {row.waiting_share:.0%} waiting"
        )


@contextmanager
def training_bar(*, shown: bool) -> Iterator[Watch]:
    """Show the bar of one process of a training, or nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from emonet.training.log import Silent

    if not shown:
        yield Silent()
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    figures = TextColumn("{task.fields[figures]}")
    with Progress(*columns, figures, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield TrainingBar(progress)
