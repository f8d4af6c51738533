"""The command line: what is written, printed and returned."""

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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
from stackinv import _cli, _compare, _contender, _files, _native, _npy, _output, _workers


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
    monkeypatch.setattr(_files, "_memory", lambda: 0)
    for piece, parts in ((1, 1), (300, 100), (1000, 5), (1 << 20, 1), (1 << 20, 7), (1 << 20, 1024)):
        monkeypatch.setattr(_npy, "_LEAST_ROW_BYTES", 0 if parts < 1024 else 4096)
        monkeypatch.setattr(_files, "_LEAST_SHARE_BYTES", piece)
        monkeypatch.setattr(_npy, "_MOST_PARTS", parts)
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


@pytest.fixture
def command(tmp_path, capsys):
    """Save arrays, run a command on them; exit status, what was printed, the result if there is one."""

    def call(name, *arrays, options=(), output="out.npy"):
        paths = []
        for letter, array in zip("ab", arrays, strict=False):
            np.save(tmp_path / f"{letter}.npy", array)
            paths.append(str(tmp_path / f"{letter}.npy"))
        try:
            status = _cli.main([name, *paths, "-o", str(tmp_path / output), *options])
        except SystemExit as exit_:
            status = exit_.code
        result = np.load(tmp_path / output) if (tmp_path / output).exists() else None
        assert not list(tmp_path.glob(".*")), "a temporary file was left"
        return status, capsys.readouterr(), result

    return call


@pytest.mark.parametrize("dtype", [*NATIVE, "i4", ">f8"])
def test_solve(command, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    cases = [
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((7, 4, 4), (4,)),
        ((7, 4, 4), (4, 5)),
        ((7, 4, 4), (7, 4, 1)),
        ((2, 3, 5, 5), (2, 3, 5, 2)),
        ((2, 3, 5, 5), (1, 3, 5, 2)),
        ((0, 3, 3), (3, 1)),
        ((2, 0, 0), (0, 3)),
    ]
    for bytes_ in (1 << 20, 1):
        monkeypatch.setattr(_files, "_PIECE_BYTES", {"C": bytes_, "F": bytes_})
        monkeypatch.setattr(_files, "_PLACE_BYTES", bytes_)
        for (a_shape, b_shape), a_order, b_order in itertools.product(cases, "CF", "CF"):
            a = well_conditioned(a_shape, dtype) if 0 not in a_shape else np.zeros(a_shape, dtype)
            b = rng.standard_normal(b_shape)
            given = np.asarray(a, order=a_order), np.asarray(b, order=b_order)
            status, printed, result = command("solve", *given)
            assert (status, printed.err) == (0, "")
            expected = np.linalg.solve(a, b)
            assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(result, expected, rtol=1e-5 if dtype in ("f4", "c8") else 1e-10, atol=1e-12)
            assert str(a_shape) in printed.out


def test_solve_what_is_singular_or_does_not_fit(command, tmp_path):
    a = well_conditioned((5, 6, 4, 4))
    a[3, 4] = a[4, 0] = 0
    for b in (np.ones(4), np.ones((5, 6, 4, 2)), np.asfortranarray(np.ones((6, 4, 1)))):
        status, printed, result = command("solve", a, b)
        assert (status, result) == (1, None)
        assert "Singular matrix (2 of 30 in the stack, first at index (3, 4))" in one_line(printed.err)
        status, printed, result = command("solve", a, b, options=["--on-singular", "nan"])
        assert status == 0
        np.testing.assert_array_equal(result, stackinv.solve(a, b, on_singular="nan"))
        assert "2, first at index (3, 4), filled with NaN" in printed.out
        (tmp_path / "out.npy").unlink()
    for b, text in (
        (np.ones(3), "mismatch in its core dimension 0"),
        (np.ones((7, 4, 1)), "could not be broadcast"),
        (np.ones((2, 5, 6, 4, 1)), "expected as many right-hand sides as"),
        (np.float64(1), "expected (M,) or (..., M, K)"),
        (np.ones(4, "f2"), "float16 is unsupported"),
    ):
        status, printed, result = command("solve", a, b)
        assert (status, result) == (2, None)
        assert text in one_line(printed.err)
        assert str(tmp_path / "b.npy") in printed.err
    a = well_conditioned((3, 4, 4))
    a[1] = np.diag([1, 1, 1, 1e-300])
    status, printed, _ = command("solve", a, np.full(4, 1e100))
    assert status == 0
    assert "1 with NaN or infinity, first at index (1,)" in printed.out


def test_slogdet(command, monkeypatch):
    for bytes_, dtype, order in itertools.product((1 << 20, 1), ("f8", "f4", "c16"), "CF"):
        monkeypatch.setattr(_files, "_PIECE_BYTES", {"C": bytes_, "F": bytes_})
        monkeypatch.setattr(_files, "_PLACE_BYTES", bytes_)
        for shape in ((3, 3), (7, 4, 4), (4, 3, 5, 5), (0, 3, 3), (2, 0, 0)):
            a = well_conditioned(shape, dtype) if 0 not in shape else np.zeros(shape, dtype)
            if shape == (4, 3, 5, 5):
                a[2, 1] = 0
            status, printed, result = command("slogdet", np.asarray(a, order=order), output="out.npz")
            assert (status, printed.err) == (0, "")
            expected = np.linalg.slogdet(a)
            for name in ("sign", "logabsdet"):
                values = getattr(expected, name)
                assert (result[name].shape, result[name].dtype) == (values.shape, values.dtype)
                np.testing.assert_allclose(result[name], values, rtol=1e-5 if dtype == "f4" else 1e-12, atol=1e-6)
            if shape == (4, 3, 5, 5):
                assert "1, first at index (2, 1)\n" in printed.out
    a = np.stack([np.eye(3)] * 5)
    a[3] *= -1
    status, printed, result = command("slogdet", a, options=["--assume-a", "pos"], output="other.npz")
    assert (status, result) == (1, None)
    assert "not positive definite (first at index (3,)); nothing was written" in one_line(printed.err)


def test_default_outputs_of_other_commands(tmp_path, capsys):
    np.save(tmp_path / "a.npy", 2 * np.eye(3))
    np.save(tmp_path / "b.npy", np.ones(3))
    assert _cli.main(["solve", str(tmp_path / "a.npy"), str(tmp_path / "b.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "b.solution.npy"), np.full(3, 0.5))
    assert _cli.main(["slogdet", str(tmp_path / "a.npy")]) == 0
    assert np.load(tmp_path / "a.slogdet.npz")["logabsdet"] == pytest.approx(3 * np.log(2))
    process = subprocess.run(
        [sys.executable, "-m", "stackinv", "solve", "-", str(tmp_path / "b.npy")],
        input=(tmp_path / "a.npy").read_bytes(),
        capture_output=True,
        check=True,
    )
    np.testing.assert_array_equal(np.load(io.BytesIO(process.stdout)), np.full(3, 0.5))
    assert b"- -> -" in process.stderr
    assert _cli.main(["solve", str(tmp_path / "a.npy"), "-"]) == 2
    assert "right-hand sides come from a file" in one_line(capsys.readouterr().err)


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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
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


def test_bad_environment_is_told_and_ignored(tmp_path):
    np.save(tmp_path / "a.npy", np.broadcast_to(np.eye(20), (3000, 20, 20)))
    for command in (["invert", str(tmp_path / "a.npy")], ["info"]):
        process = subprocess.run(
            [sys.executable, "-m", "stackinv", *command],
            env={**os.environ, "STACKINV_NUM_THREADS": "many"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0
        assert process.stderr.count("STACKINV_NUM_THREADS='many' is ignored") == 1


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


def start(folder):
    """An inversion of many seconds, once its temporary file is there; the process and the name of the file."""
    stack = np.lib.format.open_memmap(folder / "a.npy", mode="w+", dtype="f8", shape=(2, 4000, 4000))
    stack[:] = np.eye(4000)
    process = subprocess.Popen(
        [sys.executable, "-m", "stackinv", "invert", folder / "a.npy", "--workers", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (parts := list(folder.glob(".stackinv-*"))):
        time.sleep(0.01)
        assert process.poll() is None
    return process, parts[0]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interruption_leaves_nothing(tmp_path, number):
    process, part = start(tmp_path)
    assert part.stat().st_mode & 0o777 == 0o600
    process.send_signal(getattr(signal, number))
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in one_line(error)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path, capsys):
    for _ in range(2):
        process, part = start(tmp_path)
        process.kill()
        process.communicate()
        assert list(tmp_path.glob(".stackinv-*")) == [part]
    np.save(tmp_path / "b.npy", np.eye(3))
    assert _cli.main(["invert", str(tmp_path / "b.npy")]) == 0
    assert part.exists()
    np.save(tmp_path / "a.npy", np.eye(3))
    assert _cli.main(["invert", str(tmp_path / "a.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.inv.npy"), np.eye(3))
    assert not part.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="file locks are POSIX")
def test_two_runs_do_not_write_one_file(tmp_path, capsys):
    process, part = start(tmp_path)
    np.save(tmp_path / "b.npy", np.eye(3))
    assert _cli.main(["invert", str(tmp_path / "b.npy"), "-o", str(tmp_path / "a.inv.npy")]) == 1
    assert "another process is writing this file" in one_line(capsys.readouterr().err)
    assert part.exists()
    process.kill()
    process.communicate()


@pytest.mark.parametrize("renames", [True, False], ids=["as here", "as on Windows"])
def test_what_a_killed_run_left_is_removed(invert, tmp_path, monkeypatch, renames):
    monkeypatch.setattr(_output, "_RENAMES_OPEN_FILES", _output._RENAMES_OPEN_FILES and renames)
    left = tmp_path / f"{_output._prefix(tmp_path / 'out.npy')}1.part"
    left.write_bytes(b"half")
    for _ in range(2):  # a new file, and in place of one
        status, _, result = invert(2 * np.eye(2))
        assert status == 0
        np.testing.assert_array_equal(result, np.eye(2) / 2)
        assert not left.exists()
    unlink = Path.unlink

    def used(path):  # what Windows says of a file that another process has open
        if path == left:
            raise PermissionError(13, "used by another process", str(path))
        unlink(path)

    if not _output._RENAMES_OPEN_FILES:
        left.write_bytes(b"half")
        monkeypatch.setattr(Path, "unlink", used)
        status, printed = invert(np.eye(2), read=False)
        assert status == 1
        assert "out.npy: another process is writing this file" in one_line(printed.err)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
def test_what_others_planted_is_not_touched(invert, tmp_path, monkeypatch):
    """Links, pipes and files of others whose names are those of leftovers, and even the very name that comes next."""
    prefix = _output._prefix(tmp_path / "out.npy")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.mkfifo(tmp_path / f"{prefix}1.part")
    (tmp_path / f"{prefix}2.part").symlink_to(victim)
    os.link(victim, tmp_path / f"{prefix}3.part")
    assert invert(np.eye(2), read=False)[0] == 0
    assert victim.read_text() == "precious"
    assert len(list(tmp_path.glob(f"{prefix}?.part"))) == 3
    monkeypatch.setattr("secrets.token_hex", lambda n: "2")
    status, printed = invert(np.eye(2), read=False)
    assert status == 1
    assert "out.npy: File exists" in one_line(printed.err)
    assert victim.read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_mode_and_owner_are_those_of_what_is_replaced(invert, tmp_path):
    out = tmp_path / "out.npy"
    before = os.umask(0o027)
    try:
        assert invert(np.eye(2))[0] == 0
    finally:
        os.umask(before)
    assert out.stat().st_mode & 0o777 == 0o640
    if os.geteuid() == 0:
        os.chown(out, 65534, 65534)
    for mode in (0o600, 0o664):
        out.chmod(mode)
        owner = out.stat().st_uid, out.stat().st_gid
        assert invert(np.eye(2))[0] == 0
        assert out.stat().st_mode & 0o777 == mode
        assert (out.stat().st_uid, out.stat().st_gid) == owner


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_what_may_not_be_replaced_is_an_error_before_any_work(invert, tmp_path, monkeypatch):
    monkeypatch.setattr(stackinv, "inv_ex", lambda *_, **__: pytest.fail("inverted"))
    out = tmp_path / "out.npy"
    out.write_text("old")
    out.chmod(0o444)
    status, printed = invert(np.eye(2), read=False)
    assert status == 1
    assert "out.npy: is read-only" in one_line(printed.err)
    out.chmod(0o666)
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    status, printed = invert(np.eye(2), read=False)
    assert status == 1
    assert "out.npy: belongs to somebody else" in one_line(printed.err)
    assert out.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_names_of_outputs(tmp_path, capsys):
    names = {"cov_0.25": "cov_0.25.inv.npy", "cov_0.5": "cov_0.5.inv.npy", "a.b.npy": "a.b.inv.npy"}
    for name in names:
        np.save(tmp_path / "x.npy", np.eye(2))
        (tmp_path / "x.npy").rename(tmp_path / name)
        assert _cli.main(["invert", str(tmp_path / name)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {*names, *names.values()}
    long = tmp_path / ("x" * 251 + ".npy")
    assert _cli.main(["invert", str(tmp_path / "a.b.npy"), "-o", str(long)]) == 0
    assert np.load(long).shape == (2, 2)
    capsys.readouterr()
    assert _cli.main(["invert", str(long)]) == 1
    assert "File name too long" in one_line(capsys.readouterr().err)


def shell(folder, command):
    return subprocess.run(
        ["sh", "-c", command.replace("stackinv", f"{sys.executable} -m stackinv")],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")
def test_standard_streams(tmp_path):
    a = well_conditioned((7, 4, 4))
    np.save(tmp_path / "a.npy", a)
    for command in (
        "cat a.npy | stackinv invert - > out.npy",
        "stackinv invert - < a.npy > out.npy",
        "cat a.npy | stackinv invert - -o out.npy",
        "cat a.npy | stackinv invert /dev/stdin -o out.npy",
        "stackinv invert a.npy -o - > out.npy",
    ):
        process = shell(tmp_path, command)
        assert process.returncode == 0
        assert b"rcond" in (process.stdout if command.endswith("-o out.npy") else process.stderr)
        assert_inverses(np.load(tmp_path / "out.npy"), a)
        assert {path.name for path in tmp_path.iterdir()} == {"a.npy", "out.npy"}
    np.save(tmp_path / "zero.npy", np.zeros((2, 2)))
    process = shell(tmp_path, "stackinv invert - < zero.npy")
    assert (process.returncode, process.stdout) == (1, b"")
    for command, text in (
        ("echo hello | stackinv invert - -o b.npy", b"-: not a .npy file"),
        ("stackinv invert - -o b.npy <&-", b"-: "),
        ("stackinv invert a.npy -o - >&-", b"-: standard output is closed"),
        ("stackinv invert .", b".: Is a directory"),
    ):
        process = shell(tmp_path, command)
        assert process.returncode == 2
        assert text in process.stderr
        assert not (tmp_path / "b.npy").exists()
    process = shell(tmp_path, "cat a.npy | stackinv invert - -o no/such.npy")
    assert (process.returncode, process.stdout) == (1, b"")
    assert process.stderr.endswith(b"no/such.npy: No such file or directory\n")


@pytest.mark.parametrize("memory", [0, 1 << 30, 1 << 40])
def test_a_piece_of_a_fortran_ordered_file_takes_a_share_of_memory(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(_files, "_memory", lambda: memory)
    path = tmp_path / "a.npy"
    path.write_bytes(header((10**6, 100, 100)).replace(b"'fortran_order': False", b"'fortran_order': True "))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + 10**10 * 8)  # a hole
        piece = _files._piece(_npy.StackFile.open(file, "a.npy"), 8) * 80_000
    assert (64 << 20) - 80_000 <= piece <= max(64 << 20, memory // 8)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&- 2>&-"])
def test_closed_streams(closed, tmp_path):
    np.save(tmp_path / "a.npy", 2 * np.eye(3))
    assert shell(tmp_path, f"stackinv invert a.npy {closed}").returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.inv.npy"), np.eye(3) / 2)
    assert shell(tmp_path, f"stackinv invert none.npy {closed}").returncode == 2


def header(shape, version=(1, 0)):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape!r}, }}".ljust(800) + "\n"
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2 if version == (1, 0) else 4, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (header((True, 1, 1)), "shape (True, 1, 1), expected whole numbers"),
        (header((-1, 1, 1)), "expected whole numbers from 0 on"),
        (header((1,) * 65), "65 axes, expected at most 64"),
        (header((2**70, 0, 0)), "more numbers than there are addresses"),
        (header((2**40, 2**40, 2**40)), "more numbers than there are addresses"),
        (header((1, 1), (9, 9)), "version 9.9, expected 1.0, 2.0 or 3.0"),
        (header((5, 2, 2)), "8 bytes of numbers, expected 160 bytes"),
    ],
)
def test_headers_that_lie(invert, tmp_path, content, text):
    (tmp_path / "a.npy").write_bytes(content + bytes(8))
    status, printed, result = invert(None)
    assert status == 2
    assert result is None
    assert text in one_line(printed.err)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(1, 1), (1,) * 64])
def test_headers_at_the_edge(invert, tmp_path, version, shape):
    (tmp_path / "a.npy").write_bytes(header(shape, version) + np.array(4.0).tobytes())
    status, _, result = invert(None)
    assert status == 0
    assert result.shape == shape
    assert result.item() == 0.25


def test_useless_inverses_are_counted_and_are_the_worst(invert):
    a = np.stack([np.eye(2)] * 6)
    a[1], a[2], a[4], a[5] = np.nan, [[5e-324, 0], [0, 1]], 0, [[1e200, 0], [0, 1e-200]]
    status, printed, result = invert(a, "--on-singular", "nan")
    assert status == 0
    assert not np.isfinite(result[[1, 2, 4]]).all(axis=(1, 2)).any()
    lines = [" ".join(line.split()) for line in printed.out.splitlines()]
    assert "singular 1, first at index (4,), filled with NaN" in lines
    assert "useless 2 with NaN or infinity, first at index (1,)" in lines
    assert "rcond nan at worst, at index (1,)" in lines
    _, printed, _ = invert(a[[0, 5]])
    assert "useless  " not in printed.out
    assert "rcond     0 at worst, at index (1,)" in printed.out


def test_progress_is_in_whole_matrices(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)
    np.save(tmp_path / "a.npy", np.broadcast_to(np.eye(3), (70_000, 3, 3)))
    assert _cli.main(["invert", str(tmp_path / "a.npy")]) == 0
    assert "/70000 " in capsys.readouterr().err


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
    monkeypatch.setattr(_native, "vector_bits", lambda: 64)
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


def test_files_that_cannot_be_written_are_noticed_before_the_timing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_compare, "compare", lambda *_: pytest.fail("timed"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert _cli.main(["compare", "--json", str(tmp_path / "times.json")]) == 1
    assert "times.json: no file can be written there" in one_line(capsys.readouterr().err)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")
def test_a_contender_ends_with_the_command_that_started_it(tmp_path):
    (tmp_path / "child.py").write_text(
        "import os, threading, time\n"
        "from stackinv import _contender\n"
        "threading.Thread(target=_contender.end_with, args=(os.getppid(),), daemon=True).start()\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(100)\n"
    )
    (tmp_path / "parent.py").write_text("import subprocess, sys; subprocess.run([sys.executable, 'child.py'])")
    with subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as parent:
        parent.stdout.readline()
        parent.kill()
        assert parent.stdout.read() == ""  # its end: nobody has the pipe any more
    assert parent.returncode == -signal.SIGKILL


def test_a_timeout_of_ages(monkeypatch):
    times = {"stackinv": _compare.Contender("stackinv", "stackinv")}
    result = _compare.compare([(2, 9)], 1, 10**15, contenders=times)
    assert isinstance(result.times["stackinv"][0], float)


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
    result = _compare.compare([(2, 9), (3, 9), (4, 9), (5, 9)], 1, 3, contenders=contenders)
    assert result.times == {"stackinv": [2.0, "hung (3 s)", "failed (out of luck)", 5.0]}
    table = _compare.table(result)
    assert "M = 3: hung (3 s)" in table
    assert "M = 4: failed (out of luck)" in table


@pytest.mark.parametrize("structure", or_nightly(["gen", *STRUCTURES], ["pos", "lower triangular"]))
def test_contender_measures_what_it_says(structure):
    """Each is timed alone, in the order given, with a line a size."""
    script = _compare.__file__.replace("_compare", "_contender")
    for name in ("stackinv", "stackinv-out", "stackinv-native", "numpy", "scipy"):
        output = subprocess.run(
            [sys.executable, "-P", script, name, "1", "complex64", structure, "2:50", "5:20"],
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
