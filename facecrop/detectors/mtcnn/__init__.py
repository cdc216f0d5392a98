"""The detector `mtcnn`: facenet-pytorch's networks and weights in our own cascade, which is several times faster.

- `detector.py` is what callers see.
- `cascade.py` runs the three stages on a batch of images.
- `networks.py` runs the three networks; `layers.py` defines them and finds their weights.
- `pyramid.py` says what is drawn of the images, `octaves.py` draws it on the CPU, and `sums.py` on a CUDA card.
- `cells.py` numbers the cells of the first network, and `boxes.py` does the geometry between the networks.
"""

from facecrop.detectors.mtcnn.detector import MtcnnDetector, MtcnnOptions

__all__ = ["MtcnnDetector", "MtcnnOptions"]
