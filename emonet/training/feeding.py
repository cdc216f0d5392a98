"""From places in the data to augmented batches: by albumentations in threads, or by torch on the device."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emonet.errors import OptionError
from emonet.inference.torch_classifier import images_as_tensor
from emonet.models.inputs import Pixels
from emonet.streamed import StreamedImages, stream
from emonet.training.batch_augmenter import BatchAugmenter
from emonet.training.chance import sample_seed
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.image_augmenter import ImageAugmenter
from emonet.training.policies import Policy, find_policy
from emonet.training.sampling import Indices, Sampling
from facecrop.devices import to_device
from facecrop.machine import count_processors

AHEAD = 4  # batches that a thread prepares before they are asked for
SHARE_OF_CARD = 0.5  # of a graphics card's free memory, for the training set

Made = TypeVar("Made")


class BatchPlan(NamedTuple):
    """A batch that is to be made, or a part of one."""

    epoch: int
    places: Indices  # of its images in the training data
    turns: Indices  # their places in the epoch, which decide how they are augmented
    whole: int  # images of all parts in all processes together
    part: int = 0  # number of the part, over all processes
    first: bool = True  # of the parts that this process learns
    last: bool = True


class Batch(NamedTuple):
    """Images to learn from at once, and where they came from."""

    pixels: Tensor  # (N, channels, size, size), from 0 to 255
    places: Tensor  # (N,), in the training data; on the same device as the pixels
    plan: BatchPlan

    @property
    def whole(self) -> int:
        """Images of all parts in all processes together."""
        return self.plan.whole


class Feed(Protocol):
    """A source of batches."""

    def make_batches(self, epoch: int, step: int, epochs: int) -> Iterator[Batch]:
        """Yield all batches from a step of an epoch on, until `epochs` epochs are over."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Divides batches into parts, and plans those of this process.

    The batches are the same whatever the number of processes. So are their parts where `part_size` decides about them.

    Attributes:
        sampling: Draws the batches.
        processes: This process among all.
        part_size: Images that are learned at once, at most; 0: the share of a process.

    Raises:
        OptionError: A batch has fewer images than there are processes.
    """

    sampling: Sampling
    processes: Processes
    part_size: int = 0

    def __post_init__(self) -> None:
        if (smallest := self.sampling.count_smallest()) < self.processes.count:
            raise OptionError(
                f"{self.processes.count} processes cannot share a batch of {smallest}: "
                "start fewer, or choose a larger `batch_size`"
            )

    def plan(self, epoch: int, step: int, epochs: int) -> Iterator[BatchPlan]:
        """Yield the plans from a step of an epoch on, until `epochs` epochs are over."""
        for number in range(epoch, epochs):
            turn = 0
            for place, batch in enumerate(self.sampling.draw_batches(number)):
                turns = np.arange(turn, turn + len(batch))
                turn += len(batch)
                if number > epoch or place >= step:
                    yield from self._divide(number, batch, turns)

    def _divide(self, epoch: int, batch: Indices, turns: Indices) -> Iterator[BatchPlan]:
        """Divide a batch into parts of about one size, each with images from all over it; yield those of this process.

        All processes learn equally many parts.
        """
        processes = self.processes
        rounds = -(-len(batch) // (self.part_size * processes.count)) if self.part_size else 1
        rounds = min(rounds, len(batch) // processes.count)  # no part is empty
        parts = rounds * processes.count
        for part in range(processes.rank, parts, processes.count):
            first, last = part < processes.count, part >= parts - processes.count
            yield BatchPlan(epoch, batch[part::parts], turns[part::parts], len(batch), part, first, last)


class ImageFeed:
    """Augments with albumentations, one image at a time. Threads work ahead while the network learns.

    Threads are enough: OpenCV and torch release Python's lock where the time goes. And unlike processes, threads need
    not copy anything to one another.
    """

    def __init__(
        self, pixels: Pixels | StreamedImages, planner: Planner, config: TrainConfig, device: torch.device
    ) -> None:
        self._pixels, self._planner, self._config, self._device = pixels, planner, config, device
        self._own = threading.local()  # each thread's augmenters, which keep a generator

    def make_batches(self, epoch: int, step: int, epochs: int) -> Iterator[Batch]:
        """Yield all batches from a step of an epoch on, until `epochs` epochs are over."""
        loads = load_images(self._pixels, self._planner.plan(epoch, step, epochs), self._config.window)
        jobs = (partial(self._make, plan, load) for plan, load in loads)
        with closing(work_ahead(jobs, count_workers(self._config, self._device))) as batches:
            yield from map(self._move, batches)

    def _move(self, batch: Batch) -> Batch:
        return batch._replace(
            pixels=to_device(batch.pixels, self._device), places=to_device(batch.places, self._device)
        )

    def _make(self, plan: BatchPlan, load: Callable[[], Pixels]) -> Batch:
        augment = self._find_augmenter(self._config.policy(plan.epoch + 1))
        view, numbers = choose_view(plan, self._config.teacher_views)
        mirrored = find_mirrored(plan.places, view, self._config)
        seeds = (sample_seed(self._config.seed, self._config.order, view, int(number)) for number in numbers)
        shown = [image[:, ::-1] if mirror else image for image, mirror in zip(load(), mirrored, strict=True)]
        images = [augment(image, seed) for image, seed in zip(shown, seeds, strict=True)]
        x = images_as_tensor(np.stack(images)).contiguous()
        return Batch(x, torch.from_numpy(plan.places), plan)

    def _find_augmenter(self, policy: str) -> ImageAugmenter:
        augmenters: dict[str, ImageAugmenter] = self._own.__dict__
        if policy not in augmenters:
            augmenters[policy] = ImageAugmenter(_choose_policy(policy, self._config))
        return augmenters[policy]


class TensorFeed:
    """Augments with torch, one batch at a time, on the device: for networks that albumentations cannot keep busy.

    The training set lies on the device where it fits, and so do the places of an epoch. No step waits for a copy.
    Otherwise threads load the images of coming batches.
    """

    def __init__(
        self, pixels: Pixels | StreamedImages, planner: Planner, config: TrainConfig, device: torch.device
    ) -> None:
        self._planner = planner
        self._config = config
        self._device = device
        self._pixels = pixels
        self._held = None
        if not isinstance(pixels, StreamedImages) and _fits(pixels, device):
            self._held = images_as_tensor(pixels).to(device)
        self._count = len(pixels) if config.teacher_views else len(planner.sampling.draw_order(0))

    def make_batches(self, epoch: int, step: int, epochs: int) -> Iterator[Batch]:
        """Yield all batches from a step of an epoch on, until `epochs` epochs are over."""
        seed = sample_seed(self._config.seed, self._config.order)
        augmenters: dict[str, BatchAugmenter] = {}
        # Planned twice: where nothing is loaded, `tee` would keep the plans of all epochs.
        with closing(self._load(self._planner.plan(epoch, step, epochs))) as loaded:
            for number, group in groupby(self._planner.plan(epoch, step, epochs), attrgetter("epoch")):
                policy = self._config.policy(number + 1)
                if policy not in augmenters:
                    augmenters[policy] = BatchAugmenter(_choose_policy(policy, self._config), self._count, seed)
                yield from self._make_epoch(list(group), augmenters[policy], loaded)

    def _load(self, plans: Iterator[BatchPlan]) -> Generator[Pixels, None, None]:
        """Load the images of each batch, where they do not lie on the device."""
        if self._held is None:
            loads = load_images(self._pixels, plans, self._config.window)
            yield from work_ahead((load for _, load in loads), count_workers(self._config, self._device))

    def _make_epoch(self, plans: list[BatchPlan], augment: BatchAugmenter, loaded: Iterator[Pixels]) -> Iterator[Batch]:
        """Move all numbers of an epoch to the device at once, then make its batches."""
        counts = [len(plan.places) for plan in plans]
        chances = [choose_view(plan, self._config.teacher_views) for plan in plans]
        mirrored = [
            find_mirrored(plan.places, view, self._config) for plan, (view, _) in zip(plans, chances, strict=True)
        ]
        places = torch.split(self._move(np.concatenate([plan.places for plan in plans])), counts)
        indices = torch.split(self._move(np.concatenate([numbers for _, numbers in chances])), counts)
        flips = torch.split(self._move(np.concatenate(mirrored)), counts)
        for plan, (view, _), place, index, flip in zip(plans, chances, places, indices, flips, strict=True):
            if self._held is not None:
                pixels = self._held[place]
            else:
                pixels = to_device(images_as_tensor(next(loaded)).contiguous(), self._device)
            if self._config.alternate_mirror:
                pixels = torch.where(flip[:, None, None, None], pixels.flip(-1), pixels)
            yield Batch(augment(pixels, view, index), place, plan)

    def _move(self, numbers: NDArray[np.int64] | NDArray[np.bool_]) -> Tensor:
        return to_device(torch.from_numpy(numbers), self._device)


def load_images(
    pixels: Pixels | StreamedImages, plans: Iterator[BatchPlan], window: int
) -> Iterator[tuple[BatchPlan, Callable[[], Pixels]]]:
    """Yield each plan with what loads its images; that may be called in another thread."""
    if isinstance(pixels, StreamedImages):
        return stream(pixels, plans, window)
    return ((plan, partial(pixels.__getitem__, plan.places)) for plan in plans)


def count_workers(config: TrainConfig, device: torch.device) -> int:
    """Count the threads that prepare images."""
    spare = 0 if device.type == "cpu" else count_processors() - 1  # a network on the CPU uses all cores
    return config.workers if config.workers >= 0 else min(8, spare)


def work_ahead(jobs: Iterator[Callable[[], Made]], workers: int) -> Generator[Made, None, None]:
    """Yield what jobs return, in their order. Threads work ahead; without workers, each job waits until it is due."""
    if not workers:
        yield from (job() for job in jobs)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        coming = deque(pool.submit(job) for job in islice(jobs, AHEAD * workers))
        while coming:
            made = coming.popleft().result()
            coming.extend(pool.submit(job) for job in islice(jobs, 1))
            yield made
    finally:
        pool.shutdown(cancel_futures=True)


def choose_view(plan: BatchPlan, views: int) -> tuple[int, Indices]:
    """Choose the numbers that, with the seed, decide how a batch is augmented.

    Args:
        plan: The batch.
        views: How many fixed views each image has; 0 for a new view in each epoch.

    Returns:
        A number for the whole batch and one for each image. By default these are the epoch and the places in it. With
        fixed views they are the view, which follows from the epoch, and the places in the data.
    """
    return (plan.epoch % views, plan.places) if views else (plan.epoch, plan.turns)


def find_mirrored(places: Indices, view: int, config: TrainConfig) -> NDArray[np.bool_]:
    """Mark the images that `alternate_mirror` mirrors this time: one half in even epochs, the other in odd ones."""
    if not config.alternate_mirror:
        return np.zeros(len(places), np.bool_)
    halves = places * 2_654_435_761 >> 16 & 1  # a multiplicative hash, because neighbours are often alike
    return np.asarray((halves + view) % 2 == 1)


def _choose_policy(name: str, config: TrainConfig) -> Policy:
    """Find a policy. With `alternate_mirror` it does not mirror at random."""
    policy = find_policy(name)
    return replace(policy, mirror=0.0) if config.alternate_mirror else policy


def _fits(pixels: Pixels, device: torch.device) -> bool:
    """Return whether the images may lie on the device. They take at most half of a card's free memory."""
    if device.type == "cpu" or isinstance(pixels, np.memmap):
        return device.type == "cpu"
    return device.type != "cuda" or pixels.nbytes <= SHARE_OF_CARD * torch.cuda.mem_get_info(device)[0]
