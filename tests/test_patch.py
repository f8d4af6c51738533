"""numpy.linalg.inv replaced, and given back exactly."""

import inspect
import multiprocessing
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from conftest import assert_inverses, run, well_conditioned
from numpy.linalg import inv as bound_before

import stackinv

SINGULAR = np.zeros((2, 3, 3))


def patched():
    """Whose error it is, tells whose function it is."""
    kinds = set()
    for function in (np.linalg.inv, bound_before):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix") as raised:
            function(SINGULAR)
        kinds.add(raised.type)
    (kind,) = kinds
    return kind is stackinv.SingularMatrixError


@pytest.fixture(autouse=True)
def _numpys_own_before_and_after():
    assert not patched()
    yield
    was = patched()
    stackinv.unpatch_numpy()
    assert not was
    assert not patched()


def test_statement():
    stackinv.patch_numpy()
    assert patched()
    stackinv.patch_numpy()
    assert patched()
    stackinv.unpatch_numpy()
    assert not patched()
    stackinv.unpatch_numpy()
    assert not patched()


def test_block():
    with stackinv.patch_numpy():
        assert patched()
        with stackinv.patch_numpy():
            assert patched()
        assert patched()
    assert not patched()
    with pytest.raises(KeyError), stackinv.patch_numpy():
        raise KeyError


def test_by_name():
    before = np.linalg.det, np.linalg.slogdet
    a = well_conditioned((3, 4, 4))
    every = ("inv", "solve", "det", "slogdet")
    for names in (("det",), ("slogdet", "inv"), ("solve",), ()):
        others = [name for name in every if names and name not in names]
        with stackinv.patch_numpy(*names):
            for name in names or every:
                assert stackinv.is_patched(name)
                function = getattr(np.linalg, name)
                arguments = (a, a) if name == "solve" else (a,)
                np.testing.assert_array_equal(function(*arguments), getattr(stackinv, name)(*arguments))
                with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'workers'"):
                    function(*arguments, workers=1)
            for name in others:
                assert not stackinv.is_patched(name)
            with stackinv.patch_numpy():
                assert all(map(stackinv.is_patched, every))
            assert not any(map(stackinv.is_patched, others))
        assert not any(map(stackinv.is_patched, every))
    assert before == (np.linalg.det, np.linalg.slogdet)
    with pytest.raises(ValueError, match=r"^patch_numpy has 'inv', 'solve', 'det', 'slogdet', not 'eig'$"):
        stackinv.patch_numpy("eig")
    with pytest.raises(ValueError, match=r"^is_patched has 'numpy.linalg.inv', .* 'scipy.linalg.solve', not 'eig'$"):
        stackinv.is_patched("eig")


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", ["det", "slogdet"])
def test_determinants_are_called(name, monkeypatch):
    calls = []
    function = getattr(stackinv, name)
    monkeypatch.setattr(stackinv, name, lambda a: calls.append(a) or function(a))
    for a in (A, A[0].tolist(), A.astype("f4"), np.matrix(A[0]), np.ma.masked_array(A[0]), np.zeros((0, 3, 3))):
        expected = getattr(np.linalg, name)(a)
        with stackinv.patch_numpy():
            actual = getattr(np.linalg, name)(a)
        assert type(actual) is type(expected)
        for mine, numpys in zip(np.atleast_1d(actual), np.atleast_1d(expected), strict=True):
            assert type(mine) is type(numpys)
            np.testing.assert_allclose(mine, numpys, rtol=1e-6)
    assert len(calls) == 6


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_solve_is_called(monkeypatch):
    calls = []
    function = stackinv.solve
    monkeypatch.setattr(stackinv, "solve", lambda a, b: calls.append(a) or function(a, b))
    vector = np.arange(float(A.shape[-1]))
    column = vector[:, None]
    cases = [
        (A, vector),
        (A, column),
        (A[0].tolist(), vector.tolist()),
        (A.astype("f4"), vector.astype("f4")),
        (np.matrix(A[0]), np.matrix(column)),
        (A[0], np.ma.masked_array(column)),
        (np.zeros((0, 3, 3)), column[:3]),
    ]
    for a, b in cases:
        expected = np.linalg.solve(a, b)
        with stackinv.patch_numpy():
            actual = np.linalg.solve(a, b=b) if a is A else np.linalg.solve(a, b)
        assert type(actual) is type(expected)
        assert actual.dtype == expected.dtype
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert len(calls) == len(cases)
    with stackinv.patch_numpy(), pytest.raises(stackinv.SingularMatrixError, match="Singular matrix"):
        np.linalg.solve(SINGULAR, np.ones(3))


def test_one_patch_in_several_blocks():
    patch = stackinv.patch_numpy()
    for _ in range(2):
        with patch:
            with patch:
                assert patched()
            assert patched()
        assert not patched()


def test_block_within_the_reach_of_a_statement():
    stackinv.patch_numpy()
    with stackinv.patch_numpy():
        pass
    assert patched()
    stackinv.unpatch_numpy()


def test_statement_within_a_block_goes_on_after_it():
    with stackinv.patch_numpy():
        stackinv.patch_numpy()
    assert patched()
    stackinv.unpatch_numpy()


def test_unpatched_at_once_whatever_blocks_are_open():
    with stackinv.patch_numpy():
        with stackinv.patch_numpy():
            stackinv.unpatch_numpy()
            assert not patched()
        assert not patched()
        with stackinv.patch_numpy():
            assert patched()
        assert not patched()


def test_blocks_in_many_threads():
    barrier = threading.Barrier(8)

    def work(k):
        barrier.wait()
        right = True
        for _ in range(300):
            with stackinv.patch_numpy():
                right &= patched()
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_the_function_is_still_numpys():
    before, signature, doc = np.linalg.inv, inspect.signature(np.linalg.inv), np.linalg.inv.__doc__
    pickled = pickle.dumps(np.linalg.inv)
    with stackinv.patch_numpy():
        assert np.linalg.inv is before
        assert np.linalg.inv.__doc__ == doc
        assert inspect.signature(np.linalg.inv) == signature
        assert (np.linalg.inv.__name__, np.linalg.inv.__module__) == ("inv", "numpy.linalg")
        assert pickle.dumps(np.linalg.inv) == pickled
        assert pickle.loads(pickled) is np.linalg.inv
        with pytest.raises(TypeError, match=r"inv\(\) got an unexpected keyword argument 'workers'"):
            np.linalg.inv(np.eye(2), workers=1)


A = well_conditioned((4, 6, 6))


@pytest.mark.parametrize(
    "a",
    [
        A,
        A[0].tolist(),
        A.astype("f4"),
        A.astype(">c16"),
        A.swapaxes(0, 2)[:, :4],
        np.arange(4).reshape(2, 2) + 1,
        np.zeros((0, 3, 3)),
        np.ma.masked_array(A[0]),
        np.zeros((3, 3), "f8").view(np.recarray) + np.eye(3),
    ],
)
def test_results_of_all_kinds(a):
    expected = np.linalg.inv(a)
    with stackinv.patch_numpy():
        actual = np.linalg.inv(a)
    assert_inverses(actual, a, expected)


@pytest.mark.parametrize(
    "a", [np.eye(3, dtype="f2"), np.eye(3, dtype=object), np.ones(3), np.ones((2, 3)), [["a"]], 3.0]
)
def test_errors_of_all_kinds(a):
    with pytest.raises((np.linalg.LinAlgError, TypeError)) as expected:
        np.linalg.inv(a)
    kind = np.linalg.LinAlgError if isinstance(expected.value, np.linalg.LinAlgError) else TypeError
    with stackinv.patch_numpy(), pytest.raises(kind) as actual:
        np.linalg.inv(a)
    assert str(actual.value) == str(expected.value)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_what_numpy_builds_on_it(monkeypatch):
    matrix = np.matrix(A[0])
    users = [
        lambda: np.linalg.tensorinv(A[0].reshape(2, 3, 6), 2),
        lambda: np.linalg.matrix_power(A, -3),
        lambda: matrix.I,
    ]
    inv = stackinv.inv
    for user in users:
        calls = []
        monkeypatch.setattr(stackinv, "inv", lambda a, calls=calls: calls.append(a) or inv(a))
        expected = user()
        with stackinv.patch_numpy():
            actual = user()
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)
        assert type(actual) is type(expected)
        assert len(calls) == 1


def test_other_libraries_arrays_are_asked_first():
    class Other:
        def __array_function__(self, function, types, args, kwargs):
            return function.__name__, types

    with stackinv.patch_numpy():
        assert np.linalg.inv(Other()) == ("inv", (Other,))


def in_child(_):
    return patched()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_child_processes(method):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context, initializer=stackinv.patch_numpy) as pool:
        assert list(pool.map(in_child, range(2))) == [True, True]
    if method == "fork":
        with stackinv.patch_numpy(), ProcessPoolExecutor(1, mp_context=context) as pool:
            assert list(pool.map(in_child, range(2))) == [True, True]


def test_what_it_returns_can_be_sent_back_from_another_process():
    with stackinv.patch_numpy() as nothing:
        assert nothing is None
    pickle.loads(pickle.dumps(stackinv.patch_numpy()))
    stackinv.unpatch_numpy()


@pytest.mark.parametrize("other", ["lambda a: a", "len"])
def test_what_others_have_replaced_is_left_alone(other):
    code = f"""
import numpy as np
np.linalg.inv = {other}
import stackinv
try:
    stackinv.patch_numpy()
except RuntimeError as error:
    print(error)
stackinv.unpatch_numpy()
"""
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert output.startswith("numpy.linalg.inv is <")
    assert output.endswith("and not NumPy's own, so that it cannot be replaced\n")


def test_two_first_callers_at_once():
    """The second has looked for NumPy's function already when the first one patches it."""
    code = """
import inspect, threading
import numpy as np, stackinv
find, function = inspect.unwrap, inspect.unwrap(np.linalg.inv)
code, inside, go = function.__code__, threading.Event(), threading.Event()
def unwrap(f):
    found = find(f)
    if threading.current_thread() is second:
        inside.set()
        go.wait()
    return found
inspect.unwrap = unwrap
second = threading.Thread(target=stackinv.patch_numpy)
second.start()
inside.wait()
stackinv.patch_numpy()
go.set()
second.join()
stackinv.unpatch_numpy()
print(function.__code__ is code)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"


def test_after_a_reload_the_function_that_is_there_now():
    code = """
import importlib
import numpy as np, stackinv
def kind(function):
    try:
        function(np.zeros((2, 2)))
    except ValueError as error:  # LinAlgError is another one, too
        return type(error).__name__
before = np.linalg.inv
with stackinv.patch_numpy():
    importlib.reload(np.linalg._linalg)
    importlib.reload(np.linalg)
    with stackinv.patch_numpy():
        print(kind(before), kind(np.linalg.inv))
    print(kind(before), kind(np.linalg.inv))
print(kind(before), kind(np.linalg.inv))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == [
        "SingularMatrixError",
        "SingularMatrixError",
        "SingularMatrixError",
        "SingularMatrixError",
        "LinAlgError",
        "LinAlgError",
    ]


def test_errors_after_a_reload_are_of_the_class_that_is_there_now():
    code = """
import importlib, pickle
import numpy as np, stackinv
importlib.reload(np.linalg._linalg)
importlib.reload(np.linalg)
with stackinv.patch_numpy():
    for inv in (np.linalg.inv, stackinv.inv):
        try:
            inv(np.zeros((2, 2)))
        except np.linalg.LinAlgError as error:
            again = pickle.loads(pickle.dumps(error))
            assert type(again) is type(error) and str(error) == "Singular matrix"
            print(type(error).__name__, isinstance(error, stackinv.SingularMatrixError))
"""
    assert run(code) == "SingularMatrixError True\n" * 2
