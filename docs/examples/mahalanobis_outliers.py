"""Which handwritten digits do not look like their class?

    python mahalanobis_outliers.py [PICTURE]

The Mahalanobis distance of an image from its class hides outliers as long as the class's covariance is estimated from
them too. So each of the ten classes of scikit-learn's digits [1]_ (1797 images, here their first 20 principal
components) is resampled 200 times, and an image is scored by the resamples that it is not in [2]_: the median of its
distances from their means, in the metric of their inverse covariances. That is a stack of shape (10, 200, 20, 20) to
invert.

.. [1] E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998.
.. [2] L. Breiman, *Out-of-bag estimation*, technical report, University of California, Berkeley, 1996.
"""

import sys

import both
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

RESAMPLES = 200


def resampled(x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and covariances of resamples of x, and which of x are in none of them: (B, M), (B, M, M), (B, n)."""
    chosen = rng.integers(0, len(x), (RESAMPLES, len(x)))
    means = x[chosen].mean(axis=1)
    centred = x[chosen] - means[:, None]
    outside = np.ones((RESAMPLES, len(x)), bool)
    np.put_along_axis(outside, chosen, False, axis=1)
    return means, centred.swapaxes(1, 2) @ centred / (len(x) - 1), outside


def main(picture: str) -> None:
    """Score the digits and draw, for each class, its most typical images and its outliers."""
    digits = load_digits()
    x = PCA(20, random_state=0).fit_transform(digits.data)
    classes = [np.flatnonzero(digits.target == k) for k in range(10)]
    rng = np.random.default_rng(0)
    means, covariances, outside = zip(*(resampled(x[members], rng) for members in classes), strict=True)
    precisions = both.run(lambda inv: inv(np.stack(covariances)))

    figure, axes = plt.subplots(10, 9, figsize=(7, 8.2), layout="constrained")
    for k, members in enumerate(classes):
        away = x[members] - means[k][:, None]
        distance = np.sqrt(np.sum(away @ precisions[k] * away, axis=-1))
        score = np.nanmedian(np.where(outside[k], distance, np.nan), axis=0)
        order = np.argsort(score)
        for axis, i in zip(axes[k], [*order[:3], None, *order[-5:]], strict=True):
            axis.axis("off")
            if i is not None:
                axis.imshow(digits.images[members[i]], cmap="gray_r")
                axis.set_title(f"{score[i]:.1f}", fontsize=8, pad=2)
        print(f"{k}: half of the images within {np.median(score):.1f}, the farthest at {score.max():.1f}")
    figure.suptitle("Most typical (left) and most unusual digits of each class, with their distance")
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["mahalanobis_outliers.png"]))
