"""Make the columns of answers.parquet of an evaluation; `answers.py` lists them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emonet.evaluation.answers import VERSION, Answers
from emonet.heads import sizes
from facecrop.packages import installed_version

if TYPE_CHECKING:
    import pyarrow as pa

    from emonet.evaluation.evaluation import Evaluation


def make_answers(evaluation: Evaluation, *, scored: str = "", fold: str | None = None) -> Answers:
    """Collect the answers of an evaluation.

    Args:
        evaluation: The evaluation.
        scored: The title under which the images are scored; the split if empty.
        fold: The round that scored the images; if None, the fold that each image has in the data set.
    """
    import pyarrow as pa

    columns = {**_describe_images(evaluation, scored or evaluation.split, fold), **dict(_list_answers(evaluation))}
    return Answers(pa.table(columns), _describe(evaluation))


def _describe_images(evaluation: Evaluation, scored: str, fold: str | None) -> dict[str, pa.Array]:
    import pyarrow as pa

    faces, n = evaluation.faces, len(evaluation.faces)
    empty = np.full(n, "")
    splits = np.full(n, evaluation.split) if faces.splits is None else faces.splits
    folds = np.full(n, -1) if faces.folds is None else faces.folds
    seed = evaluation.checkpoint.training.get("config", {}).get("seed")
    text: dict[str, Sequence[str | None]] = {
        "key": faces.keys,
        "scored": [scored] * n,
        "source": faces.sources.tolist(),
        "split": splits.tolist(),
        "subject": [name or None for name in (empty if faces.subjects is None else faces.subjects).tolist()],
        "sequence": [name or None for name in (empty if faces.sequences is None else faces.sequences).tolist()],
        "label": [str(faces.classes[label]) for label in faces.labels.tolist()],
        "fold": [(str(own) if own >= 0 else None) if fold is None else fold for own in folds.tolist()],
    }
    columns = {name: pa.array(values, pa.string()) for name, values in text.items()}
    columns["seed"] = pa.array([seed] * n, pa.int64())
    if faces.votes is not None and faces.votes.any():
        voted = [votes if any(votes) else None for votes in faces.votes.tolist()]
        columns["votes"] = pa.array(voted, pa.list_(pa.int16()))
    return columns


def _list_answers(evaluation: Evaluation) -> Iterator[tuple[str, pa.Array]]:
    """Yield the columns of each view: the class that is answered, its probabilities, and those of every head."""
    import pyarrow as pa

    classes, heads = [*map(str, evaluation.faces.classes)], evaluation.checkpoint.heads
    for view, answer in evaluation.answers.items():
        yield f"answer_{view}", pa.array([classes[place] for place in answer.argmax(1)], pa.string())
        for name, column in zip(classes, answer.T, strict=True):
            yield f"p_{view}_{name}", pa.array(column, pa.float32())
    for view, answer in evaluation.head_answers.items():
        for head, part in zip(heads, np.split(answer, np.cumsum(sizes(heads))[:-1], axis=1), strict=True):
            for name, column in zip(head.classes, part.T, strict=True):
                yield f"p_{view}_{head.name}_{name}", pa.array(column, pa.float32())


def _describe(evaluation: Evaluation) -> dict[str, Any]:
    checkpoint, store = evaluation.checkpoint, evaluation.store
    config = checkpoint.training.get("config", {})
    return {
        "version": VERSION,
        "emonet": installed_version("emonet"),
        "name": evaluation.name,
        "model": checkpoint.model,
        "arguments": dict(checkpoint.arguments),
        "model_identity": checkpoint.identity,
        "seed": config.get("seed"),
        "members": config.get("members"),
        "store": store.path.name,
        "store_identity": store.identity,
        "split": evaluation.split,
        "sources": list(evaluation.sources),
        "views": list(evaluation.answers),
        "head": evaluation.choice.head,
        "prior": evaluation.choice.prior,
        "classes": [*map(str, evaluation.faces.classes)],
        "heads": {head.name: [*map(str, head.classes)] for head in checkpoint.heads},
    }
