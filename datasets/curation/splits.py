"""Divide images for training and testing: splits by subject, a hold-out of the training data, folds.

Images that belong together (of a subject, of a sequence, copies) are a group, and a group is never divided. Groups are
not shuffled: each gets a random number from the hash of its name and the seed, which stays the same when other groups
are added or removed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError

Shares = Mapping[str, float]  # split -> share
T = TypeVar("T", bound=Hashable)
Place = tuple[str, Hashable]  # source and class
Groups = dict[str, Counter[Place]]  # group -> how many images of what, in the order of the draw

DEFAULT_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass(frozen=True, slots=True)
class Member:
    """What a split has to know about one image."""

    group: str  # never divided
    label: Hashable  # what is spread evenly over the splits: the class, or source and class
    source: str = ""  # every hold-out shall hold some of it


def check_shares(shares: Shares) -> None:
    """Raise OptionError unless the shares are of known splits, add up to 1, and leave train some, or one split all."""
    if set(shares) - set(DEFAULT_SHARES) or any(not 0 <= share <= 1 for share in shares.values()):
        raise OptionError(f"shares must be numbers from 0 to 1 for {', '.join(DEFAULT_SHARES)}, got {dict(shares)}")
    if abs(sum(shares.values()) - 1) > 1e-6 or not (shares.get("train") or 1 in shares.values()):
        raise OptionError(
            f"shares must add up to 1, and leave something to train on or give all to one split, got {dict(shares)}"
        )


def draw_number(seed: int, name: str) -> float:
    """Draw a number from 0 up to 1 that depends on the seed and the name alone."""
    return int.from_bytes(sha256(f"{seed}/{name}".encode()).digest()[:8], "big") / 2**64


def split_groups(members: Sequence[Member], shares: Shares, seed: int) -> dict[str, str]:
    """Draw a split for each group.

    A split that lacks a class is then given a group that has it. So groups stay in their splits when data are added,
    except for the few that were moved: they move back once the class is there without them.

    Returns:
        Group -> split.
    """
    check_shares(shares)
    numbers = {group: draw_number(seed, group) for group in {member.group for member in members}}
    splits = {group: _choose_split(number, shares) for group, number in numbers.items()}
    labels: dict[str, set[Hashable]] = defaultdict(set)
    for member in members:
        labels[member.group].add(member.label)
    for split in (name for name in ("train", "validation", "test") if shares.get(name)):
        for label in sorted({member.label for member in members}, key=str):
            _fill(split, label, splits, labels, numbers)
    return splits


def warn_of_empty_splits(source: str, people: int, held: Collection[str], shares: Shares) -> list[str]:
    """Say which splits have no image of a data set whose people were divided, though they have a share.

    Args:
        source: The data set.
        people: How many were divided.
        held: The splits that have an image of it.
        shares: What was asked for.
    """
    empty = [split for split, share in shares.items() if share > 0 and split not in held]
    who = "its only person is not" if people == 1 else f"none of its {people} people is"
    return [f"{source}: {who} in {' or '.join(empty)}; --shares divides otherwise"] if empty else []


def _choose_split(number: float, shares: Shares) -> str:
    passed = 0.0
    for split in ("test", "validation"):
        passed += shares.get(split, 0.0)
        if number < passed:
            return split
    return "train"


def _fill(
    split: str,
    label: Hashable,
    splits: dict[str, str],
    labels: Mapping[str, set[Hashable]],
    numbers: Mapping[str, float],
) -> None:
    """Move one group into a split that lacks a class, from a split that keeps all its classes; to train from any."""
    having = [group for group in splits if label in labels[group]]
    held = Counter(splits[group] for group in having)
    if held[split]:
        return
    movable = [group for group in having if split == "train" or _can_leave(group, splits, labels)]
    if movable:
        splits[min(movable, key=lambda group: (numbers[group], group))] = split


def _can_leave(group: str, splits: Mapping[str, str], labels: Mapping[str, set[Hashable]]) -> bool:
    """Tell whether the split of a group keeps all its classes without it."""
    others = [other for other in splits if splits[other] == splits[group] and other != group]
    return labels[group] <= set().union(*(labels[other] for other in others))


def hold_out(members: Sequence[Member], size: int, seed: int) -> set[str]:
    """Draw groups for a hold-out, with every class in its proportion and something of every source.

    Args:
        members: All images that it may be taken from.
        size: How many images it shall hold. It gets a few less if no group is small enough to fill it, and more if a
            source has larger groups only. Of no source it gets more than half for that.
        seed: Of the draw.

    Returns:
        The groups. `warn_of_shortage` says what they lack.
    """
    if not 0 <= size < len(members):
        raise OptionError(
            f"dev must be smaller than the {len(members)} training images that are not left out, got {size}"
        )
    counts = _count_by_group(members)
    order = sorted(counts, key=lambda name: (draw_number(seed, name), name))
    groups = {group: counts[group] for group in order}
    chosen = _fill_quota(groups, size)
    if whole := _choose_of_missing_sources(groups, chosen, size):
        room = size - sum(groups[group].total() for group in whole)
        chosen = whole | _fill_quota({group: groups[group] for group in order if group not in whole}, max(0, room))
    _add_missing_classes(groups, chosen, size)
    left = size - sum(groups[group].total() for group in chosen)
    for group in order:
        if group not in chosen and groups[group].total() <= left:
            left -= groups[group].total()
            chosen.add(group)
    return chosen


def _count_by_group(members: Iterable[Member]) -> Groups:
    """Count the images of each group. Groups of one image share their Counter, which nobody changes: they are many."""
    alone: dict[Place, Counter[Place]] = {}
    counts: Groups = {}
    for member in members:
        place = member.source, member.label
        one = alone.get(place) or alone.setdefault(place, Counter([place]))
        before = counts.get(member.group)
        counts[member.group] = one if before is None else before + one
    return counts


def _fill_quota(groups: Groups, size: int) -> set[str]:
    """Choose groups in order while no class of a source gets more than its share."""
    quota = _share_out(_count(groups), size)
    chosen = set()
    for group, counts in groups.items():
        if all(quota[place] >= count for place, count in counts.items()):
            quota.subtract(counts)
            chosen.add(group)
    return chosen


def _count(groups: Groups) -> Counter[Place]:
    counts: Counter[Place] = Counter()
    for of_group in groups.values():
        counts.update(of_group)
    return counts


def _choose_of_missing_sources(groups: Groups, chosen: Iterable[str], size: int) -> set[str]:
    """Choose a group of each source of which none was chosen, unless it holds more than half of the source."""
    everything, held = _count(groups), {source for group in chosen for source, _ in groups[group]}
    quota = _share_out(everything, size)
    found = set()
    for source in sorted({source for source, _ in everything} - held):
        own = [group for group, counts in groups.items() if any(name == source for name, _ in counts)]
        total, share = (sum(n for (name, _), n in of.items() if name == source) for of in (everything, quota))
        smallest = min(groups[group].total() for group in own)
        fitting = [group for group in own if groups[group].total() <= min(max(share, smallest), total // 2)]
        found.update(fitting[:1])
    return found


def _add_missing_classes(groups: Groups, chosen: set[str], size: int) -> None:
    """Choose a group of each class of a source that is due and has none, as long as there is room."""
    quota = _share_out(_count(groups), size)
    held = {place for group in chosen for place in groups[group]}
    for place in sorted((place for place in quota if quota[place]), key=str):
        left = size - sum(groups[group].total() for group in chosen)
        fitting = (group for group, counts in groups.items() if place in counts and counts.total() <= left)
        if place not in held and (group := next(fitting, None)) is not None:
            chosen.add(group)
            held |= set(groups[group])


def warn_of_shortage(members: Iterable[tuple[Member, bool]], size: int) -> list[str]:
    """Say what a hold-out lacks.

    Args:
        members: All images that it was taken from, and whether each is in it.
        size: How many images it should hold.
    """
    everything: Counter[Place] = Counter()
    held: Counter[Place] = Counter()
    for member, is_held in members:
        everything[member.source, member.label] += 1
        held[member.source, member.label] += is_held
    due = _share_out(everything, min(size, everything.total()))
    whole = "people and copies are not divided"
    if not held.total():
        return [f"there is no dev split: {whole}, and no group of images fits into the {size:,} that were asked for"]
    found = [] if held.total() == size else [f"dev holds {held.total():,} images, not {size:,}: {whole}"]
    for source in sorted({source for source, _ in everything}):
        labels = [label for name, label in everything if name == source]
        if not sum(held[source, label] for label in labels):
            found.append(f"dev holds no image of {source}: {whole}, and its groups are too large or too few")
        elif missing := [label for label in labels if due[source, label] and not held[source, label]]:
            found.append(f"dev holds no {_name_labels(missing)} of {source}: {whole}")
    return found


def _name_labels(labels: Iterable[Hashable]) -> str:
    return ", ".join(sorted(str(label[-1] if isinstance(label, tuple) else label) for label in labels))


def _share_out(counts: Counter[T], size: int) -> Counter[T]:
    """Return whole numbers in proportion to the counts, which add up to `size`."""
    exact = {label: size * count / counts.total() for label, count in counts.items()}
    quota = Counter({label: int(share) for label, share in exact.items()})
    by_rest = sorted(exact, key=lambda label: (quota[label] - exact[label], str(label)))
    quota.update(by_rest[: size - quota.total()])
    return quota


def assign_folds(members: Sequence[Member], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign a fold to each image: classes are spread evenly, and groups stay whole."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = _number(member.group for member in members)
    count = len(set(groups))
    if count < 2:
        raise OptionError("there is only one person, or other group of images, and folds keep people whole")
    if not 2 <= folds <= count:
        raise OptionError(f"folds must be from 2 to {count}, the number of groups, got {folds}")
    labels = _number(str(member.label) for member in members)
    if folds > (most := max(Counter(labels).values())):
        raise OptionError(f"folds must be at most {most}, the images of the commonest class, got {folds}")
    fold = np.empty(len(members), np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, inside) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
        fold[inside] = number
    return fold


def _number(names: Iterable[str]) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]
