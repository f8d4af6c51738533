"""How precisely can a point of an image be found again? A 2 by 2 inverse in every pixel tells.

    python structure_tensor.py [PICTURE]

The structure tensor S of an image sums up the gradients around a pixel. Whoever looks for the patch around it in
another image, with noise of standard deviation s, will find it with covariance s² inv(S) [1]_: precisely where there
are corners, only across where there are edges, and not at all on a blank wall. A hundredth of s² is added in each pixel
that S sums up, so that it has an inverse everywhere. The image is scikit-image's cameraman: 512 by 512 pixels, and as
many inverses.

.. [1] W. Förstner and E. Gülch, *A fast operator for detection and precise location of distinct points, corners and
   centres of circular features*, ISPRS Intercommission Workshop, Interlaken, 1987.
"""

import sys

import both
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import EllipseCollection
from skimage.data import camera
from skimage.feature import peak_local_max, structure_tensor

NOISE = 4.0  # grey levels
WINDOW = 2.5  # pixels, standard deviation of the Gaussian window


def tensors(image: np.ndarray) -> np.ndarray:
    """Summed products of gradients around each pixel: (rows, columns, 2, 2)."""
    rr, rc, cc = structure_tensor(image.astype(float), sigma=WINDOW, order="rc")
    mean = np.stack([np.stack([rr, rc], axis=-1), np.stack([rc, cc], axis=-1)], axis=-2)
    return 4 * np.pi * WINDOW**2 * (mean / 64 + NOISE**2 * np.eye(2) / 100)  # Sobel's gradients are eightfold


def main(picture: str) -> None:
    """Draw how far off a point is found, and the ellipses of the best corners and of some edges."""
    image = camera()
    covariance = NOISE**2 * both.run(lambda inv: inv(tensors(image)))
    variances, axes_of = np.linalg.eigh(covariance)
    deviation = np.sqrt(variances)
    print(f"standard deviation of a point: {np.median(deviation[..., 1]):.2f} pixels in half of the image, ", end="")
    print(f"{deviation[..., 1].min():.3f} at best")

    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    shown = axes[0].imshow(deviation[..., 1], norm="log", cmap="magma_r")
    axes[0].set_title("Standard deviation of a point in its worst direction, pixels", fontsize=10)
    figure.colorbar(shown, ax=axes[0], shrink=0.85)
    corners = peak_local_max(-deviation[..., 1], min_distance=8, num_peaks=60)
    edges = peak_local_max(deviation[..., 1] / deviation[..., 0], min_distance=12, num_peaks=40)
    axes[1].imshow(image, cmap="gray")
    for places, colour, label in ((corners, "cyan", "best corners"), (edges, "orange", "most one-sided edges")):
        at = tuple(places.T)
        angle = np.degrees(np.arctan2(axes_of[at][:, 0, 1], axes_of[at][:, 1, 1]))
        ellipses = EllipseCollection(
            *(80 * deviation[at].T[::-1]),
            angle,
            units="xy",
            offsets=places[:, ::-1],
            transOffset=axes[1].transData,
            facecolors="none",
            edgecolors=colour,
            label=label,
        )
        axes[1].add_collection(ellipses)
    axes[1].set_title("Ellipses of one standard deviation, 40 times as large", fontsize=10)
    axes[1].legend(
        handles=[plt.Line2D([], [], color=c, label=n) for c, n in (("cyan", "corners"), ("orange", "edges"))]
    )
    for axis in axes:
        axis.axis("off")
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["structure_tensor.png"]))
