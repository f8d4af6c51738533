/* Logarithms of densities, each point under a normal distribution of its own: an extension module in C. */
#include <Python.h>
#include <math.h>
#include <stackinv/stackinv.h>
#include <stdlib.h>

static const stackinv_functions *stackinv;

/* points: (n, m), covariances: (n, m, m), densities: (n), all of consecutive doubles. */
static ptrdiff_t calculate(ptrdiff_t n, ptrdiff_t m, double *points, double *covariances, double *densities)
{
    double *whitened = malloc(n * m * sizeof *whitened), *sign = malloc(n * sizeof *sign);
    /* Columns of length one. What is zero is not asked for, and lies without gaps. */
    stackinv_stack s = {.type = STACKINV_FLOAT64,
                        .structure = STACKINV_POSITIVE_DEFINITE,
                        .threads = 2,
                        .ndim = 1,
                        .shape = &n,
                        .order = m,
                        .columns = 1,
                        .a = {covariances},
                        .b = {points},
                        .solution = {whitened},
                        .sign = {sign},
                        .logabsdet = {densities}};
    const ptrdiff_t singular = whitened && sign ? stackinv->calculate(&s) : STACKINV_NO_MEMORY;
    for (ptrdiff_t i = 0; i < n && singular == 0; i++) {
        double distance = m * log(2 * acos(-1));
        for (ptrdiff_t j = 0; j < m; j++)
            distance += points[i * m + j] * whitened[i * m + j];
        densities[i] = -(distance + densities[i]) / 2;
    }
    free(whitened);
    free(sign);
    return singular;
}

static PyObject *log_densities(PyObject *module, PyObject *arguments)
{
    Py_buffer points, covariances, densities;
    ptrdiff_t result;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*w*", &points, &covariances, &densities))
        return NULL;
    const ptrdiff_t n = densities.len / (ptrdiff_t)sizeof(double), m = n ? points.len / densities.len : 0;
    Py_BEGIN_ALLOW_THREADS result = calculate(n, m, points.buf, covariances.buf, densities.buf);
    Py_END_ALLOW_THREADS PyBuffer_Release(&points);
    PyBuffer_Release(&covariances);
    PyBuffer_Release(&densities);
    if (result < 0)
        return PyErr_Format(PyExc_RuntimeError, "%s", stackinv->describe_error(result));
    return PyLong_FromSsize_t(result);
}

static PyMethodDef functions[] = {
    {"log_densities", log_densities, METH_VARARGS, "How many covariances are not positive definite."}, {0}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "log_densities", .m_size = -1,
                                 .m_methods = functions};

PyMODINIT_FUNC PyInit_log_densities(void)
{
    stackinv = stackinv_import();
    return stackinv ? PyModule_Create(&definition) : NULL;
}
