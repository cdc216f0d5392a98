"""Seeds made of several numbers, so that what is drawn depends on those and not on the order of the work."""

from __future__ import annotations

import hashlib


def sample_seed(*numbers: int) -> int:
    """64 bits from whole numbers, as from seed, epoch and index: the same in every process and on every machine."""
    text = "/".join(map(str, numbers))
    # A digest mixes neighbours well, and is made several times faster than a SeedSequence of numpy.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
