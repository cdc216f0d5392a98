"""Which way of running a network is the fastest, and what it costs in accuracy, in one run.

    python benchmarks/runtimes.py STORE [--models emonet emonet_fast] [--repeats 3]
    python benchmarks/runtimes.py STORE --back-ends [--threads 1 2] [--batches 1 8 128]

STORE is what `emonet build` wrote; the faces of its split `validation` are classified in batches of one size, without
test-time augmentation, and 8-bit numbers are fitted to a few of `dev`. Agreement is with the answers in fp32. The first
call of each, in which some compile, is timed on its own.

With --back-ends, the two that `emonet predict` chooses from are compared instead: milliseconds a face, the median of
repeats that take turns, and the median of their ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from emonet.datasets.store import Store, open_store
from emonet.faces import read_faces
from emonet.heads import sizes
from emonet.inference.backends import Processor
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.inference.loading import BUNDLED, load_model
from emonet.inference.onnx import export_onnx
from emonet.inference.onnx_model import INPUT
from emonet.inference.torch_classifier import CPU_BATCH, TorchClassifier
from emonet.models.inputs import Pixels

LEAST_FACES = 64  # that are classified in a measurement of a back end
FITTED = 512  # faces to which ranges of 8-bit numbers are fitted

Classify = Callable[[Pixels], NDArray[np.float32]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--models", nargs="+", default=list(BUNDLED))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--back-ends", action="store_true")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 128])
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, onnxruntime {version('onnxruntime')}")
    for model in arguments.models:
        checkpoint = load_model(model)
        if not arguments.back_ends:
            compare(checkpoint, store, arguments.repeats)
            continue
        pixels = read_faces(store, ["validation"], checkpoint.input, classes=checkpoint.classes).array
        for threads in arguments.threads:
            for batch in arguments.batches:
                compare_back_ends(checkpoint, pixels[:batch], threads, arguments.repeats)


def compare_back_ends(checkpoint: Checkpoint, pixels: Pixels, threads: int, repeats: int) -> None:
    """Print how long both take for a face, in batches of this size."""
    torch.set_num_threads(threads)
    machines = (open_machine("cpu"), Processor(threads))
    contenders = [open_classifier(checkpoint, machine) for machine in machines]
    calls = max(1, LEAST_FACES // len(pixels))
    times = np.array([[time_calls(classify, pixels, calls) for classify in contenders] for _ in range(repeats + 1)])
    by_torch, by_onnx = 1000 * np.median(times[1:], axis=0) / len(pixels)  # the first round sets things up
    ratio = np.median(times[1:, 0] / times[1:, 1])
    print(
        f"{checkpoint.model:12} {threads} threads, batches of {len(pixels):3}: torch {by_torch:6.2f} ms, "
        f"onnxruntime {by_onnx:6.2f} ms a face, torch / onnxruntime {ratio:.2f}"
    )


def time_calls(classify: Classify, pixels: Pixels, calls: int) -> float:
    """Measure the mean time of some calls."""
    started = time.perf_counter()
    for _ in range(calls):
        classify(pixels)
    return (time.perf_counter() - started) / calls


def compare(checkpoint: Checkpoint, store: Store, repeats: int) -> None:
    faces = read_faces(store, ["validation"], checkpoint.input, classes=checkpoint.classes)
    fitted = read_faces(store, ["dev"], checkpoint.input, classes=checkpoint.classes).array[:FITTED]
    print(f"\n{checkpoint.model}, {len(faces):,} faces")
    expected = None
    with tempfile.TemporaryDirectory() as folder:
        for name, classify in contenders(checkpoint, fitted, Path(folder)):
            first, answers = timed(classify, faces.array)
            best = min(timed(classify, faces.array)[0] for _ in range(repeats))
            answers = answers.argmax(1)
            expected = answers if expected is None else expected
            print(
                f"  {name:24} {len(faces) / best:8,.0f} faces/s   accuracy {(answers == faces.labels).mean():.2%}   "
                f"agrees in {(answers == expected).mean():.2%}   first call {first - best:+6.1f} s"
            )


def timed(classify: Classify, pixels: Pixels) -> tuple[float, NDArray[np.float32]]:
    started = time.perf_counter()
    answers = classify(pixels)
    return time.perf_counter() - started, answers


def contenders(checkpoint: Checkpoint, fitted: Pixels, folder: Path) -> Iterator[tuple[str, Classify]]:
    """The first is what the others are compared with."""
    for precision in ("fp32", "bf16"):
        yield f"eager, {precision}", eager(checkpoint, checkpoint.network(), precision)
    yield "eager, bf16, fused", eager(checkpoint, fused(checkpoint), "bf16")
    for precision in ("fp32", "bf16"):
        compiled = fused(checkpoint)
        compiled.compile(options={"freezing": True})
        yield f"compiled, frozen, {precision}", eager(checkpoint, compiled, precision)
    with contextlib.redirect_stdout(None):
        exported = export_onnx(checkpoint, folder / "fp32.onnx")
        fewer = in_8_bits(exported, fitted)
    yield "ONNX Runtime, fp32", onnx(exported)
    yield "ONNX Runtime, int8", onnx(fewer)


def eager(checkpoint: Checkpoint, network: nn.Module, precision: str) -> Classify:
    machine, choose = open_machine("cpu", precision), checkpoint.choice()
    classifier = TorchClassifier(network, checkpoint.input, machine, heads=sizes(checkpoint.heads))
    return lambda pixels: choose(classifier(pixels))


def fused(checkpoint: Checkpoint) -> nn.Module:
    """The network with each normalisation multiplied into the convolution before it."""
    network = checkpoint.network()
    made: dict[int, str] = {}
    pairs: list[tuple[str, str]] = []

    def watch(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def seen(module: nn.Module, given: tuple[torch.Tensor, ...], answer: torch.Tensor) -> None:
            kept.append(answer)  # so that no other tensor gets its identity
            if isinstance(module, nn.Conv2d):
                made[id(answer)] = name
            if isinstance(module, nn.BatchNorm2d) and id(given[0]) in made:
                pairs.append((made[id(given[0])], name))

        return seen

    kept: list[torch.Tensor] = []
    hooks = [module.register_forward_hook(watch(name)) for name, module in network.named_modules()]
    spec = checkpoint.input
    with torch.inference_mode():
        network(torch.zeros(1, spec.channels, spec.size, spec.size))
    for hook in hooks:
        hook.remove()
    for convolution, norm in pairs:
        convolution_layer, norm_layer = network.get_submodule(convolution), network.get_submodule(norm)
        assert isinstance(convolution_layer, nn.Conv2d)
        assert isinstance(norm_layer, nn.BatchNorm2d)
        network.set_submodule(convolution, fuse_conv_bn_eval(convolution_layer, norm_layer))
        network.set_submodule(norm, nn.Identity())
    return network


def onnx(path: Path) -> Classify:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(os.fspath(path), options, ["CPUExecutionProvider"])

    def classify(pixels: Pixels) -> NDArray[np.float32]:
        images = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        starts = range(0, len(images), CPU_BATCH)
        return np.concatenate(
            [session.run(["probabilities"], {INPUT: images[at : at + CPU_BATCH]})[0] for at in starts]
        )

    return classify


def in_8_bits(path: Path, fitted: Pixels) -> Path:
    from onnxruntime import quantization

    class Reader:  # what the quantiser asks of a CalibrationDataReader
        def __init__(self) -> None:
            self.rest = iter(np.split(fitted.transpose(0, 3, 1, 2), 4))

        def get_next(self) -> dict[str, Pixels] | None:
            piece = next(self.rest, None)
            return None if piece is None else {INPUT: np.ascontiguousarray(piece)}

    prepared, fewer = path.with_name("prepared.onnx"), path.with_name("int8.onnx")
    quantization.quant_pre_process(path, prepared)
    quantization.quantize_static(prepared, fewer, Reader(), per_channel=True)
    return fewer


if __name__ == "__main__":
    main()
