#!/usr/bin/env -S uv run --script

# /// script
# dependencies = ["nox>=2025.2.9"]
# ///

"""What is checked: `nox` runs the usual sessions, `nox -l` lists all."""

import os

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"  # uv would install the wheel of an older tree from its cache


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the tests."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def numpy_suite(session: nox.Session) -> None:
    """Run NumPy's own linalg tests with inv replaced."""
    session.install(".", "pytest", "hypothesis")
    options = ["-c", os.devnull, "-p", "no:cacheprovider", "-q", "--pyargs", "numpy.linalg", "numpy.matrixlib"]
    session.run("stackinv", "run", "--report", "-m", "pytest", *options, *session.posargs)


@nox.session(python="3.11", default=False)
def downstream(session: nox.Session) -> None:
    """Run tests of statsmodels and scikit-learn, with inv replaced and without, and compare."""
    session.install(".", "pytest", "pytest-xdist", "numpy==2.4.6", "scipy==1.17.1", "pandas==3.1.1")
    session.install("statsmodels==0.15.0", "scikit-learn==1.9.1", "matplotlib")
    session.run("python", "bench/downstream.py", *session.posargs)


@nox.session(default=False)
def torch(session: nox.Session) -> None:
    """Run the tests beside PyTorch, which is too large for the test extra."""
    session.install(".[test]", "torch")
    session.run("pytest", "tests/test_neighbours.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and spelling."""
    session.install("ruff", "cython-lint", "codespell")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("cython-lint", "src/stackinv")
    session.run("codespell")


@nox.session(python="3.11")
def typing(session: nox.Session) -> None:
    """Check the types."""
    session.install("mypy", "numpy", "scipy-stubs", "matplotlib", "dask[array]")
    session.run("mypy", "--strict", "src/stackinv")


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the documentation: build/docs/index.html."""
    session.install(".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "build/docs", *session.posargs)


@nox.session(python="3.11", default=False)
def bench(session: nox.Session) -> None:
    """Run the benchmarks once, on what is installed."""
    session.install(".[bench]")
    session.chdir("bench")
    session.run("asv", "machine", "--yes")
    session.run("asv", "run", "--quick", "--python=same", "--dry-run", *session.posargs)


@nox.session
def portable(session: nox.Session) -> None:
    """Build without vector extensions, and run the tests."""
    session.install("-Csetup-args=-Dvectors=false", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11", default=False)
def oldest(session: nox.Session) -> None:
    """Build with and run on the oldest versions that pyproject.toml allows."""
    session.install(
        "cython==3.0.11",
        "meson==1.4.*",
        "meson-python==0.18.*",
        "ninja",
        "numpy==2.0.*",
        "scipy==1.13.*",
        "threadpoolctl==3.5.*",
    )
    session.install("--no-build-isolation", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build sdist and wheel."""
    session.install("build")
    session.run("python", "-m", "build", *session.posargs)


if __name__ == "__main__":
    nox.main()
