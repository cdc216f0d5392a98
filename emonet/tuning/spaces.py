"""Spaces of searches: files in TOML, of which some come with emonet.

A file has options of `emonet train`, options of `emonet tune`, and a table [search].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emonet.errors import MissingFileError
from emonet.options import read_toml
from emonet.tuning.options import split_options

FOLDER = Path(__file__).with_name("spaces")


def list_spaces() -> tuple[str, ...]:
    """List the names of the spaces that come with emonet.

    Examples:
        >>> from emonet.tuning import list_spaces
        >>> list_spaces()
        ('ckplus_team', 'emonet_fast', 'tiny_vgg')
    """
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def read_space(name: str) -> dict[str, Any]:
    """Read the options of a space: of `TuneOptions` and of `TrainConfig`, by their names.

    Args:
        name: One of `list_spaces()`, or the path of a TOML file.

    Raises:
        MissingFileError: There is no such space, and no such file.
        OptionError: The file is not TOML, or names an option that does not exist.

    Examples:
        >>> from emonet.tuning import read_space
        >>> read_space("tiny_vgg")["model"]
        'tiny_vgg'
    """
    path = FOLDER / f"{name}.toml" if name in list_spaces() else Path(name)
    if not path.is_file():
        raise MissingFileError(f"no such space or file: {name}; the spaces are {', '.join(list_spaces())}")
    values = read_toml(path)
    split_options(values)  # raises for names that do not exist
    return values
