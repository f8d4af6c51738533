"""The examples in the docstrings are right."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

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


def test_code_of_the_page_on_pipelines(tmp_path):
    page = Path(__file__).parents[1] / "docs" / "pipelines.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 5
    (tmp_path / "page.py").write_text("\n".join(blocks))
    subprocess.run([sys.executable, "page.py"], cwd=tmp_path, timeout=300, check=True)
