"""How much more pictures bring: the same training on growing shares of the training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, get_args

from emonet.datasets.curation.splits import lot
from emonet.datasets.store import Store
from emonet.datasets.store.regrouped import regrouped
from emonet.errors import OptionError
from emonet.protocols.round import HeldOut, Round, check_config, check_start, chosen_words, learned_view, people_on
from emonet.protocols.rows import Row, group_names, read_rows
from emonet.training.config import TrainConfig

SEED = 0  # of the shares: the same for every training, so that curves can be compared
SCORED = "validation"

Equal = Literal["steps", "epochs"]


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """A round a share of train, each share with all of the smaller ones in it; people and copies stay together.

    Every share is trained for as many steps, which is the fair question: what do more pictures bring to the same
    work? With as many epochs a tenth of the pictures would have a tenth of the steps, and the curve would show what
    too short a training costs. So epochs, and whatever counts in them, grow as pictures become fewer; the epoch is
    chosen among more of them, on dev. `equal` may also be `epochs`.
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
        check_config(config)
        if self.equal == "epochs" and config.steps:
            raise OptionError(
                f"steps ends every share's training after {config.steps:,}: leave it out for equal epochs"
            )
        rows = read_rows(store, config.classes)
        if SCORED not in {row.split for row in rows}:
            raise OptionError(
                f"{store.path} has no split {SCORED!r} to score; its splits are {', '.join(store.splits)}"
            )
        train = [row for row in rows if row.split == "train" or (config.all_train and row.split == "dev")]
        dev = [row for row in rows if row.split == "dev" and not config.all_train]
        check_start(config, train)
        held_out = [row for row in rows if row.split == SCORED]
        view = regrouped(store, {SCORED: [row.key for row in held_out]}, {"scored": SCORED})
        scored = HeldOut(view, SCORED, people_on(held_out))
        words = f"{chosen_words(config, 'dev')}; scored once on {SCORED}"
        rounds = []
        for share, own in self._nested(train):
            name, trained = f"share-{share:g}", self._trained(config, len(train), len(own))
            learned = learned_view(store, name, own, dev, config)
            rounds.append(Round(name, trained, learned, {f"share {share:g}": scored}, words))
        return rounds

    def _nested(self, train: Sequence[Row]) -> Iterator[tuple[float, list[Row]]]:
        """Each share and its rows, by the lots of people and of groups of copies.

        They are not the lots of the build: those whose were low are not here, but in dev.
        """
        lots = [lot(SEED, f"share {name}") for name in group_names(train)]
        for share in self.shares:
            own = [row for row, place in zip(train, lots, strict=True) if place < share]
            if not own:
                raise OptionError(f"a share of {share:g} holds none of the {len(train):,} training pictures")
            yield share, own

    def _trained(self, config: TrainConfig, whole: int, own: int) -> TrainConfig:
        """The training of a share, from that of all pictures; an epoch of a share has fewer steps."""
        if self.equal == "epochs":
            return config
        times = -(-whole // config.batch_size) / -(-own // config.batch_size)
        return replace(
            config,
            epochs=round(config.epochs * times),
            warmup=config.warmup * times,
            patience=round(config.patience * times),
            stop_after=round(config.stop_after * times),
            augment_from={
                str(1 + round((int(epoch) - 1) * times)): name for epoch, name in config.augment_from.items()
            },
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
