"""Region covariances of handwritten digits: a real stack of matrices to invert.

    python digits_covariances.py STACK.npy

Each of the 1797 images (8 by 8 pixels) of scikit-learn's digits [1]_ is described by the covariances of its 25 windows
of 4 by 4 pixels, in five features a pixel: intensity and the magnitudes of its first and second differences [2]_. That
makes a stack of shape (1797, 25, 5, 5). Their inverses are what a Mahalanobis distance between regions needs.

The intensities are integers; the variance 1/12 of their rounding is added to the diagonal, so that the windows on the
empty margin have an inverse too.

.. [1] E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998.
.. [2] O. Tuzel, F. Porikli and P. Meer, *Region covariance: a fast descriptor for detection and classification*,
   ECCV 2006.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits


def region_covariances(images: np.ndarray, window: int = 4) -> np.ndarray:
    """Covariances of five features over all windows: shape (images, windows, 5, 5)."""
    across, down = np.gradient(images, axis=2), np.gradient(images, axis=1)
    features = np.stack(
        [images, np.abs(across), np.abs(down), np.abs(np.gradient(across, axis=2)), np.abs(np.gradient(down, axis=1))],
        axis=-1,
    )
    windows = np.lib.stride_tricks.sliding_window_view(features, (window, window), axis=(1, 2))
    samples = windows.reshape(len(images), -1, features.shape[-1], window * window)
    samples = samples - samples.mean(axis=-1, keepdims=True)
    return samples @ samples.swapaxes(-1, -2) / (window * window - 1) + np.eye(features.shape[-1]) / 12


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} STACK.npy")
    covariances = region_covariances(load_digits().images)
    np.save(sys.argv[1], covariances)
    print(f"{sys.argv[1]}: {covariances.shape} {covariances.dtype}")
