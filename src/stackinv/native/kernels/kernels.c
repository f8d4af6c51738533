/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels of both engines for one type and one instruction set. Compiled once for each, with KERNELS, the name of the
   table that this file defines, and what vocabulary-inl.h asks for. */
#include "kernels.h"

#include "vocabulary-inl.h"

#include "determinant-inl.h"
#include "lanes-inl.h"
#include "lanes_solve-inl.h"
#include "lanes_triangle-inl.h"
#include "lanes_cholesky-inl.h"
#include "lanes_lu-inl.h"
#include "lanes_derivative-inl.h"
#include "blocked_fetch-inl.h"
#include "blocked-inl.h"
#include "blocked_rows-inl.h"
#include "blocked_triangle-inl.h"
#include "blocked_cholesky-inl.h"
#include "blocked_lu-inl.h"
#include "blocked_symmetric-inl.h"
#include "blocked_solve-inl.h"

const struct kernels KERNELS = {
    WIDTH,
    {NAME(lu_work_size), NAME(lu_work_size), NAME(cholesky_work_size), NAME(triangle_work_size),
     NAME(derivative_work_size), NAME(derivative_work_size)},
    {NAME(invert_lu), NAME(invert_lu), NAME(invert_cholesky), NAME(invert_triangle), NAME(invert_derivative),
     NAME(invert_gradient)},
    {
        {NAME(one_factor_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(lu_read_block),
         NAME(lu_update_block),
         NAME(lu_factor_block),
         {NAME(lu_invert_rows), NULL},
         NAME(blocked_rcond),
         NAME(lu_determinant),
         NAME(count_solutions),
         NAME(solution_size),
         NAME(lu_solve_columns)},
        {NAME(two_factors_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(symmetric_read_block),
         NAME(lu_update_block),
         NAME(lu_factor_block),
         {NAME(symmetric_invert_columns), NAME(symmetric_solve_rows)},
         NAME(blocked_rcond),
         NAME(lu_determinant),
         NAME(count_solutions),
         NAME(solution_size),
         NAME(lu_solve_columns)},
        {NAME(two_factors_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(cholesky_read_block),
         NAME(cholesky_update_block),
         NAME(cholesky_factor_block),
         {NAME(cholesky_invert_rows), NAME(cholesky_multiply_rows)},
         NAME(blocked_rcond),
         NAME(cholesky_determinant),
         NAME(count_solutions),
         NAME(solution_size),
         NAME(cholesky_solve_columns)},
        {NAME(one_factor_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(triangle_read_block),
         NAME(triangle_update_block),
         NAME(triangle_factor_block),
         {NAME(triangle_invert), NULL},
         NAME(blocked_rcond),
         NAME(triangle_determinant),
         NAME(count_solutions),
         NAME(solution_size),
         NAME(triangle_solve_columns)},
    },
    NAME(multiply_numbers),
};
