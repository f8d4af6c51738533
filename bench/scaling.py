"""Ratios to NumPy's default and of two workers to one, by order, float64; each in a process of its own.

In the second half the result goes to memory that was there before (`out=`): new memory is dear for small matrices.

python bench/scaling.py [M ...]
"""

import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROUNDS = 3
STACK_BYTES = 64 << 20


def microseconds(name: str, threads: int, sizes: list[str], assume_a: str = "gen") -> list[float]:
    spec = find_spec("stackinv")
    assert spec is not None
    assert spec.origin is not None
    script = Path(spec.origin).with_name("_contender.py")
    command = [sys.executable, script, name, str(threads), assume_a, *sizes]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [json.loads(line)["microseconds"] for line in output.stdout.splitlines()]


def main() -> None:
    orders = [int(text) for text in sys.argv[1:]] or [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512]
    sizes = [f"{m}:{max(4, STACK_BYTES // (8 * m * m) // 2 * 2)}" for m in orders]
    contenders = [("numpy", 2), ("stackinv", 1), ("stackinv", 2), ("stackinv-out", 1), ("stackinv-out", 2)]
    rounds = [[microseconds(*contender, sizes) for contender in contenders] for _ in range(ROUNDS)]
    print(f"Microseconds a matrix, medians of {ROUNDS} runs; x: times as fast as NumPy; 2/1: two workers over one")
    print("   M     NumPy  1 worker      x  2 workers      x  2/1    out= 1      x    out= 2      x  2/1")
    for i, m in enumerate(orders):
        numpys, one, two, out_one, out_two = (statistics.median(run[k][i] for run in rounds) for k in range(5))
        cells = [f"{m:4d} {numpys:9.4g}"]
        for first, second in ((one, two), (out_one, out_two)):
            cells.append(
                f"{first:9.4g} {numpys / first:6.1f}  {second:9.4g} {numpys / second:6.1f} {first / second:4.2f}"
            )
        print(" ".join(cells), flush=True)


if __name__ == "__main__":
    main()
