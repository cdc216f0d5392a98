"""How Keras begins and counts where torch does otherwise: for networks whose sources were written in it."""

from __future__ import annotations

from torch import nn

LEAK = 0.3  # of LeakyReLU, where a source states none


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Keras' epsilon, and its momentum of 0.99 in torch's terms."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def initialise(network: nn.Module) -> None:
    """Glorot's uniform kernels and no biases, in every convolution and dense layer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
