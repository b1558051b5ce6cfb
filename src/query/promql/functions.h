/* functions.h - the table of PromQL functions: names, argument types, and how each is evaluated. */
#ifndef PROMQL_FUNCTIONS_H
#define PROMQL_FUNCTIONS_H

#include "query/promql/ast.h"

enum { PQ_FUNCTION_ARGS_MAX = 5 };

/* name, C identifier of the id, return type, variadic, experimental, step-unsafe, argument types.
 * variadic: how many more than the listed ones (0: exact, the last listed is optional when > 0, -1:
 * any). unsafe: the result depends on the evaluation time even when the arguments do not. */
#define PQ_FUNCTIONS(X)                                                                            \
    X(abs, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(absent, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                      \
    X(absent_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                            \
    X(acos, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(acosh, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                       \
    X(asin, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(asinh, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                       \
    X(atan, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(atanh, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                       \
    X(avg_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                               \
    X(ceil, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(changes, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                     \
    X(clamp, VECTOR, 0, 0, 0, PROMQL_VECTOR, PROMQL_SCALAR, PROMQL_SCALAR)                         \
    X(clamp_max, VECTOR, 0, 0, 0, PROMQL_VECTOR, PROMQL_SCALAR)                                    \
    X(clamp_min, VECTOR, 0, 0, 0, PROMQL_VECTOR, PROMQL_SCALAR)                                    \
    X(cos, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(cosh, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(count_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                             \
    X(day_of_month, VECTOR, 1, 0, 1, PROMQL_VECTOR)                                                \
    X(day_of_week, VECTOR, 1, 0, 1, PROMQL_VECTOR)                                                 \
    X(day_of_year, VECTOR, 1, 0, 1, PROMQL_VECTOR)                                                 \
    X(days_in_month, VECTOR, 1, 0, 1, PROMQL_VECTOR)                                               \
    X(deg, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(delta, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                       \
    X(deriv, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                       \
    X(double_exponential_smoothing, VECTOR, 0, 1, 0, PROMQL_MATRIX, PROMQL_SCALAR, PROMQL_SCALAR)  \
    X(exp, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(first_over_time, VECTOR, 0, 1, 0, PROMQL_MATRIX)                                             \
    X(floor, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                       \
    X(histogram_avg, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                               \
    X(histogram_count, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                             \
    X(histogram_fraction, VECTOR, 0, 0, 0, PROMQL_SCALAR, PROMQL_SCALAR, PROMQL_VECTOR)            \
    X(histogram_quantile, VECTOR, 0, 0, 0, PROMQL_SCALAR, PROMQL_VECTOR)                           \
    X(histogram_stddev, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                            \
    X(histogram_stdvar, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                            \
    X(histogram_sum, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                               \
    X(hour, VECTOR, 1, 0, 1, PROMQL_VECTOR)                                                        \
    X(idelta, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                      \
    X(increase, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                    \
    X(info, VECTOR, 1, 1, 0, PROMQL_VECTOR, PROMQL_VECTOR)                                         \
    X(irate, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                       \
    X(label_join, VECTOR, -1, 0, 0, PROMQL_VECTOR, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING)    \
    X(label_replace, VECTOR, 0, 0, 0, PROMQL_VECTOR, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING,  \
      PROMQL_STRING)                                                                               \
    X(last_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                              \
    X(ln, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                          \
    X(log10, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                       \
    X(log2, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(mad_over_time, VECTOR, 0, 1, 0, PROMQL_MATRIX)                                               \
    X(max_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                               \
    X(min_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                               \
    X(minute, VECTOR, 1, 0, 1, PROMQL_VECTOR)                                                      \
    X(month, VECTOR, 1, 0, 1, PROMQL_VECTOR)                                                       \
    X(pi, SCALAR, 0, 0, 0)                                                                         \
    X(predict_linear, VECTOR, 0, 0, 1, PROMQL_MATRIX, PROMQL_SCALAR)                               \
    X(present_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                           \
    X(quantile_over_time, VECTOR, 0, 0, 0, PROMQL_SCALAR, PROMQL_MATRIX)                           \
    X(rad, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(rate, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                        \
    X(resets, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                                      \
    X(round, VECTOR, 1, 0, 0, PROMQL_VECTOR, PROMQL_SCALAR)                                        \
    X(scalar, SCALAR, 0, 0, 0, PROMQL_VECTOR)                                                      \
    X(sgn, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(sin, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(sinh, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(sort, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(sort_by_label, VECTOR, -1, 1, 0, PROMQL_VECTOR, PROMQL_STRING)                               \
    X(sort_by_label_desc, VECTOR, -1, 1, 0, PROMQL_VECTOR, PROMQL_STRING)                          \
    X(sort_desc, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                   \
    X(sqrt, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(stddev_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                            \
    X(stdvar_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                            \
    X(sum_over_time, VECTOR, 0, 0, 0, PROMQL_MATRIX)                                               \
    X(tan, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                         \
    X(tanh, VECTOR, 0, 0, 0, PROMQL_VECTOR)                                                        \
    X(time, SCALAR, 0, 0, 1)                                                                       \
    X(timestamp, VECTOR, 0, 0, 1, PROMQL_VECTOR)                                                   \
    X(ts_of_first_over_time, VECTOR, 0, 1, 0, PROMQL_MATRIX)                                       \
    X(ts_of_last_over_time, VECTOR, 0, 1, 0, PROMQL_MATRIX)                                        \
    X(ts_of_max_over_time, VECTOR, 0, 1, 0, PROMQL_MATRIX)                                         \
    X(ts_of_min_over_time, VECTOR, 0, 1, 0, PROMQL_MATRIX)                                         \
    X(vector, VECTOR, 0, 0, 0, PROMQL_SCALAR)                                                      \
    X(year, VECTOR, 1, 0, 1, PROMQL_VECTOR)

enum pq_fn {
#define X(name, ret, variadic, experimental, unsafe, ...) PQ_FN_##name,
    PQ_FUNCTIONS(X)
#undef X
        PQ_FN_COUNT
};

struct pq_function {
    const char *name;
    enum pq_fn id;
    enum promql_value_type returns;
    int variadic;
    bool experimental, unsafe;
    enum promql_value_type args[PQ_FUNCTION_ARGS_MAX];
    size_t n_args;
};

const struct pq_function *pq_function_find(struct str name); /* NULL: there is none */

#endif
