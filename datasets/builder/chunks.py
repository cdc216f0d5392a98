"""Run the first stage: share out chunks to workers. A chunk that was finished is not done again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk
from emonet.datasets.builder.rows import has_all_columns
from emonet.datasets.builder.work import Seconds, Workshop, open_workshop, store_options
from emonet.datasets.builder.workers import Workers, own_device

Done = Callable[[str, int, Seconds], None]  # source, images, and the time they took


def chunk_path(folder: Path, chunk: Chunk) -> Path:
    """Name the file of a chunk."""
    return folder / f"{chunk.name}.parquet"


def run_chunks(chunks: Iterable[Chunk], folder: Path, options: BuildOptions, workers: Workers, done: Done) -> None:
    """Write the rows of every chunk into a folder.

    Args:
        chunks: All chunks.
        folder: Where to write; chunks that are there already are not done again.
        options: The build.
        workers: Do the work.
        done: Called for each chunk when it is written, and for those that were there.

    Raises:
        MachineError: A worker was killed.
    """
    missing = find_missing(chunks, folder, done)
    first = next(missing, None)
    if first is None:
        return
    work: Callable[[Chunk], Seconds]
    if workers.alone:
        work = partial(_work, Workshop(replace(options, device=workers.devices[0])), folder)
    else:
        work = partial(_work_as_one_of_many, store_options(options), folder)
    for chunk, seconds in workers.run(chain([first], missing), work):
        done(chunk.source, len(chunk), seconds)


def is_done(path: Path) -> bool:
    """Tell whether the file of a chunk is there, as this version writes it."""
    return path.exists() and has_all_columns(path)


def find_missing(chunks: Iterable[Chunk], folder: Path, done: Done) -> Iterator[Chunk]:
    """Yield the chunks that are still to be done; call `done` with the others."""
    for chunk in chunks:
        if is_done(chunk_path(folder, chunk)):
            done(chunk.source, len(chunk), {})
        else:
            yield chunk


def _work(workshop: Workshop, folder: Path, chunk: Chunk) -> Seconds:
    return workshop.work(chunk, chunk_path(folder, chunk))


def _work_as_one_of_many(stored: str, folder: Path, chunk: Chunk) -> Seconds:
    return _work(open_workshop(stored, own_device()), folder, chunk)
