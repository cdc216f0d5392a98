"""The state of a run, in one file: enough to resume it as if it had never been stopped.

All random numbers of a step follow from (seed, epoch, step), so no generator's state has to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

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
    """Where a run stands, apart from its tensors.

    Attributes:
        epoch: The epoch to do next, from 0.
        step: The step to do next within the epoch.
        sums: Sums over the steps of the epoch so far.
        rows: The epochs that have ended.
        best: Place of the best epoch in `rows`; -1 before there is one.
        drops: How often the learning rate was lowered.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    rows: list[EpochRow] = field(default_factory=list)
    best: int = -1
    drops: int = 0

    def count_stale(self) -> int:
        """Count the epochs since the best one."""
        return len(self.rows) - 1 - self.best

    def add(self, name: str, value: float) -> None:
        """Add to one of the sums."""
        self.sums[name] = self.sums.get(name, 0.0) + value


class SavedState(NamedTuple):
    """What the file of a state holds."""

    header: dict[str, Any]
    tensors: dict[str, Tensor]


class State:
    """A network that learns, its moving average and optimizer, the weights of the best epoch, and the progress.

    Args:
        network: The network.
        average: Its moving average, if any.
        optimizer: Its optimizer.
        identity: What must stay the same for the run to be resumed.
    """

    def __init__(
        self,
        network: nn.Module,
        average: MovingAverage | None,
        optimizer: torch.optim.Optimizer,
        identity: Mapping[str, Any],
    ) -> None:
        self.progress = Progress()
        self.identity = identity
        self.kept: dict[str, Tensor] = {}
        self._network, self._average, self._optimizer = network, average, optimizer

    def keep(self, network: nn.Module) -> None:
        """Keep a copy of these weights as the best."""
        self.kept = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write the file. If that fails, the older file stays as it is."""
        tensors, numbers = _split_optimizer_state(self._optimizer)
        parts: dict[str, Mapping[str, Tensor]] = {NETWORK: self._network.state_dict(), OPTIMIZER: tensors}
        parts[KEPT] = self.kept
        if self._average is not None:
            parts[AVERAGE] = self._average.state_dict()
        named = {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
        header = json.dumps({"identity": self.identity, "progress": asdict(self.progress), "numbers": numbers})
        with write_atomically(path) as temporary:
            # The format refuses tensors that share memory, hence the clones.
            save_file(
                {name: tensor.detach().cpu().contiguous().clone() for name, tensor in named.items()},
                temporary,
                {HEADER: header},
            )

    def restore(self, saved: SavedState) -> None:
        """Restore what `save` wrote and `read_state` read."""
        stored, tensors = saved.header, saved.tensors
        rows = [EpochRow(**row) for row in stored["progress"]["rows"]]
        self.progress = Progress(**{**stored["progress"], "rows": rows})
        self.kept = _select_part(KEPT, tensors)
        self._network.load_state_dict(_select_part(NETWORK, tensors))
        if self._average is not None:
            self._average.load_state_dict(_select_part(AVERAGE, tensors))
        _restore_optimizer(self._optimizer, _select_part(OPTIMIZER, tensors) | stored["numbers"])


def read_state(path: Path) -> SavedState:
    """Read what `State.save` wrote."""
    with safe_open(path, framework="pt") as file:
        header: dict[str, Any] = json.loads(file.metadata()[HEADER])
    # What is loaded is the mapped file, which Windows does not replace: the next state has its name.
    return SavedState(header, {name: tensor.clone() for name, tensor in load_file(path).items()})


def read_identity(path: Path) -> dict[str, Any]:
    """Read the identity of the run that wrote a state.

    Raises:
        OptionError: The file is damaged, or no state.
    """
    try:
        with safe_open(path, framework="pt") as file:
            identity: dict[str, Any] = json.loads((file.metadata() or {})[HEADER])["identity"]
    except (SafetensorError, KeyError) as error:
        raise OptionError(f"{path} is damaged or not the state of a run; begin again with overwrite") from error
    return identity


def _select_part(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{part}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _split_optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split the state of an optimizer into named tensors and plain numbers."""
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
        state.setdefault(int(place), {})[name] = _copy_layout(value, parameters[int(place)])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _copy_layout(value: Any, parameter: Tensor) -> Any:
    """Lay a tensor out in memory as the parameter is; otherwise every later step would be slower."""
    if not isinstance(value, Tensor) or value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device="cpu").copy_(value)
