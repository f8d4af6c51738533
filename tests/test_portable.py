"""Without vectors the C is the standard's of 2011, for compilers that know no other."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "src" / "stackinv" / "native"
INCLUDED = [NATIVE, NATIVE / "kernels", ROOT / "src" / "stackinv" / "include"]
TYPES = {"s": (1, 0), "d": (0, 0), "c": (1, 1), "z": (0, 1)}

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no GCC, which knows what is an extension")


def check(source, *options):
    """Let GCC read a file as C11 alone, without arrays of variable length, which compilers may leave out."""
    standard = ("-std=c11", "-pedantic-errors", "-Werror=vla", "-D_GNU_SOURCE")
    where = [f"-I{path}" for path in INCLUDED]
    subprocess.run(["gcc", *standard, "-fsyntax-only", *where, *options, str(source)], check=True)


@pytest.mark.parametrize("source", [*sorted(NATIVE.glob("*.c")), NATIVE / "kernels" / "builds.c"], ids=lambda p: p.name)
def test_the_loop_is_standard_c(source):
    check(source)


@pytest.mark.parametrize("letter", TYPES)
def test_kernels_without_vectors_are_standard_c(letter):
    single, complex_ = TYPES[letter]
    numbers = (f"-DTYPE={letter}_", f"-DSINGLE={single}", f"-DCOMPLEX={complex_}")
    check(NATIVE / "kernels" / "kernels.c", *numbers, '-DINSTRUCTIONS="scalar-inl.h"', "-DKERNELS=kernels")
