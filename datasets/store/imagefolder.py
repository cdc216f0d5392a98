"""A data set as folders of PNG files, split/expression/*.png, for programs that read such folders."""

from __future__ import annotations

import os
from pathlib import Path

from emonet.atomic import write_atomically
from emonet.datasets.store import Store
from emonet.errors import OptionError


def write_imagefolder(store: Store, folder: str | os.PathLike[str]) -> int:
    """Write every image of every split as a PNG file.

    Args:
        store: The data set.
        folder: A folder that is new or empty.

    Returns:
        The number of files.
    """
    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OptionError(f"{root} is not an empty folder")
    written = 0
    for split in store.splits:
        for emotion in store.classes:
            (root / split / emotion).mkdir(parents=True, exist_ok=True)
        for batch in store.batches(split, ["image", "emotion"]):
            for row in batch.to_pylist():
                with write_atomically(root / split / row["emotion"] / row["image"]["path"]) as temporary:
                    temporary.write_bytes(row["image"]["bytes"])
                written += 1
    return written
