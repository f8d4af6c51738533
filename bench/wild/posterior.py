# /// script
# dependencies = ["xarray-einstats==0.9.1"]
# ///
"""xarray-einstats: how likely are 20 observations by each draw of a posterior? Covariances of 8 quantities."""

import numpy as np
import xarray as xr
from xarray_einstats import linalg

rng = np.random.default_rng(0)
dims = ("chain", "draw", "group", "dim", "factor")
factors = xr.DataArray(rng.standard_normal((4, 2500, 10, 8, 12)), dims=dims)
covariances = linalg.matmul(factors, factors.rename(dim="dim2"), dims=[["dim", "factor"], ["factor", "dim2"]])
observations = xr.DataArray(rng.standard_normal((20, 8)), dims=("observation", "dim"))


def job():
    precisions = linalg.inv(covariances, dims=["dim", "dim2"])
    distances = xr.dot(observations, precisions, observations.rename(dim="dim2"), dim=["dim", "dim2"])
    logs = linalg.slogdet(covariances, dims=["dim", "dim2"])[1]
    return -(distances + logs) / 2
