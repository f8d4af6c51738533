"""scipy.linalg.inv and solve patched: SciPy's contract, calculated by stackinv."""

import inspect
import itertools
import pickle
import re
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy
import scipy.linalg
from conftest import NATIVE, STRUCTURES, adjoint, has_structure, hide_unread, run, structured, well_conditioned
from scipy.linalg import LinAlgError, LinAlgWarning
from scipy.linalg import inv as bound_before

import stackinv
from stackinv import _native, _scipy

OLD = tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 17)
pytestmark = pytest.mark.skipif(OLD, reason="SciPy before 1.17 calculates matrix by matrix, which is left alone")

SINGULAR = np.zeros((50, 3, 3))
EVERY = [*STRUCTURES, "gen"]


def patched():
    """Whose error it is, tells who calculates."""
    kinds = set()
    for function in (scipy.linalg.inv, bound_before):
        with pytest.raises(LinAlgError) as raised:
            function(SINGULAR)
        assert str(raised.value) == "A singular matrix detected: slice(s) [0] are singular."
        kinds.add(raised.type)
    (kind,) = kinds
    return kind is stackinv.SingularMatrixError


@pytest.fixture(autouse=True)
def _scipys_own_before_and_after():
    assert not patched()
    yield
    was = patched()
    stackinv.unpatch_scipy()
    assert not was
    assert not patched()


@pytest.fixture
def _small_ones_too(monkeypatch):
    """What takes SciPy less time is calculated by stackinv as well."""
    for name in _scipy.least:
        monkeypatch.setitem(_scipy.least, name, 0)


@pytest.fixture
def calls(monkeypatch):
    """How often stackinv calculates."""
    calls = []
    for name in ("inv", "solve"):
        function = getattr(_scipy, name)
        monkeypatch.setattr(
            _scipy,
            name,
            lambda *args, name=name, function=function, **how: calls.append(name) or function(*args, **how),
        )
    return calls


def both(function, *args, **keywords):
    """What SciPy returns or raises, warns of, and has made of its arguments; then the same while it is patched."""
    outcomes = []
    for patch in (False, True):
        copies = [np.array(x, copy=True, order="K") if isinstance(x, np.ndarray) else x for x in args]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if patch:
                with stackinv.patch_scipy():
                    outcomes.append((function(*copies, **keywords), copies, caught))
            else:
                outcomes.append((function(*copies, **keywords), copies, caught))
    return outcomes


def assert_close(actual, expected):
    assert type(actual) is type(expected)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    tolerance = 2e-4 if actual.dtype.char in "fF" else 1e-9
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.max(np.abs(expected), initial=0))


def test_statement_blocks_and_names():
    stackinv.patch_scipy()
    stackinv.patch_scipy()
    assert patched()
    with stackinv.patch_scipy(), stackinv.patch_scipy():
        assert patched()
    assert patched()
    stackinv.unpatch_scipy()
    assert not patched()
    stackinv.unpatch_scipy()
    with pytest.raises(KeyError), stackinv.patch_scipy():
        raise KeyError
    with stackinv.patch_scipy("solve"):
        assert not patched()
        assert [stackinv.is_patched(f"scipy.linalg.{name}") for name in ("inv", "solve")] == [False, True]
        with stackinv.patch_scipy("inv"):
            assert patched()
    with stackinv.patch_scipy():
        stackinv.unpatch_scipy()
        assert not patched()
    with pytest.raises(ValueError, match=r"^patch_scipy has 'inv', 'solve', not 'det'$"):
        stackinv.patch_scipy("det")
    with pytest.raises(
        ValueError, match=r"^is_patched has 'numpy.linalg.inv', .*'scipy.linalg.solve', not 'scipy.linalg.x'$"
    ):
        stackinv.is_patched("scipy.linalg.x")


def test_beside_the_patch_of_numpy():
    with stackinv.patch_scipy():
        assert not stackinv.is_patched("inv")
        with stackinv.patch_numpy():
            assert patched()
            assert stackinv.is_patched("numpy.linalg.inv")
            stackinv.unpatch_scipy()
            assert stackinv.is_patched("inv")
            assert not stackinv.is_patched("scipy.linalg.inv")
            stackinv.patch_scipy()
            stackinv.unpatch_numpy()
            assert not stackinv.is_patched("inv")
            assert patched()
            stackinv.unpatch_scipy()


def test_blocks_in_many_threads():
    barrier = threading.Barrier(8)
    a = well_conditioned((60, 4, 4))
    expected = np.linalg.inv(a)

    def work(k):
        barrier.wait()
        for _ in range(100):
            with stackinv.patch_scipy():
                np.testing.assert_allclose(scipy.linalg.inv(a), expected, rtol=1e-9, atol=1e-12)
                assert stackinv.is_patched("scipy.linalg.inv")
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_the_functions_are_still_scipys():
    for name in ("inv", "solve"):
        function = getattr(scipy.linalg, name)
        before = inspect.signature(function), function.__doc__, function.__module__, pickle.dumps(function)
        with stackinv.patch_scipy():
            assert getattr(scipy.linalg, name) is function
            assert before == (
                inspect.signature(function),
                function.__doc__,
                function.__module__,
                pickle.dumps(function),
            )
            with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'workers'"):
                function(np.eye(2), np.eye(2), workers=1)


def with_rubbish(a, structure, lower):
    """NaN in what SciPy does not read."""
    if structure == "gen":
        return a
    if structure in ("pos", "sym", "her") and not lower:
        return hide_unread(a.swapaxes(-1, -2), structure).swapaxes(-1, -2)
    return hide_unread(a, structure)


def example(shape, structure, dtype):
    return well_conditioned(shape, dtype) if structure == "gen" else structured(shape, structure, dtype)


@pytest.mark.usefixtures("_small_ones_too")
@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (40, 4, 4), (2, 3, 5, 5), (3, 30, 30)])
@pytest.mark.parametrize("structure", EVERY)
def test_inverses_of_every_structure(structure, shape, dtype, calls):
    a = example(shape, structure, dtype)
    (expected, _, _), (actual, _, _) = both(scipy.linalg.inv, a)
    assert_close(actual, expected)
    for lower in (True, False):
        with stackinv.patch_scipy():
            given = with_rubbish(a, structure, lower)
            named = scipy.linalg.inv(given, assume_a=structure, lower=lower, check_finite=False)
        assert_close(named, expected)
        assert structure == "gen" or has_structure(named, structure)
    assert calls == ["inv"] * 3


@pytest.mark.usefixtures("_small_ones_too")
@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("shape", [(3, 3), (40, 4, 4), (2, 3, 5, 5), (3, 30, 30)])
@pytest.mark.parametrize("structure", EVERY)
@pytest.mark.parametrize("transposed", [False, True])
def test_solutions_of_every_structure(structure, shape, dtype, transposed, calls):
    a = example(shape, structure, dtype)
    if transposed and a.dtype.kind == "c":
        with stackinv.patch_scipy(), pytest.raises(NotImplementedError, match="complex"):
            scipy.linalg.solve(a, a, transposed=True)
        return
    right_sides = [well_conditioned(shape, dtype)[..., :2], a[(0,) * (a.ndim - 2)][0], a[..., :1].real]
    for b in right_sides:
        (expected, _, _), (actual, _, _) = both(scipy.linalg.solve, a, b, transposed=transposed)
        assert_close(actual, expected)
        for lower in (True, False):
            with stackinv.patch_scipy():
                given = with_rubbish(a, structure, lower)
                how = {"assume_a": structure, "lower": lower, "transposed": transposed, "check_finite": False}
                assert_close(scipy.linalg.solve(given, b, **how), expected)
    assert calls == ["solve"] * 9


@pytest.mark.parametrize("name", ["inv", "solve"])
def test_long_names_and_others(name, calls):
    a = structured((60, 5, 5), "pos")
    arguments = (a,) if name == "inv" else (a, a[0])
    function = getattr(scipy.linalg, name)
    for assume_a in ("general", "positive definite", "symmetric", "hermitian", "tridiagonal", "banded", "x"):
        try:
            expected = function(*arguments, assume_a=assume_a)
        except (KeyError, ValueError) as error:
            expected = error
        calls.clear()
        with stackinv.patch_scipy():
            if isinstance(expected, Exception):
                with pytest.raises(type(expected)) as raised:
                    function(*arguments, assume_a=assume_a)
                assert str(raised.value) == str(expected)
            else:
                assert_close(function(*arguments, assume_a=assume_a), expected)
        assert len(calls) == (assume_a in ("general", "positive definite", "symmetric", "hermitian")) * (
            not isinstance(expected, Exception)
        )


@pytest.mark.parametrize("structure", EVERY)
@pytest.mark.parametrize("m", [7, 40])
def test_what_is_found_has_the_method_that_is_meant(structure, m):
    """To the last bit, and in single precision."""
    for dtype in NATIVE:
        a = example((320 // m, m, m), structure, dtype)
        if structure in ("pos", "her"):
            a = (a + adjoint(a)) / 2  # to the last bit
        with stackinv.patch_scipy():
            inverse = scipy.linalg.inv(a)
            solution = scipy.linalg.solve(a, a[0])
        np.testing.assert_array_equal(inverse, stackinv.inv(a, assume_a=structure, dtype=dtype))
        np.testing.assert_array_equal(solution, stackinv.solve(a, a[0], assume_a=structure, dtype=dtype))


def test_badly_scaled_matrices_are_as_accurate_as_scipys():
    """By elimination of a general matrix the small numbers of such an inverse would be lost."""
    scale = 10.0 ** -np.arange(0, 12)
    a = structured((30, 12, 12), "pos") * scale[:, None] * scale
    rows = structured((30, 12, 12), "lower triangular") * scale[::-1, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)
        for matrices in (a, rows, rows.swapaxes(1, 2)):
            (expected, _, _), (actual, _, _) = both(scipy.linalg.inv, matrices)
            np.testing.assert_allclose(actual, expected, rtol=1e-10)
            (expected, _, _), (actual, _, _) = both(scipy.linalg.solve, matrices, np.ones(12))
            np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_stacks_of_many_kinds(calls):
    """Each matrix as what it is, symmetric ones whether or not they are positive definite."""
    kinds = [structured((8, 5, 5), structure, "c16") for structure in STRUCTURES]
    a = np.stack([well_conditioned((8, 5, 5), "c16"), *kinds, -kinds[0], kinds[0].real])
    a = a.transpose(1, 0, 2, 3)
    for matrices in (a, a.real, a[:, ::-1].swapaxes(-1, -2)):
        for b in (np.arange(5.0), a[:, :, :, :2]):
            (expected, _, _), (actual, _, _) = both(scipy.linalg.solve, matrices, b)
            assert_close(actual, expected)
        (expected, _, _), (actual, _, _) = both(scipy.linalg.inv, matrices)
        assert_close(actual, expected)
    assert calls == ["solve", "solve", "inv"] * 3


def test_tridiagonal_matrices_are_left_to_scipy(calls):
    a = well_conditioned((60, 8, 8))
    a = np.triu(np.tril(a, 1), -1) + 9 * np.eye(8)
    with stackinv.patch_scipy():
        solution = scipy.linalg.solve(a, np.ones(8))
    assert calls == []
    np.testing.assert_allclose(a @ solution[..., None], 1, rtol=1e-12)


LAYOUTS = {
    "broadcast": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "reversed": lambda a: a[::-1, :, ::-1],
    "steps": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "across": lambda a: np.moveaxis(np.moveaxis(a, (-2, -1), (0, 1)).copy(), (0, 1), (-2, -1)),
    "read-only": lambda a: np.frombuffer(a.tobytes()).reshape(a.shape),
    "list": lambda a: a.tolist(),
    "float16": lambda a: a.astype("f2"),
    "longdouble": lambda a: a.astype("g"),
    "integers": lambda a: np.rint(8 * a).astype("i4"),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), "f8", offset=1).reshape(a.shape),
    "empty": lambda a: a[:0],
    "of order 0": lambda a: a[..., :0, :0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_types(layout):
    a = LAYOUTS[layout](well_conditioned((20, 5, 4, 4)))
    (expected, _, _), (actual, _, _) = both(scipy.linalg.inv, a)
    assert_close(actual, expected)
    assert actual.flags.c_contiguous
    b = np.ones(np.shape(a)[-1])
    for right in (b, np.ones((5, len(b), 3), "f4")):
        (expected, _, _), (actual, _, _) = both(scipy.linalg.solve, a, right)
        assert_close(actual, expected)


def test_another_byte_order():
    a = well_conditioned((50, 4, 4))
    with stackinv.patch_scipy():
        assert_close(scipy.linalg.inv(a.astype(">f8")), np.linalg.inv(a))
        assert_close(scipy.linalg.solve(a.astype(">f8"), np.ones(4, ">f8")), np.linalg.solve(a, np.ones(4)))


@pytest.mark.filterwarnings("ignore:Calling linalg:DeprecationWarning")  # of SciPy 1.18 for objects and texts
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones((50, 2, 3)), np.ones(2)),
        (np.ones(3), np.ones(3)),
        (np.full((50, 2, 2), np.nan), np.ones(2)),
        (well_conditioned((50, 2, 2)), np.full(2, np.inf)),
        (well_conditioned((50, 2, 2)), np.ones(3)),
        (well_conditioned((50, 2, 2)), np.ones((49, 2, 1))),
        (np.eye(2, dtype=object), np.ones(2)),
        (np.ma.masked_array(np.eye(2)), np.ones(2)),
        ([["a"]], [1]),
        (None, None),
    ],
)
def test_errors(a, b):
    for function, arguments in ((scipy.linalg.inv, (a,)), (scipy.linalg.solve, (a, b))):
        expected = raised(function, *arguments)
        with stackinv.patch_scipy():
            assert raised(function, *arguments) == expected
    assert expected


def raised(function, *arguments):
    try:
        function(*arguments)
    except (ValueError, TypeError) as error:
        return type(error), str(error)


def test_singular_matrices_are_named():
    a = well_conditioned((5, 20, 3, 3))
    a[2, 7] = a[3, 1] = 1
    functions = (scipy.linalg.inv, lambda a, **how: scipy.linalg.solve(a, np.ones(3), **how))
    for function, how in itertools.product(functions, ({}, {"assume_a": "gen"})):
        with stackinv.patch_scipy(), pytest.raises(stackinv.SingularMatrixError) as raised:
            function(a, **how)
        error = raised.value
        assert str(error) == "A singular matrix detected: slice(s) [47] are singular."
        assert error.__notes__ == ["2 of 100 in the stack, first at index (2, 7)"]
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.__notes__) == (str(error), error.__notes__)
        assert np.array_equal(again.indices, [[2, 3], [7, 1]])
    with stackinv.patch_scipy(), pytest.raises(stackinv.SingularMatrixError) as raised:
        scipy.linalg.inv(np.concatenate([structured((99, 3, 3), "pos"), -np.eye(3)[None]]), assume_a="pos")
    assert raised.value.minor == 1


@pytest.mark.parametrize("assume_a", [None, *EVERY])
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_warnings_name_the_ill_conditioned(assume_a, dtype):
    eps = np.finfo(dtype).eps
    a = np.stack([np.eye(4)] * 80) * np.array([1, 1, 1, 3])
    a[[5, 70], 3, 3] = eps / 8, eps / 4
    a[6, 3, 3] = 2 * eps
    a = a.astype(dtype)
    for function in (scipy.linalg.inv, lambda a, **how: scipy.linalg.solve(a, np.ones(4, dtype), **how)):
        with stackinv.patch_scipy(), pytest.warns(LinAlgWarning) as caught:
            function(a, assume_a=assume_a)
        (warning,) = caught
        assert warning.filename == __file__
        (text,) = warning.message.args
        assert text.startswith("An ill-conditioned matrix detected: slice 5 has rcond = ")
        slices = re.findall(r"slice (\d+) has rcond = ([\d.e-]+\d)", text)
        assert [int(number) for number, _ in slices] == [5, 70]
        assert [float(rcond) for _, rcond in slices] == pytest.approx([eps / 8, eps / 4], rel=1e-6)
        with stackinv.patch_scipy(), warnings.catch_warnings():
            warnings.simplefilter("error")
            function(a[6:70].repeat(2, axis=0), assume_a=assume_a)


def test_nan_without_the_check_is_warned_of():
    a = well_conditioned((100, 3, 3))
    a[4, 1, 1] = np.nan
    for function in (scipy.linalg.inv, lambda a, **how: scipy.linalg.solve(a, np.ones(3), **how)):
        with stackinv.patch_scipy(), pytest.warns(LinAlgWarning, match="slice 4 has rcond = nan"):
            result = function(a, check_finite=False)
        assert np.isnan(result[4]).any()
        assert np.isfinite(np.delete(result, 4, axis=0)).all()


@pytest.mark.usefixtures("_small_ones_too")
@pytest.mark.parametrize("structure", EVERY)
@pytest.mark.parametrize("shape", [(5, 5), (3, 5, 5)])
def test_only_what_may_be_is_overwritten(structure, shape):
    """And what SciPy overwrites is, in the same memory. SciPy 1.17 itself ends the process for some of these."""
    for dtype, order, overwrite in itertools.product(["f8", "c8", "i8"], "CF", [False, True]):
        a = np.asarray(example(shape, structure, "f8" if dtype == "i8" else dtype) * (64 if dtype == "i8" else 1))
        a = a.astype(dtype, order=order)
        for lower, assume_a in itertools.product((False, True), (None, structure)):
            given = a.copy(order="K")
            with stackinv.patch_scipy():
                inverse = scipy.linalg.inv(given, overwrite_a=overwrite, assume_a=assume_a, lower=lower)
            in_place = overwrite and dtype != "i8" and given.ndim == 2 and given.flags.f_contiguous
            assert np.shares_memory(inverse, given) == in_place
            assert in_place or np.array_equal(given, a)
            assert_close(np.array(inverse), np.linalg.inv(a))
            for columns in ((), (1,), (2,)):
                b = np.ones((5, *columns)).astype(dtype, order=order)
                given, right = a.copy(order="K"), b.copy(order="K")
                how = {"assume_a": assume_a, "lower": lower}
                with stackinv.patch_scipy():
                    solution = scipy.linalg.solve(given, right, overwrite_a=overwrite, overwrite_b=overwrite, **how)
                assert_close(np.array(solution), np.linalg.solve(a, b))
                assert overwrite or (np.array_equal(given, a) and np.array_equal(right, b))
                if overwrite and dtype != "i8" and a.ndim == 2 and b.flags.f_contiguous:
                    assert np.shares_memory(solution, right)


@pytest.mark.usefixtures("_small_ones_too")
def test_read_only_memory_is_left_alone_even_if_it_might_be_overwritten():
    a = np.asfortranarray(well_conditioned((4, 4)))
    given = np.frombuffer(a.tobytes("F")).reshape(4, 4, order="F")
    right = np.frombuffer(np.arange(4.0).tobytes())
    with stackinv.patch_scipy():
        inverse = scipy.linalg.inv(given, overwrite_a=True)
        solution = scipy.linalg.solve(given, right, overwrite_a=True, overwrite_b=True)
    assert np.array_equal(given, a)
    assert np.array_equal(right, np.arange(4))
    np.testing.assert_allclose(inverse @ a, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(a @ solution, right, atol=1e-12)


def test_what_takes_scipy_less_time_is_left_to_it(calls):
    few, many, large = np.eye(3), np.stack([np.eye(3)] * 100), np.stack([np.eye(300)] * 9)
    with stackinv.patch_scipy():
        scipy.linalg.inv(few)
        scipy.linalg.solve(few, few)
        scipy.linalg.solve(large, np.ones(300), assume_a="gen")
        assert calls == []
        scipy.linalg.inv(many)
        scipy.linalg.solve(many, few)
        scipy.linalg.inv(large[0])
    assert calls == ["inv", "solve", "inv"]


def test_conditions_of_more_inverses_than_the_buffer_holds(monkeypatch):
    monkeypatch.setattr(_scipy, "_BUFFER_BYTES", 7 * 4 * 4 * 8)
    a = well_conditioned((5, 20, 4, 4))
    a[3, 11] = np.diag([1, 1, 1, 1e-20])
    with stackinv.patch_scipy(), pytest.warns(LinAlgWarning, match="detected: slice 71 has rcond = 1e-20.$"):
        solution = scipy.linalg.solve(a, np.ones(4))
    np.testing.assert_allclose(a @ solution[..., None], 1, rtol=1e-9)


@pytest.mark.usefixtures("_small_ones_too")
def test_what_scipy_builds_on_them(calls):
    a = well_conditioned((5, 5)) / 10
    expected = scipy.linalg.tanm(a)
    with stackinv.patch_scipy():
        assert_close(scipy.linalg.tanm(a), expected)
    assert calls == ["solve"]


@pytest.mark.parametrize("other", ["lambda a: a", "len"])
def test_what_others_have_replaced_is_left_alone(other):
    code = f"""
import scipy.linalg
scipy.linalg.inv = {other}
import stackinv
try:
    stackinv.patch_scipy()
except RuntimeError as error:
    print(error)
print(stackinv.is_patched("scipy.linalg.solve"))
"""
    output = run(code)
    assert output.startswith("scipy.linalg.inv is <")
    assert output.endswith("and not SciPy's own, so that it cannot be replaced\nFalse\n")


@pytest.mark.skipif(_native.needs_lapack(), reason="without vectors SciPy's LAPACK is imported at once")
def test_scipy_is_imported_by_those_who_patch_it():
    code = "import sys, stackinv; print('scipy.linalg' in sys.modules); stackinv.unpatch_scipy(); "
    code += "print('scipy.linalg' in sys.modules); stackinv.patch_scipy(); print('scipy.linalg' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False", "True"]
