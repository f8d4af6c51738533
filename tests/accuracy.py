"""Hard matrices, how far a result is from their inverses, and how far rounding may take it."""

import numpy as np
import scipy.linalg
from conftest import adjoint

# Around what the engines do differently: functions for one order, both ways to invert U, strips, panels, blocks.
ORDERS = {
    "f8": {"lanes": [1, 2, 3, 4, 5, 8, 9, 16, 24, 33, 48, 70], "blocked": [9, 24, 33, 70, 100, 200, 512]},
    "c16": {"lanes": [2, 4, 9, 24, 48], "blocked": [9, 24, 70, 130]},
    "f4": {"lanes": [3, 9, 33], "blocked": [24, 100]},
    "c8": {"lanes": [4, 24], "blocked": [40]},
}
ORDERS_STRUCTURED = {
    "f8": {"lanes": [1, 2, 3, 4, 5, 8, 9, 16, 24, 33, 48, 70], "blocked": [9, 33, 130]},
    "c16": {"lanes": [2, 4, 9, 24], "blocked": [9, 40]},
    "f4": {"lanes": [3, 9, 33], "blocked": [40]},
    "c8": {"lanes": [4, 24], "blocked": [40]},
}
DOUBLE_ONLY = ("1e8", "1e12", "1e14", "covariance", "Hilbert", "huge")  # what single precision cannot hold


def count(m):
    """How many matrices of this order."""
    return 30 if m <= 24 else max(1, 500 // m)


def gaussian(rng, m, dtype):
    a = rng.standard_normal((count(m), m, m))
    return a + 1j * rng.standard_normal(a.shape) if dtype[0] == "c" else a


def of_condition(decades):
    def family(rng, m, dtype):
        left, right = (np.linalg.qr(gaussian(rng, m, dtype))[0] for _ in range(2))
        return (left * np.logspace(0, -decades, m)) @ right

    return family


def graded(rows, columns):
    def family(rng, m, dtype):
        scale = np.logspace(0, -12, m)
        return gaussian(rng, m, dtype) * (scale[:, None] if rows else 1) * (scale if columns else 1)

    return family


def permuted(rng, m, dtype):
    triangle = np.triu(gaussian(rng, m, dtype)) + m * np.eye(m)
    return np.stack([a[rng.permutation(m)][:, rng.permutation(m)] for a in triangle])


def hilbert(rng, m, dtype):
    i = np.arange(m)
    a = 1 / (1 + i[:, None] + i) + (1e-10 * np.eye(m) if m > 9 else 0)
    return a * (1 + 1e-3 * rng.standard_normal((count(m), 1, 1)))


def kahan(rng, m, dtype):
    s, c = np.sin(1.2), np.cos(1.2)
    a = np.diag(s ** np.arange(m)) @ (np.eye(m) - c * np.triu(np.ones((m, m)), 1))
    return np.stack([a[rng.permutation(m)] * (1 + rng.random()) for _ in range(count(m))])


def huge_or_tiny(rng, m, dtype):
    """A product of two elements is infinite or zero."""
    return gaussian(rng, m, dtype) * 2.0 ** (600 * rng.choice([-1, 1], (count(m), 1, 1)))


GENERAL = {
    **{f"condition 1e{decades}": of_condition(decades) for decades in (0, 4, 8, 12, 14)},
    "graded rows": graded(True, False),
    "graded columns": graded(False, True),
    "graded both ways": graded(True, True),
    "upper triangular": lambda rng, m, dtype: np.triu(gaussian(rng, m, dtype)) + m * np.eye(m),
    "lower triangular": lambda rng, m, dtype: np.tril(gaussian(rng, m, dtype)) + m * np.eye(m),
    "permuted triangular": permuted,
    "random": gaussian,
    "huge or tiny": huge_or_tiny,
    "Hilbert": hilbert,
    "Kahan": kahan,
}


def hermitian(a):
    """Exactly so, by its lower triangle."""
    lower = np.tril(a, -1)
    return lower + adjoint(lower) + np.einsum("nii->ni", a).real[:, :, None] * np.eye(a.shape[1])


def with_eigenvalues(decades, definite):
    def family(rng, m, dtype):
        q = np.linalg.qr(gaussian(rng, m, dtype))[0]
        signs = 1 if definite else rng.choice([-1, 1], m)
        return hermitian((q * signs * np.logspace(0, -decades, m)) @ adjoint(q))

    return family


def graded_hermitian(backwards, definite):
    def family(rng, m, dtype):
        scale = np.logspace(0, -12, m)[:: -1 if backwards else 1]
        g = gaussian(rng, m, dtype)
        return hermitian(scale[:, None] * (g @ adjoint(g) / m + np.eye(m) if definite else g + adjoint(g)) * scale)

    return family


def covariance(rng, m, dtype):
    g = gaussian(rng, m, dtype)
    return hermitian(g @ adjoint(g) / m)


def laplacian(rng, m, dtype):
    return (2 * np.eye(m) - np.eye(m, k=1) - np.eye(m, k=-1)) * (1 + rng.random((count(m), 1, 1)))


def zero_diagonal(rng, m, dtype):
    g = gaussian(rng, m, dtype)
    return hermitian((g + adjoint(g)) * (1 - np.eye(m) if m > 1 else 1))


def constrained(rng, m, dtype):
    """The matrix of a quadratic program with a third as many constraints as unknowns."""
    n = m - m // 3
    g = gaussian(rng, m, dtype)
    a = np.zeros_like(g)
    a[:, :n, :n] = g[:, :n, :n] @ adjoint(g[:, :n, :n])
    a[:, n:, :n] = g[:, n:, :n]
    return hermitian(a)


def r_of_condition(decades):
    return lambda rng, m, dtype: np.triu(np.linalg.qr(of_condition(decades)(rng, m, dtype))[1])


def scaled_triangle(axis):
    def family(rng, m, dtype):
        return np.triu(gaussian(rng, m, dtype) + m * np.eye(m)) * np.expand_dims(np.logspace(0, -12, m), axis)

    return family


def kahan_triangle(rng, m, dtype):
    s, c = np.sin(1.2), np.cos(1.2)
    a = np.diag(s ** np.arange(m)) @ (np.eye(m) - c * np.triu(np.ones((m, m)), 1))
    return a * (1 + rng.random((count(m), 1, 1)))


def rising(family):
    """Reflected at the antidiagonal, so that the diagonal rises where it fell."""
    return lambda rng, m, dtype: np.ascontiguousarray(np.swapaxes(family(rng, m, dtype)[:, ::-1, ::-1], 1, 2))


FAMILIES = {
    "gen": GENERAL,
    "pos": {
        **{f"condition 1e{decades}": with_eigenvalues(decades, True) for decades in (0, 4, 8, 12, 14)},
        "graded": graded_hermitian(False, True),
        "graded backwards": graded_hermitian(True, True),
        "covariance": covariance,
        "Laplacian": laplacian,
        "Hilbert": hilbert,
    },
    "her": {
        **{f"condition 1e{decades}": with_eigenvalues(decades, False) for decades in (0, 4, 8, 12, 14)},
        "graded": graded_hermitian(False, False),
        "graded backwards": graded_hermitian(True, False),
        "zero diagonal": zero_diagonal,
        "constrained": constrained,
    },
    "upper triangular": {
        **{f"condition 1e{decades}": r_of_condition(decades) for decades in (0, 4, 8, 12, 14)},
        "graded rows": scaled_triangle(1),
        "graded columns": scaled_triangle(0),
        "Kahan": kahan_triangle,
    },
}
FAMILIES["lower triangular"] = FAMILIES["upper triangular"]
FAMILIES["upper triangular"] = FAMILIES["upper triangular"] | {
    f"{name}, rising": rising(FAMILIES["upper triangular"][name])
    for name in ("condition 1e4", "condition 1e14", "graded rows", "Kahan")
}
FAMILIES["diagonal"] = {"wide": lambda rng, m, dtype: graded(True, False)(rng, m, dtype) * np.eye(m)}
FAMILIES["sym"] = {name: FAMILIES["her"][name] for name in ("condition 1e12", "constrained")}


def draw(structure, name, m, dtype, seed):
    a = FAMILIES[structure][name](np.random.default_rng([seed, m]), m, dtype).astype(dtype)
    if structure == "lower triangular":
        a = np.ascontiguousarray(np.swapaxes(a, 1, 2))
    if structure == "sym" and dtype[0] == "c":
        a = np.tril(a) + np.swapaxes(np.tril(a, -1), 1, 2)
    return a


def transposed(a):
    return np.swapaxes(a, 1, 2)


def norm(a):
    return np.sqrt(np.sum(np.abs(a) ** 2, axis=(1, 2)))


def powers(a, axis):
    """Powers of two, by which the largest elements along these axes come between one half and one."""
    return np.ldexp(1.0, -np.frexp(np.max(np.abs(a), axis=axis, keepdims=True))[1])


def scale(a):
    return powers(a, (1, 2))


def wide(a):
    return a.astype(np.result_type(a, np.float64))


def slices(a, bits):
    """Three matrices of integers of so many bits, whose weighted sum is A to 3 bits of them."""
    found = []
    for _ in range(3):
        a = a * 2.0**bits
        found.append(np.rint(a))
        a = a - found[-1]
    return found


def times_minus(a, x, b):
    """A X - B, to 15 bits more than double precision has, on every machine.

    Slices of A and X are short enough for BLAS to multiply them exactly (K. Ozaki et al., Numerical Algorithms 59,
    2012). Powers of two make the rows and columns of A, and the columns of X, of one size.
    """
    m = a.shape[1]
    if complex_ := a.dtype.kind == "c":
        a = np.block([[a.real, -a.imag], [a.imag, a.real]])
        x, b = (np.concatenate([z.real, z.imag], axis=1) for z in (x, b))
    rows = 1.0
    for _ in range(3):
        inner = powers(a, 1)
        a, x = a * inner, x / transposed(inner)
        own = powers(a, 2)
        a, rows = a * own, rows * own
    columns = powers(x, 1)
    bits = int(53 - np.ceil(np.log2(a.shape[1]))) // 2
    left, right = slices(a, bits), slices(x * columns, bits)
    total = -b * rows * columns
    lost = np.zeros_like(total)
    for i, j in ((0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)):
        product = left[i] @ right[j]
        product *= 2.0 ** (-(i + j + 2) * bits)
        before, total = total, total + product
        kept = total - before
        lost += (before - (total - kept)) + (product - kept)
    result = (total + lost) / rows / columns
    return result[:, :m] + 1j * result[:, m:] if complex_ else result


def times_minus_identity(a, x):
    return times_minus(a, x, np.broadcast_to(np.eye(a.shape[1], dtype=a.dtype), a.shape))


def reference(a):
    """By Gauss-Jordan elimination with partial pivoting, in long double."""
    a = a.astype(np.clongdouble if a.dtype.kind == "c" else np.longdouble)
    n, m, _ = a.shape
    x = np.broadcast_to(np.eye(m, dtype=a.dtype), a.shape).copy()
    every = np.arange(n)
    for k in range(m):
        pivot = k + np.argmax(np.abs(a[:, k:, k]), axis=1)
        for z in (a, x):
            z[every, pivot], z[:, k] = z[:, k].copy(), z[every, pivot].copy()
        factors = a[:, :, k] / a[:, k, k, None]
        factors[:, k] = 0
        a[:, :, k:] -= factors[:, :, None] * a[:, None, k, k:]
        x -= factors[:, :, None] * x[:, None, k]
    return x / np.einsum("nii->ni", a)[:, :, None]


def errors(a, x, exact=None):
    """The norms of X - inverse of A, AX - I and XA - I, for each matrix, once the largest element of A is about 1."""
    a, x = wide(a), wide(x)
    size = scale(a)
    a, x = a * size, x / size
    right, left = times_minus_identity(a, x), times_minus_identity(x, a)
    if exact is None:  # the inverse is X (I + AX - I)^-1 and (I + XA - I)^-1 X
        by_right = (norm(right) < norm(left))[:, None, None]
        residual = np.where(by_right, right, left)
        correction = np.linalg.solve(np.eye(a.shape[1]) + residual, residual)
        difference = np.where(by_right, x @ correction, correction @ x)
    else:
        difference = x - exact / size
    return np.stack([norm(z).astype(float) for z in (difference, right, left)])


def propagated(lower, upper, by_columns):
    """What `errors` gives, by the analysis of the method, if each sum of products has one random rounding error.

    A + dA = L U, Y U = I + E (or U Y = I + E, by columns), X L = Y + F. To first order X - inverse of A, AX - I and
    XA - I are sums of products with one of these errors (Higham, chapters 9 and 14); of independent ones the squares
    add up.
    """
    y, k = np.linalg.inv(upper), np.linalg.inv(lower)
    a, l, u, x, y, k = (np.abs(z) ** 2 for z in (lower @ upper, lower, upper, y @ k, y, k))  # noqa: E741
    d, f = l @ u, x @ l
    if by_columns:
        e = u @ y
        sums = y @ e @ k + f @ k + x @ d @ x, l @ e @ k + a @ f @ k + d @ x, y @ e @ u + f @ u + x @ d
    else:
        e = y @ u
        sums = e @ x + f @ k + x @ d @ x, a @ e @ x + a @ f @ k + d @ x, e + f @ u + x @ d
    return np.stack([np.sqrt(np.sum(z, axis=(1, 2))) for z in sums])


def propagated_cholesky(lower):
    """The same for A + dA = L L^H, L^H V = I + E, X = V V^H + F (chapters 10 and 14)."""
    v = adjoint(np.linalg.inv(lower))
    a, x, l, v = (np.abs(z) ** 2 for z in (lower @ adjoint(lower), v @ adjoint(v), lower, v))  # noqa: E741
    d, e, f = l @ transposed(l), transposed(l) @ v, v @ transposed(v)
    e = e + transposed(e)
    sums = v @ e @ transposed(v) + f + x @ d @ x, l @ e @ transposed(v) + a @ f + d @ x
    forward, residual = (np.sqrt(np.sum(z, axis=(1, 2))) for z in sums)
    return np.stack([forward, residual, residual])


def bounds(a, structure):
    """For each method that fits, how large `errors` may be, without constant and eps."""
    a = wide(a)
    a = a * scale(a)
    if structure == "pos":
        return [propagated_cholesky(np.linalg.cholesky(a))]
    if structure in ("upper triangular", "lower triangular", "diagonal"):
        lower, upper = np.broadcast_to(np.eye(a.shape[1]), a.shape), a
    else:
        lower, upper = scipy.linalg.lu(a, permute_l=True)
    if structure == "lower triangular":
        return [propagated(lower, transposed(upper), by_columns)[[0, 2, 1]] for by_columns in (False, True)]
    if structure not in ("sym", "her"):
        return [propagated(lower, upper, by_columns) for by_columns in (False, True)]
    forward, right, left = propagated(lower, upper, True)  # the mean of the inverse and its transpose has both
    mean = np.sqrt((right**2 + left**2) / 2)
    return [np.stack([forward, mean, mean])]


def substitute(lower, b):
    """Z of L Z = B, row by row."""
    z = np.zeros_like(b)
    for i in range(b.shape[1]):
        z[:, i] = (b[:, i] - np.einsum("nk,nkj->nj", lower[:, i, :i], z[:, :i])) / lower[:, i, i, None]
    return z


def substitute_back(upper, b):
    """Z of U Z = B."""
    return substitute(upper[:, ::-1, ::-1], b[:, ::-1])[:, ::-1]


def textbook(a, structure):
    """The inverse by the method that the engines have, step by step."""
    one = np.broadcast_to(np.eye(a.shape[1], dtype=a.dtype), a.shape)
    if structure == "pos":
        v = substitute_back(adjoint(np.linalg.cholesky(a)), one)
        return v @ adjoint(v)
    if structure == "lower triangular":
        return substitute(a, one)
    if structure in ("upper triangular", "diagonal"):
        return transposed(substitute(transposed(a), one))
    order, lower, upper = scipy.linalg.lu(a)
    y = transposed(substitute(transposed(upper), one)) if structure == "gen" else substitute_back(upper, one)
    x = transposed(substitute_back(transposed(lower), transposed(y))) @ transposed(order)
    return x if structure == "gen" else (x + (adjoint(x) if structure == "her" else transposed(x))) / 2


def determinant(a):
    if a.shape[1] == 0:
        return np.ones(len(a), a.dtype)
    rest = [np.delete(a[:, 1:], j, axis=2) for j in range(a.shape[1])]
    return sum((-1) ** j * a[:, 0, j] * determinant(b) for j, b in enumerate(rest))


def closed_form(a):
    """Cofactors over the determinant."""
    m = a.shape[1]
    minors = [[determinant(np.delete(np.delete(a, i, 1), j, 2)) * (-1) ** (i + j) for i in range(m)] for j in range(m)]
    return np.moveaxis(np.array(minors), 2, 0) / determinant(a)[:, None, None]


def explicit_blocks(a, width=4):
    """Gauss-Jordan elimination with the inverses of blocks on the diagonal."""
    x = a.copy()
    for k in range(0, a.shape[1], width):
        block = slice(k, k + width)
        inverse = np.linalg.inv(x[:, block, block])
        row, column = inverse @ x[:, block], x[:, :, block].copy()
        column[:, block] = 0
        x -= column @ row
        x[:, block], x[:, :, block] = row, -column @ inverse
        x[:, block, block] = inverse
    return x


def one_triangle(a):
    """The lower triangle of the inverse, and its mirror image."""
    return hermitian(textbook(a, "gen"))


def other_factor(a):
    """Cholesky's method with V from V L^H = I instead of L^H V = I."""
    v = transposed(
        substitute(np.conj(np.linalg.cholesky(a)), np.broadcast_to(np.eye(a.shape[1], dtype=a.dtype), a.shape))
    )
    return v @ adjoint(v)
