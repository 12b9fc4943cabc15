"""Which of many are shown."""

import numpy as np
from numpy.typing import NDArray


def evenly_apart(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` indices of ``count``, evenly apart, the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
