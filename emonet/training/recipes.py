"""How each network is trained unless one says otherwise: the options of its source, and of ours by measurement.

Where a source is silent the options are the defaults of `TrainConfig`, or ours as the comment says.
"""

from __future__ import annotations

from typing import Any

# Two rates of decay that say the same: Keras' l2(0.001) adds 0.001 w^2 to the loss, whose gradient is 0.002 w.
L2 = 0.002

_KERAS: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.001, "weight_decay": 0.0, "warmup": 0.0}

RECIPES: dict[str, dict[str, Any]] = {
    "emonet": {
        "epochs": 60,
        "mixup": 0.2,
        "mix_until": 0.85,
        "smoothing": 0.1,
        "ema": 0.999,
        "clip": 5.0,
    },
    "emonet_fast": {
        "epochs": 120,
        "smoothing": 0.1,
        "ema": 0.999,
        "clip": 5.0,
    },
    "plain_cnn": {
        "epochs": 60,
        "smoothing": 0.1,
        "ema": 0.999,
        "clip": 5.0,
    },
    # Thirty epochs and more; the rate falls to a fifth after five that brought nothing. That it rises first is ours:
    # without, the network stays longer with the commonest class.
    "apl_fmp": {
        **_KERAS,
        "warmup": 1.0,
        "classes": "fer6",
        "batch_size": 256,
        "epochs": 40,
        "schedule": "plateau",
        "factor": 0.2,
        "patience": 5,
        "augment": "classic",
    },
    "leaky_cifar": {
        **_KERAS,
        "classes": "fer6",
        "batch_size": 256,
        "epochs": 20,
        "schedule": "constant",
        "augment": "none",
    },
    "crop_three": {
        "optimizer": "sgd",
        "momentum": 0.9,
        "learning_rate": 0.01,  # not published
        "weight_decay": L2,
        "warmup": 0.0,
        "batch_size": 256,
        "epochs": 150,
        "schedule": "plateau",
        "factor": 0.5,
        "patience": 5,
        "stop_after": 41,
        "augment": "mirror",
    },
    # 16,001 steps of 32; disgust, which has few pictures, is repeated four times.
    "lenet28": {
        "optimizer": "sgd",
        "momentum": 0.0,
        "learning_rate": 0.05,
        "weight_decay": 0.0,
        "warmup": 0.0,
        "schedule": "constant",
        "batch_size": 32,
        "steps": 16_001,
        "oversample": {"disgust": 4.0},
        "augment": "tilted",
    },
    "tuned_five": {**_KERAS, "batch_size": 64, "epochs": 60, "schedule": "plateau", "augment": "mirror"},
    "tiny_vgg": {
        **_KERAS,
        "batch_size": 128,
        "epochs": 60,
        "schedule": "plateau",
        "stop_after": 15,
        "augment": "classic",
    },
    "knn": {"augment": "none"},
    "torchvision": {"learning_rate": 0.02, "clip": 5.0},
    "facenet": {"learning_rate": 0.02, "clip": 5.0},
}


def recipe(model: str, **changes: Any) -> dict[str, Any]:
    """The options of a network that differ from the defaults, some of them changed.

    Numbers of its own that a change takes the place of leave: the steps for the epochs, the tables for `balance`.
    """
    options = {"model": model, **RECIPES.get(model.partition(":")[0], {})}
    if "epochs" in changes:
        options.pop("steps", None)
    if changes.get("balance", "none") != "none":
        options = {name: value for name, value in options.items() if name not in ("class_weights", "oversample")}
    return options | changes
