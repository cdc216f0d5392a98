"""Where a run stands: enough, in one file, to go on as if it had never been stopped.

All chance in training is drawn anew from (seed, epoch, step), so no generator's state has to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emonet.atomic import write_atomically
from emonet.errors import OptionError
from emonet.training.averaging import MovingAverage
from emonet.training.log import EpochRow

HEADER = "emonet.state"
NETWORK, AVERAGE, OPTIMIZER, KEPT = "network", "average", "optimizer", "kept"


@dataclass(slots=True)
class Progress:
    """What a run has come to, apart from its tensors. `epoch` and `step` are those to do next."""

    epoch: int = 0
    step: int = 0  # within the epoch
    sums: dict[str, float] = field(default_factory=dict)  # of the epoch's steps so far
    rows: list[EpochRow] = field(default_factory=list)
    best: int = -1  # the place of the best epoch in `rows`
    drops: int = 0  # of the learning rate

    def stale(self) -> int:
        """Epochs since the best one."""
        return len(self.rows) - 1 - self.best

    def add(self, name: str, value: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value


class State:
    """A network in training, its moving average and optimiser, the weights kept so far, and the progress."""

    def __init__(
        self,
        network: nn.Module,
        average: MovingAverage | None,
        optimizer: torch.optim.Optimizer,
        identity: Mapping[str, Any],
    ) -> None:
        self.progress = Progress()
        self.identity = identity  # of the run: what must be the same for it to go on
        self.kept: dict[str, Tensor] = {}
        self._network, self._average, self._optimizer = network, average, optimizer

    def keep(self, network: nn.Module) -> None:
        """Remembers these weights as the best."""
        self.kept = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def save(self, path: Path) -> None:
        """Writes the file whole, or leaves the one before."""
        tensors, numbers = _optimizer_state(self._optimizer)
        parts: dict[str, Mapping[str, Tensor]] = {NETWORK: self._network.state_dict(), OPTIMIZER: tensors}
        parts[KEPT] = self.kept
        if self._average is not None:
            parts[AVERAGE] = self._average.state_dict()
        named = {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
        header = json.dumps({"identity": self.identity, "progress": asdict(self.progress), "numbers": numbers})
        with write_atomically(path) as temporary:
            # Clones, because a tensor may not be saved under two names.
            save_file(
                {name: tensor.detach().cpu().contiguous().clone() for name, tensor in named.items()},
                temporary,
                {HEADER: header},
            )

    def load(self, path: Path) -> None:
        """Puts back what `save` wrote."""
        with safe_open(path, framework="pt") as file:
            stored = json.loads(file.metadata()[HEADER])
        tensors = load_file(path)
        rows = [EpochRow(**row) for row in stored["progress"].pop("rows")]
        self.progress = Progress(**stored["progress"], rows=rows)
        self.kept = _part(KEPT, tensors)
        self._network.load_state_dict(_part(NETWORK, tensors))
        if self._average is not None:
            self._average.load_state_dict(_part(AVERAGE, tensors))
        _restore_optimizer(self._optimizer, _part(OPTIMIZER, tensors) | stored["numbers"])


def stored_identity(path: Path) -> dict[str, Any]:
    """Of the run that wrote a state."""
    try:
        with safe_open(path, framework="pt") as file:
            identity: dict[str, Any] = json.loads((file.metadata() or {})[HEADER])["identity"]
    except (SafetensorError, KeyError) as error:
        raise OptionError(f"{path} is damaged or not the state of a run; begin anew with overwrite") from error
    return identity


def _part(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{part}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as named tensors, and the numbers beside them."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for place, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            (tensors if isinstance(value, Tensor) else numbers)[f"{place}.{name}"] = value
    return tensors, numbers


def _restore_optimizer(optimizer: torch.optim.Optimizer, values: Mapping[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for key, value in values.items():
        place, name = key.split(".", 1)
        state.setdefault(int(place), {})[name] = _laid_out(value, parameters[int(place)])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out(value: Any, parameter: Tensor) -> Any:
    """In the parameter's layout in memory, without which every later step would be slower."""
    if not isinstance(value, Tensor) or value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device="cpu").copy_(value)
