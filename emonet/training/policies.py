"""Policies: the ranges and probabilities of an augmentation. Both back ends, albumentations and torch, read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from emonet.errors import OptionError

Range = tuple[float, float]  # lowest and highest; the same number twice is a fixed value

ASPECTS: Range = (0.5, 2.0)  # width / height of an erased rectangle


@dataclass(frozen=True, slots=True)
class Policy:
    """One augmentation. Each number is drawn evenly from its range, for each image again; the defaults change nothing.

    These things happen, in this order:
        1. The image is mirrored.
        2. It is zoomed, turned, sheared and shifted in one resampling, which repeats the edge.
        3. Contrast and brightness change.
        4. A rectangle is erased to one grey.
        5. It is degraded to what a camera makes of a small face: gamma, blur, fewer pixels, noise and JPEG. Then it is
           enlarged to its size again.

    Raises:
        OptionError: A probability or a range lies outside its limits.
    """

    mirror: float = 0.0  # probability
    placed: float = 1.0  # probability of zoom, turn, shear and shift, all together
    zoom: Range = (1.0, 1.0)  # above 1 enlarges
    zoom_each_axis: bool = False  # height and width on their own
    turn: Range = (0.0, 0.0)  # degrees against the clock
    shear: Range = (0.0, 0.0)  # degrees that upright lines lean to the right
    shift: Range = (0.0, 0.0)  # share of the side, drawn for right and down alone, cut to whole pixels
    contrast: Range = (1.0, 1.0)  # factor of every value's distance from the image's mean
    brightness: Range = (1.0, 1.0)  # factor of every value
    erase: float = 0.0  # probability
    erased: Range = (0.02, 0.2)  # share of the image
    degraded: float = 1.0  # probability that any of the following happens; each also has its own
    gamma: float = 0.0  # probability
    gamma_exponent: Range = (0.6, 1.6)  # drawn evenly on a log scale; above 1 is darker
    blur: float = 0.0  # probability
    blur_sigma: Range = (0.4, 1.2)  # Gaussian, in pixels of the whole image
    shrink: float = 0.0  # probability
    shrink_to: Range = (10, 40)  # whole pixels a side, drawn evenly on a log scale; never enlarges
    noise: float = 0.0  # probability
    noise_std: Range = (2, 10)  # Gaussian, in grey levels; added to the small image where it is shrunk
    jpeg: float = 0.0  # probability
    jpeg_quality: Range = (20, 80)  # whole; of the small image where it is shrunk

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} must be a probability from 0 to 1, got {getattr(self, name)!r}")
        for name, (least, most) in _LIMITS.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise OptionError(f"{name} must be a range within {least:g} to {most:g}, got {getattr(self, name)!r}")

    @property
    def places(self) -> bool:
        """Whether it ever zooms, turns, shears or shifts."""
        stays = ((1, 1), (0, 0), (0, 0), (0, 0))
        return self.placed > 0 and (self.zoom, self.turn, self.shear, self.shift) != stays

    @property
    def shades(self) -> bool:
        """Whether it ever changes contrast or brightness."""
        return (self.contrast, self.brightness) != ((1, 1), (1, 1))

    @property
    def degrades(self) -> bool:
        """Whether it ever degrades an image."""
        return self.degraded > 0 and any((self.gamma, self.blur, self.shrink, self.noise, self.jpeg))


_PROBABILITIES = ("mirror", "placed", "erase", "degraded", "gamma", "blur", "shrink", "noise", "jpeg")

_LIMITS: dict[str, Range] = {
    "zoom": (0.1, 10),
    "turn": (-360, 360),
    "shear": (-60, 60),
    "shift": (-1, 1),
    "contrast": (0, 10),
    "brightness": (0, 10),
    "erased": (0, ASPECTS[0]),  # in a larger area not every aspect would fit
    "gamma_exponent": (0.1, 10),
    "blur_sigma": (0.1, 10),
    "shrink_to": (4, 4096),
    "noise_std": (0, 255),
    "jpeg_quality": (1, 100),
}


def _make_classic(turn: float = 30, shift: float = 0.2) -> Policy:
    """Make Keras' ImageDataGenerator with rotation, shear, shifts, a zoom of 0.2 for each axis, and flips."""
    return Policy(
        mirror=0.5, zoom=(0.8, 1.2), zoom_each_axis=True, turn=(-turn, turn), shear=(-10, 10), shift=(-shift, shift)
    )


_STRONG = Policy(
    mirror=0.5,
    zoom=(0.85, 1.15),
    turn=(-15, 15),
    shift=(-0.06, 0.06),
    contrast=(0.7, 1.3),
    brightness=(0.7, 1.3),
    erase=0.5,
)

POLICIES: dict[str, Policy] = {
    "none": Policy(),
    "mirror": Policy(mirror=0.5),
    "tilted": Policy(mirror=0.5, placed=0.5, turn=(10, 10)),
    "classic": _make_classic(),
    "turned": _make_classic(turn=45),
    "shifted": _make_classic(shift=0.5),
    "strong": _STRONG,
    # Two thirds of the images stay clean. Most of the others are shrunk, half of these to less than 20 pixels.
    "degraded": replace(_STRONG, degraded=1 / 3, gamma=0.3, blur=0.3, shrink=0.8, noise=0.3, jpeg=0.5),
}


def find_policy(name: str) -> Policy:
    """Return the policy with this name.

    Raises:
        OptionError: No policy has this name; the message lists those that exist.
    """
    if name not in POLICIES:
        raise OptionError(f"unknown augmentation {name!r}; known augmentations: {', '.join(POLICIES)}")
    return POLICIES[name]
