"""TIFF files without Pillow's own limit of pixels, which it has when other formats are opened: callers have theirs."""

from __future__ import annotations

from PIL import _imaging
from PIL.TiffImagePlugin import TiffImageFile


class UnlimitedTiffFile(TiffImageFile):
    """A TIFF file that is decoded however many pixels it has: who opens it must have looked at its size."""

    def load_prepare(self) -> None:
        """Take the memory for the pixels, which Pillow does after its check."""
        if self._im is None:
            self.im = _imaging.new(self.mode, self._tile_size)
        super().load_prepare()
