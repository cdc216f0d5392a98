"""The words that options of a training may be."""

from typing import Literal

Balance = Literal["none", "weights", "oversample", "logits"]
AugmentWith = Literal["albumentations", "torch", "auto"]
Optimizer = Literal["sgd", "adam", "adamw", "muon"]
Decay = Literal["kernels", "all"]
Schedule = Literal["constant", "cosine", "plateau", "trapezoid"]
Loss = Literal["softmax", "hinge"]
Measure = Literal["accuracy", "macro_f1", "loss"]
Keep = Literal["best", "last"]
Precision = Literal["auto", "fp32", "bf16"]
Storage = Literal["auto", "memory", "disk", "stream"]
