"""Write the page: one HTML file that holds the networks, ONNX Runtime and all that is done with them."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from emonet.errors import OptionError
from emonet.html.render import TEMPLATES, write_page
from emonet.inference.checkpoint import Checkpoint
from emonet.prediction.doubts import DoubtRules
from emonet.prediction.turned import SURE, UPRIGHT
from emonet.webpage.networks import complete_graph, make_detector
from facecrop.detectors.protocol import PIXEL_STEP
from facecrop.detectors.yunet import detector, pieces, rows
from facecrop.detectors.yunet.detector import YunetDetector, YunetOptions
from facecrop.face import NOSE_PROTRUSION
from facecrop.filtering import JUDGED_AT
from facecrop.second_look import LOOK, OVERLAP, TURN_SIDE

RUNTIME = Path(__file__).with_name("runtime")
LICENCES = ("LICENSE-onnxruntime.txt", "LICENSE-yunet.txt")
SCRIPTS = ("webpage_drawing.js", "webpage_results.js", "webpage_live.js", "webpage.js")
WORKER = (
    *("webpage_images.js", "webpage_detect.js", "webpage_classify.js", "webpage_turned.js"),
    *("webpage_doubts.js", "webpage_worker.js"),
)
OURS = b'data-file="network"'  # what only a page of ours holds
CHUNK = 256_000  # letters of a file in one element of the page: how far it has loaded is known element by element

# The page may run its own script, what this script makes, and WebAssembly. It may connect to nothing.
POLICY = {"script-src": "'wasm-unsafe-eval' blob:", "worker-src": "blob:", "img-src": "blob:", "media-src": "blob:"}


@dataclass(frozen=True, slots=True)
class EmbeddedFile:
    """A file inside the page, as letters in pieces."""

    name: str
    chunks: tuple[str, ...]

    @classmethod
    def of(cls, name: str, content: bytes) -> EmbeddedFile:
        letters = base64.b64encode(content).decode()
        return cls(name, tuple(letters[start : start + CHUNK] for start in range(0, len(letters), CHUNK)))


def write_webpage(checkpoint: Checkpoint, folder: Path) -> Path:
    """Write a page that reads faces in the browser, from a disk or any web server.

    Nothing is uploaded: the page's own policy forbids it to connect to anything.

    Args:
        checkpoint: The model that the page uses.
        folder: Where `index.html` and the licences of what it holds are written.

    Returns:
        The path of `index.html`.

    Raises:
        OptionError: The page cannot do what the model needs, or the folder holds another page.
        MissingPackageError: A package is missing.
    """
    _check_crops(checkpoint)
    _check_folder(folder)
    files = [
        EmbeddedFile.of("runtime", (RUNTIME / "ort-wasm-simd-threaded.wasm.gz").read_bytes()),
        EmbeddedFile.of("detector", gzip.compress(make_detector(), mtime=0)),
        EmbeddedFile.of("network", gzip.compress(complete_graph(checkpoint), mtime=0)),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for name in LICENCES:
        (folder / name).write_bytes((RUNTIME / name).read_bytes())
    settings = make_settings(checkpoint) | {"letters": sum(len(chunk) for file in files for chunk in file.chunks)}
    write_page(
        folder / "index.html",
        "webpage.html.j2",
        script=SCRIPTS,
        more_policy=POLICY,
        title="Expressions in your photos",
        sections={},
        settings=settings,
        worker=Markup(read_worker()),  # noqa: S704 - the package's own files
        files=files,
        classes=checkpoint.choice().classes,
        licences=LICENCES,
    )
    return folder / "index.html"


def make_settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """Collect all numbers that the page needs, so that it finds and reads faces as Python does."""
    choice, options = checkpoint.choice(), YunetOptions()
    return {
        "detector": {
            "minFace": options.min_face,
            "minShare": options.min_share,
            "threshold": options.threshold,
            "unsure": detector.UNSURE,
            "slack": detector.SLACK,
            "sameFace": rows.SAME_FACE,
            "smallest": pieces.SMALLEST,
            "tinySide": pieces.TINY_SIDE,
            "coarseSide": pieces.COARSE_SIDE,
            "tile": pieces.TILE,
            "margin": pieces.MARGIN,
            "around": pieces.AROUND,
            "againSide": pieces.AGAIN_SIDE,
            "step": pieces.STEP,
            "pixelStep": PIXEL_STEP,
            "canonical": asdict(rows.CANONICAL),
        },
        "doubts": {
            **DoubtRules.for_photos(YunetDetector.name).to_dict(),
            "look": {"size": LOOK.size, "margin": LOOK.margin},
            "overlap": OVERLAP,
            "judged": JUDGED_AT.size,
            "protrusion": NOSE_PROTRUSION,
        },
        "turned": {"least": SURE[YunetDetector.name], "upright": UPRIGHT, "side": TURN_SIDE},
        "crop": {"size": checkpoint.crop.size, "margin": checkpoint.crop.margin},
        "answer": {
            "classes": [str(emotion) for emotion in choice.classes],
            "heads": [len(head.classes) for head in checkpoint.heads],
            "plain": choice.is_plain,
            "parts": [part._asdict() | {"divisors": part.divisors.tolist()} for part in choice.parts()],
        },
    }


def read_worker() -> str:
    """Join the scripts that work beside the page: ONNX Runtime, and ours that use it."""
    runtime = (RUNTIME / "ort.wasm.bundle.min.mjs").read_text(encoding="utf-8")
    ours = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in WORKER)
    text = f"{_as_script(runtime)}\n{ours}"
    if "</script" in text.lower() or "<!--" in text:
        raise AssertionError("the worker's text would end its element in the page")
    return text


def _as_script(module: str) -> str:
    """Turn ONNX Runtime's module into a plain script: browsers refuse modules to pages that were opened from a disk.

    What it exports becomes an object `ort`.
    """
    found = re.search(r"export\s*\{([^}]*)\};?\s*$", module)
    if found is None:
        raise AssertionError("ONNX Runtime's module ends with its exports")
    pairs = (pair.split(" as ") for pair in found.group(1).split(","))
    exports = ",".join(f"{name}:{inner}" for inner, name in pairs)
    return module[: found.start()].replace("import.meta.url", "self.location.href") + f"const ort={{{exports}}};"


def _check_folder(folder: Path) -> None:
    """Refuse to replace a page that is not ours."""
    page = folder / "index.html"
    if page.exists() and OURS not in page.read_bytes():
        raise OptionError(f"{page} is another page, and would be replaced: choose another folder")


def _check_crops(checkpoint: Checkpoint) -> None:
    """Refuse crops that the page does not draw."""
    crop, spec = checkpoint.crop, checkpoint.input
    if crop.align or not (crop.grey or spec.channels == 1) or crop.size != spec.size:
        raise OptionError(
            "emonet page draws grey crops of the network's own size that are not turned; this model needs others"
        )
