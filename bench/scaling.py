"""What the second worker brings and the ratio to NumPy's default, by order; each in a process of its own.

python bench/scaling.py [M ...]
"""

import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROUNDS = 5
STACK_BYTES = 64 << 20


def microseconds(name: str, threads: int, sizes: list[str]) -> list[float]:
    spec = find_spec("stackinv")
    assert spec is not None
    assert spec.origin is not None
    script = Path(spec.origin).with_name("_contender.py")
    output = subprocess.run([sys.executable, script, name, str(threads), *sizes], stdout=subprocess.PIPE, check=True)
    return [json.loads(line)["microseconds"] for line in output.stdout.splitlines()]


def main() -> None:
    orders = [int(text) for text in sys.argv[1:]] or [3, 8, 16, 32, 64, 128, 256, 512, 1024]
    sizes = [f"{m}:{max(4, STACK_BYTES // (8 * m * m) // 2 * 2)}" for m in orders]
    contenders = [("stackinv", 1), ("stackinv", 2), ("numpy", 2)]
    rounds = [[microseconds(*contender, sizes) for contender in contenders] for _ in range(ROUNDS)]
    print("   M  1 worker  2 workers     NumPy  2 over 1  2 over NumPy   (microseconds a matrix, medians of 5 runs)")
    for i, m in enumerate(orders):
        one, two, numpys = (statistics.median(run[k][i] for run in rounds) for k in range(3))
        print(f"{m:4d} {one:9.4g} {two:10.4g} {numpys:9.4g} {one / two:9.2f} {numpys / two:13.2f}", flush=True)


if __name__ == "__main__":
    main()
