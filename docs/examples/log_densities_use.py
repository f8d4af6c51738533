"""The densities of log_densities.c against SciPy."""

import log_densities
import numpy as np
from scipy.stats import multivariate_normal

rng = np.random.default_rng(0)
points, root = rng.standard_normal((500, 3)), rng.standard_normal((500, 3, 3))
covariances = root @ root.swapaxes(-1, -2) + np.eye(3)
densities = np.empty(500)

assert log_densities.log_densities(points, covariances, densities) == 0
expected = [multivariate_normal.logpdf(point, cov=cov) for point, cov in zip(points, covariances, strict=True)]
np.testing.assert_allclose(densities, expected, rtol=1e-9)
print("equal to rounding")
