# /// script
# dependencies = ["scikit-image==0.26.0"]
# ///
"""scikit-image: how far apart do two eyes see each point? Lucas and Kanade's method, on the pictures in its manual."""

from skimage.color import rgb2gray
from skimage.data import stereo_motorcycle
from skimage.registration import optical_flow_ilk

left, right = map(rgb2gray, stereo_motorcycle()[:2])


def job():
    return optical_flow_ilk(left, right)
