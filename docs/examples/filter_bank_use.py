"""The filters of filter_bank.pyx against NumPy."""

import filter_bank
import numpy as np

rng = np.random.default_rng(0)
x, root = rng.standard_normal((1000, 4)), rng.standard_normal((1000, 4, 4))
p, z, r = root @ root.swapaxes(-1, -2) + np.eye(4), rng.standard_normal((1000, 2)), np.eye(2) / 10

gain = p[:, :, :2] @ np.linalg.inv(p[:, :2, :2] + r)
expected_x = x + (gain @ (z - x[:, :2])[..., None])[..., 0]
expected_p = p - gain @ p[:, :2]

assert filter_bank.update_all(x, p, z, r) == 0
np.testing.assert_allclose(x, expected_x, rtol=1e-10, atol=1e-12)
np.testing.assert_allclose(p, expected_p, rtol=1e-10, atol=1e-10)
print("equal to rounding")
