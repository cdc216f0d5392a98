"""A review: the faces of a data set, a second opinion on their labels, and what a person decides about them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.review.confident import LabelQuality
from emonet.review.corrections import CORRECTIONS, Rows, merge_corrections, read_earlier, write_corrections
from emonet.review.crops import CropFile, open_crops
from emonet.review.decisions import FILE, Decision, Decisions, Kind
from emonet.review.doubts import judge_labels
from emonet.review.faces import FaceList, list_faces
from emonet.review.opinions import SecondOpinion, Watch, ask_model, read_opinion
from emonet.review.options import ReviewOptions

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """All that the page of a review shows.

    Attributes:
        store: The data set.
        folder: Where decisions are kept.
        faces: The faces of the data set.
        opinion: The second opinion; None if there is none.
        quality: How well labels go with it; None if there is none.
        order: The faces, the most doubtful first (N,).
        places: Each face's place on the map (N, 2); None without a model.
        decisions: What was decided.
        earlier: The corrections that the data set was built with.
        remarks: What one has to know.
    """

    store: Store
    folder: Path
    faces: FaceList
    opinion: SecondOpinion | None
    quality: LabelQuality | None
    order: NDArray[np.int64]
    places: Floats | None
    decisions: Decisions
    earlier: Rows
    remarks: tuple[str, ...]
    _known: set[str] = field(default_factory=set)

    def open_crops(self) -> CropFile:
        """Open the crops of all faces."""
        return open_crops(self.store, self.folder)

    def decide(self, key: str, kind: Kind, value: str, expected: str | None = None) -> Decision:
        """Store a decision about a face or a sequence, and write corrections.csv anew.

        Raises:
            OptionError: The data set has no such face or sequence, or there is no such value.
            ConflictError: Another tab has decided something else meanwhile.
        """
        if not self._known:
            self._known.update(self.faces.keys, (sequence.key for sequence in self.faces.sequences))
        if key not in self._known:
            raise OptionError(f"{self.store.path} has no face and no sequence {key!r}")
        number = self.decisions.add(key, kind, value, expected)
        self.export()
        return Decision(number, key, kind, value)

    def corrections(self) -> Rows:
        """Return all corrections, those that the data set was built with among them."""
        return merge_corrections(self.earlier, self.decisions.current())

    def export(self) -> Path:
        """Write corrections.csv, which `emonet build --relabel` reads; return its path."""
        path = self.folder / CORRECTIONS
        with self.decisions.exporting:
            write_corrections(path, self.corrections())
        return path


def open_review(store: Store, folder: Path, options: ReviewOptions | None = None, watch: Watch | None = None) -> Review:
    """Prepare a review: ask the model, unless that was done before, and open the decisions.

    Args:
        store: The data set, which stays as it is.
        folder: Where decisions, answers and crops are kept.
        options: Whose opinion sorts the faces.
        watch: Called with the number of images of each piece that is classified.

    Raises:
        OptionError: The model has no such head.
        MissingFileError: There is no such model or file of answers.
        DatasetError: The data set or the answers are damaged.
    """
    options = options or ReviewOptions()
    folder.mkdir(parents=True, exist_ok=True)
    faces = list_faces(store)
    asked, places = _ask_or_recall(store, faces, folder, options, watch) if options.model else (None, None)
    opinion = read_opinion(Path(options.answers), faces, options.head) if options.answers else asked
    quality = None if opinion is None else judge_labels(faces, opinion)
    earlier, remark = read_earlier(store, folder)
    remarks = [*(opinion.remarks if opinion else ()), *([remark] if remark else [])]
    order = np.arange(len(faces)) if quality is None else quality.rank()
    decisions = Decisions(folder / FILE)
    return Review(store, folder, faces, opinion, quality, order, places, decisions, earlier, tuple(remarks))


def _ask_or_recall(
    store: Store, faces: FaceList, folder: Path, options: ReviewOptions, watch: Watch | None
) -> tuple[SecondOpinion, Floats]:
    """Return what a model says and the map of its features, from the folder if they are there."""
    from emonet.inference import load_model

    checkpoint = load_model(options.model)
    path = folder / f"answers-{_identify(store, checkpoint, options)}.npz"
    if path.is_file():
        with np.load(path) as stored:
            remarks = tuple(stored["remarks"].tolist())
            return SecondOpinion(stored["probabilities"], str(stored["name"]), remarks), stored["places"]
    from emonet.review.features import draw_map

    name = Path(options.model).name
    opinion = ask_model(checkpoint, store, faces, name=name, head=options.head, watch=watch)
    features = np.zeros((len(faces), 1), np.float32) if opinion.features is None else opinion.features
    places = draw_map(features, options.map)
    _save(path, opinion, places)
    return opinion, places


def _identify(store: Store, checkpoint: Checkpoint, options: ReviewOptions) -> str:
    parts = [store.identity, checkpoint.identity, options.head, options.map]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _save(path: Path, opinion: SecondOpinion, places: Floats) -> None:
    remarks = np.array(opinion.remarks, np.str_)
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez(file, probabilities=opinion.probabilities, places=places, remarks=remarks, name=np.array(opinion.name))
