"""`stackinv.jax`: results of the kernels to the bit, derivatives against JAX's own, under its transformations."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import NATIVE, STRUCTURES, hide_unread, structured, well_conditioned

import stackinv

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
test_util = pytest.importorskip("jax.test_util")


pytestmark = pytest.mark.usefixtures("own_engines")


@pytest.fixture(autouse=True)
def wide_numbers():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def ours():
    return pytest.importorskip("stackinv.jax")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", NATIVE)
def test_results_to_the_bit(ours, dtype, compiled):
    wrap = jax.jit if compiled else lambda function: function
    for shape in [(3, 3), (2, 3, 20, 20), (0, 4, 4), (3, 0, 0), (2, 100, 100)]:
        a, b = well_conditioned(shape, dtype), well_conditioned(shape, dtype, seed=1)[..., :2]
        for mine, expected in (
            (wrap(ours.inv)(a), stackinv.inv(a)),
            (wrap(ours.solve)(a, b), stackinv.solve(a, b)),
            (wrap(ours.slogdet)(a).sign, stackinv.slogdet(a).sign),
            (wrap(ours.slogdet)(a).logabsdet, stackinv.slogdet(a).logabsdet),
        ):
            assert mine.dtype == expected.dtype
            np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures(ours, structure):
    dtype = "c16" if structure == "her" else "f8"
    a = structured((3, 5, 5), structure, dtype)
    b, given = well_conditioned((3, 5, 5), dtype), hide_unread(a, structure)
    np.testing.assert_array_equal(ours.inv(given, assume_a=structure), stackinv.inv(a, assume_a=structure))
    np.testing.assert_array_equal(ours.solve(given, b, assume_a=structure), stackinv.solve(a, b, assume_a=structure))
    np.testing.assert_array_equal(
        ours.slogdet(given, assume_a=structure).logabsdet, stackinv.slogdet(a, assume_a=structure).logabsdet
    )
    if structure != "her":
        a = jnp.asarray(a)
        test_util.check_grads(lambda a: ours.inv(a, assume_a=structure), (a,), order=1)
        test_util.check_grads(lambda a: ours.solve(a, b, assume_a=structure), (a,), order=1)
        test_util.check_grads(lambda a: ours.slogdet(a, assume_a=structure).logabsdet, (a,), order=1)


@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_derivatives(ours, dtype):
    a, b = jnp.asarray(well_conditioned((3, 4, 4), dtype)), jnp.asarray(well_conditioned((3, 4, 4), dtype, seed=1))
    test_util.check_grads(ours.inv, (a,), order=2)
    test_util.check_grads(ours.solve, (a, b[..., :2]), order=2)
    test_util.check_grads(ours.solve, (a, b[0, 0]), order=2)
    test_util.check_grads(lambda a: ours.slogdet(a).logabsdet, (a,), order=2)
    test_util.check_grads(lambda a: ours.slogdet(a).sign, (a,), order=1)

    def of(library):
        return lambda a, b: jnp.sum(
            jnp.abs(library.solve(a, b)) ** 2 + jnp.abs(library.inv(a)) + library.slogdet(a)[1].sum()
        )

    for mine, theirs in zip(jax.grad(of(ours), (0, 1))(a, b), jax.grad(of(jnp.linalg), (0, 1))(a, b), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize("m", [0, 1, 4, 7, 12, 13, 90])
def test_reverse_and_forward_derivatives_of_each_order(ours, m, dtype):
    a, b = well_conditioned((2, 5, m, m), dtype)
    x, pullback = jax.vjp(ours.inv, jnp.asarray(a))
    x = np.asarray(x)
    tolerance = 1e-3 if dtype == "f4" else 1e-10
    transposes = x.swapaxes(-1, -2)
    np.testing.assert_allclose(pullback(jnp.asarray(b))[0], -transposes @ b @ transposes, tolerance, tolerance)
    _, forward = jax.jvp(ours.inv, (jnp.asarray(a),), (jnp.asarray(b),))
    np.testing.assert_allclose(forward, -x @ b @ x, tolerance, tolerance)


def test_transformations(ours):
    a, b = jnp.asarray(well_conditioned((6, 4, 4))), jnp.asarray(well_conditioned((6, 4, 4), seed=1))
    x, solution = stackinv.inv(np.asarray(a)), stackinv.solve(np.asarray(a), np.asarray(b))
    np.testing.assert_array_equal(jax.vmap(ours.inv)(a), x)
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.vmap(ours.inv)))(a.reshape(2, 3, 4, 4)), x.reshape(2, 3, 4, 4))
    np.testing.assert_array_equal(jax.vmap(ours.inv, in_axes=2, out_axes=1)(jnp.moveaxis(a, 0, 2)), x.swapaxes(0, 1))
    np.testing.assert_array_equal(jax.vmap(ours.solve)(a, b), solution)
    np.testing.assert_array_equal(
        jax.vmap(ours.solve, in_axes=(None, 0))(a[0], b), stackinv.solve(np.asarray(a[0]), np.asarray(b))
    )
    np.testing.assert_array_equal(
        jax.jit(jax.vmap(lambda a: ours.slogdet(a)[1]))(a), stackinv.slogdet(np.asarray(a))[1]
    )
    per_matrix = jax.jit(jax.vmap(jax.grad(lambda a: ours.inv(a).sum())))(a)
    np.testing.assert_allclose(per_matrix, jax.grad(lambda a: jnp.linalg.inv(a).sum())(a), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(jax.jacfwd(ours.inv)(a[0]), jax.jacrev(ours.inv)(a[0]), rtol=1e-12, atol=1e-14)


def test_singular_matrices_are_nan(ours):
    a = jnp.asarray(well_conditioned((3, 4, 4))).at[1].set(0)
    assert jnp.isnan(ours.inv(a)).any((-1, -2)).tolist() == [False, True, False]
    assert jnp.isnan(jax.jit(ours.solve)(a, a)).any((-1, -2)).tolist() == [False, True, False]
    assert ours.slogdet(a).sign[1] == 0
    assert ours.slogdet(a).logabsdet[1] == -jnp.inf


def test_integers_and_single_precision_by_default(ours):
    jax.config.update("jax_enable_x64", False)
    result = ours.inv([[2, 0], [0, 4]])
    assert result.dtype == "float32"
    np.testing.assert_array_equal(result, [[0.5, 0], [0, 0.25]])


def test_wrong_arguments(ours):
    with pytest.raises(ValueError, match=r"a must have shape \(..., M, M\), not \(2, 3\)"):
        ours.inv(jnp.ones((2, 3)))
    with pytest.raises(TypeError, match="not bfloat16"):
        ours.inv(jnp.ones((2, 2), "bfloat16"))
    with pytest.raises(ValueError, match=r"b must have shape \(3,\) or \(..., 3, K\), not \(2,\)"):
        ours.solve(jnp.eye(3), jnp.ones(2))
    with pytest.raises(ValueError, match="assume_a must be one of"):
        ours.slogdet(jnp.eye(3), assume_a="round")
    with pytest.raises(ValueError, match=r"[Ii]ncompatible shapes|broadcast"):
        ours.solve(jnp.ones((2, 3, 3)), jnp.ones((4, 3, 1)))


def test_from_several_threads(ours):
    from concurrent.futures import ThreadPoolExecutor

    a = well_conditioned((20_000, 3, 3))
    expected, function = stackinv.inv(a), jax.jit(ours.inv)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: np.array_equal(function(a), expected), range(12)))


def test_only_when_asked_for():
    code = "import stackinv, sys; assert 'jax' not in sys.modules and 'stackinv.jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
