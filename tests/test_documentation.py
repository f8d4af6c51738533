"""The code in the documentation runs, its tables are what was measured, the examples in docstrings are right."""

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import missing

import stackinv

ROOT = Path(__file__).parents[1]
PUBLIC = [name for name in stackinv.__all__ if callable(getattr(stackinv, name))]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MINUTES = ("README", "benchmarking", "install", "pipelines")  # what they take to run
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RUN = ("python", "pycon", "console")  # `sh` has commands for a clone of the repository, such as installing

# What a page's code runs in: a Python session with a shell beside it, in a directory with a stack and a program.
SESSION = """
import doctest as _doctest, subprocess as _subprocess

def _session(text):
    test = _doctest.DocTestParser().get_doctest(text, {}, "page", None, None)
    test.globs = globals()
    runner = _doctest.DocTestRunner(optionflags=_doctest.ELLIPSIS | _doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test, clear_globs=False).failed == 0

def _shell(text):
    if __name__ == "__main__":
        for line in text.splitlines():
            if line.startswith("$ "):
                _subprocess.run(["bash", "-euo", "pipefail", "-c", line[2:]], check=True)
"""


def code(page):
    """One program of all code on the page that readers would run."""
    parts = []
    for language, text in BLOCK.findall(page.read_text()):
        if language == "python":
            parts.append(text)
        elif language in RUN:
            parts.append(f"{'_session' if language == 'pycon' else '_shell'}({text!r})\n")
    return "\n".join(parts)


def is_about_a_script(page):
    return page.with_suffix(".py").exists()


@pytest.mark.parametrize("page", [*filter(is_about_a_script, PAGES)], ids=lambda page: page.stem)
def test_code_of_the_page_is_from_its_script(page):
    """Which runs in test_examples.py; the page says in full which inv it calls."""
    script = page.with_suffix(".py").read_text()
    blocks = BLOCK.findall(page.read_text())
    assert blocks
    for _, text in blocks:
        for line in text.splitlines():
            short = line.partition("  #")[0].replace("np.linalg.", "")
            assert short[max(0, short.find("inv(")) :] in script


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.nightly] * (page.stem in MINUTES))
        for page in PAGES
        if code(page) and not is_about_a_script(page)
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")
def test_code_of_the_page_runs(page, tmp_path):
    if absent := missing(code(page)):  # PyTorch and JAX are too large for the test extra
        pytest.skip(f"without {', '.join(absent)}")
    (tmp_path / "page.py").write_text(SESSION + code(page))
    (tmp_path / "script.py").write_text("import numpy as np\nnp.linalg.inv(np.eye(3))\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("def test_one():\n    pass\n")
    np.save(tmp_path / "stack.npy", np.random.default_rng(0).standard_normal((100, 4, 4)))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]


def test_most_pages_have_code():
    assert sum(bool(code(page)) for page in PAGES) > 8


def test_tables_are_what_was_measured():
    command = [sys.executable, ROOT / "bench" / "tables.py", "--check"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_figures_are_within_lines(page):
    """A comment that begins a line would make HTML of the whole line."""
    assert not re.findall("^ *<!-- figure", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_pictures_are_there(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", PUBLIC)
def test_examples(name):
    with np.printoptions(precision=8, legacy=False):
        for test in doctest.DocTestFinder().find(getattr(stackinv, name), name, module=False, globs={}):
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            runner.run(test)
            assert runner.failures == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_an_example(name):
    if name not in ("InvExResult", "InvSlogdetResult"):
        assert ">>>" in getattr(stackinv, name).__doc__


@pytest.mark.nightly
def test_tables_and_plots_without_some_contenders(tmp_path):
    for part in ("README.md", "bench", "docs"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    for file in (tmp_path / "bench" / "figures").iterdir():
        measured = json.loads(file.read_text())
        for name in ("torch", "eigen", "mkl-compact"):
            measured["contenders"].pop(name, None)
            measured["records"] = [one for one in measured["records"] if one.get("contender") != name]
        file.write_text(json.dumps(measured))
    command = [sys.executable, tmp_path / "bench" / "figures.py", "--draw"]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert "nan" not in (tmp_path / "docs" / "performance.md").read_text()
    assert "PyTorch 2" not in (tmp_path / "docs" / "images" / "times.svg").read_text()
    assert "PyTorch 2" in (ROOT / "docs" / "images" / "times.svg").read_text()
