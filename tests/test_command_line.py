"""The command line: what is written, printed and returned."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import (
    NATIVE,
    STRUCTURES,
    assert_inverses,
    has_structure,
    hide_unread,
    or_nightly,
    structured,
    well_conditioned,
)

import stackinv
from stackinv import _cli, _compare, _contender, _core, _workers


@pytest.fixture
def invert(tmp_path, capsys):
    """Save a stack, run `stackinv invert` on it; exit status, what was printed, the result if there is one."""

    def call(a, *options, output="out.npy", read=True):
        path = tmp_path / "a.npy"
        if a is not None:
            np.save(path, a)
        try:
            status = _cli.main(["invert", str(path), "-o", str(tmp_path / output), *options])
        except SystemExit as exit_:
            status = exit_.code
        printed = capsys.readouterr()
        if not read:
            return status, printed
        result = np.load(tmp_path / output) if (tmp_path / output).exists() else None
        assert not list(tmp_path.glob(".*")), "a temporary file was left"
        return status, printed, result

    return call


def one_line(text):
    assert text.startswith("stackinv: error: ")
    assert text.count("\n") == 1
    return text


@pytest.mark.parametrize("dtype", [*NATIVE, "i4", ">f8"])
@pytest.mark.parametrize("shape", [(3, 3), (7, 4, 4), (2, 3, 5, 5), (0, 3, 3), (2, 0, 0)])
def test_invert(invert, shape, dtype):
    a = well_conditioned(shape, dtype) if 0 not in shape else np.zeros(shape, dtype)
    status, printed, result = invert(a)
    assert (status, printed.err) == (0, "")
    assert_inverses(result, a)
    assert str(shape) in printed.out


def test_fortran_order_and_pieces(invert, monkeypatch):
    a = np.asfortranarray(well_conditioned((5, 6, 4, 4)))
    a[3, 4] = 0
    a[1, 2] = np.diag([1, 1, 1, 1e-9])
    expected = np.linalg.inv(np.where(a == 0, np.eye(4), a))
    expected[3, 4] = np.nan
    for piece in (1, 300, 1000, 1 << 20):
        monkeypatch.setattr(_cli, "_PIECE_BYTES", {"F": piece})
        status, printed, result = invert(a, "--on-singular", "nan")
        assert status == 0
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)
        assert "1, first at index (3, 4), filled with NaN" in printed.out
        assert "1e-09 at worst, at index (1, 2)" in printed.out


def test_invert_with_dtype_and_workers(invert):
    a = well_conditioned((7, 4, 4))
    status, _, result = invert(a, "--dtype", "float32", "--workers", "-1")
    assert status == 0
    assert_inverses(result, a, np.linalg.inv(a).astype("f4"))


def test_default_output_is_beside_the_input(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.eye(3))
    assert _cli.main(["invert", str(tmp_path / "a.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.inv.npy"), np.eye(3))


def test_input_may_be_replaced_by_its_inverse(invert):
    a = well_conditioned((7, 4, 4))
    status, _, result = invert(a, output="a.npy")
    assert status == 0
    assert_inverses(result, a)


def test_singular_is_status_1_and_writes_nothing(invert):
    a = well_conditioned((5, 6, 4, 4))
    a[3, 4] = a[4, 0] = 0
    status, printed, result = invert(a)
    assert status == 1
    assert result is None
    assert "Singular matrix (2 of 30 in the stack, first at index (3, 4))" in one_line(printed.err)


def test_an_older_result_survives_a_failure(invert, tmp_path):
    np.save(tmp_path / "out.npy", np.arange(3))
    status, _, result = invert(np.zeros((2, 2)))
    assert status == 1
    assert result.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "No such file or directory"),
        (b"", "not a .npy file"),
        (b"hello world, this is no array", "not a .npy file"),
        (np.zeros((3, 4)), "shape (3, 4), expected (..., M, M)"),
        (np.zeros(4), "shape (4,), expected (..., M, M)"),
        (np.array([[None]]), "not a .npy file of numbers"),
        (np.array([["x"]]), "Cannot cast"),
        (np.eye(2, dtype=np.float16), "array type float16 is unsupported in linalg"),
    ],
)
def test_bad_input_is_status_2(invert, tmp_path, content, text):
    if isinstance(content, bytes):
        (tmp_path / "a.npy").write_bytes(content)
        content = None
    status, printed, result = invert(content)
    assert status == 2
    assert result is None
    assert text in one_line(printed.err)
    assert str(tmp_path / "a.npy") in printed.err


def test_output_must_be_a_file_and_links_are_followed(invert, tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for output in (".", "folder", "pipe"):
        status, printed = invert(np.eye(2), output=output, read=False)
        assert status == 2
        assert "not a regular file" in one_line(printed.err)
    (tmp_path / "goal.npy").write_bytes(b"")
    (tmp_path / "link.npy").symlink_to("goal.npy")
    assert invert(np.eye(2), output="link.npy")[0] == 0
    assert (tmp_path / "link.npy").is_symlink()
    np.testing.assert_array_equal(np.load(tmp_path / "goal.npy"), np.eye(2))


def test_bad_environment_is_status_2(tmp_path):
    np.save(tmp_path / "a.npy", np.broadcast_to(np.eye(20), (3000, 20, 20)))
    for command in (["invert", str(tmp_path / "a.npy")], ["info"], ["compare", "--m", "2"]):
        process = subprocess.run(
            [sys.executable, "-m", "stackinv", *command],
            env={**os.environ, "STACKINV_NUM_THREADS": "many"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 2
        assert "STACKINV_NUM_THREADS='many'" in one_line(process.stderr)


@pytest.mark.parametrize(
    ("name", "text"), [("a.nonsense", "ends in one of"), ("no/such.svg", "no file can be written")]
)
def test_a_picture_that_cannot_be_drawn_is_refused_before_the_timing(name, text, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_compare, "compare", lambda *_: pytest.fail("timed"))
    assert _cli.main(["compare", "--plot", str(tmp_path / name)]) == 1
    assert text in one_line(capsys.readouterr().err)


def test_truncated_archive_and_unwritable(invert, tmp_path, capsys):
    np.save(tmp_path / "whole.npy", np.zeros((9, 5, 5)))
    (tmp_path / "a.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:-100])
    assert invert(None)[0] == 2
    np.savez(tmp_path / "b.npz", np.eye(2))
    (tmp_path / "b.npz").rename(tmp_path / "a.npy")
    status, printed, _ = invert(None)
    assert status == 2
    assert "archive" in one_line(printed.err)
    np.save(tmp_path / "a.npy", np.eye(2))
    assert _cli.main(["invert", str(tmp_path / "a.npy"), "-o", str(tmp_path / "no" / "such.npy")]) == 1
    assert "No such file or directory" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["invert"], "STACK.npy"),
        (["invert", "a.npy", "--workers", "0"], "must not be zero"),
        (["invert", "a.npy", "--workers", "two"], "two"),
        (["invert", "a.npy", "--on-singular", "ignore"], "ignore"),
        (["compare", "--m", "3,x"], "'x' is not a positive integer"),
        (["compare", "--m", "0"], "'0' is not a positive integer"),
        (["compare", "--assume-a", "positive"], "--assume-a: invalid choice: 'positive'"),
        (["invert", "a.npy", "--assume-a", "positive"], "--assume-a: invalid choice: 'positive'"),
        (["compare", "--stack-bytes", "-1"], "--stack-bytes"),
        (["nonsense"], "nonsense"),
        ([], "COMMAND"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(arguments, text, capsys):
    with pytest.raises(SystemExit) as exit_:
        _cli.main(arguments)
    assert exit_.value.code == 2
    assert text in one_line(capsys.readouterr().err)


def test_bad_dtype_is_status_2(invert):
    for dtype in ("float16", "int64", "nonsense"):
        status, printed, _ = invert(np.eye(2), "--dtype", dtype)
        assert status == 2
        assert dtype in one_line(printed.err)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_nothing(tmp_path, number):
    path = tmp_path / "a.npy"
    stack = np.lib.format.open_memmap(path, mode="w+", dtype="f8", shape=(150, 500, 500))
    stack[:] = np.eye(500)
    process = subprocess.Popen(
        [sys.executable, "-m", "stackinv", "invert", path], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while not (tmp_path / ".a.inv.npy.part").exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in one_line(error)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_a_killed_run_left_is_taken_over(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.eye(3))
    (tmp_path / ".a.inv.npy.part").write_bytes(b"left over" * 1000)
    assert _cli.main(["invert", str(tmp_path / "a.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.inv.npy"), np.eye(3))
    assert not (tmp_path / ".a.inv.npy.part").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="file locks are POSIX")
def test_two_runs_do_not_write_one_file(tmp_path, capsys):
    import fcntl

    np.save(tmp_path / "a.npy", np.eye(3))
    with (tmp_path / ".a.inv.npy.part").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert _cli.main(["invert", str(tmp_path / "a.npy")]) == 1
    assert "another process is writing this file" in one_line(capsys.readouterr().err)
    assert (tmp_path / ".a.inv.npy.part").exists()


def test_a_full_disk_is_an_error_before_any_work(invert, monkeypatch):
    def full(descriptor, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    status, printed, result = invert(np.eye(3))
    assert status == 1
    assert result is None
    assert "No space left on device" in one_line(printed.err)


def test_info_and_version(capsys):
    assert _cli.main(["info"]) == 0
    printed = capsys.readouterr().out
    for word in ("stackinv: ", "NumPy: ", "SciPy: ", "BLAS:", "LAPACK:", "Workers:"):
        assert word in printed
    with pytest.raises(SystemExit):
        _cli.main(["--version"])
    assert capsys.readouterr().out == f"stackinv {stackinv.__version__}\n"


def test_show_config_says_if_there_are_no_vectors(monkeypatch):
    bits = {"AVX512": "512 bits", "AVX2": "256 bits"}
    simd = stackinv.show_config(mode="dicts")["SIMD"]
    assert simd["vectors"] == bits.get(simd["kernels"], simd["vectors"])
    monkeypatch.setattr(_core, "vector_bits", lambda: 64)
    simd = stackinv.show_config(mode="dicts")["SIMD"]
    assert simd["vectors"] == "none: built without vector extensions, which is slow"


def test_show_config_refuses_other_modes():
    with pytest.raises(ValueError, match="mode must be 'stdout' or 'dicts', not 'json'"):
        stackinv.show_config("json")


@pytest.mark.nightly
def test_compare(tmp_path, capsys):
    plot = tmp_path / "times.svg"
    options = ["--m", "2,30", "--stack-bytes", "20000", "--workers", "1", "--plot", str(plot)]
    options += ["--json", str(tmp_path / "times.json")]
    assert _cli.main(["compare", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"stackinv {stackinv.__version__}" in lines[2]
    assert f"NumPy {np.__version__}" in lines[2]
    assert [line.split()[:2] for line in lines[4:6]] == [["2", "625"], ["30", "2"]]
    assert all("x)" in line for line in lines[4:6])
    assert plot.read_text().lstrip().startswith("<?xml")
    written = json.loads((tmp_path / "times.json").read_text())
    assert (written["m"], written["length"], written["dtype"]) == ([2, 30], [625, 2], "float64")
    assert written["contenders"]["numpy"] == f"NumPy {np.__version__}"
    assert all(time > 0 for times in written["microseconds"].values() for time in times)
    assert written["machine"]["processor"]
    assert written["machine"]["cores"] == _workers.available_cpus()


def test_compare_reports_a_contender_that_hangs_or_dies(tmp_path):
    script = tmp_path / "_contender.py"
    script.write_text(
        "import sys, time, json\n"
        "for size in sys.argv[5:]:\n"
        "    m = int(size.split(':')[0])\n"
        "    if m == 3: time.sleep(1000)\n"
        "    if m == 4: sys.exit('out of luck')\n"
        "    print(json.dumps({'m': m, 'microseconds': m}), flush=True)\n"
    )
    contenders = {"stackinv": _compare.Contender("stackinv", "stackinv", script)}
    result = _compare.compare([(2, 9), (3, 9), (4, 9), (5, 9)], 1, 5, contenders=contenders)
    assert result.times == {"stackinv": [2.0, "hung (5 s)", "failed (out of luck)", 5.0]}
    table = _compare.table(result)
    assert "M = 3: hung (5 s)" in table
    assert "M = 4: failed (out of luck)" in table


@pytest.mark.parametrize("structure", or_nightly(["gen", *STRUCTURES], ["pos", "lower triangular"]))
def test_contender_measures_what_it_says(structure):
    """Each is timed alone, in the order given, with a line a size."""
    script = _compare.__file__.replace("_compare", "_contender")
    for name in ("stackinv", "stackinv-out", "stackinv-native", "numpy", "scipy"):
        output = subprocess.run(
            [sys.executable, script, name, "1", "complex64", structure, "2:50", "5:20"],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        lines = [json.loads(line) for line in output.splitlines()]
        assert [line["m"] for line in lines] == [2, 5]
        assert all(line["microseconds"] > 0 for line in lines)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_contenders_invert_what_they_are_said_to(structure, dtype):
    a = _contender.stack(100, 4, dtype, structure)
    assert a.dtype == dtype
    assert has_structure(a, structure)
    for name in ("stackinv", "numpy"):
        np.testing.assert_allclose(_contender.inverse(name, structure, a)(), np.linalg.inv(a), atol=1e-9)


@pytest.mark.nightly
def test_compare_by_structure_and_type(capsys):
    options = ["--workers", "1", "--assume-a", "pos", "--dtype", "complex64"]
    assert _cli.main(["compare", "--m", "3", "--stack-bytes", "2000", *options]) == 0
    output = capsys.readouterr().out
    assert "(complex64, assume_a='pos', 1 threads" in output
    assert ["3", "27"] in [line.split()[:2] for line in output.splitlines()]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_invert_by_structure(tmp_path, capsys, structure):
    a = structured((30, 4, 4), structure)
    np.save(tmp_path / "a.npy", hide_unread(a, structure))
    assert _cli.main(["invert", str(tmp_path / "a.npy"), "--assume-a", structure]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "a.inv.npy"), np.linalg.inv(a), atol=1e-12)
    capsys.readouterr()
    np.save(tmp_path / "a.npy", -np.ones((2, 3, 3)) * np.array([[[-1]], [[0]]]))
    expected = "Singular matrix" + (" or not positive definite" if structure == "pos" else "")
    assert _cli.main(["invert", str(tmp_path / "a.npy"), "--assume-a", structure]) == 1
    assert f"{expected} (" in capsys.readouterr().err
