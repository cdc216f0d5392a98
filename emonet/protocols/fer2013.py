"""FER2013 as its competition had it: learned from Training, scored on PublicTest and PrivateTest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from emonet.datasets.store import Store
from emonet.datasets.store.regrouped import regrouped
from emonet.errors import OptionError
from emonet.protocols.round import HeldOut, Round, check_config, chosen_words, learned_view
from emonet.protocols.rows import of_source, read_rows
from emonet.training.config import TrainConfig

SOURCE = "fer2013"
EVALUATED = ("validation", "test")


@dataclass(frozen=True, slots=True)
class Fer2013:
    """One round, chosen on dev. Copies of what is scored are learned from if the build kept them; figures say so."""

    title: ClassVar[str] = "FER2013: its official splits"

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        check_config(config)
        rows = of_source(store, read_rows(store, config.classes), SOURCE)
        scored = [split for split in EVALUATED if any(row.split == split for row in rows)]
        if not scored:
            raise OptionError(f"{store.path} has nothing of FER2013 to score: neither validation nor test")
        by_split = {split: [row for row in rows if row.split == split] for split in store.splits}
        # what is scored stands beside what was learned from, so that copies are known
        own = {split: [row.key for row in here] for split, here in by_split.items()}
        view = regrouped(store, own, {"source": SOURCE})
        learned = learned_view(store, SOURCE, by_split.get("train", []), by_split.get("dev", []), config)
        held_out = {split: HeldOut(view, split, ()) for split in scored}
        words = f"{chosen_words(config, 'dev, a part of Training')}; scored once on {' and '.join(scored)}"
        return [Round(SOURCE, config, learned, held_out, words)]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
