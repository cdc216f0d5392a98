"""A data set as folders of PNG files, for programs that read such folders.

    FOLDER/README.md                tells Hugging Face which folder is which split
    FOLDER/classes.txt              the classes, one a line, in the order of the column `label`
    FOLDER/metadata.csv             a row for each image: file_name, and all columns of the data set
    FOLDER/SPLIT/CLASS/*.png        the images

torchvision's `ImageFolder`, timm and Keras read a split by its folders of classes, which they sort by name.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from emonet.atomic import find_leftovers, write_atomically
from emonet.datasets.sample import SPLITS
from emonet.datasets.store import Store, shard_schema
from emonet.errors import OptionError
from emonet.labels import Emotion

README = "README.md"
METADATA = "metadata.csv"
CLASSES = "classes.txt"
LONGEST = 150  # bytes of a file's name; systems allow 255

WRITER = "written by `emonet export-images`"
CARD = """---
configs:
- config_name: default
  data_files:
{files}
---
Faces in folders named after their expressions, {writer}. `{metadata}` has a row for each
image; `{classes}` has the order of its column `label`. The images are under their publishers' terms, which mostly
forbid passing them on.

<!-- {mark} -->
"""


def write_imagefolder(
    store: Store,
    folder: str | os.PathLike[str],
    *,
    splits: Sequence[str] = (),
    sources: Sequence[str] = (),
) -> int:
    """Write images as PNG files, with metadata.csv beside them.

    Args:
        store: The data set.
        folder: A folder that is new or empty. What a call with the same arguments has written stays if it is complete,
            and is replaced if it was stopped or lacks images.
        splits: The splits to write; all if empty.
        sources: The data sets to write; all if empty.

    Returns:
        The number of images.

    Raises:
        OptionError: The folder is not empty, or there is no such split or source, or no image of them.
    """
    root, chosen = Path(folder), tuple(dict.fromkeys(splits)) or tuple(store.splits)
    for split in chosen:
        store.files(split)  # raises an error if there is no such split
    if unknown := sorted(set(sources) - set(store.info.sources)):
        raise OptionError(f"{store.path} has no source {', '.join(unknown)}; it has {', '.join(store.info.sources)}")
    count = sum(sum(classes.values()) for classes in _list_counts(store, chosen, sources))
    if not count:
        raise OptionError(f"{store.path} has no images of {', '.join(sources)} in {', '.join(chosen)}")
    mark = _make_mark(store, chosen, sources)
    _check_folder(root, mark)
    if (root / CLASSES).exists() and sum(1 for _ in root.glob("*/*/*.png")) >= count:  # the classes are written last
        return count
    _remove_unfinished(root)
    root.mkdir(parents=True, exist_ok=True)
    files = "\n".join(f"  - split: {split}\n    path: {split}/**" for split in chosen)
    card = CARD.format(files=files, writer=WRITER, metadata=METADATA, classes=CLASSES, mark=mark)
    (root / README).write_text(card, encoding="utf-8")
    _write_images(store, chosen, sources, root)
    (root / CLASSES).write_text("".join(f"{emotion}\n" for emotion in store.classes), encoding="utf-8")
    return count


def check_imagefolder(folder: Path, store: Store | None) -> None:
    """Refuse a folder that holds anything but the images of a data set, which may not be there yet.

    Raises:
        OptionError: The folder is not empty.
    """
    _check_folder(folder, None if store is None else _make_mark(store, tuple(store.splits), ()))


def _check_folder(root: Path, mark: str | None) -> None:
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    card = root / README
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    if WRITER not in text:
        raise OptionError(f"{root} is not an empty folder")
    if mark is None or mark not in text:
        raise OptionError(f"{root} holds the images of another data set or choice: remove it, or choose another folder")


def _make_mark(store: Store, splits: Sequence[str], sources: Sequence[str]) -> str:
    """Name what is written by a hash."""
    parts = [store.identity, sorted(splits), sorted(sources)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _remove_unfinished(root: Path) -> None:
    for split in SPLITS:
        if (root / split).is_dir():
            shutil.rmtree(root / split)
    for path in (root / METADATA, *find_leftovers(root)):
        path.unlink(missing_ok=True)


def _write_images(store: Store, splits: Iterable[str], sources: Sequence[str], root: Path) -> None:
    for split, emotion in product(splits, _find_classes(store, splits, sources)):
        (root / split / emotion).mkdir(parents=True)
    taken: set[str] = set()
    columns = [name for name in shard_schema(store.classes).names if name != "image"]
    with write_atomically(root / METADATA) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("file_name", *columns))
        for row in _read_rows(store, splits, sources):
            name = _choose_name(row, taken)
            (root / name).write_bytes(row["image"]["bytes"])
            rows.writerow((name, *(_format_cell(row.get(column)) for column in columns)))


def _find_classes(store: Store, splits: Iterable[str], sources: Sequence[str]) -> list[Emotion]:
    """Find the classes that have an image in one of the splits: their folders are in all of these."""
    counts = _list_counts(store, splits, sources)
    return [emotion for emotion in store.classes if any(count.get(emotion) for count in counts)]


def _list_counts(store: Store, splits: Iterable[str], sources: Iterable[str]) -> list[Mapping[str, int]]:
    """List the number of images of each class, for each source and split."""
    return [store.info.counts.get(name, {}).get(split, {}) for split in splits for name in sources or store.info.counts]


def _read_rows(store: Store, splits: Iterable[str], sources: Sequence[str]) -> Iterator[dict[str, Any]]:
    for split in splits:
        for batch in store.batches(split):
            yield from (row for row in batch.to_pylist() if not sources or row["source"] in sources)


def _choose_name(row: Mapping[str, Any], taken: set[str]) -> str:
    """Choose the place of an image's file, and add it to those that are taken.

    A hash of the key is in it where the stored name is too long or was made of another key as well: `a/b_c`, `a_b/c`.
    """
    name = Path(row["image"]["path"])
    folder = f"{row['split']}/{row['emotion']}"
    place = f"{folder}/{name}"
    if place.casefold() in taken or len(os.fsencode(name)) > LONGEST:
        digest = hashlib.sha256(row["key"].encode()).hexdigest()[:12]
        place = f"{folder}/{os.fsencode(name.stem)[:LONGEST].decode(errors='ignore')}-{digest}{name.suffix}"
    taken.add(place.casefold())  # some systems take A and a for the same
    return place


def _format_cell(value: Any) -> Any:
    """Write lists as JSON."""
    return json.dumps(value) if isinstance(value, list) else value
