"""Begin and normalise as Keras does, for networks whose sources were written in Keras."""

from __future__ import annotations

from torch import nn

LEAK = 0.3  # of LeakyReLU, where a source states none


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Create batch norm with Keras' epsilon and momentum."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # Keras calls this momentum 0.99


def initialise(network: nn.Module) -> None:
    """Draw kernels from Glorot's uniform distribution, and set biases to zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
