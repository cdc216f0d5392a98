"""The base class of readers. A reader recognises the layout of its data set and yields samples lazily."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from emonet.datasets.formats.tree import FileBlob, Tree, open_tree
from emonet.datasets.sample import DropReason, EncodedImage, Rejected, Sample
from emonet.errors import DatasetError, MissingFileError, OptionError
from emonet.labels import Emotion
from facecrop import CropSpec

Counts = Mapping[str, Mapping[Emotion, int]]  # split ("" if there is none) -> expression -> how many

PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
ARRAYS = (".npy", ".npz", ".h5", ".hdf5", ".mat")


@dataclass(frozen=True, slots=True)
class Published:
    """How many of each expression the published data hold."""

    counts: Counts
    unit: Literal["images", "sequences"] = "images"


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of how a data set is read.

    Attributes:
        help: What is chosen, as `--help` says it.
        values: What can be chosen. The first is the default.
    """

    help: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which a data set lies on the disk.

    Attributes:
        title: What it is called in messages.
        samples: Yields a sample, or why there is none, for everything in the data.
        framing: How the publisher cut out the faces; None for whole photos.
        subjects: Whether people can be told apart.
        starts_neutral: Whether sequences begin with a neutral face, so that the build must find the onset.
        published: What the publisher counted.
        lists_files: Whether a table names the images, which may lie elsewhere.
    """

    title: str
    samples: Callable[[], Iterator[Sample | Rejected]]
    framing: CropSpec | None = None
    subjects: bool = False
    starts_neutral: bool = False
    published: Published | None = None
    lists_files: bool = False


class Reader(ABC):
    """A data set as it was downloaded.

    Iterating yields a Sample for every image whose label is missing or can be read. `emonet build` gets an option for
    each reader in READERS, and one for each of its choices; `emonet datasets` lists what the class says of itself.

    Attributes:
        path: What was given.
        chosen: How it is read: a value for each of the class's `choices`.
        layout: How the data lie there.
        rejected: After an iteration: everything that could not become a sample, and why.
        notes: Remarks for the user.

    Args:
        path: A folder, an archive or a file.
        choices: Values of the class's `choices`, by name.

    Raises:
        MissingFileError: There is nothing at `path`.
        DatasetError: What is there is not this data set in any layout that is known.
        OptionError: There is no such choice, or no such value of it.

    Examples:
        >>> from emonet.datasets import READERS
        >>> for name in ("fer2013", "kdef"):
        ...     print(f"{name}: {READERS[name].home}")
        fer2013: Kaggle: challenges in representation learning, facial expression recognition
        kdef: https://kdef.se
    """

    name: ClassVar[str]
    title: ClassVar[str]  # as papers write it; the name, if it is not given
    accepts: ClassVar[str] = "a folder or an archive"  # what the option takes, for `--help`
    expected: ClassVar[str]  # layouts that are known, for the message when nothing is recognised
    home: ClassVar[str]  # where to get the data
    terms: ClassVar[str] = "The terms of the images themselves apply."  # for weights that learn from the data
    classes: ClassVar[tuple[Emotion, ...]] = tuple(Emotion)
    images: ClassVar[int | None] = None  # how many the publisher states
    sequences: ClassVar[int | None] = None
    people: ClassVar[int | None] = None
    published: ClassVar[Published | None] = None  # the publisher's counts of the most usual layout
    choices: ClassVar[Mapping[str, Choice]] = {}
    needs_subjects: ClassVar[bool] = True  # a fair test keeps people apart

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "title" not in vars(cls):
            cls.title = getattr(cls, "name", "")

    def __init__(self, path: str | os.PathLike[str], **choices: str) -> None:
        self.path = Path(path)
        self.chosen = self.choose(choices)
        self.rejected: list[Rejected] = []
        self.notes: list[str] = []
        self.tree: Tree
        if not self.path.exists():
            raise MissingFileError(f"no such file or folder: {self.path}; expected {self.expected} ({self.home})")
        self.layout = self._find_layout(open_tree(self.path))

    @classmethod
    def choose(cls, given: Mapping[str, str]) -> dict[str, str]:
        """Return a value for each choice: the given one, or the default."""
        if unknown := sorted(set(given) - set(cls.choices)):
            raise OptionError(
                f"{cls.name} has no choice {', '.join(unknown)}; it has {', '.join(cls.choices) or 'none'}"
            )
        for name, value in given.items():
            if value not in cls.choices[name].values:
                known = ", ".join(cls.choices[name].values)
                raise OptionError(f"{name} of {cls.name} must be one of {known}, got {value!r}")
        return {name: given.get(name, choice.values[0]) for name, choice in cls.choices.items()}

    @abstractmethod
    def recognise(self, tree: Tree) -> Layout | None:
        """Return the layout of a tree; None if it is not this data set.

        It looks at names and at headers of tables, and opens no image.
        """

    def __iter__(self) -> Iterator[Sample]:
        self.rejected = [
            Rejected(f"{self.name}/{name}", self.name, None, DropReason.UNREADABLE, reason)
            for name, reason in self.tree.failures.items()
        ]
        for entry in self.layout.samples():
            if isinstance(entry, Sample):
                yield entry
            else:
                self.rejected.append(entry)

    def list_outside_files(self) -> list[Path]:
        """List the files that the data name and that lie elsewhere: photos of a table."""
        if not self.layout.lists_files:
            return []
        images = (entry.image for entry in self.layout.samples() if isinstance(entry, Sample))
        blobs = (image.blob for image in images if isinstance(image, EncodedImage))
        inside = self.path.resolve()
        return [b.path for b in blobs if isinstance(b, FileBlob) and not b.path.resolve().is_relative_to(inside)]

    def _find_layout(self, tree: Tree) -> Layout:
        for archives_opened in (False, True):
            self.tree, self.notes = tree.with_archives() if archives_opened else tree, []
            layout = self.recognise(self.tree)
            if layout is not None:
                return layout
        raise DatasetError(self.path, self._describe_unknown(tree))

    def _describe_unknown(self, tree: Tree) -> str:
        names = list(tree.members)
        pickles = [name for name in names if name.lower().endswith(PICKLES)]
        if pickles:
            return f"{pickles[0]} is a pickle, and opening a stranger's pickle runs its code: it is not read"
        arrays = [name for name in names if name.lower().endswith(ARRAYS)]
        if arrays:
            return f"{arrays[0]} holds arrays, which do not say what their labels mean: give folders or a CSV"
        found = ", ".join(names[:3]) + (f", ... ({len(names)} files)" if len(names) > 3 else "")
        return f"not recognised as {self.name}: expected {self.expected} ({self.home}); found {found or 'no files'}"

    def reject(self, key: str, reason: DropReason, detail: str, split: str | None = None) -> Rejected:
        """Make a record of something that cannot become a sample."""
        return Rejected(f"{self.name}/{key}", self.name, split, reason, detail)
