"""How noisy are macroeconomic series? A bank of Kalman filters tries 2500 answers at once.

    python kalman_bank.py [PICTURE]

Four quarterly series of the United States, 1959 to 2009, from statsmodels' macrodata [1]_: unemployment, the rate of
treasury bills, inflation and the growth of consumption. In the model of local levels [2]_ each is a level that wanders,
by steps that are correlated across the series, seen through noise of its own. The first two are hardly noisy. How large
the steps and the noise of the other two are, as shares of the variance of their changes, is what the 50 by 50 filters
differ in; their likelihoods tell which is right. Each filter inverts the 4 by 4 covariance of its innovation each
quarter, all filters at once.

.. [1] Federal Reserve Bank of St. Louis, FRED, as packaged by S. Seabold and J. Perktold, statsmodels, 2010.
.. [2] A. C. Harvey, *Forecasting, Structural Time Series Models and the Kalman Filter*, Cambridge, 1989.
"""

import sys
from collections.abc import Callable

import both
import matplotlib.pyplot as plt
import numpy as np
from statsmodels.datasets import macrodata

SHARES = np.geomspace(0.002, 1, 50)
QUIET = 0.002  # share of noise in the first two series


def observations() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Quarters (n,), series (n, 4) and their names."""
    data = macrodata.load_pandas().data
    growth = 400 * np.diff(np.log(data["realcons"]))
    series = np.column_stack([data["unemp"][1:], data["tbilrate"][1:], data["infl"][1:], growth])
    quarters = (data["year"] + (data["quarter"] - 1) / 4).to_numpy()[1:]
    return (
        quarters,
        series,
        ["Unemployment, %", "Treasury bills, %", "Inflation, % a year", "Consumption growth, % a year"],
    )


def filter_all(
    y: np.ndarray, steps: np.ndarray, noise: np.ndarray, inv: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-likelihood (F,), levels and their variances (n, F, p) of the filters with these covariances (F, p, p)."""
    level = np.broadcast_to(y[0], (len(steps), y.shape[1]))
    covariance = noise.copy()
    likelihood = np.zeros(len(steps))
    levels, variances = [level], [np.einsum("fii->fi", covariance)]
    for observed in y[1:]:
        covariance = covariance + steps
        innovation = covariance + noise
        precision = inv(innovation)
        gain = covariance @ precision
        surprise = observed - level
        weighted = np.einsum("fij,fj->fi", precision, surprise)
        likelihood -= 0.5 * (np.linalg.slogdet(innovation)[1] + np.sum(surprise * weighted, axis=1))
        level = level + np.einsum("fij,fj->fi", gain, surprise)
        covariance = covariance - gain @ covariance
        levels.append(level)
        variances.append(np.einsum("fii->fi", covariance))
    return likelihood, np.array(levels), np.array(variances)


def main(picture: str) -> None:
    """Filter, and draw the likelihoods and the levels found by the best filter."""
    quarters, y, names = observations()
    changes = np.cov(np.diff(y, axis=0).T)
    step_share, noise_share = (grid.ravel() for grid in np.meshgrid(SHARES, SHARES))
    one = np.ones_like(step_share)
    deviation = np.sqrt(np.stack([one, one, step_share, step_share], axis=-1))
    steps = deviation[:, :, None] * changes * deviation[:, None, :]
    noise = np.stack([QUIET * one, QUIET * one, noise_share, noise_share], axis=-1)[:, :, None] * np.diag(
        np.diag(changes)
    )
    likelihood, levels, variances = both.run(lambda inv: filter_all(y, steps, noise, inv), rounds=3)
    best = np.argmax(likelihood)
    print(
        f"inflation and growth: steps {step_share[best]:.2g}, noise {noise_share[best]:.2g} of the variance of changes"
    )

    figure, axes = plt.subplot_mosaic("L01;L23", figsize=(11, 4.6), width_ratios=[1.25, 1, 1], layout="constrained")
    below = (likelihood - likelihood.max()).reshape(len(SHARES), len(SHARES))
    shown = axes["L"].pcolormesh(SHARES, SHARES, below, vmin=-60, cmap="viridis", rasterized=True)
    axes["L"].plot(step_share[best], noise_share[best], "r+", markersize=14, markeredgewidth=2)
    axes["L"].set(xscale="log", yscale="log", xlabel="Share of the steps", ylabel="Share of the noise")
    axes["L"].set_title("Log-likelihood of 2500 filters, below the best (+)", fontsize=10)
    figure.colorbar(shown, ax=axes["L"], extend="min")
    for k, name in enumerate(names):
        middle, spread = levels[:, best, k], 2 * np.sqrt(variances[:, best, k])
        axes[str(k)].plot(quarters, y[:, k], ".", markersize=3, color="0.5")
        axes[str(k)].plot(quarters, middle, color="C0")
        axes[str(k)].fill_between(quarters, middle - spread, middle + spread, color="C0", alpha=0.3, linewidth=0)
        axes[str(k)].set_title(name, fontsize=10)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["kalman_bank.png"]))
