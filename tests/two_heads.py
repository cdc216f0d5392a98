"""A model with two heads: the bundled small one, with a second head for the votes of FER+."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from emonet.heads import SEEN, SEEN_CLASSES, Head
from emonet.inference import load_model

LABELS_PRIOR = (0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17)
SEEN_PRIOR = (0.08, 0.02, 0.04, 0.27, 0.14, 0.12, 0.31, 0.02)


def one_head(**changes):
    """Make a checkpoint with the head `fer2013` alone, which stores no prior."""
    whole = load_model("emonet_fast")
    classes = whole.heads[0].classes
    last = {name: whole.weights[name][: len(classes)] for name in ("head.weight", "head.bias")}
    training = {**whole.training, "config": {**whole.training["config"], "all_train": False}}  # dev is new to it
    plain = {"heads": (Head("fer2013", classes),), "default_head": "", "default_prior": "training", "coverage": ()}
    plain |= {"training": training}
    return replace(whole, **{"weights": {**whole.weights, **last}, **plain, **changes})


def two_heads(seed=1, **changes):
    """Make a checkpoint with the heads `fer2013` and `seen`; the second has random weights."""
    one = one_head()
    shape = (len(SEEN_CLASSES), one.weights["head.weight"].shape[1])
    untaught = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) / 5
    weights = {
        **one.weights,
        "head.weight": np.concatenate([one.weights["head.weight"], untaught.numpy()]),
        "head.bias": np.concatenate([one.weights["head.bias"], np.zeros(len(SEEN_CLASSES), np.float32)]),
    }
    heads = (Head("fer2013", one.classes, LABELS_PRIOR), Head(SEEN, SEEN_CLASSES, SEEN_PRIOR))
    return replace(one, **{"heads": heads, "weights": weights, **changes})
