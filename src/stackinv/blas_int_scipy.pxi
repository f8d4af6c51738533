from scipy.linalg.cython_lapack cimport blas_int
