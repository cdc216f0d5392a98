"""Name the copies that are written of photos, such as annotated ones and crops: no two of them have one name.

A photo's copy has the photo's own name and an ending more, in a folder of the same name, with two exceptions:

- A folder whose name ends as a copy's does gets an underscore: the copy of `a.jpg` is `a.jpg.jpg`, and photos in a
  folder `a.jpg.jpg` have their copies in `a.jpg.jpg_`.
- A name that would become too long is cut off, and a hash of the whole name stands in place of the rest.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import PurePosixPath

LONGEST = 255  # bytes of a name, on most systems
ENDINGS = (".jpg", ".png")  # of copies
HASH_BYTES = 8
CUT = re.compile(r"~[0-9a-f]{16}$")  # ends a name that was cut off

_LIKE_COPY = re.compile(rf"(?:{'|'.join(map(re.escape, ENDINGS))})_*$", re.IGNORECASE)


def name_copy(name: str, ending: str) -> PurePosixPath:
    """Name the copy of a photo.

    Args:
        name: The path of the photo below its folder, with slashes.
        ending: What is added, such as `.jpg`, or `-1.png` for a crop.

    Returns:
        The path of the copy below the folder of copies. Copies of different photos have different paths, and none is
        the folder of another.
    """
    *folders, last = PurePosixPath(name).parts
    longest = LONGEST - len(ending)
    if len(os.fsencode(last)) > longest or CUT.search(last):
        last = _cut_name(last, longest)
    return PurePosixPath(*(_mark_folder(folder) for folder in folders), last + ending)


def _mark_folder(name: str) -> str:
    marked = f"{name}_" if _LIKE_COPY.search(name) else name
    return _cut_name(name, LONGEST) if len(os.fsencode(marked)) > LONGEST or CUT.search(name) else marked


def _cut_name(name: str, longest: int) -> str:
    """Cut a name off and add its hash; names that look as if they had been cut get one, too, so that none clashes."""
    digest = hashlib.blake2b(os.fsencode(name), digest_size=HASH_BYTES).hexdigest()
    room = longest - len(digest) - 1
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return f"{name}~{digest}"
