"""The optimizer of the CIFAR-10 speed records: Muon for the kernels of convolutions, SGD for everything else.

Muon (Jordan et al., 2024) takes SGD's Nesterov momentum and replaces all its singular values by about 1, so that each
step moves a kernel by the same amount in all directions. As in Jordan's airbench, the norm of each kernel is held at
the square root of its outputs. The learning rate is then the angle of a step, the same for every layer and at any time,
and the schedule alone decides it.

Kernels do not decay. Weight decay would lead to the same balance, but only after about 1 / (rate x decay) steps. With
0.02 and 5e-4 these are 100,000, more than a run has. Batch norm after each convolution cancels the norm of a kernel; a
network without batch norm loses that norm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

STEPS = 3  # Newton-Schulz steps, as in airbench
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's polynomial: the steepest at 0 that stays near 1
TINY = 1e-7


class Muon(torch.optim.Optimizer):
    """Optimize groups with `orthogonal=True` by Muon, the others by SGD.

    Args:
        groups: Parameter groups as torch's optimizers take them, also with `orthogonal`, `lr` and `weight_decay`.
        lr: Learning rate of groups without their own.
        momentum: Nesterov momentum of all groups.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, *, momentum: float = 0.9) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take one step, without waiting for the device."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            if parameters := [parameter for parameter in group["params"] if parameter.grad is not None]:
                updates = self._apply_momentum(parameters, group)
                (_step_orthogonally if group["orthogonal"] else _step_plainly)(parameters, updates, group["lr"])
        return loss

    def _apply_momentum(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Compute the updates with Nesterov momentum and weight decay."""
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
    """Step all kernels of one shape together, because batched products are faster than single ones."""
    alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
    for kernel, update in zip(kernels, updates, strict=True):
        alike[kernel.shape[0], kernel[0].numel()].append((kernel, update))
    for (outputs, _), pairs in alike.items():
        weights = torch.stack([kernel.flatten(1) for kernel, _ in pairs])
        weights *= outputs**0.5 / _measure_norms(weights)
        weights.add_(orthogonalize(torch.stack([update.flatten(1) for _, update in pairs])), alpha=-rate)
        for (kernel, _), weight in zip(pairs, weights, strict=True):
            kernel.copy_(weight.view(kernel.shape))


def orthogonalize(matrices: Tensor, steps: int = STEPS) -> Tensor:
    """Bring the singular values of matrices near to 1, and keep their singular vectors.

    A Newton-Schulz step maps X to (a + b G + c G^2) X, where G is X times its transpose. All these factors are
    polynomials of the first G. So the steps are done on G, which is small and square, and one product at the end
    applies them. For 3x3 kernels that is half the arithmetic. G holds the squares of the singular values and needs 32
    bits: with 16, rounding makes small ones negative, and most processors are slower anyway.

    Args:
        matrices: Matrices of one shape (count, rows, columns).
        steps: 3 steps leave small singular values small; 5 bring nearly all of them between 0.7 and 1.2.

    Returns:
        Matrices of the same shape.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalize(matrices.mT, steps).mT
    x = matrices / _measure_norms(matrices)
    gram = x @ x.mT
    factor = product = _make_factor(gram)
    for _ in range(steps - 1):
        gram = factor @ gram @ factor
        factor = _make_factor(gram)
        product = factor @ product
    return product @ x


def _make_factor(gram: Tensor) -> Tensor:
    a, b, c = COEFFICIENTS
    factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=1, dim2=2).add_(a)
    return factor


def _measure_norms(matrices: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.matrix_norm(matrices, keepdim=True)
    return norms.clamp_min(TINY)
