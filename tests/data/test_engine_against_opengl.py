"""The engine's ground truth, confirmed by a renderer that shares no code with it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opengl import SHIFTS

ROOT = Path(__file__).parents[2]
#: Kinds of OpenGL that draw without a screen.
KINDS = ("egl", "osmesa")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def counts() -> dict[str, Any]:
    """Of six scenes of the hardest preset, deforming objects included."""
    said = {}
    for kind in KINDS:
        done = subprocess.run(
            [sys.executable, "tests/data/opengl.py", "--scenes", "6"],
            cwd=ROOT,
            env={**os.environ, "MUJOCO_GL": kind, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            return json.loads(done.stdout)
        said[kind] = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    pytest.skip("no OpenGL without a screen: " + "; ".join(f"{kind}: {why}" for kind, why in said.items()))


def test_visible_points_lie_on_their_own_body(counts: dict[str, Any]) -> None:
    assert counts["clear"] > 30_000
    assert counts["clear_confirmed"] >= 0.9999 * counts["clear"]


def test_hidden_points_have_something_before_them(counts: dict[str, Any]) -> None:
    assert counts["hidden"] > 10_000
    assert counts["hidden_confirmed"] >= 0.999 * counts["hidden"]


@pytest.mark.parametrize("axis", [0, 1], ids=["x", "y"])
def test_there_is_no_sub_pixel_offset(counts: dict[str, Any], axis: int) -> None:
    """Wrong pixels rise linearly with a shift to either side: three counts give the place of the least."""
    left, none, right = counts["wrong_pixels"][axis]
    assert none < 1e-4 * counts["pixels"]
    assert min(left, right) > 50 * none
    assert abs(SHIFTS[2] * (left - right) / (left + right - 2 * none)) < 0.01
