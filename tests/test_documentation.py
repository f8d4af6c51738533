"""The examples in the docstrings are right."""

import doctest

import numpy as np
import pytest

import stackinv

PUBLIC = [name for name in stackinv.__all__ if callable(getattr(stackinv, name))]


@pytest.mark.parametrize("name", PUBLIC)
def test_examples(name):
    with np.printoptions(precision=8, legacy=False):
        for test in doctest.DocTestFinder().find(getattr(stackinv, name), name, module=False, globs={}):
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            runner.run(test)
            assert runner.failures == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_an_example(name):
    if name != "InvExResult":
        assert ">>>" in getattr(stackinv, name).__doc__
