"""Times inverses of another library's arrays, with and without their gradient, as `_contender.py` times inverses.

    python tensors.py MODULE-WHAT THREADS DTYPE ASSUME_A M:LENGTH [M:LENGTH ...]

MODULE is torch.linalg, stackinv.torch, jax.numpy.linalg or stackinv.jax; WHAT is forward, or backward, which has
forward in it.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

spec = importlib.util.find_spec("stackinv")
assert spec is not None
assert spec.origin is not None
sys.path.insert(0, str(Path(spec.origin).parent))  # without importing the package
import _contender  # noqa: E402

sys.path.pop(0)  # whose modules for other libraries have those libraries' names


def of_torch(module: Any, what: str, assume_a: str, a: Any) -> Callable[[], object]:
    import torch

    tensor, gradient = torch.from_numpy(a), torch.from_numpy(a[..., ::-1].copy())
    keywords = {"assume_a": assume_a} if module.__name__.startswith("stackinv") else {}
    if what == "forward":
        return lambda: module.inv(tensor, **keywords)
    tensor.requires_grad_()

    def both() -> None:
        tensor.grad = None
        module.inv(tensor, **keywords).backward(gradient)

    return both


def of_jax(module: Any, what: str, assume_a: str, a: Any) -> Callable[[], object]:
    import jax

    jax.config.update("jax_enable_x64", True)
    array, gradient = jax.numpy.asarray(a), jax.numpy.asarray(a[..., ::-1].copy())
    keywords = {"assume_a": assume_a} if module.__name__.startswith("stackinv") else {}

    def inv(a: Any) -> Any:
        return module.inv(a, **keywords)

    def both(a: Any, gradient: Any) -> Any:
        x, of_a = jax.vjp(inv, a)
        return x, of_a(gradient)

    function = jax.jit(inv) if what == "forward" else jax.jit(both)
    arguments = (array,) if what == "forward" else (array, gradient)
    return lambda: jax.block_until_ready(function(*arguments))


LIBRARIES = {"torch": of_torch, "jax": of_jax}


def call(name: str, assume_a: str, a: Any) -> Callable[[], object]:
    module, _, what = name.partition("-")
    (library,) = LIBRARIES.keys() & set(module.split("."))
    return LIBRARIES[library](importlib.import_module(module), what, assume_a, a)


if __name__ == "__main__":
    _contender.main(call)
