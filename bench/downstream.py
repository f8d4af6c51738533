"""Do statsmodels and scikit-learn pass their own tests with numpy.linalg.inv replaced?

    python bench/downstream.py [SUITE ...]      # e.g. sklearn.mixture; by default all below

Runs each suite by `python -m pytest --pyargs` and by `stackinv run --report -m pytest --pyargs`, on all cores, and
compares. Ends with 1 if a test fails that passes without. `nox -s downstream` does it with pinned versions.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree as ET

SUITES = [
    "statsmodels.regression",
    "statsmodels.tsa.statespace",
    "sklearn.covariance",
    "sklearn.gaussian_process",
    "sklearn.mixture",
]


def outcomes(launcher: list[str], suite: str, directory: Path) -> dict[str, str]:
    """Test: passed, failed, error or skipped."""
    xml = directory / "junit.xml"
    options = [
        "-n",
        "auto",
        "-q",
        "--no-header",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        f"--junitxml={xml}",
    ]
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, *launcher, "pytest", *options, "--pyargs", suite],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode not in (0, 1):
        sys.exit(f"{suite}: pytest ended with {run.returncode}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    found = {}
    for case in ET.parse(xml).iter("testcase"):
        kind = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        found[f"{case.get('classname')}::{case.get('name')}"] = kind
    counts = {kind: list(found.values()).count(kind) for kind in ("passed", "failure", "error", "skipped")}
    print(f"  {' '.join(launcher)}: {counts} in {time.perf_counter() - start:.0f} s", flush=True)
    if "stackinv:" in run.stderr:
        print("    " + run.stderr[run.stderr.index("stackinv:") :].strip().replace("\n", "\n    "), flush=True)
    return found


def main(suites: list[str]) -> int:
    """Run both, tell the difference."""
    worse = 0
    for suite in suites:
        print(suite, flush=True)
        with tempfile.TemporaryDirectory() as directory:
            plain = outcomes(["-m"], suite, Path(directory))
            patched = outcomes(["-m", "stackinv", "run", "--report", "-m"], suite, Path(directory))
        for test in sorted(plain.keys() | patched.keys()):
            before, after = plain.get(test, "missing"), patched.get(test, "missing")
            if before != after:
                worse += before == "passed"
                print(f"  {test}: {before} -> {after}")
    print(f"{worse} tests fail that pass without")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or SUITES))
