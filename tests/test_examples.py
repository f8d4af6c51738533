"""The examples of the documentation run, on their real data, and draw."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import missing, or_nightly

import stackinv

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def run(tmp_path, name, *arguments):
    if absent := missing((EXAMPLES / f"{name}.py").read_text(), EXAMPLES):
        pytest.skip(f"without {', '.join(absent)}")
    return subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout


PICTURES = ["heated_bar", "kalman_bank", "mahalanobis_outliers", "structure_tensor", "visual_odometry"]


@pytest.mark.parametrize("name", or_nightly(PICTURES, ["structure_tensor", "visual_odometry"]))
def test_draws_and_has_numpys_results(name, tmp_path):
    output = run(tmp_path, name, "picture.png")
    assert "equal to rounding" in output
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "picture.png").stat().st_size > 20_000


def test_digits_covariances(tmp_path):
    assert "(1797, 25, 5, 5)" in run(tmp_path, "digits_covariances", "stack.npy")
    stack = np.load(tmp_path / "stack.npy")
    np.testing.assert_allclose(stackinv.inv(stack), np.linalg.inv(stack), rtol=1e-9, atol=1e-9)
