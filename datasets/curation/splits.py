"""Divide images for training and testing: splits by subject, a hold-out of the training data, folds.

Images that belong together (of a subject, of a sequence, copies) are a group, and a group is never divided. Groups are
not shuffled: each gets a random number from the hash of its name and the seed, which stays the same when other groups
are added or removed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError

Shares = Mapping[str, float]  # split -> share

DEFAULT_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass(frozen=True, slots=True)
class Member:
    """What a split has to know about one image."""

    group: str  # never divided
    label: Hashable  # what is spread evenly over the splits: the class, or source and class


def check_shares(shares: Shares) -> None:
    """Raise OptionError unless the shares are those of known splits, add up to 1, and train has one, or another all."""
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
    """Draw groups for a hold-out, with every class in its proportion.

    Args:
        members: All images that it may be taken from.
        size: How many images it shall hold. It gets a few less if no group is small enough to fill it.
        seed: Of the draw.

    Returns:
        The groups.
    """
    if not 0 <= size < len(members):
        raise OptionError(f"a hold-out must be smaller than the {len(members)} images there are, got {size}")
    counts: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for member in members:
        counts[member.group][member.label] += 1
    quota = _share_out(Counter(member.label for member in members), size)
    chosen = set()
    order = sorted(counts, key=lambda name: (draw_number(seed, name), name))
    for group in order:
        if all(quota[label] >= count for label, count in counts[group].items()):
            quota.subtract(counts[group])
            chosen.add(group)
    left = quota.total()
    for group in order:
        if group not in chosen and counts[group].total() <= left:
            left -= counts[group].total()
            chosen.add(group)
    return chosen


def _share_out(counts: Counter[Hashable], size: int) -> Counter[Hashable]:
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
    if folds < 2 or folds > len(set(groups)):
        raise OptionError(f"folds must be from 2 to {len(set(groups))}, the number of groups, got {folds}")
    labels = _number(str(member.label) for member in members)
    fold = np.empty(len(members), np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, inside) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
        fold[inside] = number
    return fold


def _number(names: Iterable[str]) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]
