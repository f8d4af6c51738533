// Eigen's inverse of each matrix of a stack, of a fixed size where there is a case for it, OpenMP over the stack.
#include <Eigen/Dense>

template <int M>
static void invert(const double *a, double *x, long length, int m, int threads) {
  using Matrix = Eigen::Matrix<double, M, M, Eigen::RowMajor>;
  const long elements = long(m) * m;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long i = 0; i < length; i++)
    Eigen::Map<Matrix>(x + i * elements, m, m) = Eigen::Map<const Matrix>(a + i * elements, m, m).inverse();
}

extern "C" void eigen_inverse(const double *a, double *x, long length, int m, int threads) {
  switch (m) {
#define FIXED(M) \
  case M: \
    return invert<M>(a, x, length, m, threads);
    FIXED(1) FIXED(2) FIXED(3) FIXED(4) FIXED(6) FIXED(8) FIXED(12) FIXED(16) FIXED(24) FIXED(32)
    default: invert<Eigen::Dynamic>(a, x, length, m, threads);
  }
}

extern "C" int eigen_version() { return EIGEN_WORLD_VERSION * 10000 + EIGEN_MAJOR_VERSION * 100 + EIGEN_MINOR_VERSION; }
