"""What dataset.json says of a data set, as dataclasses that are checked when the file is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from emonet.errors import DatasetError
from emonet.labels import Emotion
from facecrop import CropSpec

FORMAT = 2
READ_FORMATS = (1, 2)
UNHASHED = "0" * 64  # stands where the hash of dataset.json will, while it is computed
JSON_TYPES: Mapping[Any, Any] = {tuple: list, Mapping: dict, Emotion: str, float: int | float}

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]  # source -> split -> class -> images


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file of a split.

    Attributes:
        name: Its path in the folder of the data set, with slashes.
        rows: How many rows of the split it holds.
    """

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many images of an evaluated split are in the data set: `kept` of `of`."""

    kept: int
    of: int


@dataclass(frozen=True, slots=True)
class CopyCounts:
    """How many images are copies of each other, before any were left out.

    Attributes:
        exact_groups: Groups of images with the same pixels.
        redundant_exact_copies: Images in these groups, without the first of each.
        evaluated_with_a_training_copy: Images of validation and test that training data hold, too.
        evaluated_with_a_near_training_copy: The same with near copies counted.
        near_pairs: Pairs of near copies; 0 where they were not looked for.
        mirrored_pairs: Those of them in which one image is mirrored.
        conflicting_groups: Groups of exact copies with different labels.
        conflicting_pictures: Images in these groups.
        blank: Split -> images whose pixels are all the same.
    """

    exact_groups: int
    redundant_exact_copies: int
    evaluated_with_a_training_copy: int
    evaluated_with_a_near_training_copy: int
    near_pairs: int
    conflicting_groups: int
    conflicting_pictures: int
    blank: Mapping[str, int]
    mirrored_pairs: int = 0


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a reader found in one of the data sets that were merged.

    Attributes:
        layout: How the data lay on the disk.
        cropped_by_publisher: How the publisher cut out the faces; None for whole photos.
        subjects: Whether people can be told apart.
        read: Split (`none` without one) -> label -> images, before any were left out.
        notes: The reader's remarks.
        differs_from_published: How the numbers differ from the published ones; None if they do not.
    """

    layout: str
    cropped_by_publisher: CropSpec | None
    subjects: bool
    read: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    differs_from_published: str | None


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What dataset.json holds: all options, counts, versions and hashes.

    Attributes:
        classes: In the order of the column `label`.
        splits: Split -> its shards.
        counts: Source -> split -> class -> images.
        rejected: Source -> reason -> how many were left out.
        evaluated: Validation and test -> how many of their images are there.
        copies: What was found in more than one place.
        sources: Source -> what its reader found.
        votes: The order of the column `votes`.
        options: Every option of the build.
        inputs: Input -> SHA-256.
        versions: Package -> version, None if it was not installed.
        files: File -> SHA-256.
        kept_without_face: Source -> split -> images in which the detector found no face and that are kept all the same.
        warnings: What makes figures on the data set doubtful, in sentences.
        regrouped: Why a view has other splits; None for the data set itself.
    """

    classes: tuple[Emotion, ...]
    splits: Mapping[str, tuple[Shard, ...]]
    counts: Counts
    rejected: Mapping[str, Mapping[str, int]]
    evaluated: Mapping[str, Completeness]
    copies: CopyCounts
    sources: Mapping[str, SourceInfo]
    votes: tuple[str, ...]
    options: Mapping[str, Any]
    inputs: Mapping[str, str]
    versions: Mapping[str, str | None]
    files: Mapping[str, str]
    kept_without_face: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    regrouped: Mapping[str, Any] | None = None

    @property
    def crop(self) -> CropSpec:
        """How faces were cut out."""
        return CropSpec(**self.options["crop"])

    @property
    def detector(self) -> str:
        """The name of the detector that found the faces."""
        return str(self.options["detector"])

    def to_dict(self) -> dict[str, Any]:
        """Return what dataset.json holds."""
        stored = {"format": FORMAT, **asdict(self)}
        stored["classes"] = [str(emotion) for emotion in self.classes]
        for source in stored["sources"].values():
            source["cropped_by_publisher"] = source["cropped_by_publisher"] or False
        if self.regrouped is None:
            del stored["regrouped"]
        return stored


def format_description(info: StoreInfo) -> str:
    """Write what dataset.json holds; its last line is the hash of all others.

    This `sha256` is the hash of the file with 64 zeros in its place.
    """
    text = json.dumps({**info.to_dict(), "sha256": UNHASHED}, indent=1) + "\n"
    return _replace_last(text, UNHASHED, hashlib.sha256(text.encode()).hexdigest())


def has_own_hash(path: Path) -> bool:
    """Tell whether a dataset.json holds a hash of itself, as those of format 1 do not."""
    return bool(_load(path)["format"] > 1)


def differs_from_its_hash(path: Path) -> bool:
    """Tell whether a dataset.json has changed since it was written; for one of format 1 nothing is known."""
    if not has_own_hash(path):
        return False
    text, stored = path.read_bytes().decode(), str(_load(path).get("sha256"))
    return hashlib.sha256(_replace_last(text, stored, UNHASHED).encode()).hexdigest() != stored


def _replace_last(text: str, old: str, new: str) -> str:
    before, found, after = text.rpartition(old)
    return before + new + after if found else text


def read_description(path: Path) -> StoreInfo:
    """Read a dataset.json.

    Raises:
        DatasetError: The file is no JSON, has another format, or something is missing in it or of another type.
    """
    stored = _load(path)
    for source in stored["sources"].values() if isinstance(stored.get("sources"), dict) else ():
        if isinstance(source, dict) and source.get("cropped_by_publisher") is False:
            source["cropped_by_publisher"] = None
    info: StoreInfo = _check(StoreInfo, stored, "", path)
    _check(CropSpec, info.options.get("crop"), "options.crop", path)
    return info


def _load(path: Path) -> dict[str, Any]:
    """Read the JSON of a format that this version knows."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(path, f"not JSON: {error}") from error
    found = stored.get("format") if isinstance(stored, dict) else None
    if type(found) is int and found in READ_FORMATS:
        return dict(stored)
    known = f"format {found!r}, and this version of emonet reads {' and '.join(map(str, READ_FORMATS))}"
    if type(found) is int and found > FORMAT:
        raise DatasetError(path, f"{known}: a newer version wrote it; upgrade with `pip install --upgrade emonet`")
    raise DatasetError(path, f"{known}: no data set of emonet's, or a damaged one; build it again")


def _check(kind: Any, value: Any, place: str, path: Path) -> Any:
    """Turn a value of a JSON file into a type, or raise DatasetError with its place in the file."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None else _check(inner[0], value, place, path)
    if kind is Any:
        return value
    wanted = dict if is_dataclass(kind) else JSON_TYPES.get(origin or kind, kind)
    if not isinstance(value, wanted):
        raise DatasetError(path, f"{place} must be {getattr(wanted, '__name__', 'a number')}, and is {value!r:.60}")
    if origin is tuple:
        return tuple(_check(inner[0], one, f"{place}[{number}]", path) for number, one in enumerate(value))
    if origin is Mapping:
        return {name: _check(inner[1], one, f"{place}.{name}".lstrip("."), path) for name, one in value.items()}
    try:
        return _check_fields(kind, value, place, path) if is_dataclass(kind) else kind(value)
    except DatasetError:
        raise
    except ValueError as error:
        raise DatasetError(path, f"{place}: {error}") from error


def _is_required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _check_fields(kind: Any, value: Mapping[str, Any], place: str, path: Path) -> Any:
    """Make a dataclass of a JSON object; names that are not known are passed over."""
    own, hints = fields(kind), get_type_hints(kind)
    if missing := [one.name for one in own if one.name not in value and _is_required(one)]:
        raise DatasetError(path, f"no {', '.join(missing)} in {place or 'it'}")
    there = {one.name: value[one.name] for one in own if one.name in value}
    return kind(**{name: _check(hints[name], one, f"{place}.{name}".lstrip("."), path) for name, one in there.items()})
