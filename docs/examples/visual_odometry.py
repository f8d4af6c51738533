"""Where did the car drive? Camera poses from what a pair of cameras saw, tried out 40,000 at a time.

    python visual_odometry.py [PICTURE]

The measurements are of sequence 00 of KITTI [1]_, as gtsam's wheel brings them for its own examples: 88,781 times one
of 26,136 landmarks was seen by the stereo camera of a car, at a place in the coordinates of the camera. From one
picture to the next, the camera's motion is a 4 by 4 matrix T with X = T Y, where the columns of Y and X are homogeneous
coordinates of landmarks in the later and the earlier picture. Four landmarks determine it: T = X inv(Y). Many are
wrong, so that 300 random fours are tried for each pair of pictures, the T that most landmarks agree with is kept, and
the rigid motion that fits those best taken [2]_ [3]_.

.. [1] A. Geiger, P. Lenz and R. Urtasun, *Are we ready for autonomous driving? The KITTI vision benchmark suite*, CVPR
   2012.
.. [2] M. A. Fischler and R. C. Bolles, *Random sample consensus*, Communications of the ACM 24, 1981.
.. [3] S. Umeyama, *Least-squares estimation of transformation parameters between two point patterns*, IEEE PAMI 13,
   1991.
"""

import importlib.util
import itertools
import sys
from pathlib import Path

import both
import matplotlib.pyplot as plt
import numpy as np

TRIES = 300
FOCAL_LENGTH, BASELINE = 718.856, 0.537  # pixels, metres
CENTRE = np.array([607.1928, 185.2157])
MOST_PIXELS = 2.0  # between where a landmark was seen and where a motion would have it


def measurements() -> tuple[np.ndarray, np.ndarray]:
    """Optimized poses (135, 1 + 16), and the measurements: frame, landmark, uL, uR, v, X, Y, Z (88781, 8)."""
    (package,) = importlib.util.find_spec("gtsam").submodule_search_locations  # which importing would take longer
    data = Path(package) / "Data"
    return np.loadtxt(data / "VO_camera_poses00.txt"), np.loadtxt(data / "VO_stereo_factors00.txt")


def homogeneous(points: np.ndarray) -> np.ndarray:
    """Columns of four coordinates: (4, n) from (n, 3)."""
    return np.vstack([points.T, np.ones(len(points))])


def pixels(points: np.ndarray) -> np.ndarray:
    """Where the left camera sees homogeneous points (..., 4, n): (..., 2, n)."""
    return FOCAL_LENGTH * points[..., :2, :] / points[..., 2:3, :] + CENTRE[:, None]


def rigid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The rotation and translation that map the homogeneous points y nearest to x, near ones more than far ones."""
    weights = 1 / (x[2] * y[2])  # far ones are measured less precisely
    mean_x, mean_y = (np.average(points[:3], axis=1, weights=weights, keepdims=True) for points in (x, y))
    u, _, vt = np.linalg.svd((weights * (x[:3] - mean_x)) @ (y[:3] - mean_y).T)
    rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    motion = np.eye(4)
    motion[:3] = np.hstack([rotation, mean_x - rotation @ mean_y])
    return motion


def common_landmarks(seen: np.ndarray, frames: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each frame and the next, the homogeneous places of the landmarks in both."""
    pairs = []
    for frame, following in itertools.pairwise(frames):
        one, other = seen[seen[:, 0] == frame], seen[seen[:, 0] == following]
        _, i, j = np.intersect1d(one[:, 1], other[:, 1], return_indices=True)
        pairs.append((homogeneous(one[i, 5:]), homogeneous(other[j, 5:])))
    return pairs


def main(picture: str) -> None:
    """Find the motions, chain them, and draw the way beside the one that was optimized over all pictures."""
    reference, seen = measurements()
    frames = np.unique(seen[:, 0])
    pairs = common_landmarks(seen, frames)
    rng = np.random.default_rng(0)
    fours = [rng.permuted(np.tile(np.arange(x.shape[1]), (TRIES, 1)), axis=1)[:, :4] for x, _ in pairs]
    earlier, later = (
        np.stack([pair[k][:, four].swapaxes(0, 1) for pair, four in zip(pairs, fours, strict=True)]) for k in (0, 1)
    )
    solid = np.abs(np.linalg.det(later)) > 1  # six times the cubic metres between the four: none nearly in one plane
    motions = np.full(later.shape, np.nan)
    motions[solid] = earlier[solid] @ both.run(lambda inv: inv(later[solid]))

    way = [reference[0, 1:].reshape(4, 4)]
    kept = []
    for (x, y), tried in zip(pairs, motions, strict=True):
        with np.errstate(all="ignore"):  # motions that put a landmark on the camera
            off = np.linalg.norm(pixels(tried @ y) - pixels(x), axis=1)
        agree = off < MOST_PIXELS
        best = agree[np.argmax(agree.sum(axis=1))]
        kept.append(best.mean())
        way.append(way[-1] @ rigid(x[:, best], y[:, best]))
    poses = dict(zip(frames, way, strict=True))
    places = np.array(way)[:, :3, 3]
    expected = reference[:, 1:].reshape(-1, 4, 4)[:, :3, 3]
    length = np.linalg.norm(np.diff(expected, axis=0), axis=1).sum()
    error = np.linalg.norm(poses[reference[-1, 0]][:3, 3] - expected[-1])
    print(f"{len(pairs)} motions, {np.mean(kept):.0%} of the landmarks agree; {error:.1f} m off after {length:.0f} m")

    landmarks = np.array([(poses[frame] @ [x, y, z, 1])[:3] for frame, _, _, _, _, x, y, z in seen[::5]])
    figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
    axis.plot(landmarks[:, 0], landmarks[:, 2], ",", color="0.6", alpha=0.5, rasterized=True)
    axis.plot(expected[:, 0], expected[:, 2], color="C1", linewidth=4, alpha=0.6, label="optimized over all pictures")
    axis.plot(places[:, 0], places[:, 2], color="C0", label="picture by picture")
    middle, reach = expected.mean(axis=0), np.ptp(expected, axis=0).max() * 0.65 + 10
    axis.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[2] - reach, middle[2] + reach), aspect="equal")
    axis.set(xlabel="Metres to the right", ylabel="Metres ahead", title="The way of the car, and landmarks, from above")
    axis.legend()
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["visual_odometry.png"]))
