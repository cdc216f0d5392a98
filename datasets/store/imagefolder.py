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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from emonet.atomic import write_atomically
from emonet.datasets.store import Store, shard_schema
from emonet.errors import OptionError
from emonet.labels import Emotion

METADATA = "metadata.csv"
CLASSES = "classes.txt"
LONGEST = 150  # bytes of a file's name; systems allow 255

CARD = """---
configs:
- config_name: default
  data_files:
{files}
---
Faces in folders named after their expressions, written by `emonet export-images`. `{metadata}` has a row for each
image; `{classes}` has the order of its column `label`. The images are under their publishers' terms, which mostly
forbid passing them on.
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
        folder: A folder that is new or empty.
        splits: The splits to write; all if empty.
        sources: The data sets to write; all if empty.

    Returns:
        The number of images.

    Raises:
        OptionError: The folder is not empty, or there is no such split or source.
    """
    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OptionError(f"{root} is not an empty folder")
    chosen = tuple(splits) or tuple(store.splits)
    for split in chosen:
        store.files(split)  # raises an error if there is no such split
    if unknown := sorted(set(sources) - set(store.info.sources)):
        raise OptionError(f"{store.path} has no source {', '.join(unknown)}; it has {', '.join(store.info.sources)}")
    written = _write_images(store, dict.fromkeys(chosen), sources, root)
    (root / CLASSES).write_text("".join(f"{emotion}\n" for emotion in store.classes), encoding="utf-8")
    files = "\n".join(f"  - split: {split}\n    path: {split}/**" for split in chosen)
    card = CARD.format(files=files, metadata=METADATA, classes=CLASSES)
    (root / "README.md").write_text(card, encoding="utf-8")
    return written


def _write_images(store: Store, splits: Iterable[str], sources: Sequence[str], root: Path) -> int:
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
    return len(taken)


def _find_classes(store: Store, splits: Iterable[str], sources: Sequence[str]) -> list[Emotion]:
    """Find the classes that have an image in one of the splits: their folders are in all of these."""
    counts = [store.info.counts[name].get(split, {}) for name in sources or store.info.counts for split in splits]
    return [emotion for emotion in store.classes if any(count.get(emotion) for count in counts)]


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
