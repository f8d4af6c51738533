# SPDX-License-Identifier: BSD-3-Clause
from scipy.linalg.cython_lapack cimport blas_int
