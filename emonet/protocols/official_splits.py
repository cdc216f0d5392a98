"""FER2013 as in its competition: learn from Training, score PublicTest and PrivateTest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from emonet.datasets.store import Store
from emonet.datasets.store.regrouped import regroup
from emonet.errors import OptionError
from emonet.protocols.round import (
    HeldOut,
    Round,
    check_config,
    check_scored_splits,
    describe_choices,
    make_training_view,
)
from emonet.protocols.rows import read_rows, select_source
from emonet.training.config import TrainConfig

SOURCE = "fer2013"
EVALUATED = ("validation", "test")


@dataclass(frozen=True, slots=True)
class OfficialSplits:
    """The official splits of FER2013, in one round; what is chosen is chosen on dev.

    If the build kept training images that are copies of scored ones, they are learned from, and scores with and
    without these copies are given.
    """

    title: ClassVar[str] = "FER2013: its official splits"

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        """Make the round."""
        check_config(config)
        rows = select_source(store, read_rows(store, config.classes), SOURCE)
        scored = [split for split in EVALUATED if any(row.split == split for row in rows)]
        if not scored:
            raise OptionError(f"{store.path} has nothing of FER2013 to score: neither validation nor test")
        check_scored_splits(config, scored)
        by_split = {split: [row for row in rows if row.split == split] for split in store.splits}
        # The view holds the training rows, too, so that copies of them are known.
        own = {split: [row.key for row in here] for split, here in by_split.items()}
        view = regroup(store, own, {"source": SOURCE})
        learned = make_training_view(store, SOURCE, by_split.get("train", []), by_split.get("dev", []), config)
        held_out = {split: HeldOut(view, split, ()) for split in scored}
        words = f"{describe_choices(config, 'dev, a part of Training')}; scored once on {' and '.join(scored)}"
        return [Round(SOURCE, config, learned, held_out, words)]

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)
