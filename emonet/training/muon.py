"""The optimizer of the CIFAR-10 speed records: Muon for the kernels of convolutions, SGD for everything else.

Muon (Jordan et al., 2024) takes SGD's Nesterov momentum and replaces all its singular values by about 1, so that each
step moves a kernel by the same amount in all directions. As in Jordan's airbench, each kernel's norm is held at the
square root of its outputs. The learning rate is then the angle of a step, the same for every layer at every time, and
the schedule alone decides it. Weight decay would only lead to such a balance, after about 1 / (rate x decay) steps:
100,000 with 0.02 and 5e-4, which is more than a run has. So kernels do not decay. Batch norm after each convolution
cancels a kernel's norm; in a network without it, the norm is lost to the network.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

STEPS = 3  # of Newton-Schulz, as in airbench
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: the steepest quintic at 0 that stays near 1
TINY = 1e-7


class Muon(torch.optim.Optimizer):
    """Optimize groups with `orthogonal=True` by Muon, the others by SGD.

    Args:
        groups: As torch's optimizers take them. Each may have its own `orthogonal`, `lr` and `weight_decay`.
        lr: The learning rate of groups without their own.
        momentum: Nesterov's, of all groups.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, *, momentum: float = 0.9) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take one step. Nothing waits for the device."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            if parameters := [parameter for parameter in group["params"] if parameter.grad is not None]:
                updates = self._momentum(parameters, group)
                (_step_orthogonally if group["orthogonal"] else _step_plainly)(parameters, updates, group["lr"])
        return loss

    def _momentum(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Nesterov's momentum, weight decay included."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=group["momentum"]))


def _step_plainly(parameters: list[Tensor], updates: list[Tensor], rate: float) -> None:
    torch._foreach_add_(parameters, updates, alpha=-rate)


def _step_orthogonally(kernels: list[Tensor], updates: list[Tensor], rate: float) -> None:
    """Kernels of one shape take their step together, for batched products are faster than single ones."""
    alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
    for kernel, update in zip(kernels, updates, strict=True):
        alike[kernel.shape[0], kernel[0].numel()].append((kernel, update))
    for (outputs, _), pairs in alike.items():
        weights = torch.stack([kernel.flatten(1) for kernel, _ in pairs])
        weights *= outputs**0.5 / _norms(weights)
        weights.add_(orthogonalize(torch.stack([update.flatten(1) for _, update in pairs])), alpha=-rate)
        for (kernel, _), weight in zip(pairs, weights, strict=True):
            kernel.copy_(weight.view(kernel.shape))


def orthogonalize(matrices: Tensor, steps: int = STEPS) -> Tensor:
    """Bring the singular values of matrices near to 1 and keep their singular vectors.

    A Newton-Schulz step maps X to (a + b G + c G^2) X, where G is X times its transpose. All these factors and their
    G are polynomials of the first G. So the steps are taken on G, which is small and square, and one product at the
    end applies them. That is half the arithmetic for 3x3 kernels. G has the squares of the singular values and needs
    32 bits: in 16, rounding makes small ones negative. Most processors are slower with 16 bits anyway.

    Args:
        matrices: Of one shape, (count, rows, columns).
        steps: 3 leave small singular values small; 5 bring nearly all of them between 0.7 and 1.2.

    Returns:
        Matrices of the same shape.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalize(matrices.mT, steps).mT
    x = matrices / _norms(matrices)
    gram = x @ x.mT
    factor = product = _factor(gram)
    for _ in range(steps - 1):
        gram = factor @ gram @ factor
        factor = _factor(gram)
        product = factor @ product
    return product @ x


def _factor(gram: Tensor) -> Tensor:
    a, b, c = COEFFICIENTS
    factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=1, dim2=2).add_(a)
    return factor


def _norms(matrices: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.matrix_norm(matrices, keepdim=True)
    return norms.clamp_min(TINY)
