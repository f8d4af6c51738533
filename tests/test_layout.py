# SPDX-License-Identifier: BSD-3-Clause
"""A newcomer finds things where their names say: a question has one file for an answer, and each file has its row."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "stackinv"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()

ANSWERS = {
    "where a matrix of the user is read into a tile": ("native/kernels/move-inl.h", r"NAME\(read\)\("),
    "where the lanes engine chooses a pivot": ("native/kernels/lanes_lu-inl.h", r"NAME\(panel\)\("),
    "where the blocked engine chooses a pivot": ("native/kernels/blocked_lu-inl.h", r"NAME\(factor_panel\)\("),
    "where the engine is chosen": ("native/loop.c", r"choose_engine\("),
    "where the number of threads is chosen": ("_workers.py", r"def resolve\("),
    "where the loop over the stack is": ("native/loop.c", r"bool stackinv_turn\("),
    "where signals are looked at": ("_native.pyx", r"PyErr_CheckSignals\(\)"),
    "where getrf and getri are called": ("_lapack.pyx", r"r\.getri\("),
    "where the parallel loop over LAPACK is": ("_lapack.pyx", r"prange\("),
    "what to touch to add a structure": ("native/stack.c", r"stackinv_structures\["),
    "what to touch to add an output": ("native/loop.h", r"enum array \{"),
    "what to touch to port to a new instruction set": ("native/kernels/avx2-inl.h", r"_mm256_"),
    "where the numbers found by trying are": ("native/tuning.h", r"#define CHUNK_BYTES"),
    "what is raised for singular matrices": ("_results.py", r"class SingularMatrixError"),
}


@pytest.mark.parametrize("question", ANSWERS)
def test_each_question_has_one_file_for_an_answer(question):
    file, name = ANSWERS[question]
    assert re.search(name, (SOURCES / file).read_text())


@pytest.mark.parametrize("file", sorted(path.relative_to(SOURCES) for path in SOURCES.rglob("*.*")), ids=str)
def test_each_file_has_its_row(file):
    if file.suffix not in {".py", ".pyx", ".c", ".h"} or file.name == "__main__.py":
        return
    with_what = {".h": file.with_suffix(".c")}.get(file.suffix, file)  # a header has the row of its source
    names = {file.name, f"native/{file.name}", with_what.name, f"native/{with_what.name}"}
    names |= {re.sub(r"_\w+-inl", "_*-inl", file.name), f"{file.parent.name}/"}
    assert any(f"`{name}`" in CONTRIBUTING for name in names)


@pytest.mark.parametrize(("function", "file"), re.findall(r"`(\w+)` \(`([\w./-]+)`\)", CONTRIBUTING))
def test_functions_are_in_the_files_that_contributing_names(function, file):
    (path,) = [path for path in SOURCES.rglob(Path(file).name) if str(path).endswith(file)]
    assert re.search(rf"\b{function}\b", path.read_text())
