"""Prints the tables of docs/scale.md: what benchmarks/scale.py has measured, and a larger build worked out from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from emonet.datasets.builder.plan import CHUNK
from emonet.datasets.curation.duplicates import HASH_BITS, choose_band_width
from emonet.datasets.curation.likeness import FITS, SIDE
from emonet.datasets.curation.near_copies import BLOCK
from emonet.datasets.store.leaks import ALTERED

GIB = 2**30
HOUR = 3600
FREQUENCIES = 54  # bytes of a description, for each fit
CELL = 8  # bytes of a number that is shuffled
HASH = 40  # bytes of a SHA-1 as text
EVALUATED = 0.2  # of the images, in the generated data
DIFFERENT = 6  # bits in which the hashes of two near copies differ, in the example


@dataclass(frozen=True, slots=True)
class Terms:
    """What a build is worked out for: the stated prices and limits."""

    images: int
    price: float  # of a core hour
    hours: float  # the build is to take at most
    cores: int  # of an executor
    driver_gib: float  # memory of the driver
    rate: float  # multiply-adds a second of a core, in products of matrices


class Line(NamedTuple):
    """A figure of the plan, and how it was worked out."""

    name: str
    value: str
    arithmetic: str


class Growth(NamedTuple):
    """Core seconds of a build: constant + linear n + square n n."""

    constant: float
    linear: float
    square: float


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(row)} |")


def print_measured(measured: dict[str, Any]) -> None:
    """Print what was measured, and how it grows, in Markdown."""
    builds = measured.get("builds", [])
    header = ("images", "engine", "seconds", "images/s", "crops, core seconds", "decisions, s", "start of Spark, s")
    print_table((*header, "largest Python, MiB", "all processes, MiB"), [_format_build(one) for one in builds])
    print()
    rows = []
    for engine in dict.fromkeys(one["engine"] for one in builds):
        few, many = _ends(builds, engine)
        if few["images"] < many["images"]:
            times = (many[name] / max(few[name], 0.1) for name in ("crops", "decisions", "rss"))
            rows.append((engine, f"{many['images'] / few['images']:.1f}", *(f"{one:.1f}" for one in times)))
    if rows:
        print_table(("engine", "images, times", "crops, times", "decisions, times", "largest Python, times"), rows)
    if "driver" in measured:
        print()
        print_table(
            ("step of the driver", "bytes an image", "CPU microseconds an image"),
            [(step, f"{one['bytes']:,.0f}", f"{one['cpu'] * 1e6:,.0f}") for step, one in measured["driver"].items()],
        )


def _format_build(one: dict[str, Any]) -> tuple[str, ...]:
    rate = one["images"] / one["seconds"]
    numbers = (one["crops"], one["decisions"], one["start"], one["rss"], one["pss"])
    rest = (f"{number:,.{0 if number >= 100 else 1}f}" for number in numbers)
    return f"{one['images']:,}", one["engine"], f"{one['seconds']:,.1f}", f"{rate:,.0f}", *rest


def _ends(builds: Sequence[dict[str, Any]], engine: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the smallest and the largest build of an engine."""
    found = sorted((one for one in builds if one["engine"] == engine), key=lambda one: one["images"])
    return found[0], found[-1]


def print_plan(measured: dict[str, Any], terms: Terms) -> None:
    """Print a larger build, with the arithmetic behind each figure, in Markdown."""
    engine = max({one["engine"] for one in measured["builds"] if one["engine"].startswith("spark")})
    builds = [one for one in measured["builds"] if one["engine"] == engine]
    processes = int(engine.split()[1])
    largest = _ends(builds, engine)[1]
    growth = fit_growth(
        np.array([one["images"] for one in builds], float),
        np.array([one["decisions"] * processes for one in builds], float),
    )
    counted = count_products() / terms.rate if measured.get("leaks") in ALTERED else 0.0
    growth = growth._replace(square=max(growth.square, counted))
    lines = [*_plan_time(largest, growth, terms), *_plan_volume(terms), *_plan_driver(measured, terms)]
    print_table(("figure", f"for {terms.images:,} images", "arithmetic"), lines)
    print()
    for number, (images, what) in enumerate(sorted(_list_limits(measured, largest, growth, terms)), 1):
        print(f"{number}. at {images:,.0f} images: {what}")


def fit_growth(images: NDArray[np.float64], seconds: NDArray[np.float64]) -> Growth:
    """Fit constant, linear and square parts, none below zero, to the relative errors; two sizes give no constant."""
    parts = [images**power / seconds for power in (0, 1, 2)]
    known = parts if len(set(images)) > 2 else parts[1:] if len(set(images)) == 2 else parts[1:2]
    found = nnls(np.stack(known, axis=1), np.ones(len(images)))[0].tolist()
    return Growth(*({3: found, 2: [0.0, *found], 1: [0.0, *found, 0.0]}[len(known)]))


def count_products() -> float:
    """Count the multiply-adds of the search for altered copies, for each image and image.

    Each pair is compared at its best fits, and evaluated ones with the others at all fits. Small builds do not show
    that: what Spark takes whatever the number of images hides it.
    """
    return (1 / 2 + FITS**2 * EVALUATED * (1 - EVALUATED)) * FREQUENCIES


def _plan_time(largest: dict[str, Any], growth: Growth, terms: Terms) -> list[Line]:
    n = terms.images
    crops = largest["crops"] / largest["images"]
    parts = [n * crops / HOUR, (growth.constant + growth.linear * n) / HOUR, growth.square * n * n / HOUR]
    total = sum(parts)
    executors = -(-total // (terms.hours * terms.cores))
    return [
        Line("crops", f"{parts[0]:,.0f} core hours", f"{n:,} x {crops * 1000:.2f} ms / 3,600"),
        Line(
            "decisions, linear",
            f"{parts[1]:,.0f} core hours",
            f"{growth.constant:.1f} s + {n:,} x {growth.linear * 1000:.3f} ms",
        ),
        Line(
            "decisions, square",
            f"{parts[2]:,.0f} core hours",
            f"{n:,} x {n:,} x {growth.square * 1e9:.4f} ns (as fitted, or as counted: the greater)",
        ),
        Line("all", f"{total:,.0f} core hours", "the sum"),
        Line(
            "executors",
            f"{executors:,.0f} of {terms.cores} cores",
            f"{total:,.0f} / ({terms.hours:g} hours x {terms.cores} cores)",
        ),
        Line("cost", f"{total * terms.price:,.0f}", f"{total:,.0f} core hours x {terms.price:g}"),
    ]


def _plan_volume(terms: Terms) -> list[Line]:
    n = terms.images
    width, bands = _list_bands(n)
    keys, rows = HASH + CELL, bands * 2 * CELL
    files, strips = -(-n // CHUNK), -(-n // BLOCK)
    return [
        Line("shuffled for exact copies", f"{keys * n / GIB:,.0f} GiB", f"{n:,} x {keys} bytes of hash and number"),
        Line(
            "shuffled for near copies",
            f"{rows * n / GIB:,.0f} GiB",
            f"{n:,} x {bands} bands of {width} bits x {2 * CELL} bytes of hash and number",
        ),
        Line(
            "shrunk crops, on the shared disk",
            f"{2 * SIDE * SIDE * n / GIB:,.0f} GiB",
            f"{n:,} x {SIDE} x {SIDE} pixels, twice, until the build is finished; two are read for a pair",
        ),
        Line(
            "descriptions, on the shared disk",
            f"{n * FITS * FREQUENCIES / GIB:,.1f} GiB",
            f"{n:,} x {FITS} x {FREQUENCIES} bytes; each of {strips:,} strips reads up to all of them",
        ),
        Line("files of the first stage", f"{files:,}", f"{n:,} / {CHUNK}"),
    ]


def _list_bands(images: int) -> tuple[int, int]:
    width = choose_band_width(images)
    return width, len(range(0, HASH_BITS - width + 1, width))


def find_recall(images: int, different: int) -> float:
    """Return how likely two hashes that differ in some bits, anywhere, are the same in a band."""
    width, bands = _list_bands(images)
    ways = (
        (-1) ** held * comb(bands, held) * comb(HASH_BITS - held * width, different)
        for held in range(bands + 1)
        if HASH_BITS - held * width >= different
    )
    return 1.0 - float(sum(ways)) / comb(HASH_BITS, different)


def _plan_driver(measured: dict[str, Any], terms: Terms) -> list[Line]:
    recall = find_recall(terms.images, DIFFERENT)
    found = [
        Line(
            "near copies that share a band",
            f"{recall:.0%}",
            f"of pairs that differ in {DIFFERENT} of {HASH_BITS} bits; {find_recall(36_000, DIFFERENT):.0%} at 36,000",
        )
    ]
    if "driver" in measured:
        memory, cpu = _sum_driver(measured)
        n = terms.images
        found += [
            Line("memory of the driver", f"{memory * n / GIB:,.0f} GiB", f"{n:,} x {memory:,.0f} bytes"),
            Line("the driver alone", f"{cpu * n / HOUR:,.1f} hours", f"{n:,} x {cpu * 1e6:,.0f} microseconds"),
        ]
    return found


def _sum_driver(measured: dict[str, Any]) -> tuple[float, float]:
    """Return the highest bytes an image of all steps, and the seconds an image of all steps but the executors'."""
    steps: dict[str, dict[str, float]] = measured["driver"]
    cpu = sum(one["cpu"] for step, one in steps.items() if step != "hand out chunks")
    return max(one["bytes"] for one in steps.values()), cpu


def _list_limits(
    measured: dict[str, Any], largest: dict[str, Any], growth: Growth, terms: Terms
) -> list[tuple[float, str]]:
    """List how many images there are when something breaks, and what that is."""
    found = []
    if "driver" in measured:
        memory, cpu = _sum_driver(measured)
        found.append((terms.driver_gib * GIB / memory, f"the driver's memory of {terms.driver_gib:g} GiB is full"))
        found.append((terms.hours * HOUR / cpu, f"what the driver does alone takes {terms.hours:g} hours"))
    if growth.square:
        linear = growth.linear + largest["crops"] / largest["images"]
        found.append((linear / growth.square, "the search for altered copies takes as long as all the rest"))
    sizes = (2**power for power in range(10, 64))
    found.append((float(next(n for n in sizes if find_recall(n, DIFFERENT) < 0.5)), "half of such pairs share no band"))
    return found
