"""Any arguments: the right result or a clear error, and nothing that was not asked for is changed.

`pytest tests/test_fuzzing.py --hypothesis-profile=long` tries more of them.
"""

import numpy as np
from conftest import INTEGERS, NATIVE, STRUCTURES, assert_inverses, structured, well_conditioned
from hypothesis import given
from hypothesis import strategies as st

import stackinv

SWAPPED = [">f8", ">f4", ">c16", ">i4"]
UNSUPPORTED = ["f2", "g", "G", "O", "U3", "S2", "M8[s]", "m8[s]"]


def spread(draw, a):
    """The same numbers in a view with any steps and order of axes."""
    order = draw(st.permutations(range(a.ndim)))
    steps = [draw(st.sampled_from([1, 1, -1, 2, -2, 3])) for _ in range(a.ndim)]
    held = np.zeros([abs(step) * size for step, size in zip(steps, a.shape, strict=True)], a.dtype)
    held = np.ascontiguousarray(held.transpose(order)).transpose(np.argsort(order))
    view = held[tuple(slice(None, None, step) for step in steps)]
    view[...] = a
    return view


@st.composite
def strided_stacks(draw):
    """A view of any supported type into a well-conditioned stack."""
    stack = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    m = draw(st.integers(0, 11))
    dtype = draw(st.sampled_from([*NATIVE, *INTEGERS, *SWAPPED]))
    return spread(draw, well_conditioned((*stack, m, m), dtype, draw(st.integers(0, 99))))


@given(strided_stacks(), st.sampled_from([1, 2, 3, -1, None]))
def test_any_strided_stack(a, workers):
    before = a.copy()
    result = stackinv.inv(a, workers=workers)
    assert_inverses(result, before)
    out = np.empty_like(result)
    assert stackinv.inv(a, out=out, workers=workers) is out
    np.testing.assert_array_equal(out, result)
    np.testing.assert_array_equal(a, before)


@given(strided_stacks(), st.data())
def test_any_overlap_of_a_and_out(a, data):
    """Windows into one buffer, shifted against each other by any number of elements."""
    if a.dtype.char not in "dD" or not a.dtype.isnative:
        a = a.astype("c16" if a.dtype.kind == "c" else "f8")
    expected = np.linalg.inv(a)
    shift = data.draw(st.integers(0, a.size + 3))
    buffer = np.zeros(2 * a.size + 3, a.dtype)
    given_, out = buffer[: a.size].reshape(a.shape), buffer[shift : shift + a.size].reshape(a.shape)
    given_[...] = a
    stackinv.inv(given_, out=out)
    assert_inverses(out, a, expected)


@st.composite
def systems(draw):
    """Views of matrices and right-hand sides of any supported types, whose stacks may be broadcast."""
    stack = draw(st.lists(st.integers(0, 4), max_size=2))
    m, k, seed = draw(st.integers(0, 20)), draw(st.integers(0, 6)), draw(st.integers(0, 99))
    types = st.sampled_from([*NATIVE, *NATIVE, *INTEGERS, *SWAPPED])

    def part_of_stack():
        shape = [size if draw(st.booleans()) else 1 for size in stack]
        return tuple(shape[draw(st.integers(0, len(shape))) :])

    a = spread(draw, well_conditioned((*part_of_stack(), m, m), draw(types), seed))
    shape = (m,) if draw(st.integers(0, 4)) == 0 else (*part_of_stack(), m, k)
    b = np.random.default_rng(seed).integers(0, 9, shape).astype(draw(types))
    return a, spread(draw, b)


def assert_solutions(actual, expected):
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    tolerance = 1e-4 if actual.dtype.char in "fF" else 1e-9
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.max(np.abs(expected), initial=0))


@given(systems(), st.sampled_from([1, 2, None]), st.data())
def test_any_systems(system, workers, data):
    a, b = system
    before, expected = [a.copy(), b.copy()], np.linalg.solve(a, b)
    result = stackinv.solve(a, b, workers=workers)
    assert_solutions(result, expected)
    out = spread(data.draw, np.full(expected.shape, 7, expected.dtype))
    assert stackinv.solve(a, b, out=out, workers=workers) is out
    np.testing.assert_array_equal(out, result)
    for array, copy in zip((a, b), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@given(systems(), st.data())
def test_any_overlap_of_systems_and_out(system, data):
    """Windows into one buffer, shifted against each other by any number of elements."""
    expected = np.linalg.solve(*system)
    kind = "c16" if expected.dtype.kind == "c" else "f8"
    a, b = (array.astype(kind) for array in system)
    expected = np.linalg.solve(a, b)
    room = a.size + b.size + expected.size + 3
    shifts = [data.draw(st.integers(0, room - array.size)) for array in (a, b, expected)]
    buffer = np.zeros(room, kind)
    windows = [
        buffer[shift : shift + array.size].reshape(array.shape)
        for shift, array in zip(shifts, (a, b, expected), strict=True)
    ]
    windows[1][...] = b
    windows[0][...] = a
    right, out = windows[1].copy(), windows[2]
    if np.shares_memory(windows[0], windows[1]):  # they must both be what they are
        stackinv.solve(windows[0], right, out=out)
        assert_solutions(out, np.linalg.solve(a, right))
    else:
        stackinv.solve(windows[0], windows[1], out=out)
        assert_solutions(out, expected)


@st.composite
def stacks(draw):
    """An array or what may stand for one, mostly a good one; its structure, and whether NumPy would invert it well."""
    structure = draw(st.sampled_from(["gen", "gen", "gen", *STRUCTURES]))
    shape = list(draw(st.lists(st.integers(0, 5), max_size=3)))
    m = draw(st.one_of(st.integers(0, 20), st.integers(0, 70)))
    shape += [m, m]
    seed = draw(st.integers(0, 99))
    kind = draw(st.sampled_from(["good", "good", "good", "bits", "singular", "unsupported", "not square", "no matrix"]))
    if kind == "no matrix":
        return draw(st.sampled_from([np.float64(3), np.arange(3.0), None, 2, "x", [], [[1, 2], [3]]])), structure, False
    if kind == "unsupported":
        return np.zeros(shape, draw(st.sampled_from(UNSUPPORTED))), structure, False
    if kind == "not square":
        return np.zeros([*shape[:-1], shape[-1] + draw(st.sampled_from([1, 2, 5]))]), structure, False
    dtype = draw(st.sampled_from([*NATIVE, *NATIVE, *INTEGERS, *SWAPPED] if structure == "gen" else NATIVE))
    if kind == "bits":
        random = np.random.default_rng(seed).bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        a = np.frombuffer(bytearray(random), dtype).reshape(shape)
    else:
        a = well_conditioned(shape, dtype, seed) if structure == "gen" else structured(shape, structure, dtype, seed)
    if kind == "singular" and a.size:
        a[tuple(draw(st.integers(0, size - 1)) for size in a.shape[:-2])] = 0
    a = spread(draw, a)
    if draw(st.booleans()) and draw(st.booleans()):
        a.flags.writeable = False
    return a, structure, kind == "good" and structure == "gen"


BAD = {  # a value that is refused, and the error
    "dtype": [("i4", TypeError), ("f2", TypeError), ("O", TypeError), ("nonsense", TypeError)],
    "assume_a": [("banded", ValueError), (3, ValueError), (None, ValueError), ([], ValueError)],
    "on_singular": [("warn", ValueError), (None, ValueError), (True, ValueError)],
    "workers": [(0, ValueError), (-1000, ValueError), (1.5, TypeError), ("2", TypeError)],
    "callback": [(3, TypeError), ("print", TypeError)],
}


def outs(draw, a, dtype):
    """An `out` that can take the result."""
    kinds = {"f": ["f4", "f8", ">f8", "c8", "c16", "g"], "c": ["c8", "c16", ">c16", "G"]}
    kind = "c" if np.result_type(a.dtype, dtype or "f4").kind == "c" else "f"
    own = a.flags.writeable and a.dtype.kind == kind and a.dtype.char not in "gG"
    how = draw(st.sampled_from(["new", "new", "a", "turned", "mirrored"] if own else ["new"]))
    if how == "a":
        return a
    if how == "turned":
        return np.swapaxes(a, -1, -2)
    if how == "mirrored":
        return a[..., ::-1, :]
    return spread(draw, np.full(a.shape, 7, draw(st.sampled_from(kinds[kind]))))


@st.composite
def calls(draw):
    """A stack, whether NumPy inverts it well, keywords, and the errors that they may lead to before any work."""
    a, structure, well = draw(stacks())
    keywords, errors = {}, set()
    array = np.asarray(a) if not isinstance(a, list) or a == [] else None
    if array is None:
        errors.add(ValueError)  # NumPy's own, of a list that is no array
    elif array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        errors.add(np.linalg.LinAlgError)
    elif array.dtype.kind not in "?biufc":
        errors.add(TypeError)
    good = not errors
    if structure != "gen" or draw(st.booleans()):
        keywords["assume_a"] = structure
    if draw(st.booleans()):
        keywords["dtype"] = draw(st.sampled_from([None, *NATIVE, ">f8", np.float64, complex]))
        if good and keywords["dtype"] and array.dtype.kind == "c" and np.dtype(keywords["dtype"]).kind != "c":
            errors.add(TypeError)
    if good and array.dtype.char in "egG" and not keywords.get("dtype"):
        errors.add(TypeError)
    if draw(st.booleans()):
        keywords["workers"] = draw(st.sampled_from([None, 1, 2, 3, 64, 10**30, -1, np.int8(2), True]))
    if draw(st.booleans()):
        keywords["on_singular"] = draw(st.sampled_from(["raise", "nan"]))
    if draw(st.booleans()):
        keywords["callback"] = lambda done, total: None
    if good and draw(st.booleans()):
        keywords["out"] = outs(draw, array, keywords.get("dtype"))
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from([*BAD, "out"]))
        if name in BAD:
            keywords[name], error = draw(st.sampled_from(BAD[name]))
        else:
            keywords[name], error = draw(
                st.sampled_from([(np.empty((3, 2)), ValueError), ([], TypeError), (array, TypeError)])
            )
            if keywords[name] is array:  # of the wrong kind
                keywords[name] = np.empty(np.shape(a) if array is not None else (), "i8")
            if not good:
                errors.add(error)
        errors.add(error)
    return a, well, keywords, errors


@given(calls())
def test_any_call(call):
    a, well, keywords, errors = call
    array = np.asarray(a) if errors == set() or isinstance(a, np.ndarray) else None
    before = None if array is None else array.copy()
    out = keywords.get("out")
    out_before = out.tobytes() if isinstance(out, np.ndarray) else None
    result = error = None
    try:
        with np.errstate(all="raise"):
            result = stackinv.inv(a, **keywords)
    except Exception as exception:
        error = exception

    if errors:
        assert isinstance(error, tuple(errors)), repr(error)
        assert str(error)
        assert out_before is None or out.tobytes() == out_before
        return
    if error is not None:
        assert isinstance(error, stackinv.SingularMatrixError), repr(error)
        assert keywords.get("on_singular") != "nan"
        assert len(error.indices) == array.ndim - 2
        return
    assert result.shape == before.shape
    assert out is None or result is out
    if out is None or not np.shares_memory(out, array):
        assert array.tobytes() == before.tobytes()
    with np.errstate(all="ignore"):
        alone = stackinv.inv(before, **{**keywords, "out": np.empty(result.shape, result.dtype)})
        np.testing.assert_array_equal(np.asarray(result), alone)
        if well:
            wide = "c16" if result.dtype.kind == "c" else "f8"
            expected = np.linalg.inv(before.astype(wide))
            types = result.dtype, before.dtype, np.dtype(keywords.get("dtype"))
            tolerance = 1e-3 if any(dtype.char in "fF" for dtype in types) else 1e-8
            np.testing.assert_allclose(result.astype(wide), expected, rtol=tolerance, atol=tolerance)
