"""Peak memory of a process that inverts a stack of 64 MiB."""

import numpy as np

import stackinv

from .stacks import some, stack


class Stack:
    param_names = ["m"]
    params = [some([3, 32, 512])]

    def setup(self, m):
        self.a = stack(m, "float64")

    def peakmem_stack_alone(self, m):
        pass

    def peakmem_inv(self, m):
        stackinv.inv(self.a)

    def peakmem_inv_in_place(self, m):
        stackinv.inv(self.a, out=self.a)

    def peakmem_inv_ex(self, m):
        stackinv.inv_ex(self.a)

    def peakmem_inv_transposed(self, m):
        stackinv.inv(self.a.swapaxes(-1, -2))

    def peakmem_numpy_inv(self, m):
        np.linalg.inv(self.a)
