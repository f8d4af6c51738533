"""How far inverses are from the exact ones: float64, random matrices, stackinv and NumPy.

python bench/accuracy.py [--json FILE]

The exact inverse is that of long double numbers, by two steps of Newton's method from NumPy's: X + X (I - A X). An
error is ||X - exact|| / ||exact||, a residual the larger of ||A X - I|| and ||X A - I|| over ||A|| ||X||, all in the
Frobenius norm; both are medians over the matrices, as multiples of the unit roundoff, 2^-53. Instruction sets and
kernels of BLAS change them by a tenth or two, and how ill-conditioned a few large matrices are changes errors more.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np

import stackinv

ORDERS = (2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
NUMBERS = 1 << 18  # of the matrices of an order together, and five matrices at least
UNIT = 2.0**-53


def norm(x: np.ndarray) -> float:
    return float(np.sqrt((x.real * x.real).sum()))


def exact(a: np.ndarray, near: np.ndarray) -> np.ndarray:
    x = near.astype(np.longdouble)
    for _ in range(2):
        x += x @ (np.eye(len(a), dtype=np.longdouble) - a @ x)
    return x


def residual(a: np.ndarray, x: np.ndarray) -> float:
    """The larger one, with sums of long double numbers."""
    x = x.astype(np.longdouble)
    identity = np.eye(len(a), dtype=np.longdouble)
    return max(norm(a @ x - identity), norm(x @ a - identity)) / (norm(a) * norm(x)) / UNIT


def measured(m: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(m)
    a = rng.standard_normal((max(5, min(2000, NUMBERS // m**2)), m, m))
    results = {"stackinv": stackinv.inv(a), "numpy": np.linalg.inv(a)}
    errors: dict[str, list[float]] = {name: [] for name in results}
    residuals: dict[str, list[float]] = {name: [] for name in results}
    for k, matrix in enumerate(a):
        wide = matrix.astype(np.longdouble)
        inverse = exact(wide, results["numpy"][k])
        for name, result in results.items():
            errors[name].append(norm(result[k] - inverse) / norm(inverse) / UNIT)
            residuals[name].append(residual(wide, result[k]))
    return [
        {
            "contender": name,
            "m": m,
            "matrices": len(a),
            "error": statistics.median(errors[name]),
            "residual": statistics.median(residuals[name]),
        }
        for name in results
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    arguments = parser.parse_args()
    records = [record for m in ORDERS for record in measured(m)]
    for record in records:
        print(
            "{contender:10} M = {m:4}, {matrices:5} matrices: error {error:8.3g}, residual {residual:8.3g}".format(
                **record
            )
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(records))


if __name__ == "__main__":
    main()
