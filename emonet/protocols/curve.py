"""Learning curves: the same training on growing shares of the training data, to see what more images would bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, get_args

from emonet.datasets.curation.splits import draw_number
from emonet.datasets.store import Store
from emonet.datasets.store.regrouped import regroup
from emonet.errors import OptionError
from emonet.protocols.round import (
    HeldOut,
    Round,
    check_config,
    check_scored_splits,
    check_start,
    describe_choices,
    find_subjects,
    make_training_view,
)
from emonet.protocols.rows import ImageRow, name_groups, read_rows
from emonet.training.config import TrainConfig
from emonet.training.sampling import count_passes, lengthen

SEED = 0  # of the shares: the same for every training, so that curves can be compared
SCORED = "validation"

Equal = Literal["steps", "epochs"]


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """A round for each share of train. A share holds all smaller ones.

    Subjects and copies stay together.

    By default every share is trained for the same number of steps. With the same number of epochs, a tenth of the
    images would have a tenth of the steps, and the curve would show what too short a training costs. So fewer images
    have more epochs; options that are counted in epochs grow with them, and the epoch is chosen on dev as always.

    Attributes:
        shares: Of the training data, each above 0 and at most 1.
        equal: What all shares have in common: `steps` or `epochs`.
    """

    title: ClassVar[str] = "Learning curve"

    shares: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
    equal: Equal = "steps"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", tuple(sorted(set(self.shares))))
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise OptionError(f"shares must be numbers above 0, at most 1, got {', '.join(map(str, self.shares))}")
        if self.equal not in get_args(Equal):
            raise OptionError(f"equal must be one of {', '.join(get_args(Equal))}, got {self.equal!r}")

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        """Make the rounds."""
        check_config(config)
        if self.equal == "epochs" and config.steps:
            raise OptionError(
                f"with steps every share is trained for {config.steps:,} steps: leave it out for equal epochs"
            )
        rows = read_rows(store, config.classes)
        if SCORED not in {row.split for row in rows}:
            raise OptionError(
                f"{store.path} has no split {SCORED!r} to score; its splits are {', '.join(store.splits)}"
            )
        train = [row for row in rows if row.split == "train" or (config.all_train and row.split == "dev")]
        dev = [row for row in rows if row.split == "dev" and not config.all_train]
        check_start(config, train)
        check_scored_splits(config, [SCORED])
        held_out = [row for row in rows if row.split == SCORED]
        view = regroup(store, {SCORED: [row.key for row in held_out]}, {"scored": SCORED})
        scored = HeldOut(view, SCORED, find_subjects(held_out))
        words = f"{describe_choices(config, 'dev')}; scored once on {SCORED}"
        rounds = []
        for share, own in self._nest_shares(train):
            name, trained = f"share-{share:g}", self._adapt_config(config, len(train), len(own))
            learned = make_training_view(store, name, own, dev, config)
            rounds.append(Round(name, trained, learned, {f"share {share:g}": scored}, words))
        return rounds

    def _nest_shares(self, train: Sequence[ImageRow]) -> Iterator[tuple[float, list[ImageRow]]]:
        """Yield each share and its rows: the groups with the smallest random numbers.

        These are not the numbers of the build, which moved groups with small ones to dev.
        """
        numbers = [draw_number(SEED, f"share {name}") for name in name_groups(train)]
        for share in self.shares:
            own = [row for row, number in zip(train, numbers, strict=True) if number < share]
            if not own:
                raise OptionError(f"a share of {share:g} holds none of the {len(train):,} training images")
            yield share, own

    def _adapt_config(self, config: TrainConfig, whole: int, own: int) -> TrainConfig:
        """Adapt the training of all images to a share, whose epochs have fewer steps."""
        if self.equal == "epochs":
            return replace(config, epoch_images=0)
        whole *= count_passes(whole, config)  # the steps of a recipe are kept on a small data set
        times = -(-whole // config.batch_size) / -(-own // config.batch_size)
        return lengthen(config, times)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)
