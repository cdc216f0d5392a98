"""Recipes: how each network is trained by default. The options come from its source, and for our own from measurements.

Where a source says nothing, the options are the defaults of `TrainConfig`, unless a comment says otherwise.
"""

from __future__ import annotations

from typing import Any

from emonet.training.config import TrainConfig

EPOCH_IMAGES = 25_709  # in FER2013's train beside a dev of 3,000: what the recipes' epochs were measured with

L2 = 0.002  # Keras' l2(0.001) adds 0.001 w^2 to the loss, whose gradient is 0.002 w

# benchmarks/experiments.py found it better than SGD in the same time: docs/experiments.md.
_MUON: dict[str, Any] = {"optimizer": "muon", "learning_rate": 0.02, "rest_rate": 0.1}

_RESIDUAL: dict[str, Any] = {
    **_MUON,
    "epochs": 60,
    "mixup": 0.2,
    "mix_until": 0.85,
    "smoothing": 0.1,
    "ema": 0.999,
    "clip": 5.0,
}

_KERAS: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.001, "weight_decay": 0.0, "warmup": 0.0}

RECIPES: dict[str, dict[str, Any]] = {
    "emonet": _RESIDUAL,
    # Small images for the first part, which costs little and helps, as docs/experiments.md has it.
    "emonet_fast": {
        **_MUON,
        "epochs": 180,
        "size_from": {"0": 32, "0.4": 48},
        "mixup": 0.2,
        "mix_until": 0.8,
        "smoothing": 0.0,
        "ema": 0.999,
        "clip": 5.0,
    },
    "se_resnet": _RESIDUAL,
    "plain_cnn": {
        **_MUON,
        "epochs": 60,
        "smoothing": 0.1,
        "ema": 0.999,
        "clip": 5.0,
    },
    # The source trains for 30 epochs or more, and divides the rate by 5 after 5 epochs without progress. The warmup is
    # our addition: without it, the network answers the most frequent class for longer.
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
        "learning_rate": 0.01,  # our choice: not published
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
    # 16,001 steps with batches of 32; disgust, which has few images, is shown four times.
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
    "knn": {"augment": "none", "epoch_images": 0},
    "torchvision": {"learning_rate": 0.02, "clip": 5.0},
    "facenet": {"learning_rate": 0.02, "clip": 5.0},
}


# The learning rates with which an optimizer is begun where the recipe is of another one.
RATES: dict[str, dict[str, float]] = {
    "adam": {"learning_rate": 0.001},
    "adamw": {"learning_rate": 0.001},
    "muon": {"learning_rate": 0.02, "rest_rate": 0.1},
}


def recipe(model: str, **changes: Any) -> dict[str, Any]:
    """Return the options of a network that differ from the defaults.

    Args:
        model: Name of the network, as in `emonet models`.
        **changes: Options of your own. They replace those of the recipe, and remove what they make pointless: `epochs`
            removes `steps`, `balance` removes the weights of classes, `size` removes the sizes of the first part, and
            another `optimizer` brings usual learning rates of its own. The recipe keeps its number of steps on small
            data sets (`epoch_images`) unless `epochs`, `steps` or `init` is given.

    Returns:
        Options for `TrainConfig.from_dict`.

    Examples:
        >>> from emonet.training import recipe
        >>> recipe("lenet28", epochs=2)["batch_size"]
        32
    """
    options = {"model": model, "epoch_images": EPOCH_IMAGES, **RECIPES.get(model.partition(":")[0], {})}
    if "epochs" in changes:
        options.pop("steps", None)
    if changes.get("balance", "none") != "none":
        options = {name: value for name, value in options.items() if name not in ("class_weights", "oversample")}
    if changes.get("size"):
        options.pop("size_from", None)
    own = options.get("optimizer", TrainConfig().optimizer)
    if (asked := changes.get("optimizer", own)) != own:
        options = {name: value for name, value in options.items() if name not in ("learning_rate", "rest_rate")}
        options |= RATES.get(asked, {})
    if "steps" in options or any(changes.get(name) for name in ("epochs", "steps", "init")):
        options.pop("epoch_images")
    return options | changes
