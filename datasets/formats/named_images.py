"""Images whose file names tell who is on them and with which expression, in any folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Reader
from emonet.datasets.sample import Blob, DropReason, Rejected, Sample


def has_named_images(tree: Tree, pattern: re.Pattern[str]) -> bool:
    """Tell whether any image has a name of this form, whatever its suffix."""
    return any(pattern.fullmatch(place.stem) for place, _ in tree.images())


def read_named_images(
    reader: Reader,
    pattern: re.Pattern[str],
    example: str,
    make: Callable[[re.Match[str], str, Blob], Sample | Rejected],
) -> Iterator[Sample | Rejected]:
    """Yield what `make` makes of each image, by its name.

    Args:
        reader: Whose images they are.
        pattern: The form of the names, without suffixes.
        example: A name of this form, for the message about others.
        make: Is given the match, the name without its suffix, and the file. Of files with one name it gets the first.
    """
    first: dict[str, PurePosixPath] = {}
    for place, blob in reader.tree.images():
        match = pattern.fullmatch(place.stem)
        if match is None:
            yield reader.reject(str(place), DropReason.BAD_LABEL, f"its name is not of the form {example}")
        elif (known := first.setdefault(place.stem.casefold(), place)) != place:
            yield reader.reject(place.stem, DropReason.CONVERTED_COPY, f"{place} has the name of {known}")
        else:
            yield make(match, place.stem, blob)
