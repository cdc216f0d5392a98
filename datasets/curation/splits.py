"""Who is trained on and who is tested on: splits by person, a hold-out of the training data, folds.

Whatever belongs together (a person, a sequence, copies of a picture) is a group and is never divided. Draws are made
by hashing names with the seed, not by shuffling lists: a group's lot does not change when others come or go.
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
    """What a split has to know of one picture."""

    group: str  # never divided
    label: Hashable  # what is spread evenly: the class, or source and class


def check_shares(shares: Shares) -> None:
    """Raises unless the shares are those of known splits and make a whole."""
    if set(shares) - set(DEFAULT_SHARES) or any(not 0 <= share <= 1 for share in shares.values()):
        raise OptionError(f"shares must be numbers from 0 to 1 for {', '.join(DEFAULT_SHARES)}, got {dict(shares)}")
    if abs(sum(shares.values()) - 1) > 1e-6 or not shares.get("train"):
        raise OptionError(f"shares must add up to 1 and leave something to train on, got {dict(shares)}")


def lot(seed: int, name: str) -> float:
    """A number from 0 up to 1 that the seed and the name alone decide."""
    return int.from_bytes(sha256(f"{seed}/{name}".encode()).digest()[:8], "big") / 2**64


def split_groups(members: Sequence[Member], shares: Shares, seed: int) -> dict[str, str]:
    """The split of each group, by lot; then splits that lack a class are given the group nearest to them that has it.

    So a group stays where it is when data are added, but for the few that were moved; they move back when the class
    is there without them.
    """
    check_shares(shares)
    lots = {group: lot(seed, group) for group in {member.group for member in members}}
    splits = {group: _drawn(place, shares) for group, place in lots.items()}
    labels: dict[str, set[Hashable]] = defaultdict(set)
    for member in members:
        labels[member.group].add(member.label)
    for split in (name for name in ("train", "validation", "test") if shares.get(name)):
        for label in sorted({member.label for member in members}, key=str):
            _fill(split, label, splits, labels, lots)
    return splits


def _drawn(place: float, shares: Shares) -> str:
    passed = 0.0
    for split in ("test", "validation"):
        passed += shares.get(split, 0.0)
        if place < passed:
            return split
    return "train"


def _fill(
    split: str, label: Hashable, splits: dict[str, str], labels: Mapping[str, set[Hashable]], lots: Mapping[str, float]
) -> None:
    """Moves one group into a split that lacks a class, from one that keeps all its own; to train from any."""
    having = [group for group in splits if label in labels[group]]
    held = Counter(splits[group] for group in having)
    if held[split]:
        return
    movable = [group for group in having if split == "train" or _is_spared(group, splits, labels)]
    if movable:
        splits[min(movable, key=lambda group: (lots[group], group))] = split


def _is_spared(group: str, splits: Mapping[str, str], labels: Mapping[str, set[Hashable]]) -> bool:
    """Whether the group's split keeps all its classes without it."""
    others = [other for other in splits if splits[other] == splits[group] and other != group]
    return labels[group] <= set().union(*(labels[other] for other in others))


def hold_out(members: Sequence[Member], size: int, seed: int) -> set[str]:
    """Groups of together `size` pictures, or a few less where groups are large, every class in its own proportion.

    What large groups leave open at the end is filled with whatever fits.
    """
    if not 0 <= size < len(members):
        raise OptionError(f"a hold-out must be smaller than the {len(members)} pictures there are, got {size}")
    counts: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for member in members:
        counts[member.group][member.label] += 1
    quota = _quotas(Counter(member.label for member in members), size)
    chosen = set()
    order = sorted(counts, key=lambda name: (lot(seed, name), name))
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


def _quotas(counts: Counter[Hashable], size: int) -> Counter[Hashable]:
    """Whole numbers in proportion to the counts that add up to `size`."""
    exact = {label: size * count / counts.total() for label, count in counts.items()}
    quota = Counter({label: int(share) for label, share in exact.items()})
    by_rest = sorted(exact, key=lambda label: (quota[label] - exact[label], str(label)))
    quota.update(by_rest[: size - quota.total()])
    return quota


def assign_folds(members: Sequence[Member], folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each picture: classes spread evenly, groups whole."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = _numbered(member.group for member in members)
    if folds < 2 or folds > len(set(groups)):
        raise OptionError(f"folds must be from 2 to {len(set(groups))}, the number of groups, got {folds}")
    labels = _numbered(str(member.label) for member in members)
    fold = np.empty(len(members), np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, inside) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
        fold[inside] = number
    return fold


def _numbered(names: Iterable[str]) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]
