"""Share models: a folder in the layout of the Hugging Face Hub, and models from such a folder or from the Hub itself.

config.json          the network, its heads, and how faces are cut out, for people and for other libraries
model.safetensors    the model file, as it is: all that emonet reads
README.md            the card, with the facts that the Hub shows beside it

A name that begins with `hf://` is that of a repository on the Hub, such as `hf://somebody/faces`, and
`hf://somebody/faces@v2` a revision of it. `from_pretrained` also takes the name without `hf://`. Nothing else is ever
fetched from a network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.errors import MissingFileError, OptionError
from emonet.inference.loading import BUNDLED, HUB, RUN_MODEL, is_bundled, load_model
from emonet.inference.model_file import read_header
from facecrop.packages import importing

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint

CONFIG, CARD = "config.json", "README.md"
LIBRARY = "emonet"
DESCRIBED = ("format", "model", "arguments", "heads", "default", "crop", "detector", "input")
DEV = {"dev": "as they are", "dev_seen": "votes, as they are"}  # the scores on dev that are given on, in words
TAGS = ("facial-expression-recognition", "emotion-recognition", "safetensors")
USE = """\
For naming the expression that a face in a photo appears to show: sorting one's own albums, research, teaching. An
apparent expression is not a felt emotion: people smile without being happy, and are sad without showing it.

Not for judging people: not for hiring, policing, health, insurance or credit, and not for anybody who did not agree to
it. European law (Regulation (EU) 2024/1689, article 5) forbids inferring emotions at work and in education but for
medical and safety reasons, and has rules for other uses."""


def save_pretrained(checkpoint: Checkpoint, folder: str | os.PathLike[str], *, card: str = "") -> Path:
    """Write a model as a folder that can be given to others, or uploaded to the Hugging Face Hub.

    Args:
        checkpoint: The model.
        folder: The folder; files of another model of ours are replaced.
        card: The card, in Markdown, such as `emonet evaluate` writes. By default the card of a model that comes with
            the package, and for others a short one, without figures but those on dev.

    Returns:
        The folder.

    Raises:
        OptionError: The folder holds something else that would be replaced.
    """
    folder = Path(folder)
    _check_folder(folder, checkpoint.path)
    folder.mkdir(parents=True, exist_ok=True)
    if checkpoint.path is None:
        checkpoint.save(folder / RUN_MODEL)
    elif checkpoint.path.resolve() != (folder / RUN_MODEL).resolve():
        _write(folder / RUN_MODEL, checkpoint.path.read_bytes())  # the same file, so that its kernels stay as small
    _write(folder / CONFIG, json.dumps(_configure(read_header(folder / RUN_MODEL)), indent=2).encode() + b"\n")
    text = card or _find_card(checkpoint) or _describe(checkpoint)
    _write(folder / CARD, f"{_write_facts(checkpoint)}\n{text.rstrip()}\n".encode())
    return folder


def from_pretrained(
    name: str | os.PathLike[str], *, revision: str | None = None, token: str | bool | None = None
) -> Checkpoint:
    """Open a model that somebody shared: a folder that `save_pretrained` wrote, or a repository on the Hub.

    Args:
        name: A folder, a model file, the name of a model that comes with the package, or the name of a repository,
            such as `somebody/faces`. A folder of that name comes first.
        revision: A branch, tag or commit of the repository.
        token: Access to a private repository, as `huggingface_hub` takes it.

    Raises:
        MissingPackageError: The Hub is needed, and huggingface_hub is not installed.
        MissingFileError: There is no such repository or folder, or the Hub cannot be reached.
        CheckpointError: It holds no model of ours, or a damaged one.

    Examples:
        >>> import tempfile
        >>> from emonet.inference import from_pretrained, load_model
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = load_model("emonet_fast").save_pretrained(folder)
        ...     model = from_pretrained(folder)
        >>> model.model
        'emonet_fast'
    """
    text = os.fspath(name).removeprefix(HUB)
    is_hub = os.fspath(name).startswith(HUB) or (
        text not in BUNDLED and not Path(text).exists() and text.count("/") == 1 and not Path(text).suffix
    )
    return load_model(download(text, revision=revision, token=token) if is_hub else name)


def download(name: str, *, revision: str | None = None, token: str | bool | None = None) -> Path:
    """Fetch the model file of a repository on the Hub; what was fetched before is taken from its cache.

    Args:
        name: The repository, such as `somebody/faces`, or `somebody/faces@v2` for a revision.
        revision: The revision, in the place of one in the name.
        token: Access to a private repository.

    Raises:
        MissingPackageError: huggingface_hub is not installed.
        MissingFileError: There is no such repository, it holds no model file, or the Hub cannot be reached.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    with importing("a model from the Hugging Face Hub", "emonet[hub]"):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, HFValidationError
    repository, _, own = name.partition("@")
    try:
        return Path(hf_hub_download(repository, RUN_MODEL, revision=revision or own or None, token=token))
    except (OSError, EntryNotFoundError, HFValidationError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise MissingFileError(f"{HUB}{name}: its {RUN_MODEL} cannot be fetched: {reason}") from error


def _check_folder(folder: Path, model: Path | None) -> None:
    """Refuse a folder whose files would be replaced, unless its config.json is ours or they are the model itself."""
    if (folder / CONFIG).exists():
        taken = [] if _is_ours(folder / CONFIG) else [CONFIG]
    else:
        own = None if model is None else model.resolve()
        taken = [name for name in (RUN_MODEL, CARD) if (folder / name).exists() and (folder / name).resolve() != own]
    if taken:
        raise OptionError(f"{folder / taken[0]} is of something else, and would be replaced: choose another folder")


def _is_ours(config: Path) -> bool:
    try:
        return bool(json.loads(config.read_text(encoding="utf-8")).get("library_name") == LIBRARY)
    except (ValueError, AttributeError):
        return False


def _configure(header: Mapping[str, Any]) -> dict[str, Any]:
    """Make the content of config.json of the description in a model file."""
    classes = header["heads"][0]["classes"]
    return {
        "library_name": LIBRARY,
        "library_version": version("emonet"),
        "model_type": LIBRARY,
        "architectures": [header["model"]],
        "id2label": {str(place): name for place, name in enumerate(classes)},
        "label2id": {name: place for place, name in enumerate(classes)},
        **{name: header[name] for name in DESCRIBED if name in header},
    }


def _find_card(checkpoint: Checkpoint) -> str:
    """Find the card of a model that comes with the package."""
    path = checkpoint.path
    return path.with_suffix(".md").read_text(encoding="utf-8") if path and is_bundled(path) else ""


def _describe(checkpoint: Checkpoint) -> str:
    """Write a short card."""
    heads = "\n".join(f"- `{head.name}`: {', '.join(head.classes)}" for head in checkpoint.heads)
    sources = checkpoint.training.get("sources", {})
    data = "\n".join(f"- {line}" for line in _list_terms(sources)) or "Not recorded."
    choice = checkpoint.choice()
    return (
        f"# {checkpoint.model}\n\nReads the expressions of faces, as heads with one probability for each class:\n\n"
        f"{heads}\n\nIt answers with `{choice.head}` and the prior `{choice.prior}`.\n\n"
        "```python\nimport emonet\n\npredictor = emonet.EmotionPredictor(emonet.from_pretrained(FOLDER_OR_NAME))\n"
        f'print(predictor.predict("photo.jpg"))\n```\n\n## Learned from\n\n{data}\n\n## Use\n\n{USE}'
    )


def _list_terms(sources: Mapping[str, int]) -> Iterator[str]:
    from emonet.datasets import find_terms

    for source, count in sources.items():
        yield f"{source}: {count:,} images. {find_terms(source)}"


def _write_facts(checkpoint: Checkpoint) -> str:
    """Write what the Hub shows beside a card: YAML between two lines, each value as JSON, which is YAML too."""
    facts = {
        "library_name": LIBRARY,
        "pipeline_tag": "image-classification",
        "license": "other",
        "license_name": "see-card",
        "tags": list(TAGS),
        "model-index": [{"name": checkpoint.model, "results": list(_list_results(checkpoint))}],
    }
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in facts.items()), "---", ""])


def _list_results(checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """List the stored accuracies as the Hub's model-index takes them."""
    data = ", ".join(checkpoint.training.get("sources", {})) or "unknown"
    for split, by_view in checkpoint.scores.items():
        if split in DEV:
            yield _make_result(data, "dev", by_view, DEV[split])
        if split.startswith("dev"):
            continue
        for view, scores in by_view.items():
            yield _make_result(data, split, scores["all"], f"view {view}")
            if "votes" in scores:
                yield _make_result(data, split, scores["votes"]["majority"], f"majority of the votes, view {view}")


def _make_result(data: str, split: str, scores: Mapping[str, Any], words: str) -> dict[str, Any]:
    return {
        "task": {"type": "image-classification", "name": "facial expression recognition"},
        "dataset": {"type": data, "name": f"{data} ({split})", "split": split},
        "metrics": [{"type": "accuracy", "value": round(scores["accuracy"], 4), "name": f"accuracy, {words}"}],
    }


def _write(path: Path, content: bytes) -> None:
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
