# SPDX-License-Identifier: BSD-3-Clause
ctypedef int blas_int
