"""What values options may have."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number, of Python or NumPy; a text or a truth value is none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number of Python, which JSON can hold; a truth value is none."""
    return isinstance(value, int) and not isinstance(value, bool)
