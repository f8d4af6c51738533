"""Our own engines: the kernels of every instruction set that runs here, against NumPy and among themselves."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import BUILDS, NATIVE, STRUCTURES, assert_inverses, or_nightly, structured, well_conditioned
from test_parity import VIEWS

import stackinv
from stackinv import _engines, _native, _workers

MOST_LANES = 16
# Around the sizes of vectors, panels, tiles and blocks of columns.
ORDERS = {
    "lanes": range(1, 71),
    "blocked": [*range(1, 36), *range(46, 51), *range(62, 67), 71, 72, 73, 95, 96, 97, *range(126, 131), 191, 192, 193],
}


@pytest.mark.parametrize("dtype", or_nightly(NATIVE, ["f8"]))
def test_every_order_and_length(dtype, engine):
    """Against NumPy; and the same bits wherever a matrix is, whoever its neighbours are and however full its tile."""
    for m in ORDERS[engine]:
        a = well_conditioned((2 * MOST_LANES + 1 if engine == "lanes" else 3, m, m), dtype)
        result = stackinv.inv(a, dtype=dtype)
        assert_inverses(result, a)
        for n in range(len(a)):
            np.testing.assert_array_equal(stackinv.inv(a[:n], dtype=dtype), result[:n])
        order = np.random.default_rng(m).permutation(len(a))
        np.testing.assert_array_equal(stackinv.inv(a[order], dtype=dtype), result[order])


@pytest.mark.parametrize("structure", or_nightly(["gen", *STRUCTURES], ["gen", "her", "lower triangular"]))
@pytest.mark.parametrize("dtype", or_nightly(NATIVE, ["f8", "c8"]))
def test_matrices_that_lie_across_each_other(structure, dtype, engine):
    """Matrix axes first in memory, in the input, the result, both, in place: the same bits as one after the other."""
    for m, n in ((5, 3), (5, 4), (6, 301), (9, 33), (20, 17), (66, 5), (66, 21), (130, 4)):
        a = structured((n, m, m), structure, dtype)
        if n > 4:
            a[n // 2] = 0
        across = np.empty((m, m, n), dtype).transpose(2, 0, 1)
        across[...] = a
        for calculation in {dtype, "f8" if dtype[0] == "f" else "c16"}:
            for workers in (1, 2):
                expected = stackinv.inv_ex(a, dtype=calculation, assume_a=structure, workers=workers)
                for given in (a, across):
                    for out in (None, np.empty_like(a), np.empty_like(across)):
                        result = stackinv.inv_ex(given, out=out, dtype=calculation, assume_a=structure, workers=workers)
                        wanted = expected.inverse if out is None else expected.inverse.astype(dtype)
                        np.testing.assert_array_equal(result.inverse, wanted)
                        np.testing.assert_array_equal(result.info, expected.info)
                        np.testing.assert_allclose(result.rcond, expected.rcond, rtol=8 * np.finfo(calculation).eps)
                if dtype in ("f4", "c8"):  # calculated in double precision, rounded, then made symmetric
                    wide = stackinv.inv(a, assume_a=structure, on_singular="nan", workers=workers)
                    np.testing.assert_array_equal(
                        stackinv.inv(across, assume_a=structure, on_singular="nan", workers=workers), wide
                    )
                inplace = across.copy(order="K")
                stackinv.inv_ex(inplace, out=inplace, dtype=calculation, assume_a=structure, workers=workers)
                np.testing.assert_array_equal(inplace, expected.inverse.astype(dtype))


@pytest.mark.parametrize("dtype", NATIVE)
def test_runs_of_matrices_that_lie_across_each_other(dtype, engine):
    """Matrix axes first, then two of the stack, the last one short with gaps: the same bits as one after the other."""
    for m, n, k in ((3, 40, 4), (5, 50, 2), (6, 90, 4), (9, 20, 3), (17, 10, 5), (70, 3, 2)):
        a = structured((n, k, m, m), "gen", dtype)
        a[n // 2, 1] = 0
        across, out = (np.full((m, m, n, 2 * k), 7, dtype)[..., :k].transpose(2, 3, 0, 1) for _ in range(2))
        across[...] = a
        for workers in (1, 2):
            expected = stackinv.inv_ex(a, dtype=dtype, workers=workers)
            for given in (a, across):
                for goal in (np.empty_like(a), out):
                    result = stackinv.inv_ex(given, out=goal, dtype=dtype, workers=workers)
                    np.testing.assert_array_equal(result.inverse, expected.inverse)
                    np.testing.assert_array_equal(result.info, expected.info)
                    np.testing.assert_allclose(result.rcond, expected.rcond, rtol=8 * np.finfo(dtype).eps)
        assert (out.base[..., k:] == 7).all(), "what lies between"


def test_workers_do_not_matter(engine):
    for m, n in ((2, 100_003), (5, 20_001), (17, 2_003), (40, 301)) if engine == "lanes" else ((5, 5003), (40, 301)):
        a = well_conditioned((n, m, m))
        one = stackinv.inv(a, workers=1)
        for workers in (2, 3):
            np.testing.assert_array_equal(stackinv.inv(a, workers=workers), one)


@pytest.mark.parametrize("dtype", NATIVE)
def test_threads_that_share_a_matrix(dtype, monkeypatch):
    """The last matrices of a stack are each inverted by all threads together, with the same result to the bit."""
    monkeypatch.setattr(_workers, "available_cpus", lambda: 7)
    sharing = _native.override_sharing(0)
    try:
        _engines.use_engine("blocked")
        for m in (1, 20, 65, 129, 300):
            a = well_conditioned((5, m, m), dtype)
            alone = stackinv.inv_ex(a, workers=1)
            a[1, :, m // 2] = 0  # singular
            a[2, m // 3, m // 4] = np.nan
            for n in (1, 2, 3, 5):
                for workers in (2, 3, 7):
                    result = stackinv.inv_ex(a[:n], workers=workers)
                    for i in {0, 3, 4} & set(range(n)):
                        np.testing.assert_array_equal(result.inverse[i], alone.inverse[i])
                        assert result.rcond[i] == alone.rcond[i]
                        assert result.info[i] == 0
                    if n > 1:
                        assert np.isnan(result.inverse[1]).all()
                        assert (result.info[1], result.rcond[1]) == (m // 2 + 1, 0)
                    if n > 2:
                        assert result.info[2] == 0
                        assert np.isnan(result.rcond[2])
    finally:
        _engines.use_engine(None)
        _native.override_sharing(sharing)


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "c8"])
@pytest.mark.parametrize("view", VIEWS)
def test_strides_of_input_and_output(view, dtype, engine):
    for m in (1, 2, 3, 5, 8, 9, 20, 33) if engine == "lanes" else (1, 7, 16, 33, 70):
        a = VIEWS[view](well_conditioned((4, 3, m, m), dtype))
        expected = stackinv.inv(a)
        assert_inverses(expected, a)
        out = VIEWS[view](np.zeros_like(a)) if "broadcast" not in view else np.zeros_like(a)
        if not out.flags.writeable:
            out = out.copy()
        np.testing.assert_array_equal(stackinv.inv(a, out=out), expected)
        if a.flags.writeable and "broadcast" not in view:
            np.testing.assert_array_equal(stackinv.inv(a, out=a), expected)


def test_either_precision_from_and_to_either(engine):
    for kind in ("fd", "FD"):
        for m in (1, 3, 4, 7, 12, 20, 70):
            wide = well_conditioned((21, m, m), kind[1])
            for given in kind:
                for calculation in kind:
                    for result in kind:
                        out = np.empty(wide.shape, result)
                        stackinv.inv(wide.astype(given), dtype=calculation, out=out)
                        single = "single" if kind[0] in (given, calculation, result) else "double"
                        tolerance = {"single": 1e-4, "double": 1e-12}[single]
                        np.testing.assert_allclose(out @ wide, np.broadcast_to(np.eye(m), wide.shape), atol=tolerance)


@pytest.mark.parametrize("dtype", NATIVE)
def test_info_nan_and_infinity_stay_in_their_matrix(dtype, engine):
    for m in (1, 2, 3, 4, 5, 8, 9, 13, 30, *((66, 131) if engine == "blocked" else ())):
        a = well_conditioned((40, m, m), dtype)
        good = stackinv.inv(a)
        special = a.copy()
        expected = np.zeros(40, int)
        for i in range(0, 40, 3):  # U[k - 1, k - 1] = 0
            k = 1 + i % m
            special[i] = np.triu(special[i]) + 9 * m * np.eye(m)
            special[i, k - 1 :, k - 1] = 0
            expected[i] = k
        special[1, 0, 0], special[4, -1, 0], special[7] = np.nan, np.inf, -np.inf
        special[10], special[10, 0, 0] = 0, np.nan
        inverse, info, rcond = stackinv.inv_ex(special)
        info_of_numbers = np.delete(info, [1, 4, 7, 10])
        np.testing.assert_array_equal(info_of_numbers, np.delete(expected, [1, 4, 7, 10]))
        assert not info[[1, 4, 7, 10]].any()  # what is no number is not singular, whatever becomes of it
        assert np.isnan(inverse[::3]).all()
        assert np.all(rcond[::3] == 0)
        others = [i for i in range(40) if i % 3 and i not in (1, 4, 7, 10)]
        np.testing.assert_array_equal(inverse[others], good[others])


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_rcond(dtype, engine):
    for m in (1, 2, 4, 8, 9, 20, 33, 67):
        a = well_conditioned((19, m, m), dtype)
        expected = 1 / np.linalg.cond(a.astype("c16"), 1)
        np.testing.assert_allclose(stackinv.inv_ex(a).rcond, expected, rtol=1e-10)
        np.testing.assert_allclose(stackinv.inv_ex(a, dtype=dtype).rcond, expected, rtol=2e-4)
        a[3, m - 1, 0] = np.nan
        assert np.isnan(stackinv.inv_ex(a).rcond[3])


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_pivots_whose_reciprocal_overflows(dtype, engine):
    """As LAPACK does, columns are divided by a tiny pivot where its reciprocal would be infinite."""
    info = np.finfo(dtype)
    tiny = float(info.smallest_subnormal) * 16
    for m in (2, 3, 8, 12):
        a = np.broadcast_to(np.eye(m), (5, m, m)).astype(dtype)
        a[:, 1, 0] = a[:, 0, 0] = tiny  # L[1, 0] = 1
        a[:, 0, 1] = 1
        a[:, 1, 1] = 2
        result = stackinv.inv(a, dtype=dtype)
        assert np.all(result[:, 1, 1] == 1)
        a[:, 0, 0] = a[:, 1, 0] = info.smallest_normal
        result = stackinv.inv(a, dtype=dtype)
        np.testing.assert_allclose(result[:, 0, 0] * float(info.smallest_normal), 2, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_results_that_go_past_the_caches(dtype):
    """Large ones, with a last tile that is not full, and singular matrices among them."""
    for m in (4, 7, 8):
        n = (34 << 20) // (m * m * np.dtype(dtype).itemsize) + 5
        a = np.broadcast_to(well_conditioned((1, m, m), dtype), (n, m, m)).copy()
        a[[0, 77, n - 1]] = 0
        result = stackinv.inv(a, on_singular="nan", workers=2)
        assert np.isnan(result[[0, 77, n - 1]]).all()
        good = np.delete(result, [0, 77, n - 1], axis=0)
        np.testing.assert_array_equal(good, np.broadcast_to(good[:1], good.shape))
        assert_inverses(good[:1], a[1:2])


def kernels_in_new_process(disabled):
    code = (
        "import numpy as np, stackinv; print(stackinv.show_config(mode='dicts')['SIMD']['kernels']);"
        "assert np.allclose(stackinv.inv(np.diag([2.0, 4.0])), np.diag([0.5, 0.25]))"
    )
    process = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "STACKINV_DISABLE_CPU_FEATURES": disabled},
    )
    return process.stdout.strip(), process.stderr


def test_features_can_be_disabled():
    for name in BUILDS:
        better = BUILDS[: BUILDS.index(name)]
        assert kernels_in_new_process(" ".join(better)) == (name, "")
        assert kernels_in_new_process(",".join(better)) == (name, "")
    assert kernels_in_new_process("") == (BUILDS[0], "")
    if "AVX2" in BUILDS:  # which implies all that build on it
        assert kernels_in_new_process("FMA3") == ("baseline", "")
    kernels, warning = kernels_in_new_process("AVX1024")
    assert kernels == BUILDS[0]
    assert "STACKINV_DISABLE_CPU_FEATURES: AVX1024 not known" in warning


def test_unknown_kernels_are_refused():
    with pytest.raises(ValueError, match=r"no kernels 'AVX1024' run here; there are .*baseline"):
        _engines.use_build("AVX1024")


def test_a_call_ends_with_the_kernels_that_it_began_with(engine):
    a = well_conditioned((40, 40))
    expected, seen = stackinv.inv(a), []
    others = [build for build in BUILDS if build != _native.build_used()]
    stack = np.broadcast_to(a, (10**7, 40, 40))
    out = np.broadcast_to(np.empty((40, 40)), stack.shape)
    out.flags.writeable = True

    def change(done, total):
        seen.append(out[0].copy())
        if others:
            _engines.use_build(others[0])
        if len(seen) == 3:
            raise KeyError

    with pytest.raises(KeyError):
        _engines.calculate(stack, _engines.Outputs(out), "d", "gen", False, 1, change)
    for result in seen:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
def test_without_info(any_engine, structure):
    a = structured((9, 20, 20), structure)
    a[::4] = 0
    info, out = np.zeros(9, np.intc), np.empty_like(a)
    without = np.empty_like(a)
    assert _engines.calculate(a, _engines.Outputs(out, info), "d", structure, False, 1, None) == 3
    assert _engines.calculate(a, _engines.Outputs(without), "d", structure, False, 1, None) == 3
    np.testing.assert_array_equal(without, out)
    assert np.flatnonzero(info).tolist() == [0, 4, 8]
