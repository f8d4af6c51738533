# /// script
# dependencies = ["pyriemann==0.12"]
# ///
"""pyriemann: which of four movements was imagined? Covariances of 576 trials, and the nearest of their means."""

import numpy as np
from pyriemann.classification import MDM
from pyriemann.estimation import Covariances
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

rng = np.random.default_rng(0)
movements = rng.integers(4, size=576)
mixing = rng.standard_normal((22, 22))
strength = np.exp(0.3 * rng.standard_normal((4, 22)))
recordings = mixing @ (strength[movements][..., np.newaxis] * rng.standard_normal((576, 22, 250)))


def job():
    classifier = make_pipeline(Covariances(), MDM(metric="logdet"))
    return cross_val_predict(classifier, recordings, movements, cv=5, method="predict_proba")
