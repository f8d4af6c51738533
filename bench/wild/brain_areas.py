# /// script
# dependencies = ["spectral-connectivity==2.0.1"]
# ///
"""spectral-connectivity: which brain area drives which? Of 12 areas, by Wilson's factors of their spectra."""

import numpy as np
from spectral_connectivity import Connectivity, Multitaper

rng = np.random.default_rng(0)
areas = 12
signals = rng.standard_normal((2000, 20, areas))
for t in range(1, len(signals)):
    signals[t] += 0.5 * signals[t - 1]
    signals[t, :, 1:] += 0.3 * signals[t - 1, :, :-1]


def job():
    spectra = Multitaper(
        signals, sampling_frequency=500, time_halfbandwidth_product=3, time_window_duration=0.5, time_window_step=0.5
    )
    return Connectivity.from_multitaper(spectra).directed_transfer_function()
