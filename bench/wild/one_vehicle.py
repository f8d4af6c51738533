# /// script
# dependencies = ["filterpy==2.0.0"]
# ///
"""filterpy: where was one vehicle? Its filter and its smoother, 10,000 steps one after the other."""

import numpy as np
from filterpy.common import Q_discrete_white_noise
from filterpy.kalman import KalmanFilter

rng = np.random.default_rng(0)
positions = rng.standard_normal((10_000, 3)).cumsum(axis=0).cumsum(axis=0) + 5 * rng.standard_normal((10_000, 3))


def job():
    one = KalmanFilter(dim_x=6, dim_z=3)
    one.F = np.kron(np.eye(3), [[1, 1], [0, 1]])
    one.H = np.kron(np.eye(3), [[1, 0]])
    one.P *= 100
    one.R *= 25
    one.Q = Q_discrete_white_noise(2, var=1, block_size=3)
    means, covariances, _, _ = one.batch_filter(positions[..., np.newaxis])
    return one.rts_smoother(means, covariances)[0]
