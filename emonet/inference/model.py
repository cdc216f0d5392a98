"""What prediction needs to know of a model, whatever runs it: how faces are cut out, and what the answers mean."""

from __future__ import annotations

from emonet.heads import Head, HeadChoice
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
    """

    __slots__ = ()

    model: str
    heads: tuple[Head, ...]
    crop: CropSpec
    detector: str
    input: InputSpec
    default_head: str
    default_prior: str

    def choice(self, head: str = "", prior: str = "") -> HeadChoice:
        """Choose the head that answers, or `mean`, and the prior.

        Args:
            head: The default of the file if empty.
            prior: The default of the file if empty.
        """
        return HeadChoice(self.heads, head or self.default_head or self.heads[0].name, prior or self.default_prior)

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes of the default answer."""
        return self.choice().classes

    @property
    def identity(self) -> str:
        """A hash of all that the answers of the heads depend on."""
        raise NotImplementedError
