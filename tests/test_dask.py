"""dask arrays and xarray: lazy, chunk by chunk, the same results; on a cluster of processes too."""

import os
import pickle
import signal
import time

import numpy as np
import pytest
from conftest import NATIVE, STRUCTURES, run, structured, well_conditioned
from scipy.sparse import csr_array

import stackinv

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
xr = pytest.importorskip("xarray")
distributed = pytest.importorskip("distributed")

SHAPE = (10, 6, 4, 4)
CHUNKS = [(3, 6, 4, 4), (10, 6, 4, 4), (3, (1, 5), 4, 4), (3, 6, 2, 4), ((9, 1), 2, (1, 3), (3, 1)), (1, 1, 1, 1)]


@pytest.fixture(autouse=True)
def _computed_in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def never(block):
    raise AssertionError("computed")


def uncomputable(shape, chunks, dtype):
    return da.zeros(shape, chunks=chunks, dtype=dtype).map_blocks(never, dtype=dtype)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("dtype", [*NATIVE, "?", "i4", ">f8"])
def test_lazy_and_right(chunks, dtype):
    a = well_conditioned(SHAPE, dtype)
    x = da.from_array(a, chunks=chunks)
    expected = stackinv.inv_ex(a)

    inverse = stackinv.inv(x)
    assert isinstance(inverse, da.Array)
    assert inverse.chunks == (*x.chunks[:2], (4,), (4,))
    assert inverse.dtype == inverse._meta.dtype == expected.inverse.dtype
    assert type(inverse._meta) is np.ndarray
    da.utils.assert_eq(inverse, expected.inverse, check_graph=False)

    result = stackinv.inv_ex(x)
    assert isinstance(result, stackinv.InvExResult)
    for lazy, part in zip(result, expected, strict=True):
        assert lazy.chunks == (*x.chunks[:2], (4,), (4,))[: part.ndim]
        assert lazy.dtype == lazy._meta.dtype == part.dtype
        da.utils.assert_eq(lazy, part, check_graph=False)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("dtype", [*NATIVE, "i4", ">f8"])
def test_determinants(chunks, dtype):
    a = well_conditioned(SHAPE, dtype)
    x = da.from_array(a, chunks=chunks)
    for function in (stackinv.slogdet, stackinv.inv_slogdet, stackinv.det):
        lazies, parts = function(x), function(a)
        assert type(lazies) is type(parts) or function is stackinv.det
        for lazy, part in zip(*((lazies, parts) if isinstance(parts, tuple) else ([lazies], [parts])), strict=True):
            assert isinstance(lazy, da.Array)
            assert lazy.chunks == (*x.chunks[:2], (4,), (4,))[: part.ndim]
            assert lazy.dtype == lazy._meta.dtype == part.dtype
            da.utils.assert_eq(lazy, part, check_graph=False)
    single = stackinv.slogdet(da.from_array(a[0, 0], chunks=(2, 4)))
    da.utils.assert_eq(single.logabsdet, stackinv.slogdet(a[0, 0]).logabsdet, check_graph=False)
    first = stackinv.det(da.moveaxis(x, 0, -1), axes=[(1, 2)])
    da.utils.assert_eq(first, stackinv.det(a).T, check_graph=False)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("dtype", [*NATIVE, "i4", ">f8"])
def test_solve(chunks, dtype):
    a = well_conditioned(SHAPE, dtype)
    x = da.from_array(a, chunks=chunks)
    rng = np.random.default_rng(0)
    rights = [
        rng.standard_normal(shape) for shape in ((4,), (4, 5), (SHAPE[1], 4, 3), (*SHAPE[:2], 4, 1), (1, 1, 4, 2))
    ]
    for b in rights:
        expected = stackinv.solve(a, b)
        y = da.from_array(b, chunks=b.shape if b.ndim == 1 else (*(2,) * (b.ndim - 2), 2, 2))
        for given, right in ((x, y), (x, b), (a, y)):
            lazy = stackinv.solve(given, right)
            assert isinstance(lazy, da.Array)
            assert lazy.dtype == lazy._meta.dtype == expected.dtype
            assert lazy.chunks[-1] == ((4,) if b.ndim == 1 else lazy.chunks[-1])
            da.utils.assert_eq(lazy, expected, check_graph=False, rtol=1e-5 if dtype in ("f4", "c8") else 1e-10)
    for stacks in ((a[0, 0], rights[3]), (a, rights[4]), (a[:, :1], rights[2])):
        lazies = [da.from_array(z, chunks=(*(2,) * (z.ndim - 2), 3, 3)) for z in stacks]
        da.utils.assert_eq(stackinv.solve(*lazies), stackinv.solve(*stacks), check_graph=False, rtol=1e-5)
    first = stackinv.solve(da.moveaxis(x, (-2, -1), (0, 1)), rights[3], axes=[(0, 1), (-2, -1), (0, 1)])
    expected = np.moveaxis(stackinv.solve(a, rights[3]), (-2, -1), (0, 1))
    da.utils.assert_eq(first, expected, check_graph=False, rtol=1e-5)
    vectors = stackinv.solve(x, rights[3][..., 0], axes=[(-2, -1), (-1,), (-1,)])
    da.utils.assert_eq(vectors, stackinv.solve(a, rights[3])[..., 0], check_graph=False, rtol=1e-5)


def test_solve_names_what_is_singular_in_the_whole_stack():
    a = well_conditioned(SHAPE)
    a[7, 2], a[8, 1] = 0, 0
    for given, right in (
        (da.from_array(a, chunks=(3, 6, 4, 4)), np.ones(4)),
        (a, da.ones((*SHAPE[:2], 4, 2), chunks=3)),
    ):
        with pytest.raises(stackinv.SingularMatrixError) as raised:
            stackinv.solve(given, right).compute()
        assert raised.value.__notes__[0].endswith("in the chunk, first at index (7, 2)")
        assert np.isnan(stackinv.solve(given, right, on_singular="nan").compute()[7, 2]).all()


def test_solve_says_what_is_wrong_when_the_graph_is_built():
    x = da.zeros(SHAPE)
    for a, b, keywords, error, text in (
        (x, np.ones(3), {}, ValueError, "solve1: Input operand 1 has a mismatch in its core dimension 0"),
        (x, da.ones((7, 4, 1)), {}, ValueError, "could not be broadcast"),
        (x[..., :3], np.ones(4), {}, np.linalg.LinAlgError, "square"),
        (x, np.ones(4, "f2"), {}, TypeError, "float16 is unsupported"),
        (x, da.ones(4), {"out": np.zeros(SHAPE[:3])}, TypeError, "out must be a dask array"),
        (x, da.ones(4), {"out": x}, ValueError, r"out has shape .*, expected \(10, 6, 4\)"),
        (np.eye(4), x[x[:, 0, 0, 0] > 0], {}, ValueError, "b has chunks of unknown size"),
        (x, da.ones(4), {"workers": 0}, ValueError, "workers must not be zero"),
    ):
        with pytest.raises(error, match=text):
            stackinv.solve(a, b, **keywords)
    out = da.zeros(SHAPE[:3])
    a = well_conditioned(SHAPE)
    assert stackinv.solve(da.from_array(a, chunks=(3, 6, 2, 2)), np.ones(4), out=out) is out
    da.utils.assert_eq(out, stackinv.solve(a, np.ones(4)), check_graph=False)


def test_what_is_not_positive_definite_is_named_in_the_whole_stack():
    a = structured((10, 3, 3), "pos")
    a[7] = -np.eye(3)
    x = da.from_array(a, chunks=(4, 3, 3))
    for lazy in (stackinv.det(x, assume_a="pos"), *stackinv.inv_slogdet(x, assume_a="pos")):
        with pytest.raises(stackinv.SingularMatrixError) as error:
            lazy.compute()
        assert error.value.indices[0].tolist() == [7]
    inverse, sign, logabsdet = dask.compute(*stackinv.inv_slogdet(x, assume_a="pos", on_singular="nan"))
    assert np.isnan(inverse[7]).all()
    assert (sign[7], logabsdet[7]) == (0, -np.inf)


@pytest.mark.parametrize("function", [stackinv.inv, stackinv.inv_ex, stackinv.det])
def test_nothing_is_computed_until_it_is_asked_for(function):
    lazy = function(uncomputable(SHAPE, (3, 6, 2, 2), "f8"))
    lazy = lazy.rcond if function is stackinv.inv_ex else lazy
    with pytest.raises(AssertionError, match="computed"):
        lazy.compute()


def test_one_matrix_and_empty_stacks():
    a = well_conditioned((4, 4))
    np.testing.assert_array_equal(stackinv.inv(da.from_array(a, chunks=3)).compute(), stackinv.inv(a))
    for actual, expected in zip(dask.compute(*stackinv.inv_ex(da.from_array(a))), stackinv.inv_ex(a), strict=True):
        np.testing.assert_array_equal(actual, expected)
    for shape in ((0, 3, 3), (2, 0, 0), (0, 0)):
        for lazy, expected in zip(stackinv.inv_ex(da.zeros(shape)), stackinv.inv_ex(np.zeros(shape)), strict=True):
            assert lazy.compute().shape == expected.shape


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures(structure):
    a = structured((20, 5, 5), structure)
    x = da.from_array(a, chunks=(7, 5, 5))
    np.testing.assert_array_equal(
        stackinv.inv(x, assume_a=structure).compute(), stackinv.inv(a, assume_a=structure, workers=1)
    )
    np.testing.assert_array_equal(
        stackinv.inv_ex(x, assume_a=structure).rcond.compute(), stackinv.inv_ex(a, assume_a=structure).rcond
    )


def test_dtype():
    a = well_conditioned((20, 5, 5), "f4")
    x = da.from_array(a, chunks=(7, 5, 5))
    for dtype in NATIVE:
        inverse = stackinv.inv(x, dtype=dtype)
        assert inverse.dtype == dtype
        np.testing.assert_array_equal(inverse.compute(), stackinv.inv(a, dtype=dtype))


@pytest.mark.parametrize("function", [stackinv.inv, stackinv.inv_ex])
def test_out_becomes_the_result(function):
    a = well_conditioned((20, 5, 5))
    x, out = da.from_array(a, chunks=(7, 5, 5)), da.zeros((20, 5, 5), chunks=5, dtype="f4")
    result = function(x, out=out)
    assert (result if function is stackinv.inv else result.inverse) is out
    assert out.dtype == "f4"
    np.testing.assert_array_equal(out.compute(), stackinv.inv(a).astype("f4"))
    function(x, out=x)
    np.testing.assert_array_equal(x.compute(), stackinv.inv(a))


def test_workers_one_in_each_thread_of_dask_unless_told_otherwise(monkeypatch):
    seen = []
    inv = stackinv.inv

    def spy(a, **keywords):
        seen.append(keywords["workers"])
        return inv(a, **keywords)

    x = da.from_array(well_conditioned((20, 5, 5)), chunks=(10, 5, 5))
    lazy = [stackinv.inv(x), stackinv.inv(x, workers=2), stackinv.inv(x, workers=-1)]
    stackinv.inv(x, workers=-1000)  # there may be as many cores where it is calculated
    monkeypatch.setattr(stackinv, "inv", spy)
    dask.compute(*lazy)
    assert sorted(seen) == [-1, -1, 1, 1, 2, 2]


def test_callback_is_called_for_each_chunk():
    calls = []
    x = da.from_array(well_conditioned((20, 5, 5)), chunks=(8, 5, 5))
    stackinv.inv(x, callback=lambda done, total: calls.append((done, total))).compute()
    assert sorted(calls) == [(4, 4), (8, 8), (8, 8)]
    calls.clear()
    dask.compute(*stackinv.inv_ex(x, callback=lambda done, total: calls.append((done, total))))
    assert sorted(calls) == [(4, 4), (8, 8), (8, 8)], "the three results share the work"


def test_singular_matrices_are_named_in_the_whole_stack():
    a = well_conditioned(SHAPE)
    a[7, 2], a[8, 1] = 0, 0
    for chunks in ((3, 6, 4, 4), (3, 6, 2, 2)):
        x = da.from_array(a, chunks=chunks)
        with pytest.raises(stackinv.SingularMatrixError) as raised:
            stackinv.inv(x).compute()
        for error in (raised.value, pickle.loads(pickle.dumps(raised.value))):
            assert (type(error), str(error)) == (stackinv.SingularMatrixError, "Singular matrix")
            assert error.__notes__ == ["2 of 18 in the chunk, first at index (7, 2)"]
            np.testing.assert_array_equal(error.indices, ([7, 8], [2, 1]))
    covariances = structured(SHAPE, "pos")
    covariances[7, 2, 1, 1] = -1
    with pytest.raises(
        stackinv.SingularMatrixError, match=r"\n1 of 1 in the chunk, first at index \(7, 2\): .* order 2"
    ):
        stackinv.inv(da.from_array(covariances, chunks=(1, 1, 4, 4)), assume_a="pos").compute()
    with pytest.raises(stackinv.SingularMatrixError, match=r"^Singular matrix$"):
        stackinv.inv(da.zeros((3, 3))).compute()
    np.testing.assert_array_equal(stackinv.inv(x, on_singular="nan").compute(), stackinv.inv(a, on_singular="nan"))
    assert np.flatnonzero(stackinv.inv_ex(x).info.compute()).tolist() == [44, 49]


X = da.zeros(SHAPE)


@pytest.mark.parametrize(
    ("a", "keywords", "error", "text"),
    [
        (X[:, :, :, :3], {}, np.linalg.LinAlgError, "Last 2 dimensions of the array must be square"),
        (X[0, 0, 0], {}, np.linalg.LinAlgError, "1-dimensional array given. Array must be at least two-dimensional"),
        (X.astype("f2"), {}, TypeError, "array type float16 is unsupported in linalg"),
        (X.astype("g"), {}, TypeError, "array type .* is unsupported in linalg"),
        (X.astype(object), {}, TypeError, r"Cannot cast ufunc 'inv' input from dtype\('O'\) to dtype\('float64'\)"),
        (X.astype("M8[s]"), {}, TypeError, "Cannot cast ufunc 'inv' input"),
        (
            X[X[:, 0, 0, 0] > 0],
            {},
            ValueError,
            r"chunks of unknown size: shape \(nan, 6, 4, 4\), .*compute_chunk_sizes",
        ),
        (X.astype("c16"), {"dtype": "f8"}, TypeError, "Cannot cast ufunc 'inv' input"),
        (X, {"dtype": "i4"}, TypeError, "dtype must be float32, float64, complex64 or complex128, not int32"),
        (X, {"assume_a": "pso"}, ValueError, "assume_a must be one of"),
        (X, {"workers": 0}, ValueError, "workers must not be zero"),
        (X, {"workers": 1.5}, TypeError, "workers must be an integer"),
        (X, {"callback": 1}, TypeError, "callback must be callable, not int"),
        (X, {"out": np.zeros(SHAPE)}, TypeError, "out must be a dask array, as a is, not ndarray"),
        (X, {"out": da.zeros((3, 3))}, ValueError, r"out has shape \(3, 3\), expected \(10, 6, 4, 4\)"),
        (X, {"out": X.astype(int)}, TypeError, "Cannot cast ufunc 'inv' output"),
        (dask.delayed(np.eye)(3), {}, TypeError, "a is a lazy dask Delayed.*, expected an array of NumPy or dask"),
        (xr.DataArray(X), {}, TypeError, "a is a lazy xarray DataArray, .*apply_ufunc"),
        (da.zeros((3, 3)).map_blocks(csr_array, meta=csr_array((0, 0))), {}, TypeError, "chunks of a are .* csr_array"),
    ],
)
@pytest.mark.parametrize("function", [stackinv.inv, stackinv.inv_ex])
def test_what_is_wrong_is_said_when_the_graph_is_built(function, a, keywords, error, text):
    with pytest.raises(error, match=text):
        function(a, **keywords)


def test_on_singular_is_checked_when_the_graph_is_built():
    with pytest.raises(ValueError, match="on_singular must be"):
        stackinv.inv(X, on_singular="ignore")


def test_graphs_can_be_pickled_and_named():
    x = da.from_array(well_conditioned(SHAPE), chunks=CHUNKS[3])
    for build in (lambda **kw: stackinv.inv(x, **kw), lambda **kw: stackinv.inv_ex(x, **kw).rcond):
        lazy = build()
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).compute(), lazy.compute())
        assert build().name == lazy.name
        assert build(assume_a="sym").name != lazy.name


LABELLED = xr.DataArray(
    well_conditioned((6, 5, 3, 3)),
    dims=("time", "site", "row", "column"),
    coords={"time": np.arange(6), "row": list("xyz"), "column": list("uvw")},
)


@pytest.mark.parametrize("mode", ["forbidden", "allowed", "parallelized"])
def test_xarray(mode):
    a = LABELLED if mode == "forbidden" else LABELLED.chunk({"time": 4})
    inverse = xr.apply_ufunc(
        stackinv.inv,
        a,
        input_core_dims=[["row", "column"]],
        output_core_dims=[["column", "row"]],
        dask=mode,
        output_dtypes=[a.dtype],
        kwargs={"workers": 1},
    )
    assert inverse.dims == ("time", "site", "column", "row")
    assert inverse.chunks == (None if mode == "forbidden" else ((4, 2), (5,), (3,), (3,)))
    np.testing.assert_array_equal(inverse.coords["column"], list("uvw"))
    product = xr.dot(inverse, a.rename(column="again"), dim="row").compute()
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), (6, 5, 3, 3)), atol=1e-12)


@pytest.mark.parametrize("mode", ["allowed", "parallelized"])
def test_xarray_with_split_matrices_and_several_outputs(mode):
    a = LABELLED.chunk({"time": 4, "row": 2})
    inverse, info, rcond = xr.apply_ufunc(
        stackinv.inv_ex,
        a,
        input_core_dims=[["row", "column"]],
        output_core_dims=[["column", "row"], [], []],
        dask=mode,
        output_dtypes=[a.dtype, np.intc, float],
        dask_gufunc_kwargs={"allow_rechunk": True},
    )
    expected = stackinv.inv_ex(LABELLED.values)
    np.testing.assert_array_equal(inverse.values, expected.inverse)
    np.testing.assert_array_equal(info.values, expected.info)
    np.testing.assert_array_equal(rcond.values, expected.rcond)
    assert info.dims == rcond.dims == ("time", "site")


def test_an_xarray_in_memory_stays_one():
    assert stackinv.inv(LABELLED).dims == np.linalg.inv(LABELLED).dims == LABELLED.dims
    np.testing.assert_array_equal(stackinv.inv(LABELLED).values, stackinv.inv(LABELLED.values))


MEMORY_LIMIT = 300_000_000  # of each of four workers


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=4, threads_per_worker=1, memory_limit=MEMORY_LIMIT, dashboard_address=None, processes=True
        ) as cluster,
        distributed.Client(cluster) as client,
        dask.config.set(scheduler=None),
    ):
        yield client


@pytest.fixture
def on_cluster(client):
    with dask.config.set(scheduler="distributed"):
        yield client


def slow(block, directory, block_id):
    """The block after a while; that it was asked for is noted."""
    (directory / str(block_id[0])).touch()
    time.sleep(0.1)
    return block


@pytest.mark.filterwarnings("ignore")
def test_cluster(on_cluster):
    a = well_conditioned((200, 8, 8))
    a[150] = 0
    x = da.from_array(a, chunks=(30, 8, 4))
    for actual, expected in zip(dask.compute(*stackinv.inv_ex(x)), stackinv.inv_ex(a), strict=True):
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(stackinv.SingularMatrixError, match=r"\n1 of 30 in the chunk, first at index \(150,\)"):
        stackinv.inv(x).compute()


@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_at_work(on_cluster, tmp_path):
    a = well_conditioned((400, 8, 8))
    x = da.from_array(a, chunks=(10, 8, 8)).map_blocks(slow, tmp_path, dtype=a.dtype)
    future = on_cluster.compute(stackinv.inv(x))
    while len(list(tmp_path.iterdir())) < 8:
        time.sleep(0.01)
    os.kill(next(iter(on_cluster.run(os.getpid).values())), signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) < 40, "all was done before the worker was killed"
    np.testing.assert_array_equal(future.result(timeout=60), stackinv.inv(a))
    on_cluster.wait_for_workers(4, timeout=60)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_a_stack_larger_than_the_clusters_memory_from_disk_to_disk(on_cluster, tmp_path):
    m, matrices = 50, 400
    blocks = 4 * MEMORY_LIMIT // (8 * m * m * matrices) + 1
    a = well_conditioned((matrices, m, m))
    scale = da.arange(1, blocks + 1, chunks=1)
    stack = (scale[:, None, None, None] * a).reshape(-1, m, m)
    assert stack.nbytes > 4 * MEMORY_LIMIT
    stack.to_zarr(tmp_path / "stack.zarr")
    stackinv.inv(da.from_zarr(tmp_path / "stack.zarr")).to_zarr(tmp_path / "inverse.zarr")
    inverse = da.from_zarr(tmp_path / "inverse.zarr")
    assert inverse.shape == stack.shape
    expected = stackinv.inv(a)
    worst = abs(inverse.reshape(blocks, matrices, m, m) * scale[:, None, None, None] - expected).max()
    assert worst.compute() < 1e-12


def test_arrays_of_expressions():
    """What dask's arrays are where its query planning is on."""
    code = """
import warnings
warnings.simplefilter("error")
import dask, dask.array as da, numpy as np, stackinv
a = np.arange(10)[:, None, None] + 9 * np.eye(3)
x = da.from_array(a, chunks=(4, 3, 3))
out = da.zeros((10, 3, 3), dtype="f4")
with dask.config.set(scheduler="synchronous"):
    for y in (x, x.rechunk((4, 2, 2))):
        inverse, info, rcond = stackinv.inv_ex(y)
        assert np.allclose(stackinv.inv(y).compute(), np.linalg.inv(a))
        assert np.allclose(inverse.compute(), np.linalg.inv(a))
        assert info.compute().shape == rcond.compute().shape == (10,)
        assert stackinv.inv(y, out=out) is out
        assert out.dtype == "f4" and np.allclose(out.compute(), np.linalg.inv(a), atol=1e-6)
print(type(x).__module__)
"""
    module = run(code, env=os.environ | {"DASK_ARRAY__QUERY_PLANNING": "True"})
    assert module.startswith("dask.array._array_expr")
