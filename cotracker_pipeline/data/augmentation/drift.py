"""How what changes from frame to frame goes on."""

import numpy as np

# the published constant: how much of the last frame's change is kept
INERTIA = 0.8


def carried_on(change: np.ndarray, pushed: np.ndarray) -> np.ndarray:
    """The next change, after ``change`` and a random push in its direction or another."""
    return INERTIA * change + (1 - INERTIA) * pushed
