"""From one data set to another: learn from some sources, score all images of others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.protocols.round import Parts, Round, check_config, check_start, make_round
from emonet.protocols.rows import read_rows, select_source
from emonet.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Cross:
    """Learn from some sources and score others, in one round.

    Choices are made on dev of the sources that are learned from. Copies of scored images are not learned from.

    Attributes:
        learned: The sources to learn from.
        scored: The sources to score; empty for all others.
    """

    title: ClassVar[str] = "From one data set to another"

    learned: tuple[str, ...]
    scored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(self.learned) or not self.learned:
            raise OptionError(f"name one source or more to learn from, got {','.join(self.learned) or 'none'!r}")
        if both := sorted(set(self.learned) & set(self.scored)):
            raise OptionError(f"{', '.join(both)} cannot be learned from and scored")

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        """Make the round."""
        check_config(config)
        rows = read_rows(store, config.classes)
        asked = self.scored or [source for source in store.info.counts if source not in self.learned]
        scored = {source: select_source(store, rows, source) for source in asked}
        if not scored:
            raise OptionError(f"{store.path} has no other source to score than {', '.join(self.learned)}")
        own = [row for source in self.learned for row in select_source(store, rows, source)]
        check_start(config, [row for of_one in scored.values() for row in of_one])
        parts = Parts(
            [row for row in own if row.split == "train"],
            [row for row in own if row.split == "dev"],
            scored,
            f"dev of {' and '.join(self.learned)}",
            f"all of {' and '.join(scored)}",
        )
        return [make_round(store, f"from-{'-'.join(self.learned)}", config, parts)]

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)
