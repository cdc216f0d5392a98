"""The corrections that `emonet build --relabel` reads: what was decided, over what the data set was built with."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from emonet.atomic import write_atomically
from emonet.datasets.labels import DROP, read_corrections
from emonet.datasets.store import Store
from emonet.errors import DatasetError, EmonetError
from emonet.review.decisions import KEEP

CORRECTIONS = "corrections.csv"

Rows = dict[tuple[str, str], str]  # (key, kind) -> value


def read_earlier(store: Store, folder: Path) -> tuple[Rows, str]:
    """Read the corrections that a data set was built with.

    Args:
        store: The data set.
        folder: The review's, which keeps a copy of them: their file may be its own export, which changes.

    Returns:
        (key, kind) -> value, and a remark if their file is not to be had any more.
    """
    path = store.info.options.get("relabel")
    if not path:
        return {}, ""
    try:
        rows = read_corrections(_keep_copy(Path(path), store.info.inputs.get("relabel", ""), folder))
    except (OSError, EmonetError) as error:
        return {}, f"the data set was built with corrections that cannot be read, and are not in the new ones: {error}"
    return {
        (key, "onset" if isinstance(value, int) else "label"): f"onset={value}"
        if isinstance(value, int)
        else str(value or DROP)
        for key, value in rows
    }, ""


def _keep_copy(path: Path, digest: str, folder: Path) -> Path:
    """Copy the file that the build read, once; return the path of the copy."""
    copy = folder / f"built-with-{digest[:16]}.csv"
    if not copy.is_file():
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise DatasetError(path, "it has changed since the build")
        with write_atomically(copy) as temporary:
            temporary.write_bytes(content)
    return copy


def merge_corrections(earlier: Mapping[tuple[str, str], str], current: Mapping[tuple[str, str], str]) -> Rows:
    """Put decisions over earlier corrections; a label that is kept is no correction of its own."""
    return {**earlier, **{place: value for place, value in current.items() if value != KEEP}}


def format_corrections(rows: Iterable[tuple[tuple[str, str], str]]) -> str:
    """Write the file that `emonet build --relabel` reads."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("key", "label"))
    table.writerows((key, value) for (key, _), value in sorted(rows))
    return text.getvalue()


def write_corrections(path: Path, rows: Mapping[tuple[str, str], str]) -> None:
    """Write the file that `emonet build --relabel` reads, whole or not at all."""
    with write_atomically(path) as temporary:
        temporary.write_text(format_corrections(rows.items()), encoding="utf-8")
