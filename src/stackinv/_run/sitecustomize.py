# SPDX-License-Identifier: BSD-3-Clause
"""What a Python that `stackinv run` starts finds first, and every Python that it starts.

NumPy's functions, and with `--scipy` SciPy's, are replaced at their first call: nothing is imported before, least of
all in the midst of an import of NumPy, where another thread may wait for it. This file does no harm in whatever
environment a child process may be, and is written so that every Python since 2.7 can read it.
"""

# mypy: ignore-errors

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


_said = []


def _say(why, name="numpy.linalg.inv"):
    """Once in a process."""
    if not _said and sys.stderr is not None:
        _said.append(why)
        whose = "SciPy" if name.startswith("scipy") else "NumPy"
        sys.stderr.write("stackinv: %s is %s's own in process %d: %s\n" % (name, whose, os.getpid(), why))


class _AfterImport(object):
    """Finds modules as Python does, and has something done once one has been imported."""

    def __init__(self, steps):
        self.steps = steps

    def find_module(self, name, path=None):
        """What Pythons before 3.4 call."""
        if name == "numpy.linalg" and sys.version_info < (3, 4):
            _say("stackinv needs Python 3.11 or newer")

    def find_spec(self, name, path=None, target=None):
        if name not in self.steps:
            return None
        for finder in sys.meta_path:
            # Those without are for Pythons before 3.12, which look there after all others.
            find_spec = None if finder is self else getattr(finder, "find_spec", None)
            spec = find_spec(name, path, target) if find_spec else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    self._extend(spec.loader, name)
                return spec
        return None

    def _extend(self, loader, name):
        execute = loader.exec_module

        def execute_and_step(module):
            try:
                del loader.exec_module
            except AttributeError:
                pass
            execute(module)
            self.imported(name, module)

        try:
            loader.exec_module = execute_and_step
        except AttributeError:  # of a class that takes none
            _say("%s is imported by %r" % (name, loader))

    def imported(self, name, module):
        step = self.steps.pop(name, None)
        if step is not None:
            try:
                step(module)
            except Exception as error:
                _say(
                    "%s: %s" % (type(error).__name__, error), ("numpy.linalg" if name == "stackinv" else name) + ".inv"
                )


class _FirstCall(object):
    """NumPy's function with code that imports stackinv, which then gives it other code."""

    def __init__(self, name, function):
        self.name, self.function, self.code = name, function, function.__code__
        function.__globals__["_stackinv_first_" + name] = self
        function.__code__ = _CODE[name].__code__

    def __call__(self, *arguments):
        if self.code is not None:
            try:
                import stackinv  # which has `_patch` called, at the end of its import
            except Exception as error:  # a Python without it, or with one that does not work there
                self.give_back()
                if not getattr(sys, "is_finalizing", bool)():
                    _say("%s: %s" % (type(error).__name__, error), "numpy.linalg." + self.name)
            else:
                self.give_back()
        return self.function(*arguments)

    def give_back(self):
        """Its own code, once."""
        code, self.code = self.code, None
        if code is not None:
            self.function.__code__ = code


_CODE = {
    "inv": lambda a: _stackinv_first_inv(a),
    "solve": lambda a, b: _stackinv_first_solve(a, b),
    "det": lambda a: _stackinv_first_det(a),
    "slogdet": lambda a: _stackinv_first_slogdet(a),
}
_first_calls = []


def _prepare(linalg):
    for name in _CODE:
        function = getattr(linalg, name)
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        if "stackinv" not in sys.modules:
            _first_calls.append(_FirstCall(name, function))


class _FirstCallOfSciPy(object):
    """What SciPy's functions find in the place of their `_batched_linalg`, until stackinv gives them other code."""

    def __init__(self, *functions):
        self.codes = [(function, function.__code__) for function in functions]
        if any("_batched_linalg" not in code.co_names for _, code in self.codes):
            raise RuntimeError("stackinv needs SciPy 1.17 or newer")
        for function, code in self.codes:
            function.__globals__["_stackinv_first"] = self
            names = ["_stackinv_first" if name == "_batched_linalg" else name for name in code.co_names]
            function.__code__ = code.replace(co_names=tuple(names))

    def __getattr__(self, name):
        try:
            import stackinv  # which has `_patch` called, at the end of its import

            return getattr(stackinv._scipy, name)
        except Exception as error:
            self.give_back()
            if not getattr(sys, "is_finalizing", bool)():
                _say("%s: %s" % (type(error).__name__, error), "scipy.linalg." + name[1:])
            return getattr(sys.modules["scipy.linalg._batched_linalg"], name)

    def give_back(self):
        """Their own code."""
        for function, code in self.codes:
            function.__code__ = code


_first_calls_of_scipy = []
_stackinvs = []


def _prepare_scipy(linalg):
    _first_calls_of_scipy.append(_FirstCallOfSciPy(linalg.inv, linalg.solve))
    _patch_scipy()


def _patch_scipy():
    """Once both have been imported, whichever was first."""
    if _stackinvs and _first_calls_of_scipy:
        try:
            first_call = _first_calls_of_scipy.pop()
        except IndexError:  # by another thread
            return
        first_call.give_back()
        _stackinvs[0].patch_scipy()
        if _report is not None:
            _report.count(_stackinvs[0]._scipy)


def _patch(stackinv):
    for first_call in _first_calls:
        first_call.give_back()
    stackinv.patch_numpy()
    if _report is not None:
        _report.count(stackinv)
    _stackinvs.append(stackinv)
    try:
        _patch_scipy()
    except Exception as error:
        _say("%s: %s" % (type(error).__name__, error), "scipy.linalg.inv")


def _import_the_next():
    """The one that Python would have found."""
    this = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize" or "sitecustomize" not in str(error):
            raise
    finally:
        sys.modules.setdefault("sitecustomize", this)


_report = None
if "STACKINV_REPORT" in os.environ:
    try:
        import _stackinv_report as _report
    except Exception:  # a Python too old for it
        pass
sys.path[:] = [entry for entry in sys.path if entry != _HERE]
_steps = {"numpy.linalg": _prepare, "stackinv": _patch}
if "STACKINV_SCIPY" in os.environ:
    _steps["scipy.linalg"] = _prepare_scipy
_finder = _AfterImport(_steps)
sys.meta_path.insert(0, _finder)
for _name in ("numpy.linalg", "scipy.linalg"):
    if _name in sys.modules:  # by a .pth file
        _finder.imported(_name, sys.modules[_name])
_import_the_next()
