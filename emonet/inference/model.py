"""What prediction needs to know of a model, whatever runs it: how faces are cut out, and what the answers mean."""

from __future__ import annotations

from pathlib import Path

from emonet.errors import OptionError
from emonet.heads import Head, HeadChoice
from emonet.inference.coverage import CoverageCurve
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec
from facecrop import CropSpec


class Model:
    """Describe a model to those who predict with it: the base of Checkpoint and OnnxModel.

    Attributes:
        model: The name of the network.
        heads: In the order of the model's logits.
        crop: How the faces of the training images were cut out.
        detector: The detector that found these faces.
        input: The crops that the network takes, and how they are scaled.
        default_head: The head that answers unless another is asked for; the first one if empty.
        default_prior: The prior that is divided out unless another is asked for.
        coverage: How many faces it answers, and how often rightly, by the least confidence; empty if not measured.
        path: The file that it was read from; None if it was not.
    """

    __slots__ = ()

    model: str
    heads: tuple[Head, ...]
    crop: CropSpec
    detector: str
    input: InputSpec
    default_head: str
    default_prior: str
    coverage: tuple[CoverageCurve, ...]
    path: Path | None

    def choice(self, head: str | None = None, prior: str | None = None) -> HeadChoice:
        """Choose the head that answers, or `mean`, and the prior.

        Args:
            head: By default, that of the file.
            prior: By default, that of the file.
        """
        return HeadChoice(self.heads, head or self.default_head or self.heads[0].name, prior or self.default_prior)

    def find_curve(self, choice: HeadChoice, view: str) -> CoverageCurve | None:
        """Find what was measured of one way to answer; None if nothing was."""
        asked = (choice.head, choice.prior, view)
        return next((one for one in self.coverage if (one.head, one.prior, one.view) == asked), None)

    def least_confidence(self, coverage: float, choice: HeadChoice, view: str) -> float:
        """Find the least confidence with which the model answers about this share of faces.

        Args:
            coverage: The share of faces such as those that it was measured on.
            choice: How the model answers.
            view: The test-time augmentation.

        Raises:
            OptionError: This was not measured for this way to answer, or the coverage is no share.
        """
        if (curve := self.find_curve(choice, view)) is not None:
            return curve.least_confidence(coverage)
        raise OptionError(
            f"{self.model} stores no table of coverage for head {choice.head}, prior {choice.prior} and test-time "
            f"augmentation {view}: measure it with `emonet evaluate MODEL STORE --split dev --head {choice.head} "
            f"--prior {choice.prior} --views {view} -o REPORT`, store it with `emonet models FILE --set-coverage "
            "REPORT`, or give --least-confidence"
        )

    @property
    def shown(self) -> Path:
        """Its file, or the name of the network where there is none, as errors name it."""
        return self.path or Path(self.model)

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes of the default answer."""
        return self.choice().classes

    @property
    def identity(self) -> str:
        """A hash of all that the answers of the heads depend on."""
        raise NotImplementedError
