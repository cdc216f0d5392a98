"""The options of a review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from emonet.options import Option, check_options

MapMethod = Literal["pca", "umap"]


@dataclass(frozen=True, slots=True)
class ReviewOptions:
    """The options of a review."""

    model: Annotated[
        str, Option("Sort faces by the answers of this model, and draw the map of its features: a name or a file.")
    ] = ""
    answers: Annotated[
        str,
        Option(
            "Sort faces by these answers instead: teacher_labels.parquet of `emonet train --out-of-fold`, "
            "answers.parquet of `emonet evaluate` or `emonet protocol`, or the folder of either.",
            path=True,
        ),
    ] = ""
    head: Annotated[str, Option("Use this head of the model, or mean.", default="the model's")] = ""
    map: Annotated[MapMethod, Option("Draw the map by pca, or by umap if umap-learn is installed.")] = "pca"

    def __post_init__(self) -> None:
        check_options(self)
