"""Plan a build: open the readers, label every sample, and divide the samples into chunks of work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from emonet.datasets import READERS
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.reader import Published, Reader
from emonet.datasets.sample import DropReason, Rejected, Sample
from emonet.errors import OptionError
from emonet.labels import Emotion
from facecrop import CropSpec

CHUNK = 256  # samples, or a few more to end with a whole sequence; a build that is killed loses the chunk it works on

Counts = Counter[tuple[str, Emotion | None]]  # (split or "", label) -> how many
Unit = tuple[Sample, ...]  # what is worked on together: the frames of a sequence, or one image


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of work for one worker.

    The samples in it do not depend on the number of workers.
    """

    source: str
    number: int
    units: tuple[Unit, ...]
    framing: CropSpec | None  # the publisher's crop
    sequences: bool  # units are sequences that start neutral

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.source}-{self.number:05d}"

    def __len__(self) -> int:
        return sum(map(len, self.units))


@dataclass(slots=True)
class Survey:
    """What a reader holds.

    Attributes:
        counts: (split or "", published label) -> how many.
        samples: What will be worked on, with the label that it has in the data set.
        rejected: What has no label, or could not be read.
        warning: How it differs from what its publisher counted.
    """

    counts: Counts = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    warning: str | None = None


class Labeller:
    """Give each sample its class, or the reason why it has none."""

    def __init__(self, options: BuildOptions) -> None:
        self._rules = options.labels
        self.corrections = options.read_corrections()

    def __call__(self, sample: Sample) -> Sample | Rejected:
        label = self.corrections.label(sample)
        if label is None:
            return _reject(sample, DropReason.NO_LABEL, f"sequence {sample.sequence}" if sample.sequence else "")
        if isinstance(label, Emotion):
            emotion = label
            label = self._rules.label(label)
        if isinstance(label, DropReason):
            corrected = label is DropReason.CORRECTED
            return _reject(sample, label, "by the corrections" if corrected else f"labelled {emotion}")
        return sample if label is sample.emotion else replace(sample, emotion=label)


def _reject(sample: Sample, reason: DropReason, detail: str) -> Rejected:
    return Rejected(sample.key, sample.source, sample.split, reason, detail)


def open_readers(options: BuildOptions) -> dict[str, Reader]:
    """Open the readers of a build, in the order of READERS."""
    unknown = sorted(set(options.inputs) - set(READERS))
    if unknown:
        raise OptionError(f"unknown data sets: {', '.join(unknown)}; known: {', '.join(READERS)}")
    extra: dict[str, dict[str, Any]] = {"fer2013": {"votes": options.ferplus}}
    return {
        name: reader(options.inputs[name], **extra.get(name, {}), **options.choices_of(name))
        for name, reader in READERS.items()
        if name in options.inputs
    }


def survey_source(reader: Reader, labeller: Labeller) -> Survey:
    """Read a source once, all but its images, and label what it holds."""
    result = Survey()
    seen: set[str] = set()  # sequences that were counted, where the publisher counted sequences
    counted: Counts = Counter()
    published = reader.layout.published
    keys: set[str] = set()
    for sample in reader:
        if sample.key in keys:
            result.rejected.append(_reject(sample, DropReason.BAD_ROW, "another image has its key"))
            continue
        keys.add(sample.key)
        place = (sample.split or "", sample.emotion)
        result.counts[place] += 1
        thing = sample.sequence if published and published.unit == "sequences" else None
        if thing is None or thing not in seen:
            counted[place] += 1
        if thing is not None:
            seen.add(thing)
        labelled = labeller(sample)
        if isinstance(labelled, Rejected):
            result.rejected.append(labelled)
        else:
            result.samples.append(labelled)
            if reader.layout.starts_neutral:
                labeller.corrections.onset(labelled)  # it is used later: in `Workshop`
    result.rejected = [*reader.rejected, *result.rejected]
    result.warning = _describe_difference(published, counted) if published else None
    return result


def make_chunks(reader: Reader, samples: Iterable[Sample]) -> Iterator[Chunk]:
    """Divide the labelled samples of a source into chunks of whole units."""
    layout = reader.layout
    units: list[Unit] = []
    number = size = 0
    for unit in _make_units(samples, layout.starts_neutral):
        units.append(unit)
        size += len(unit)
        if size >= CHUNK:
            yield Chunk(reader.name, number, tuple(units), layout.framing, layout.starts_neutral)
            units, number, size = [], number + 1, 0
    if units:
        yield Chunk(reader.name, number, tuple(units), layout.framing, layout.starts_neutral)


def _make_units(samples: Iterable[Sample], sequences: bool) -> Iterator[Unit]:
    """Single images, or all frames of a sequence together."""
    frames: list[Sample] = []
    for sample in samples:
        if frames and not (sequences and sample.sequence == frames[0].sequence is not None):
            yield tuple(frames)
            frames = []
        frames.append(sample)
    if frames:
        yield tuple(frames)


def _describe_difference(published: Published, found: Counts) -> str | None:
    """Both tables where they differ; a split that is missing altogether is named."""
    counts = {split: dict(numbers) for split, numbers in published.counts.items()}
    here = {split: {e: n for (s, e), n in found.items() if s == split and e is not None} for split in counts}
    if here == counts:
        return None
    lines = [f"the number of {published.unit} differs from the published one:"]
    for split, numbers in counts.items():
        if here[split] == numbers:
            continue
        name = split or "all"
        if not here[split]:
            lines.append(f"  {name}: none here, published {sum(numbers.values()):,}")
            continue
        swapped = next((other for other, theirs in counts.items() if other != split and theirs == here[split]), None)
        lines.append(f"  {name}, here:      {_format_counts(numbers, here[split])}")
        lines.append(f"  {name}, published: {_format_counts(numbers, numbers)}")
        if swapped:
            lines.append(f"  these are the numbers of {swapped}: the splits may have been swapped")
    return "\n".join(lines)


def _format_counts(order: dict[Emotion, int], numbers: dict[Emotion, int]) -> str:
    return "  ".join(f"{emotion} {numbers.get(emotion, 0):,}" for emotion in (*order, *(set(numbers) - set(order))))
