"""Find networks by name, and create them."""

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
from emonet.models.plain_cnn import EmonetFast, PlainCnn
from emonet.models.se_resnet import Emonet, SEResNet
from emonet.models.tiny_vgg import TinyVgg
from emonet.models.torchvision_net import TorchvisionNet
from emonet.models.tuned_five import TunedFive
from facecrop.errors import OptionError

MODELS: dict[str, type[Network]] = {
    "emonet": Emonet,
    "emonet_fast": EmonetFast,
    "plain_cnn": PlainCnn,
    "se_resnet": SEResNet,
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


"""Name -> class of every network.

Example:
    >>> from emonet.models import MODELS
    >>> MODELS["emonet_fast"].title
    'ours: the fast one'
"""


def model_class(name: str) -> type[Network]:
    """Find the class of a network.

    Args:
        name: A key of `MODELS`; `torchvision:vgg16` is found under `torchvision`.

    Raises:
        OptionError: There is no such network.

    Examples:
        >>> from emonet.models import model_class
        >>> model_class("torchvision:vgg16").__name__
        'TorchvisionNet'
    """
    family, colon, _ = name.partition(":")
    if family not in MODELS or (colon and family != "torchvision"):
        raise OptionError(f"unknown model {name!r}; known models: {', '.join(MODELS)} (torchvision:vgg16 and others)")
    return MODELS[family]


def create_model(name: str, /, **arguments: Any) -> Network:
    """Create a network with new weights.

    Args:
        name: A key of `MODELS`. `torchvision:vgg16` is `torchvision` with the architecture `vgg16`.
        **arguments: What the constructor of the network takes. All of it has defaults.

    Raises:
        OptionError: There is no such network, or it has no such argument, or a value cannot be used.

    Examples:
        >>> import torch
        >>> from emonet.models import create_model
        >>> network = create_model("emonet_fast", classes=8).eval()
        >>> network(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 8])
    """
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


def create_meta_model(name: str, /, **arguments: Any) -> Network:
    """Create a network on torch's meta device: it has shapes and no weights.

    It takes no memory, and serves to count parameters, to compare shapes, and to take the weights of a model file.

    Args:
        name: A key of `MODELS`, as in `create_model`.
        **arguments: What the constructor of the network takes.

    Examples:
        >>> from emonet.models import create_meta_model
        >>> sum(parameter.numel() for parameter in create_meta_model("lenet28").parameters())
        57527
    """
    with torch.device("meta"):
        return create_model(name, **arguments)
