"""From places in the data to augmented batches, by albumentations in threads of their own, or by torch."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emonet.inference.classifier import pictures_as_tensor
from emonet.models.inputs import Pixels
from emonet.training.batch_augmenter import BatchAugmenter
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.picture_augmenter import PictureAugmenter
from emonet.training.policies import Policy, find_policy
from emonet.training.sampling import Indices, Sampling
from emonet.training.seeds import sample_seed
from facecrop.devices import to_device

AHEAD = 4  # batches a thread prepares before they are asked for
SHARE_OF_CARD = 0.5  # of a graphics card's free memory, for the training set


class Order(NamedTuple):
    """One batch to be made: which pictures, and their places in the epoch, which decide their augmentation."""

    epoch: int
    places: Indices
    turns: Indices
    whole: int  # how many pictures the batch has in all processes together


class Batch(NamedTuple):
    """Pictures to learn from, and where they came from."""

    pixels: Tensor  # (N, channels, size, size), from 0 to 255
    places: Tensor  # (N,), in the training data; on the device, as the pixels are
    order: Order

    @property
    def whole(self) -> int:
        """How many pictures the batch has in all processes together."""
        return self.order.whole


class Feed(Protocol):
    """Batches for as long as they are asked for, from a step of an epoch on; each says its epoch and step."""

    def batches(self, epoch: int, step: int, epochs: int) -> Iterator[Batch]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The orders of a run, for this process."""

    sampling: Sampling
    processes: Processes

    def orders(self, epoch: int, step: int, epochs: int) -> Iterator[Order]:
        for number in range(epoch, epochs):
            turn = 0
            for place, batch in enumerate(self.sampling.batches(number, self.processes.count)):
                turns = np.arange(turn, turn + len(batch))
                turn += len(batch)
                if number > epoch or place >= step:
                    share = self.processes.share
                    yield Order(number, share(batch), share(turns), len(batch))


class PictureFeed:
    """Albumentations, a picture at a time. Threads work ahead while the network learns.

    Threads and not processes: what takes the time, in OpenCV as in torch, runs without Python's lock, and nothing has
    to be copied from one process to another.
    """

    def __init__(self, pixels: Pixels, plan: Plan, config: TrainConfig, device: torch.device) -> None:
        self._pixels, self._plan, self._config, self._device = pixels, plan, config, device
        spare = 0 if device.type == "cpu" else (os.cpu_count() or 1) - 1  # a network on the processor takes all of it
        self._workers = config.workers if config.workers >= 0 else min(8, spare)
        self._own = threading.local()  # of each thread: its augmenters, which keep a generator

    def batches(self, epoch: int, step: int, epochs: int) -> Iterator[Batch]:
        orders = self._plan.orders(epoch, step, epochs)
        if not self._workers:
            yield from map(self._on_device, map(self._made, orders))
            return
        pool = ThreadPoolExecutor(self._workers)
        try:
            coming = deque(pool.submit(self._made, order) for order in islice(orders, AHEAD * self._workers))
            while coming:
                batch = coming.popleft().result()
                coming.extend(pool.submit(self._made, order) for order in islice(orders, 1))
                yield self._on_device(batch)
        finally:
            pool.shutdown(cancel_futures=True)

    def _on_device(self, batch: Batch) -> Batch:
        return batch._replace(
            pixels=to_device(batch.pixels, self._device), places=to_device(batch.places, self._device)
        )

    def _made(self, order: Order) -> Batch:
        augment = self._augmenter(self._config.policy(order.epoch + 1))
        view, numbers = chance_of(order, self._config.teacher_views)
        turned = is_mirrored(order.places, view, self._config)
        seeds = (sample_seed(self._config.seed, self._config.order, view, int(number)) for number in numbers)
        shown = [
            self._pixels[place][:, ::-1] if flip else self._pixels[place]
            for place, flip in zip(order.places, turned, strict=True)
        ]
        pictures = [augment(picture, seed) for picture, seed in zip(shown, seeds, strict=True)]
        x = pictures_as_tensor(np.stack(pictures)).contiguous()
        return Batch(x, torch.from_numpy(order.places), order)

    def _augmenter(self, policy: str) -> PictureAugmenter:
        augmenters: dict[str, PictureAugmenter] = self._own.__dict__
        if policy not in augmenters:
            augmenters[policy] = PictureAugmenter(policy_of(policy, self._config))
        return augmenters[policy]


class TensorFeed:
    """Torch, a batch at a time, on the device: for when albumentations cannot keep the network busy.

    The training set lies on the device where it fits, and so does the order of an epoch: a step waits for no copy.
    """

    def __init__(self, pixels: Pixels, plan: Plan, config: TrainConfig, device: torch.device) -> None:
        self._plan = plan
        self._config = config
        self._device = device
        self._pixels = pictures_as_tensor(pixels)
        self._there = fits(pixels, device)
        if self._there:
            self._pixels = self._pixels.to(device)
        self._count = len(pixels) if config.teacher_views else len(plan.sampling.order(0))

    def batches(self, epoch: int, step: int, epochs: int) -> Iterator[Batch]:
        seed = sample_seed(self._config.seed, self._config.order)
        augmenters: dict[str, BatchAugmenter] = {}
        for number, group in groupby(self._plan.orders(epoch, step, epochs), attrgetter("epoch")):
            policy = self._config.policy(number + 1)
            if policy not in augmenters:
                augmenters[policy] = BatchAugmenter(policy_of(policy, self._config), self._count, seed)
            orders = list(group)
            counts = [len(order.places) for order in orders]
            places = torch.split(self._moved(np.concatenate([order.places for order in orders])), counts)
            chances = [chance_of(order, self._config.teacher_views) for order in orders]
            indices = torch.split(self._moved(np.concatenate([numbers for _, numbers in chances])), counts)
            turned = [
                is_mirrored(order.places, view, self._config) for order, (view, _) in zip(orders, chances, strict=True)
            ]
            flips = torch.split(self._moved(np.concatenate(turned)), counts)
            for order, (view, _), place, index, flip in zip(orders, chances, places, indices, flips, strict=True):
                pixels = self._taken(place, order)
                if self._config.alternate_mirror:
                    pixels = torch.where(flip[:, None, None, None], pixels.flip(-1), pixels)
                yield Batch(augmenters[policy](pixels, view, index), place, order)

    def _moved(self, numbers: Indices) -> Tensor:
        return to_device(torch.from_numpy(numbers), self._device)

    def _taken(self, places: Tensor, order: Order) -> Tensor:
        """The pictures of a batch, on the device."""
        if self._there:
            return self._pixels[places]
        return to_device(self._pixels[torch.from_numpy(order.places)], self._device)


def chance_of(order: Order, views: int) -> tuple[int, Indices]:
    """Give what decides the augmentation of a batch, beside the seed: a number for all, and one for each picture.

    By default these are the epoch and the pictures' places in it. With a fixed number of views they are the view, which
    follows from the epoch, and the pictures themselves.
    """
    return (order.epoch % views, order.places) if views else (order.epoch, order.turns)


def policy_of(name: str, config: TrainConfig) -> Policy:
    """Find the policy of a name; one that mirrors by lot does not where pictures are mirrored in turn."""
    policy = find_policy(name)
    return replace(policy, mirror=0.0) if config.alternate_mirror else policy


def is_mirrored(places: Indices, view: int, config: TrainConfig) -> NDArray[np.bool_]:
    """Say which pictures are mirrored this time: half of them in even epochs, the others in odd ones."""
    if not config.alternate_mirror:
        return np.zeros(len(places), np.bool_)
    halves = places * 2_654_435_761 >> 16 & 1  # a multiplicative hash: neighbours are often alike
    return np.asarray((halves + view) % 2 == 1)


def fits(pixels: Pixels, device: torch.device) -> bool:
    """Whether pictures may lie on the device: on a graphics card they take at most half of the memory that is free."""
    if device.type == "cpu" or isinstance(pixels, np.memmap):
        return device.type == "cpu"
    return device.type != "cuda" or pixels.nbytes <= SHARE_OF_CARD * torch.cuda.mem_get_info(device)[0]
