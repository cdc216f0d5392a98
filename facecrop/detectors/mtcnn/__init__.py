"""MTCNN: facenet-pytorch's networks and weights in a cascade of our own, several times faster and truly batched.

`layers.py` holds the three networks and alone knows where facenet-pytorch keeps their weights, `networks.py` runs them,
`pyramid.py` scales pictures, `boxes.py` does the geometry between the networks, `cascade.py` puts the stages together,
`detector.py` is what callers see.
"""

from facecrop.detectors.mtcnn.detector import MtcnnDetector, MtcnnOptions

__all__ = ["MtcnnDetector", "MtcnnOptions"]
