"""The networks: one architecture a module, found by name."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from emonet.models._arguments import check_whole
from emonet.models._network import Network
from emonet.models.apl_fmp import AplFmp
from emonet.models.averaged import Averaged
from emonet.models.crop_three import CropThree
from emonet.models.facenet import Facenet
from emonet.models.knn import Knn
from emonet.models.leaky_cifar import LeakyCifar
from emonet.models.lenet28 import Lenet28
from emonet.models.plain_cnn import PlainCnn
from emonet.models.se_resnet import Emonet, EmonetFast
from emonet.models.tiny_vgg import TinyVgg
from emonet.models.torchvision_net import TorchvisionNet
from emonet.models.tuned_five import TunedFive
from facecrop.errors import OptionError

__all__ = ["MODELS", "Network", "create_model", "model_class", "outline"]

MODELS: dict[str, type[Network]] = {
    "emonet": Emonet,
    "emonet_fast": EmonetFast,
    "plain_cnn": PlainCnn,
    "apl_fmp": AplFmp,
    "leaky_cifar": LeakyCifar,
    "crop_three": CropThree,
    "lenet28": Lenet28,
    "tuned_five": TunedFive,
    "tiny_vgg": TinyVgg,
    "knn": Knn,
    "torchvision": TorchvisionNet,
    "facenet": Facenet,
    "averaged": Averaged,
}


def model_class(name: str) -> type[Network]:
    """The network registered under a name, `torchvision:vgg16` under `torchvision`; a miss lists the known ones."""
    family, colon, _ = name.partition(":")
    if family not in MODELS or (colon and family != "torchvision"):
        raise OptionError(f"unknown model {name!r}; known models: {', '.join(MODELS)} (torchvision:vgg16 and others)")
    return MODELS[family]


def create_model(name: str, /, **arguments: Any) -> Network:
    """A network with new weights. `torchvision:vgg16` is `torchvision` with the architecture `vgg16`."""
    made = model_class(name)
    known = list(inspect.signature(made).parameters)
    if unknown := sorted(set(arguments) - set(known)):
        raise OptionError(
            f"unknown arguments of the model {name!r}: {', '.join(unknown)}; known arguments: {', '.join(known)}"
        )
    if "classes" in arguments:
        check_whole("classes", arguments["classes"], 2)
    architecture = name.partition(":")[2]
    if architecture and arguments.get("architecture", architecture) != architecture:
        raise OptionError(f"the model {name!r} cannot have the architecture {arguments['architecture']!r}")
    return made(**arguments | ({"architecture": architecture} if architecture else {}))


def outline(name: str, /, **arguments: Any) -> Network:
    """A network without numbers, which takes no memory: to count it, to ask for its input, to compare shapes."""
    with torch.device("meta"):
        return create_model(name, **arguments)
