"""stackinv.torch: torch.linalg's results, gradients and errors, for tensors on the CPU."""

import doctest
import pickle
import shutil

import numpy as np
import pytest
from conftest import STRUCTURES, hide_unread, run, structured, well_conditioned

import stackinv
from stackinv import _compare

torch = pytest.importorskip("torch")
import stackinv.torch as ours  # noqa: E402

theirs = torch.linalg

TYPES = ["f4", "f8", "c8", "c16"]
DOUBLE = ["f8", "c16"]
FUNCTIONS = {
    "inv": lambda module, a, b: module.inv(a),
    "solve": lambda module, a, b: module.solve(a, b),
    "det": lambda module, a, b: module.det(a),
    "sign": lambda module, a, b: module.slogdet(a).sign,
    "logabsdet": lambda module, a, b: module.slogdet(a).logabsdet,
}
INPUTS = {
    "inv": lambda a, b: (a, "gen", "raise", None),
    "solve": lambda a, b: (a, b, "gen", "raise", None),
    "det": lambda a, b: (a, "gen", None),
    "slogdet": lambda a, b: (a, "gen", None),
    "product": lambda a, b: (a, b, 2.0),
    "derivative": lambda a, b: (a, a.detach().mT.clone().requires_grad_(), False, None),
}


def tensors(dtype="f8", length=2, m=3, columns=2):
    """A stack and right-hand sides, which both ask for gradients."""
    a = torch.tensor(well_conditioned((length, m, m), dtype), requires_grad=True)
    b = torch.tensor(well_conditioned((length, 5, 5), dtype)[:, :m, :columns], requires_grad=True)
    return a, b


def assert_same(actual, expected):
    for one, other in [(actual, expected)] if torch.is_tensor(expected) else zip(actual, expected, strict=True):
        assert one.shape == other.shape
        tolerance = 1e-3 if one.dtype in (torch.float32, torch.complex64) else 1e-10
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("m", [0, 1, 3, 12, 24])
@pytest.mark.parametrize("name", ["inv", "det", "slogdet"])
def test_values_shapes_and_types_are_theirs(name, m, dtype):
    a = torch.tensor(well_conditioned((2, 3, m, m), dtype))
    before = a.clone()
    for stack in (
        a,
        a[0, 0],
        a[:0],
        a.mT,
        a[:, ::2],
        a.movedim(0, -1).contiguous().movedim(-1, 0),
        a.expand(4, *a.shape),
    ):
        actual, expected = getattr(ours, name)(stack), getattr(theirs, name)(stack)
        assert type(actual) is type(expected)
        assert_same(actual, expected)
    assert torch.equal(a, before)


@pytest.mark.parametrize("name", ["inv", "det", "slogdet"])
def test_views_that_are_conjugate_or_negative(name):
    a = torch.tensor(well_conditioned((4, 3, 3), "c16"))
    negative = a.conj().imag
    assert negative.is_neg()
    for view in (a.conj(), a.mH, negative):
        assert_same(getattr(ours, name)(view), getattr(theirs, name)(view))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 3), (3,)),
        ((4, 3, 3), (3,)),
        ((4, 3, 3), (4, 3)),
        ((3, 3, 3), (3, 3)),  # vectors too
        ((4, 3, 3), (3, 2)),
        ((3, 3), (4, 3, 2)),
        ((4, 1, 3, 3), (5, 3, 2)),
        ((3, 3), (3, 0)),
        ((0, 3, 3), (3, 2)),
        ((2, 0, 0), (2, 0, 4)),
    ],
)
@pytest.mark.parametrize("dtype", DOUBLE)
def test_systems_are_broadcast_as_theirs(a, b, dtype):
    matrices = torch.tensor(well_conditioned(a, dtype))
    right = torch.tensor(np.random.default_rng(0).standard_normal(b).astype(dtype))
    if a == (4, 3, 3) and b == (3,):
        expected = theirs.solve(matrices, right[:, None]).squeeze(-1)
    else:
        expected = theirs.solve(matrices, right)
    assert_same(ours.solve(matrices, right), expected)


@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
def test_systems_from_the_right(structure, dtype):
    whole = structured((4, 3, 3), structure, dtype) if structure != "gen" else well_conditioned((4, 3, 3), dtype)
    a = torch.tensor(whole if structure == "gen" else hide_unread(whole, structure))
    b = torch.randn(4, 2, 3, dtype=a.dtype)
    expected = theirs.solve(torch.tensor(whole), b, left=False)
    assert_same(ours.solve(a, b, left=False, assume_a=structure), expected)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", DOUBLE)
def test_first_and_second_derivatives(name, dtype):
    a, b = tensors(dtype)
    needed = (a, b) if name == "solve" else (a,)

    def function(*arguments):
        result = FUNCTIONS[name](ours, *arguments, *(None,) * (2 - len(arguments)))
        return result if result.requires_grad else result + 0 * arguments[0].sum()

    assert torch.autograd.gradcheck(function, needed)
    assert torch.autograd.gradgradcheck(function, needed)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("m", [0, 1, 4, 7, 12, 13, 40, 90])
def test_gradients_of_each_order_are_theirs(m, dtype):
    """Products of the tiles, and those of BLAS for larger ones."""
    a = well_conditioned((5, m, m), dtype)
    gradients = []
    for module in (ours, theirs):
        tensor = torch.tensor(a, requires_grad=True)
        module.inv(tensor).backward(torch.tensor(a[::-1].copy()))
        gradients.append(tensor.grad)
    assert_same(*gradients)


@pytest.mark.parametrize("shapes", [((3, 3), (2, 3, 2)), ((2, 3, 3), (3, 2)), ((2, 3, 3), (2, 3)), ((2, 3, 3), (3,))])
def test_derivatives_of_what_is_broadcast(shapes):
    a, b = (torch.tensor(well_conditioned((2, 3, 3)))[(0,) * (3 - len(shapes[0]))], torch.randn(shapes[1]).double())
    assert torch.autograd.gradcheck(ours.solve, (a.requires_grad_(), b.requires_grad_()))
    b.requires_grad_(False)
    assert torch.autograd.gradcheck(lambda a: ours.solve(a, b), a)


@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_gradients_have_the_structure(structure, dtype):
    """That of torch.linalg's function, projected, although only a part of each matrix is read."""
    whole = structured((2, 3, 3), structure, dtype)
    project = {
        "pos": lambda g: (g + g.mH) / 2,
        "her": lambda g: (g + g.mH) / 2,
        "sym": lambda g: (g + g.mT) / 2,
        "upper triangular": torch.triu,
        "lower triangular": torch.tril,
        "diagonal": lambda g: torch.diag_embed(torch.diagonal(g, dim1=-2, dim2=-1)),
    }[structure]
    right = torch.randn(2, 3, 2, dtype=torch.tensor(whole).dtype)
    how = {"assume_a": structure}
    for ours_of, theirs_of in (
        (lambda a: ours.inv(a, **how), theirs.inv),
        (lambda a: ours.solve(a, right, **how), lambda a: theirs.solve(a, right)),
        (lambda a: ours.det(a, **how), theirs.det),
        (lambda a: ours.slogdet(a, **how).logabsdet, lambda a: theirs.slogdet(a).logabsdet),
    ):
        a = torch.tensor(hide_unread(whole, structure), requires_grad=True)
        full = torch.tensor(whole, requires_grad=True)
        actual, expected = ours_of(a), theirs_of(full)
        assert_same(actual.detach(), expected.detach())
        weights = torch.randn_like(expected)
        actual.backward(weights)
        expected.backward(weights)
        assert_same(a.grad, project(full.grad))


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("dtype", DOUBLE)
def test_operators_are_registered_as_pytorch_wants_them(name, dtype):
    torch.library.opcheck(getattr(torch.ops.stackinv, name).default, INPUTS[name](*tensors(dtype)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap(name):
    function = FUNCTIONS[name]
    a, b = (tensor.detach() for tensor in tensors(length=4))
    expected = function(theirs, a, b)
    assert_same(torch.vmap(lambda a, b: function(ours, a, b))(a, b), expected)
    assert_same(torch.vmap(lambda a, b: function(ours, a, b), in_dims=(1, 0))(a.movedim(0, 1), b), expected)
    assert_same(torch.vmap(lambda a: function(ours, a, b[0]))(a), function(theirs, a, b[0].expand_as(b)))
    if name == "solve":
        each = theirs.solve(a[:, None], b)
        assert_same(torch.vmap(ours.solve, in_dims=(0, None))(a, b), each)
        assert_same(torch.vmap(torch.vmap(ours.solve, in_dims=(None, 0)), in_dims=(0, None))(a, b), each)


def test_transformed_functions():
    a, b = (tensor.detach() for tensor in tensors(length=4))

    def scalar(module):
        return lambda a: module.inv(a).square().sum() + module.slogdet(a)[1].sum() + module.solve(a, b[0]).sum()

    for transform in (torch.func.grad, lambda f: torch.func.jacrev(torch.func.jacrev(f))):
        assert_same(transform(scalar(ours))(a[0]), transform(scalar(theirs))(a[0]))
        assert_same(torch.vmap(transform(scalar(ours)))(a), torch.vmap(transform(scalar(theirs)))(a))
    total = lambda module: lambda a: torch.vmap(scalar(module))(a).sum()  # noqa: E731
    assert_same(torch.func.grad(total(ours))(a), torch.func.grad(total(theirs))(a))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch's own
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_in_forward_mode_are_refused(name):
    a, b = (tensor.detach() for tensor in tensors())
    with pytest.raises(NotImplementedError):
        torch.func.jvp(lambda a: FUNCTIONS[name](ours, a, b), (a,), (a,))


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a compiler")
@pytest.mark.filterwarnings("ignore")
def test_compiled():
    def function(a, b):
        sign, logabsdet = ours.slogdet(a)
        inverse = ours.inv(a, workers=1, assume_a="gen")
        return (inverse @ ours.solve(a, b)).sum() + (sign * logabsdet).sum() + ours.det(a).sum()

    compiled = torch.compile(function, fullgraph=True)
    (a, b), (c, d) = tensors(), tensors()
    actual, expected = compiled(a, b), function(c, d)
    assert_same(actual, expected)
    actual.backward()
    expected.backward()
    assert_same(a.grad, c.grad)
    assert_same(b.grad, d.grad)
    with pytest.raises(ours.SingularMatrixError):
        torch.compile(ours.inv, fullgraph=True)(torch.zeros(2, 2))


def test_singular_matrices_are_both_libraries_error():
    a = torch.eye(2).repeat(3, 1, 1)
    a[1] = 0
    calls = (lambda: ours.inv(a), lambda: ours.solve(a, a), lambda: ours.det(-a, assume_a="pos"))
    for call in calls:
        for base in (stackinv.SingularMatrixError, theirs.LinAlgError, np.linalg.LinAlgError, ours.SingularMatrixError):
            with pytest.raises(base):
                call()
    with pytest.raises(ours.SingularMatrixError, match="Singular matrix") as caught:
        ours.inv(a)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert type(error) is ours.SingularMatrixError
        assert error.indices[0].tolist() == [1]
        assert error.__notes__ == ["1 of 3 in the stack, first at index (1,)"]


def test_singular_matrices_without_an_error():
    a = torch.eye(2).repeat(3, 1, 1)
    a[1] = 0
    a.requires_grad_()
    for result in (ours.inv(a, on_singular="nan"), ours.solve(a, torch.ones(2), on_singular="nan")):
        assert torch.equal(result.isnan().flatten(1).all(1), torch.tensor([False, True, False]))
        (gradient,) = torch.autograd.grad(result.sum(), a)
        assert torch.equal(gradient.isnan().flatten(1).any(1), torch.tensor([False, True, False]))
    sign, logabsdet = ours.slogdet(a)
    assert sign.tolist() == [1, 0, 1]
    assert logabsdet.tolist() == [0, -np.inf, 0]
    assert ours.det(a).tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", ["inv", "solve", "det", "slogdet"])
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.eye(2), TypeError, r"expected a torch\.Tensor, got ndarray"),
        (torch.eye(2, dtype=torch.int64), RuntimeError, r"expected .* complex128, got torch\.int64"),
        (torch.eye(2, dtype=torch.float16), RuntimeError, r"expected .* complex128, got torch\.float16"),
        (torch.ones(2), RuntimeError, r"at least 2 dimensions, got shape \(2,\)"),
        (torch.ones(4, 2, 3), RuntimeError, r"square matrices, got shape \(4, 2, 3\)"),
        (torch.eye(2).to_sparse(), RuntimeError, r"dense tensor, got one of layout torch\.sparse_coo"),
    ],
)
def test_wrong_matrices(name, given, error, message):
    right = (torch.ones(2, 1),) * (name == "solve")
    with pytest.raises(error, match=f"^{name}: .*{message}"):
        getattr(ours, name)(given, *right)


def test_another_device():
    class Elsewhere(torch.Tensor):
        device = torch.device("cuda:1")

    with pytest.raises(RuntimeError, match="expected a tensor on the CPU, got one on cuda:1"):
        ours.inv(torch.eye(2).as_subclass(Elsewhere))
    assert ours.inv(torch.empty(5, 2, 2, device="meta")).shape == (5, 2, 2)


@pytest.mark.parametrize(
    ("b", "left", "message"),
    [
        (torch.ones(4, 2), True, r"A of shape \(3, 3\) and B of shape \(4, 2\) do not fit together"),
        (torch.ones(()), True, r"B of shape \(\) do not fit"),
        (torch.ones(2, 4), False, r"B of shape \(2, 4\) do not fit together with left=False"),
        (torch.ones(3), False, "vectors B are not supported with left=False"),
        (torch.ones(3).double(), True, r"of one type, got torch\.float32 and torch\.float64"),
        (torch.ones(3).int(), True, r"got torch\.int32"),
        (np.ones(3), True, "got ndarray"),
    ],
)
def test_wrong_systems(b, left, message):
    with pytest.raises((RuntimeError, TypeError), match=message):
        ours.solve(torch.eye(3), b, left=left)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"assume_a": "nonsense"}, ValueError),
        ({"on_singular": "ignore"}, ValueError),
        ({"workers": 1.5}, TypeError),
        ({"workers": 0}, ValueError),
    ],
)
def test_wrong_keywords(how, error):
    with pytest.raises(error, match=f"{next(iter(how))}|integer"):
        ours.inv(torch.eye(2), **how)


def test_matrices_are_not_copied(monkeypatch):
    """Neither are results: what NumPy's function gets and gives is the memory of tensors."""
    seen = []

    def watched(a, **how):
        result = original(a, **how)
        seen.append((a.ctypes.data, a.strides, result.ctypes.data))
        return result

    original = stackinv.inv
    monkeypatch.setattr(stackinv, "inv", watched)
    a = torch.tensor(well_conditioned((6, 5, 3, 3)), requires_grad=True)[::2].mT
    result = ours.inv(a)
    assert seen == [(a.data_ptr(), tuple(8 * stride for stride in a.stride()), result.data_ptr())]


def test_modes_of_pytorch():
    """Autocast, inference and leaves are as for torch.linalg; what is changed after use is noticed."""
    a = torch.nn.Parameter(torch.eye(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ours.inv(a).dtype == torch.float32
    with torch.no_grad():
        assert not ours.inv(a).requires_grad
    with torch.inference_mode():
        assert ours.inv(a).is_inference()
    x = ours.inv(a)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        x.sum().backward()


def test_compare_times_pytorch_rather_than_the_module_of_its_name():
    contenders = {name: _compare.CONTENDERS[name] for name in ("stackinv", "torch")}
    times = _compare.compare([(2, 9)], 1, 100, contenders=contenders).times
    assert all(isinstance(time, float) for of_one in times.values() for time in of_one)


@pytest.mark.parametrize("name", ours.__all__)
def test_examples(name):
    test = doctest.DocTestFinder(recurse=False).find(getattr(ours, name), name, module=False, globs={})[0]
    assert test.examples
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0


def test_pytorch_is_imported_by_this_module_alone():
    run("import sys, stackinv; stackinv.inv([[2.0]]); assert 'torch' not in sys.modules")
    run("import stackinv.torch, sys; assert 'torch' in sys.modules and stackinv.torch.inv")
