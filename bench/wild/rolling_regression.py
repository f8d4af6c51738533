# /// script
# dependencies = ["statsmodels==0.15.0"]
# ///
"""statsmodels: how do five factors explain returns? A regression over 60 days for each of 20,000 days."""

import numpy as np
from statsmodels.regression.rolling import RollingOLS

rng = np.random.default_rng(0)
factors = np.hstack([np.ones((20_000, 1)), rng.standard_normal((20_000, 5))])
exposures = 1 + 0.01 * rng.standard_normal(factors.shape).cumsum(axis=0)
returns = (factors * exposures).sum(axis=1) + rng.standard_normal(len(factors))


def job():
    return RollingOLS(returns, factors, window=60).fit().params
