"""A plugin for SciPy's own tests: few small matrices, such as theirs, are calculated by stackinv, too."""

from stackinv import _scipy

_scipy.least.update(dict.fromkeys(_scipy.least, 0))
