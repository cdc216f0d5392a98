"""The detector `yunet`: YuNet (Wu et al. 2023) as OpenCV runs it, a small network made for processors.

- `detector.py` is what callers see.
- `pieces.py` says at which scales and in which parts an image is searched.
- `network.py` finds the weights and runs the network, in one object of OpenCV for each thread.
"""

from facecrop.detectors.yunet.detector import YunetDetector, YunetOptions

__all__ = ["YunetDetector", "YunetOptions"]
